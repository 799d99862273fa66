// A VPC: one logical router; its tiers are switches of its own, its private gateways are ports on switches of others.
import { formatCidr, formatIp } from '../lib/ip.ts';
import type { Vpc } from '../model/intent.ts';
import type { DesiredRow } from './desired.ts';
import { tierFilter6 } from './filter6.ts';
import { transitPolicies } from './gateway-list.ts';
import { hostsOf, type Kind } from './kind.ts';
import { networkKey, routerMac, routerPortName, staticMacBinding, vpcKey } from './names.ts';
import { switchRows } from './network-switch.ts';
import { publicPart } from './public-part.ts';
import { routerOf, type Leg } from './router.ts';
import { pathRow, routingOf, type Routing } from './routing.ts';
import { sixOfVpc } from './six.ts';
import { sourceCheck } from './source-check.ts';
import { tierFilter } from './tier-filter.ts';

export const vpcKind: Kind<Vpc> = {
  kind: 'vpc',
  owns: (intent) => intent.vpcs.values(),
  compile(vpc, fabric) {
    const key = vpcKey(vpc.id);
    const part = publicPart(vpc, vpc.tiers, routingOf(vpc), fabric);
    const { routing, routerRows } = part;
    const six = sixOfVpc(key, vpc, part);
    const { tiers6 = [] } = vpc;
    const legs: readonly Leg[] = [
      ...vpc.tiers.map((tier) => ({ id: tier.id, address: tier.gateway, network: tier })),
      ...tiers6.map((tier) => ({ id: tier.id, address: tier.six.gateway, network: tier })),
      ...vpc.gateways.map((gateway) => ({ id: gateway.id, address: gateway.ip, network: gateway.network })),
      ...part.legs,
    ];
    const router = routerOf(key, vpc.id, fabric, legs, {
      ...routerRows,
      static_routes: [...routing.paths.map((path) => pathRow(key, path)), ...routerRows.static_routes, ...six.routes],
      policies: [
        ...sourceCheck(key, vpc.id, routing),
        ...transitPolicies(key, vpc),
        ...routerRows.policies,
        ...six.policies,
      ],
    });
    const routedTo = new Map([...appliancesOf(routing), ...six.routedTo]);
    const tiers = vpc.tiers.map((tier) =>
      switchRows(key, tier, fabric, {
        routerPorts: [tier.id],
        acls: [...tierFilter(key, vpc, tier, routing), ...tierFilter6(key, tier)],
        loadBalancers: part.loadBalancers,
        routedTo,
      }),
    );
    const without4 = tiers6.map((tier) =>
      switchRows(key, tier, fabric, { routerPorts: [tier.id], acls: tierFilter6(key, tier), routedTo }),
    );
    return {
      key,
      rows: [...router.rows, ...tiers.flat(), ...without4.flat(), ...part.rows, ...neighbours(vpc, routing)],
      findings: [...routing.findings, ...six.findings],
      chassis: [...[...vpc.tiers, ...tiers6].flatMap((tier) => hostsOf(tier.nics)), ...router.chassis],
      shares: vpc.gateways.map((gateway) => networkKey(gateway.network.id)),
    };
  },
};

/** What static routes send to an address in a tier, by that address. */
function appliancesOf(routing: Routing): ReadonlyMap<string, readonly string[]> {
  const routed = new Map<string, string[]>();
  for (const { nextHop, prefix, via } of routing.paths) {
    if (via.kind !== 'tier') continue;
    const address = formatIp(nextHop);
    routed.set(address, [...(routed.get(address) ?? []), formatCidr(prefix)]);
  }
  return routed;
}

/**
 * The MAC addresses of the gateways that routes lead to. Rule: they are said, not asked for. OVN would find them by ARP and
 * hold the packet back meanwhile, but when both sides start at once every fifth first packet is lost (26 of 150 on an
 * overlay, 39 of 150 on a VLAN), and with the southbound database away no conversation would begin at all.
 */
function neighbours(vpc: Vpc, routing: Routing): readonly DesiredRow[] {
  const members = new Map(
    vpc.gateways.map(({ id, network }) => [id, new Set(network.members.map((member) => member.ip))]),
  );
  const rows = new Map<string, DesiredRow>();
  for (const { nextHop, via } of routing.paths) {
    const address = formatIp(nextHop);
    if (members.get(via.id)?.has(address) !== true) continue;
    const port = routerPortName(via.id);
    rows.set(`${port}/${address}`, staticMacBinding(port, address, routerMac(via.networkId, address)));
  }
  return [...rows.values()];
}
