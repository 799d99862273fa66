// Whom a name means, asked from one network: instances of it and of the networks it is known together with (the tiers of a VPC), and
// nobody else's. Pure.
import { cidr, contains, formatIp, parseIp, type Cidr } from '../../../lib/ip.ts';
import type { NamedNetwork, NameScope } from '../../../protocol/services.ts';
import { type Answer, type Question, RCODE, TYPE } from './message.ts';

/** An answer of our own; or somebody else is to be asked. */
export type Verdict = { readonly rcode: number; readonly answers: readonly Answer[] } | 'forward';

export interface Names {
  /** As seen from one of the scope's networks. */
  lookUp(networkId: string, question: Pick<Question, 'labels' | 'type'>): Verdict;
}

interface Known {
  readonly network: string;
  readonly ip?: string;
  readonly ip6?: string;
}

/** Where metadata and passwords are (cloud-init looks this name up), and who leads out. */
const DATA_SERVER = 'data-server';
const GATEWAY = 'gateway';

/** Addresses of which nobody outside can know a name (RFC 6303). */
const PRIVATE: readonly Cidr[] = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '169.254.0.0/16', '127.0.0.0/8'].map(
  cidr,
);

const UNKNOWN: Verdict = { rcode: RCODE.unknown, answers: [] };

export function namesOf({ networks }: NameScope): Names {
  const byName = new Map<string, Known[]>();
  const byAddress = new Map<string, string>();
  const own = new Map(networks.map((network) => [network.id, network]));
  const domains = new Set(networks.map(({ domain }) => domain.toLowerCase()).filter((domain) => domain !== ''));
  for (const network of networks) {
    for (const host of network.hosts) {
      const { name, ip } = host;
      const { name: _, ...addresses } = host;
      const full = qualified(name, network);
      for (const key of new Set([name.toLowerCase(), full])) {
        const list = byName.get(key);
        if (list === undefined) byName.set(key, [{ network: network.id, ...addresses }]);
        else list.push({ network: network.id, ...addresses });
      }
      if (ip !== undefined && !byAddress.has(ip)) byAddress.set(ip, full);
    }
    for (const [name, ip] of [
      [GATEWAY, network.gateway],
      [DATA_SERVER, network.service],
    ] as const)
      if (ip !== undefined && !byAddress.has(ip)) byAddress.set(ip, qualified(name, network));
  }

  function holdersOf(networkId: string, name: string): readonly Pick<Known, 'ip' | 'ip6'>[] {
    // First of all: an instance of such a name would be told its neighbours' secrets.
    const fixed = fixedIn(own.get(networkId), name);
    if (fixed !== undefined) return [{ ip: fixed }];
    const known = byName.get(name) ?? [];
    const near = known.filter(({ network }) => network === networkId);
    return near.length > 0 ? near : known;
  }

  return {
    lookUp(networkId, { labels, type }) {
      const name = labels.join('.');
      const address = addressAsked(labels);
      if (address !== undefined) {
        const found = byAddress.get(address);
        if (found !== undefined) return { rcode: RCODE.ok, answers: asks(type, TYPE.PTR) ? [{ name: found }] : [] };
        return PRIVATE.some((prefix) => contains(prefix, parseIp(address)!)) ? UNKNOWN : 'forward';
      }
      const found = holdersOf(networkId, name);
      if (found.length > 0) return { rcode: RCODE.ok, answers: found.flatMap((holder) => answersOf(holder, type)) };
      if (domains.has(name)) return { rcode: RCODE.ok, answers: [] };
      // A name of ours that is nobody's, and a name without a domain, are nobody's elsewhere either.
      const ours = labels.length === 1 || labels.some((_, index) => domains.has(labels.slice(index).join('.')));
      return ours ? UNKNOWN : 'forward';
    },
  };
}

/** The address of what every network has under a name of its own. */
function fixedIn(network: NamedNetwork | undefined, name: string): string | undefined {
  if (network === undefined) return undefined;
  const fixed = [
    [DATA_SERVER, network.service],
    [GATEWAY, network.gateway],
  ] as const;
  return fixed.find(([label]) => name === label || name === qualified(label, network))?.[1];
}

function answersOf({ ip, ip6 }: Pick<Known, 'ip' | 'ip6'>, type: number): Answer[] {
  return [
    ...(ip !== undefined && asks(type, TYPE.A) ? [{ ip }] : []),
    ...(ip6 !== undefined && asks(type, TYPE.AAAA) ? [{ ip6 }] : []),
  ];
}

function qualified(name: string, { domain }: Pick<NamedNetwork, 'domain'>): string {
  return (domain === '' ? name : `${name}.${domain}`).toLowerCase();
}

function asks(type: number, wanted: number): boolean {
  return type === wanted || type === TYPE.ANY;
}

/** `4.3.2.1.in-addr.arpa` asks whose 1.2.3.4 is. */
function addressAsked(labels: readonly string[]): string | undefined {
  if (labels.length !== 6 || labels[4] !== 'in-addr' || labels[5] !== 'arpa') return undefined;
  const ip = parseIp(labels.slice(0, 4).toReversed().join('.'));
  return ip === undefined ? undefined : formatIp(ip);
}
