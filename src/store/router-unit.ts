// From rows to what a network asks of a Linux router node: addresses, translations, rules, leases. Pure.
import type { RouterRole } from '../model/router-role.ts';
import { LINUX_ROUTER, servicesOf } from '../model/network-service.ts';
import type { Row, Rows } from './intent-rows.ts';
import { firewallRule, publicAddress } from './public-unit.ts';
import { routerSix } from './six-unit.ts';

/** All roles of one router node. Networks without a VLAN or a gateway have no leg: the commands see to it. */
export function routerRoles(rows: Rows, host: string): RouterRole[] {
  return rows.networkrouter.by('host', host).flatMap((leg) => {
    const network = rows.network.get(leg.network);
    const role = network === undefined ? undefined : roleOf(rows, leg, network);
    return role === undefined ? [] : [role];
  });
}

function roleOf(rows: Rows, leg: Row<'networkrouter'>, network: Row<'network'>): RouterRole | undefined {
  const { cidr, gateway, vlan } = network;
  if (cidr === null || gateway === null || vlan === null) return undefined;
  const offering = rows.networkoffering.get(network.offering);
  const zone = rows.zone.get(network.zone);
  if (offering === undefined || zone === undefined) return undefined;
  const services = new Set(
    servicesOf(offering)
      .filter(({ provider }) => provider === LINUX_ROUTER)
      .map(({ name }) => name),
  );
  const nics = rows.nic.by('network', network.id);
  const members = rows.member.by('network', network.id);
  const mode = offering.networkmode === 'ROUTED' ? 'ROUTED' : 'NATTED';
  const own = [network.dns1, network.dns2].filter((server) => server !== null);
  const rules = rows.firewallrule.by('network', network.id);
  return {
    id: leg.id,
    network: {
      id: network.id,
      name: network.name,
      cidr,
      vlan,
      domainName: network.networkdomain ?? '',
      dns: own.length > 0 ? own : [zone.dns1, zone.dns2].filter((server) => server !== null),
    },
    ip: leg.ip,
    gateway,
    priority: leg.priority,
    peers: rows.networkrouter
      .by('network', network.id)
      .filter((other) => other.id !== leg.id)
      .map((other) => other.ip),
    peerNodes: rows.networkrouter.by('network', network.id).flatMap((other) => {
      const node = other.id === leg.id ? undefined : rows.host.get(other.host);
      return node === undefined ? [] : [{ name: node.name, underlayIp: node.underlayip }];
    }),
    mode,
    routable: mode === 'NATTED' ? [] : routable(rows, nics, members),
    dhcp: services.has('Dhcp'),
    // One resolver answers for all networks of a node and asks the zone's servers: a tenant's own would be asked by everybody's
    // instances. His instances are told them by DHCP and ask them themselves.
    dnsService: services.has('Dns') && own.length === 0,
    firewall: services.has('Firewall'),
    egressDefault: !services.has('Firewall') || offering.egressdefaultpolicy === 1 ? 'allow' : 'deny',
    egress: rules.filter((rule) => rule.direction === 'Egress' && rule.family === 4).map(firewallRule),
    leases: nics.flatMap(({ mac, ip, instance }) =>
      ip === null ? [] : [{ mac, ip, hostname: rows.instance.get(instance)?.hostname ?? '' }],
    ),
    routes: routesOf(rows, network.id),
    publicAddresses: rows.publicip.by('network', network.id).flatMap((address) => publicAddress(rows, address)),
    ...routerSix(rows, network),
  };
}

/** Networks behind the members of a network. A member without an address is no next hop. */
export function routesOf(rows: Rows, network: string): { id: string; cidr: string; via: string }[] {
  return rows.networkroute.by('network', network).flatMap(({ id, cidr, member }) => {
    const via = rows.member.get(member)?.ip;
    return typeof via === 'string' ? [{ id, cidr, via }] : [];
  });
}

function routable(rows: Rows, nics: readonly Row<'nic'>[], members: readonly Row<'member'>[]): string[] {
  const ofNics = nics.flatMap((nic) => [
    ...(nic.ip === null ? [] : [nic.ip]),
    ...rows.nicaddress.by('nic', nic.id).map(({ ip }) => ip),
  ]);
  return [...ofNics, ...members.flatMap(({ ip }) => (ip === null ? [] : [ip]))];
}
