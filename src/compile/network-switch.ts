// A network as a logical switch: its segment, the ports of its instances with their guard rails, and DHCP. The same for every
// kind of network; who routes for it is not asked here.
import type { Fabric, Network, Nic } from '../model/intent.ts';
import type { DesiredRow } from './desired.ts';
import { NO_DHCP, dhcpOf, quoted } from './dhcp.ts';
import { guardRails, portAddresses, portSecurity } from './guard-rail.ts';
import { serviceGuards, servicePort } from './service-port.ts';
import { localnetName, portGroupName, routerPortName, row, rowId, switchName, switchSideName } from './names.ts';
import { rateRows } from './rate.ts';

export interface SwitchOptions {
  /** Ids of the router ports that meet here: the tier's own, or each private gateway's. */
  readonly routerPorts: readonly string[];
  /** ACL rows besides the guard rails, for the network's port group. */
  readonly acls?: readonly DesiredRow[];
  /** Ids of Load_Balancer rows: what instances reach by public or balanced addresses. */
  readonly loadBalancers?: readonly string[];
  /** What is routed to an instance, by its address. */
  readonly routedTo?: ReadonlyMap<string, readonly string[]>;
}

export function switchRows(
  unit: string,
  network: Network,
  fabric: Fabric,
  options: SwitchOptions,
): readonly DesiredRow[] {
  const mark = { id: network.id, unit };
  const dhcp =
    network.kind === 'private' ? undefined : network.kind === 'tier6' ? NO_DHCP : dhcpOf(unit, network, fabric);
  const nicPorts = network.nics.map((nic) =>
    nicPort(unit, nic, dhcp?.optionsOf(nic), {
      addressed: network.cidr !== undefined || network.six !== undefined,
      routed: routedTo(nic, options.routedTo),
    }),
  );
  const ports = [
    ...nicPorts,
    ...options.routerPorts.map((id) => switchSide(unit, network, id)),
    ...localnet(unit, network),
    ...servicePort(unit, network),
  ];
  const name = switchName(network.id);
  const rates = network.nics.flatMap((nic) => rateRows(unit, nic));
  const { loadBalancers = [] } = options;
  const rows = [
    row('Logical_Switch', rowId('Logical_Switch', name), mark, {
      name,
      ports: ports.map(({ uuid }) => uuid),
      ...(rates.length === 0 ? {} : { qos_rules: rates.map(({ uuid }) => uuid) }),
      ...(loadBalancers.length === 0 ? {} : { load_balancer: loadBalancers }),
    }),
    ...ports,
    ...rates,
  ];
  if (dhcp === undefined) return rows;
  const group = portGroupName(network.id);
  const acls = [
    ...guardRails(unit, network.id, group, network.six !== undefined),
    ...serviceGuards(unit, network, group),
    ...(options.acls ?? []),
  ];
  const columns = { name: group, ports: nicPorts.map(({ uuid }) => uuid), acls: acls.map(({ uuid }) => uuid) };
  return [...rows, ...dhcp.rows, row('Port_Group', rowId('Port_Group', group), mark, columns), ...acls];
}

function routedTo(nic: Nic, routed: SwitchOptions['routedTo']): readonly string[] {
  const own = [nic.ip, ...nic.secondary, nic.ip6].filter((address) => address !== undefined);
  return own.flatMap((address) => routed?.get(address) ?? []);
}

/**
 * Where an instance may be. While it moves, both hypervisors carry the port: the first until the second has it, so that nothing
 * is lost while it is on its way (ovn-nb(5) requested-chassis takes several since 22.09). Rule: no activation-strategy. With it
 * the second place stays shut until the guest sends a RARP, and only QEMU does; without, both places get every packet, and the
 * one where nobody listens yet drops it.
 */
function placesOf({ host, movingFrom }: Nic): { readonly 'requested-chassis'?: string } {
  if (host === undefined) return {};
  return { 'requested-chassis': movingFrom === undefined ? host : `${movingFrom},${host}` };
}

function nicPort(
  unit: string,
  nic: Nic,
  dhcp: string | undefined,
  { addressed, routed }: { readonly addressed: boolean; readonly routed: readonly string[] },
): DesiredRow {
  return row(
    'Logical_Switch_Port',
    nic.id,
    { id: nic.id, unit },
    {
      name: nic.id,
      addresses: [portAddresses(nic).join(' ')],
      port_security: portSecurity(nic, routed, addressed),
      options: {
        // ovn-nb(5) requested-chassis: no other hypervisor can bind the port, not even by mistake.
        ...placesOf(nic),
        ...(dhcp === undefined ? {} : { hostname: quoted(nic.hostname) }),
      },
      ...(dhcp === undefined ? {} : { dhcpv4_options: [dhcp] }),
    },
  );
}

function switchSide(unit: string, network: Network, id: string): DesiredRow {
  const name = switchSideName(id);
  const onWire = network.segment.kind === 'vlan';
  return row(
    'Logical_Switch_Port',
    rowId('Logical_Switch_Port', name),
    { id, unit },
    {
      name,
      type: 'router',
      addresses: ['router'],
      // ovn-nb(5) nat-addresses: the chassis that takes the port over announces it, or the wire's switches keep the old place.
      options: { 'router-port': routerPortName(id), ...(onWire ? { 'nat-addresses': 'router' } : {}) },
    },
  );
}

function localnet(unit: string, network: Network): readonly DesiredRow[] {
  if (network.segment.kind !== 'vlan') return [];
  const { vlan, physicalNetwork } = network.segment;
  const name = localnetName(network.id);
  const columns = {
    name,
    type: 'localnet',
    addresses: ['unknown'],
    tag: [vlan],
    options: { network_name: physicalNetwork },
  };
  return [row('Logical_Switch_Port', rowId('Logical_Switch_Port', name), { id: network.id, unit }, columns)];
}
