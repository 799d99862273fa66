// Which networks this node can route for. What it cannot is an error of that network, named with what stands in the way; it holds up
// nothing else, and nothing of it is half made.
import { cidr, contains, formatCidr, ip, overlaps } from '../../lib/ip.ts';
import { cidr6, contains6, ip6, overlaps6 } from '../../lib/ip6.ts';
import type { RouterSpec } from '../../protocol/document.ts';
import { isSix } from './ip-words.ts';
import { foreign, wantedLinks, type LinkState } from './link.ts';
import { aliasOf, insideDevice, outsideDevice, spoken, type RouterContext } from './names.ts';

export interface Accepted {
  readonly good: readonly RouterSpec[];
  /** Sentences by id. */
  readonly refused: ReadonlyMap<string, string>;
}

export interface NodeAddress {
  readonly device: string;
  /** With its prefix length. */
  readonly address: string;
  /** The device's name, or what somebody called the address (ip-address(8)). */
  readonly label: string;
}

/** Sorts out. Of two networks that are in each other's way, the one that is there already stays. */
export function accept(
  specs: readonly RouterSpec[],
  state: LinkState & { readonly addresses: readonly NodeAddress[] },
  context: RouterContext,
): Accepted {
  const refused = new Map<string, string>();
  const good: RouterSpec[] = [];
  const there = (spec: RouterSpec): boolean =>
    state.links.get(insideDevice(spec.vlan, context))?.alias === aliasOf(spec.id);
  const ordered = [...specs.filter(there), ...specs.filter((spec) => !there(spec))];
  for (const spec of ordered) {
    const why = whyNot(spec, good, state, context);
    if (why === undefined) good.push(spec);
    else refused.set(spec.id, why);
  }
  return { good: specs.filter((spec) => good.includes(spec)), refused };
}

function whyNot(
  spec: RouterSpec,
  others: readonly RouterSpec[],
  state: LinkState & { readonly addresses: readonly NodeAddress[] },
  context: RouterContext,
): string | undefined {
  const prefix = cidr(spec.cidr);
  const name = spoken(spec.name);
  const range = formatCidr(prefix);
  for (const [what, address] of [
    ['own address', spec.ip],
    ['gateway', spec.gateway],
  ] as const)
    if (!contains(prefix, ip(address)))
      return `${context.node} cannot route for network ${name}: its ${what} ${address} is not in ${range}`;
  const { six } = spec;
  if (six !== undefined && !contains6(cidr6(six.cidr), ip6(six.gateway)))
    return `${context.node} cannot route for network ${name}: its gateway ${six.gateway} is not in ${six.cidr}`;
  for (const other of others) {
    if (six !== undefined && other.six !== undefined && overlaps6(cidr6(six.cidr), cidr6(other.six.cidr)))
      return `${context.node} cannot route for both network ${spoken(other.name)} and network ${name}: both have ${six.cidr}; let another router node take one of them`;
    if (other.vlan === spec.vlan)
      return `${context.node} cannot route for network ${name}: its VLAN ${spec.vlan} is network ${spoken(other.name)}'s here`;
    if (overlaps(prefix, cidr(other.cidr)))
      return `${context.node} cannot route for both network ${spoken(other.name)} (${formatCidr(cidr(other.cidr))}) and network ${name} (${range}): their addresses overlap; let another router node take one of them`;
  }
  const label = `${context.inside}:${spec.vlan}`;
  const alias = state.addresses.find((one) => one.label === label);
  if (alias !== undefined)
    return `${context.node} cannot route for network ${name}: ${label} is a second name of ${context.inside}, not a VLAN: what is sent from ${alias.address} leaves without a tag; take it away (ip addr del ${alias.address} dev ${context.inside}), the sub-interface is ${insideDevice(spec.vlan, context)}`;
  const ours = new Set([...wantedLinks([...others, spec], context).map(({ device }) => device), context.outside, 'lo']);
  const foreigners = state.addresses.filter(
    ({ device }) => !ours.has(device) && state.links.get(device)?.alias?.startsWith(aliasOf('')) !== true,
  );
  const own = foreigners.find(({ address }) =>
    isSix(address) ? six !== undefined && overlaps6(cidr6(six.cidr), cidr6(address)) : overlaps(prefix, cidr(address)),
  );
  if (own !== undefined) {
    const which = isSix(own.address) ? six!.cidr : range;
    return `${context.node} cannot route for network ${name}: its ${which} overlaps ${own.address}, which ${context.node} itself has on ${own.device}`;
  }
  for (const wanted of wantedLinks([spec], context)) {
    const why = foreign(wanted, state, context);
    if (why !== undefined) return why;
  }
  const taken = spec.publicAddresses.find(({ ip: address, vlan }) =>
    others.some((other) =>
      other.publicAddresses.some(
        (one) => one.ip === address && outsideDevice(one.vlan, context) === outsideDevice(vlan, context),
      ),
    ),
  );
  if (taken !== undefined)
    return `${context.node} cannot route for network ${name}: its public address ${taken.ip} is also another network's here`;
  return twice(spec, context);
}

/** Two things behind the same port of an address: nobody could say which of them is meant. */
function twice(spec: RouterSpec, context: RouterContext): string | undefined {
  for (const { ip: address, forwards, balancers } of spec.publicAddresses) {
    const asked = [
      ...forwards.map(({ protocol, publicPort, publicEndPort }) => ({ protocol, from: publicPort, to: publicEndPort })),
      ...balancers.map(({ protocol, publicPort }) => ({ protocol, from: publicPort, to: publicPort })),
    ];
    for (const [index, one] of asked.entries())
      if (
        asked
          .slice(index + 1)
          .some((other) => one.protocol === other.protocol && one.from <= other.to && other.from <= one.to)
      )
        return `${context.node} cannot route for network ${spoken(spec.name)}: port ${one.from}/${one.protocol} of its public address ${address} is asked for twice`;
  }
  return undefined;
}
