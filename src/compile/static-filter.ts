// What may come in to an address that is an instance's alone: judged at the instance, after translation, with its connections, so that
// answers to what it asked itself pass. At the wire that could not be told (public-filter.ts).
import { formatCidr, cidr, type Cidr } from '../lib/ip.ts';
import type { Nic } from '../model/intent.ts';
import type { PublicAddress, PublicSide } from '../model/public-side.ts';
import { LARGEST_LIST, both, closed, cut, when, type Rule, type Rules } from './filter.ts';
import { within } from './match.ts';
import { publicList, rulesOf } from './public-list.ts';

/** `rules`, with those of the addresses of these cards before them, for who comes from anywhere but `inside`. */
export function staticRules(side: PublicSide, nics: readonly Nic[], inside: readonly Cidr[], rules: Rules): Rules {
  const own = new Set(nics.map(({ id }) => id));
  const judged = side.addresses.flatMap((address) => {
    const list = isJudgedHere(address, own) ? publicList(address, side.firewall) : undefined;
    return list === undefined ? [] : [{ address, list: rulesOf(list, false) }];
  });
  if (judged.length === 0) return rules;
  const all: Rule[] = inside.length === 0 ? [] : [...when(within('ip4.src', inside), 'inside', rules)];
  for (const { address, list } of judged) {
    all.push(...when(`ip4.dst == ${formatCidr(cidr(`${address.staticNat}/32`))}`, address.id, both(list, rules)));
    // What is left out must not pass by the network's own rules.
    if (all.length > LARGEST_LIST) return cut(all);
  }
  return closed([...all, ...rules], false);
}

function isJudgedHere({ staticNat, staticNatNic }: PublicAddress, nics: ReadonlySet<string>): boolean {
  return staticNat !== undefined && staticNatNic !== undefined && nics.has(staticNatNic);
}
