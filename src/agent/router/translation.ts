// What public addresses are translated to, as elements and rules of nft: static NAT, port forwards, source NAT, and balancers of
// datagrams, which neither haproxy nor, often, the kernel can balance.
import { cidr, formatCidr } from '../../lib/ip.ts';
import type { BalancerSpec, PublicAddressSpec, RouterSpec } from '../../protocol/document.ts';
import { hex, markOf } from './names.ts';
import { disjoint, range } from './nft.ts';

export interface Translation {
  /** Public address: instance. */
  readonly staticIn: string[];
  /** Network . instance: public address. */
  readonly staticOut: string[];
  /** Public address . protocol . ports: instance; the port stays. */
  readonly forwards: string[];
  /** Public address . protocol . port: instance . port. */
  readonly shifted: string[];
  /** Network . prefix: the public address it speaks under. What is behind a member of one network may be another network's. */
  readonly sources: string[];
  /** Rules that choose a member for a new flow. */
  readonly balanced: string[];
  /** Public address . protocol . port that the node itself answers. */
  readonly served: string[];
}

export function translate(specs: readonly RouterSpec[], ipvs: boolean): Translation {
  const all: Translation = {
    staticIn: [],
    staticOut: [],
    forwards: [],
    shifted: [],
    sources: [],
    balanced: [],
    served: [],
  };
  for (const spec of specs) {
    const source = spec.publicAddresses.find(({ sourceNat }) => sourceNat);
    if (source !== undefined && spec.mode === 'NATTED')
      for (const prefix of disjoint(behind(spec))) all.sources.push(`${ofNetwork(spec, prefix)} : ${source.ip}`);
    for (const address of spec.publicAddresses) {
      if (address.staticNat !== undefined) {
        all.staticIn.push(`${address.ip} : ${address.staticNat}`);
        // An instance with two of them speaks under the first.
        const speaker = ofNetwork(spec, address.staticNat);
        if (!all.staticOut.some((element) => element.startsWith(`${speaker} `)))
          all.staticOut.push(`${speaker} : ${address.ip}`);
      }
      forwardsOf(address, all);
      for (const balancer of address.balancers) {
        const key = `${address.ip} . ${balancer.protocol} . ${balancer.publicPort}`;
        if (byNft(balancer, ipvs)) all.balanced.push(...memberRule(address, balancer));
        else all.served.push(key);
      }
    }
  }
  return all;
}

/** An address or prefix of a network, as a key that no other network's packets have: the mark says who asked. */
function ofNetwork(spec: RouterSpec, prefix: string): string {
  return `${hex(markOf(spec.vlan))} . ${prefix}`;
}

/**
 * What of a network may go outside: what is translated, and where nobody translates the network's own addresses. What is behind its
 * members there is whatever its owner says, and would leave in the name of others.
 */
export function mayLeave(spec: RouterSpec): string[] {
  const statics = spec.publicAddresses.flatMap(({ staticNat }) => (staticNat === undefined ? [] : [`${staticNat}/32`]));
  const translated = spec.mode === 'NATTED' && spec.publicAddresses.some(({ sourceNat }) => sourceNat);
  const own = translated ? behind(spec) : spec.mode === 'ROUTED' ? [formatCidr(cidr(spec.cidr))] : [];
  return disjoint([...own, ...statics]).map((prefix) => ofNetwork(spec, prefix));
}

/** Whether nftables balances it: datagrams where the kernel has no IPVS. */
export function byNft(balancer: BalancerSpec, ipvs: boolean): boolean {
  return balancer.protocol === 'udp' && !ipvs;
}

/** Whether haproxy balances it: connections where the kernel has no IPVS, and those that somebody must look into. */
export function byHaproxy(balancer: BalancerSpec, ipvs: boolean): boolean {
  const { protocol, cookie, proxy, check } = balancer;
  return protocol === 'tcp' && (!ipvs || cookie !== undefined || proxy === true || check?.path !== undefined);
}

/** The network's own prefix and those behind its members. */
export function behind(spec: RouterSpec): string[] {
  return [spec.cidr, ...spec.routes.map((route) => route.cidr)].map((text) => formatCidr(cidr(text)));
}

function forwardsOf(address: PublicAddressSpec, all: Translation): void {
  for (const { protocol, publicPort, publicEndPort, privatePort, ip } of address.forwards) {
    if (publicPort === privatePort) {
      all.forwards.push(`${address.ip} . ${protocol} . ${range(publicPort, publicEndPort)} : ${ip}`);
      continue;
    }
    // "dnat to ADDRESS:RANGE" picks any free port of the range, so that a shifted range is written out port by port.
    for (let port = publicPort; port <= publicEndPort; port++)
      all.shifted.push(`${address.ip} . ${protocol} . ${port} : ${ip} . ${privatePort + port - publicPort}`);
  }
}

/** The client keeps its address; one member a flow, by turns or by the client's address. */
function memberRule(
  address: PublicAddressSpec,
  { protocol, publicPort, algorithm, sticky, members }: BalancerSpec,
): string[] {
  if (members.length === 0) return [];
  const choose = sticky || algorithm === 'source' ? 'jhash ip saddr' : 'numgen inc';
  const map = members.map((member, index) => `${index} : ${member.ip} . ${member.port}`).join(', ');
  return [
    `ip daddr ${address.ip} ${protocol} dport ${publicPort} dnat ip to ${choose} mod ${members.length} map { ${map} }`,
  ];
}
