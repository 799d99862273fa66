// From rows to the public side of a router: addresses, what they lead to, what may pass. Pure. The same for router nodes and for OVN.
import type { AclList } from '../model/intent.ts';
import type {
  Balancer,
  BalancerMember,
  Carriers,
  FirewallRule,
  InternalBalancer,
  PortForward,
  PublicAddress,
  PublicSide,
} from '../model/public-side.ts';
import { servicesOf } from '../model/network-service.ts';
import { type StickinessPolicy, stickinessOf } from '../model/stickiness.ts';
import type { Row, Rows } from './intent-rows.ts';
import { uplinkOf } from './uplink-unit.ts';

type AclOf = (id: string) => AclList;

/** The public side of a VPC; undefined while it has none. `aclOf` gives a list by its id. */
export function vpcSide(rows: Rows, row: Row<'vpc'>, aclOf: AclOf): PublicSide | undefined {
  const networks = rows.network.by('vpc', row.id);
  const addresses = rows.publicip.by('vpc', row.id);
  return sideOf(rows, row, networks, addresses, aclOf, { mode: 'NATTED', firewall: false, egressDefault: 'allow' });
}

/** The public side of a network outside a VPC that OVN routes for; undefined while it has none. */
export function networkSide(rows: Rows, row: Row<'network'>, aclOf: AclOf): PublicSide | undefined {
  const offering = rows.networkoffering.get(row.offering);
  if (offering === undefined) return undefined;
  const firewall = servicesOf(offering).some(({ name }) => name === 'Firewall');
  return sideOf(rows, row, [row], rows.publicip.by('network', row.id), aclOf, {
    mode: offering.networkmode === 'ROUTED' ? 'ROUTED' : 'NATTED',
    firewall,
    egressDefault: !firewall || offering.egressdefaultpolicy === 1 ? 'allow' : 'deny',
  });
}

function sideOf(
  rows: Rows,
  row: Row<'vpc'> | Row<'network'>,
  networks: readonly Row<'network'>[],
  addresses: readonly Row<'publicip'>[],
  aclOf: AclOf,
  kind: Pick<PublicSide, 'mode' | 'firewall' | 'egressDefault'>,
): PublicSide | undefined {
  const given = addresses.filter(isGiven).toSorted(bySourceNat);
  const internal = networks.flatMap(({ id }) =>
    rows.internalbalancer.by('network', id).map((balancer) => internalOf(rows, balancer)),
  );
  const egress = networks.flatMap(({ id }) =>
    rows.firewallrule.by('network', id).filter((rule) => rule.direction === 'Egress' && rule.family === 4),
  );
  const uplink = uplinkOf(rows, row, networks, given[0]);
  const bare = given.length === 0 && internal.length === 0 && egress.length === 0 && uplink.uplink6 === undefined;
  if (bare && kind.egressDefault === 'allow') return undefined;
  return {
    ...kind,
    addresses: given.flatMap((address) => publicAddress(rows, address, aclOf)),
    egress: egress.map(firewallRule),
    internal,
    carriers: carriersOf(rows, row),
    ...uplink,
  };
}

/** Whether the address is its owner's, or just about to be. */
export function isGiven({ state }: Row<'publicip'>): boolean {
  return state === 'Allocated' || state === 'Allocating';
}

/** Order in which the source NAT address comes first. */
export function bySourceNat(a: Row<'publicip'>, b: Row<'publicip'>): number {
  return b.issourcenat - a.issourcenat;
}

function carriersOf(rows: Rows, row: { readonly gatewayturn: number; readonly gatewayavoid: string }): Carriers {
  const avoid = listOf(row.gatewayavoid).flatMap((id) => rows.host.get(id)?.name ?? []);
  return { turn: row.gatewayturn, avoid };
}

