// From rows to what networks and cards have of IPv6. Pure; intent-units.ts says where it belongs.
import type { AclItem } from '../model/intent.ts';
import { BUILT_IN } from '../model/built-in.ts';
import {
  type Firewall6,
  type Network6,
  type Nic6,
  type Uplink6,
  isOnWire,
  routerLinkAddress,
  routerPortMac,
} from '../model/ipv6.ts';
import { offers } from '../model/network-service.ts';
import type { RouterRole6 } from '../model/router-role.ts';
import { looksLikeIp6 } from '../lib/ip6.ts';
import type { Row, Rows } from './intent-rows.ts';
import { bySourceNat, firewallRule, isGiven } from './public-unit.ts';
import { uplinkOf } from './uplink-unit.ts';

/** The prefix of a network, where it has IPv6. */
export function sixOf(row: Row<'network'>): { readonly six?: Network6 } {
  if (row.ip6cidr === null || row.ip6gateway === null) return {};
  return { six: { cidr: row.ip6cidr, gateway: row.ip6gateway } };
}

/**
 * A card's address, and the MAC of its network's router: that of OVN's port, which follows from the IPv4 gateway where there is one. No
 * router node has that MAC (`byNode`: one routes): they are known by the link-local address that follows from it.
 */
export function nicSix(nic: Row<'nic'>, network: Row<'network'>, byNode: boolean): { readonly six?: Nic6 } {
  const gateway = network.gateway ?? network.ip6gateway;
  if (nic.ip6 === null || gateway === null) return {};
  return {
    six: {
      address: nic.ip6,
      router: routerPortMac(network.id, gateway),
      ...(byNode ? { routerAddress: routerLinkAddress(network.id, gateway) } : {}),
    },
  };
}

/** What a network with IPv6 asks of its router nodes for that. */
export function routerSix(rows: Rows, row: Row<'network'>): { readonly six?: RouterRole6 } {
  const { six } = sixOf(row);
  const { firewall6 } = firewall6Of(rows, row);
  if (six === undefined || firewall6 === undefined || row.gateway === null) return {};
  const given = rows.publicip.by('network', row.id).filter(isGiven).toSorted(bySourceNat)[0];
  const { uplink6 } = uplinkOf(rows, row, [row], given);
  return {
    six: {
      ...six,
      ...firewall6,
      link: routerLinkAddress(row.id, row.gateway),
      ...(uplink6 === undefined ? {} : { uplink: uplinkParts(uplink6) }),
      proxied: proxied(rows, row.id, six, uplink6),
    },
  };
}

function proxied(rows: Rows, network: string, six: Network6, uplink: Uplink6 | undefined): string[] {
  const wire = uplink === undefined ? null : (rows.publicrange.get(uplink.range)?.ip6cidr ?? null);
  if (wire === null || !isOnWire(wire, six.cidr)) return [];
  return rows.nic.by('network', network).flatMap(({ ip6 }) => (ip6 === null ? [] : [ip6]));
}

function uplinkParts({ vlan, cidr, gateway, address }: Uplink6): NonNullable<RouterRole6['uplink']> {
  return { ...(vlan === undefined ? {} : { vlan }), cidr, gateway, address };
}

/**
 * The IPv6 firewall of a network outside a VPC. Where its offering has none nobody can say what may come in: nothing may but answers, since
 * without translation there is nothing else between its instances and everybody.
 */
export function firewall6Of(rows: Rows, row: Row<'network'>): { readonly firewall6?: Firewall6 } {
  const offering = rows.networkoffering.get(row.offering);
  if (row.ip6cidr === null) return {};
  if (offering === undefined || !offers(offering, 'Firewall'))
    return { firewall6: { ingress: [], egressDefault: 'allow', egress: [] } };
  const rules = rows.firewallrule.by('network', row.id).filter(({ family }) => family === 6);
  const of = (direction: string): Firewall6['ingress'] =>
    rules.filter((rule) => rule.direction === direction).map(firewallRule);
  const egressDefault = offering.egressdefaultpolicy === 1 ? 'allow' : 'deny';
  return { firewall6: { ingress: of('Ingress'), egressDefault, egress: of('Egress') } };
}

const EVERYWHERE = '::/0';

/** The CIDRs of an item, by family. Those of the two lists that every VPC can use are about both, whatever they say. */
export function familiesOf(acl: string, cidrlist: string): Pick<AclItem, 'cidrs' | 'cidrs6'> {
  const all = cidrlist
    .split(',')
    .map((text) => text.trim())
    .filter((text) => text !== '');
  const global = acl === BUILT_IN.allowList || acl === BUILT_IN.denyList;
  const cidrs6 = global ? [EVERYWHERE] : all.filter(looksLikeIp6);
  return { cidrs: all.filter((text) => !looksLikeIp6(text)), ...(cidrs6.length === 0 ? {} : { cidrs6 }) };
}