/** A public address as a router has it; none where its range is gone. Lists are for addresses of VPCs. */
export function publicAddress(rows: Rows, row: Row<'publicip'>, aclOf?: AclOf): PublicAddress[] {
  const range = rows.publicrange.get(row.publicrange);
  const physical = range === undefined ? undefined : rows.physicalnetwork.get(range.physicalnetwork);
  if (range === undefined || physical === undefined) return [];
  return [
    {
      id: row.id,
      ip: row.ip,
      range: range.id,
      physicalNetwork: physical.name,
      netmask: range.netmask,
      gateway: range.gateway,
      ...(range.vlan === null ? {} : { vlan: range.vlan }),
      sourceNat: row.issourcenat === 1,
      ...(row.helperslot === 0 || row.issourcenat === 1 ? {} : { helperSlot: row.helperslot }),
      ...(row.vmip === null ? {} : { staticNat: row.vmip }),
      ...(row.nic === null ? {} : { staticNatNic: row.nic }),
      ...(row.acl === null || aclOf === undefined ? {} : { acl: aclOf(row.acl) }),
      forwards: rows.portforward.by('publicip', row.id).map(portForward),
      balancers: rows.loadbalancer.by('publicip', row.id).map((balancer) => balancerOf(rows, balancer)),
      ingress: rows.firewallrule.by('publicip', row.id).map(firewallRule),
    },
  ];
}

const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

function portForward(row: Row<'portforward'>): PortForward {
  return {
    id: row.id,
    protocol: row.protocol === 'udp' ? 'udp' : 'tcp',
    publicPort: row.publicport,
    publicEndPort: row.publicendport,
    privatePort: row.privateport,
    ip: row.vmip,
    nicId: row.nic,
    networkId: row.network,
    cidrs: listOf(row.cidrlist),
  };
}

/** A firewall rule, of either direction. */
export function firewallRule(row: Row<'firewallrule'>): FirewallRule {
  return {
    id: row.id,
    protocol: row.protocol as FirewallRule['protocol'],
    ...(row.startport === null ? {} : { startPort: row.startport }),
    ...(row.endport === null ? {} : { endPort: row.endport }),
    ...(row.icmptype === null ? {} : { icmpType: row.icmptype }),
    ...(row.icmpcode === null ? {} : { icmpCode: row.icmpcode }),
    cidrs: listOf(row.cidrlist),
    destinationCidrs: listOf(row.destcidrlist),
  };
}

function balancerOf(rows: Rows, row: Row<'loadbalancer'>): Balancer {
  const check = row.healthcheck === null ? undefined : checkOf(row.healthcheck);
  const policy = row.stickiness === null ? undefined : (JSON.parse(row.stickiness) as StickinessPolicy);
  return {
    id: row.id,
    protocol: row.protocol === 'udp' ? 'udp' : 'tcp',
    publicPort: row.publicport,
    algorithm: row.algorithm as Balancer['algorithm'],
    cidrs: listOf(row.cidrlist),
    sticky: policy?.methodname === 'SourceBased',
    ...(policy === undefined ? {} : stickinessOf(policy)),
    ...(row.protocol === 'tcp-proxy' ? { proxy: true } : {}),
    ...(check === undefined ? {} : { check }),
    members: membersOf(rows, rows.balancermember.by('loadbalancer', row.id), row.privateport),
  };
}

/** Only what the node needs to know: the text holds the policy's id and description, too. */
function checkOf(text: string): NonNullable<Balancer['check']> {
  const check = JSON.parse(text) as NonNullable<Balancer['check']>;
  const { intervalSeconds, timeoutSeconds, healthy, unhealthy, path, source } = check;
  return {
    intervalSeconds,
    timeoutSeconds,
    healthy,
    unhealthy,
    ...(path === undefined ? {} : { path }),
    ...(source === undefined ? {} : { source }),
  };
}

function internalOf(rows: Rows, row: Row<'internalbalancer'>): InternalBalancer {
  return {
    id: row.id,
    networkId: row.network,
    ip: row.sourceip,
    protocol: row.protocol === 'udp' ? 'udp' : 'tcp',
    port: row.publicport,
    algorithm: row.algorithm as Balancer['algorithm'],
    members: membersOf(rows, rows.internalmember.by('internalbalancer', row.id), row.privateport),
  };
}

/** Those that run, or are to: who is stopped or destroyed stays a member, and is led to again when it is started. */
function membersOf(
  rows: Rows,
  members: readonly { readonly nic: string; readonly ip: string }[],
  port: number,
): BalancerMember[] {
  return members.flatMap(({ nic, ip }) => {
    const card = rows.nic.get(nic);
    if (card === undefined || rows.instance.get(card.instance)?.power !== 'running') return [];
    return [{ ip, port, nicId: nic, networkId: card.network }];
  });
}
