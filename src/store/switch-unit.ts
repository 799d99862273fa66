// From rows to the unit of a physical switch: which VLANs each of its ports must carry, and on whose account. Pure.
import type { PortVlan, Switch, SwitchPort } from '../model/switch.ts';
import { needsEveryHypervisor } from './intent-units.ts';
import type { Row, Rows } from './intent-rows.ts';

/** A switch with the ports that are ours to set or to compare; free access ports we manage are set to the native VLAN. */
export function switchUnit(rows: Rows, row: Row<'switch'>): Switch {
  const everywhere = rows.network.by('physicalnetwork', row.physicalnetwork).filter(hasVlan);
  const routed = everywhere.filter((network) => needsEveryHypervisor(rows, network)).map(({ id }) => id);
  return {
    id: row.id,
    name: row.name,
    driver: row.driver as Switch['driver'],
    address: row.address,
    options: row.options,
    ...(row.secret === null ? {} : { secret: row.secret }),
    nativeVlan: row.nativevlan,
    apply: row.apply === 1,
    confirmed: row.confirmed,
    ports: rows.switchport.by('switch', row.id).flatMap((port) => portOf(rows, row, port, routed)),
  };
}

function portOf(rows: Rows, row: Row<'switch'>, port: Row<'switchport'>, routed: readonly string[]): SwitchPort[] {
  const { id, name } = port;
  const mode = port.managed === 1 ? 'set' : 'check';
  const vlans = (networks: readonly string[]): PortVlan[] => vlansOf(rows, row.physicalnetwork, networks);
  if (port.role === 'access') {
    // One that is being detached stays a row until its port is free.
    const members = rows.member.by('switchport', id).filter((member) => member.state !== 'Detaching');
    const networks = (tagged: 0 | 1): string[] =>
      members.filter((member) => member.tagged === tagged).map((member) => member.network);
    const [untagged] = vlans(networks(0));
    return [
      {
        id,
        name,
        mode,
        behind: members.length === 0 ? 'nobody' : `device ${namesOf(rows, members)}`,
        trunk: false,
        ...(untagged === undefined ? {} : { untagged }),
        tagged: vlans(networks(1)),
      },
    ];
  }
  const host = port.host === null ? undefined : rows.host.get(port.host);
  if (host === undefined || (port.role !== 'hypervisor' && port.role !== 'router')) return [];
  const networks = [...networksAt(rows, host.id), ...(host.kind === 'hypervisor' ? routed : [])];
  return [{ id, name, mode, behind: `${host.kind} ${host.name}`, trunk: true, tagged: vlans(networks) }];
}

function namesOf(rows: Rows, members: readonly Row<'member'>[]): string {
  const names = members.map((member) => rows.device.get(member.device)?.name ?? member.device);
  return [...new Set(names)].toSorted().join(', ');
}

/** Ids of the networks whose frames a node sends and receives: those of its instances, and those it routes for. */
function networksAt(rows: Rows, host: string): string[] {
  const instances = [...rows.instance.by('host', host), ...rows.instance.by('migratefrom', host)];
  const nics = instances.flatMap((instance) => rows.nic.by('instance', instance.id));
  return [...nics.map((nic) => nic.network), ...rows.networkrouter.by('host', host).map((leg) => leg.network)];
}

function hasVlan(network: Row<'network'>): network is Row<'network'> & { readonly vlan: number } {
  return network.segment === 'vlan' && network.vlan !== null;
}

function vlansOf(rows: Rows, physicalNetwork: string, networks: readonly string[]): PortVlan[] {
  const names = new Map<number, Set<string>>();
  for (const id of new Set(networks)) {
    const network = rows.network.get(id);
    // A host may have cables to several physical networks.
    if (network === undefined || !hasVlan(network) || network.physicalnetwork !== physicalNetwork) continue;
    names.set(network.vlan, (names.get(network.vlan) ?? new Set()).add(network.name));
  }
  return [...names].toSorted(([a], [b]) => a - b).map(([vlan, set]) => ({ vlan, networks: [...set].toSorted() }));
}

/** Ids of the switches that a node is cabled to: a change at the node may concern them. */
export function switchesAtHost(rows: Rows, host: string | null | undefined): string[] {
  if (typeof host !== 'string') return [];
  return rows.switchport.by('host', host).map((port) => port.switch);
}

/** Ids of the switches that carry a network. */
export function switchesOfNetwork(rows: Rows, id: string): string[] {
  const network = rows.network.get(id);
  if (network !== undefined && hasVlan(network) && needsEveryHypervisor(rows, network))
    return [...rows.switch.all()].map((row) => row.id);
  const ports = rows.member.by('network', id).map((member) => rows.switchport.get(member.switchport)?.switch);
  const hosts = [
    ...rows.nic.by('network', id).flatMap((nic) => hostsOf(rows.instance.get(nic.instance))),
    ...rows.networkrouter.by('network', id).map((leg) => leg.host),
  ];
  return [...ports.filter((port) => port !== undefined), ...hosts.flatMap((host) => switchesAtHost(rows, host))];
}

/** Ids of the switches whose cables carry an instance's frames, while it moves those of both places. */
export function switchesOfInstance(rows: Rows, instance: Row<'instance'> | undefined): string[] {
  return hostsOf(instance).flatMap((host) => switchesAtHost(rows, host));
}

function hostsOf(instance: Row<'instance'> | undefined): (string | null | undefined)[] {
  return [instance?.host, instance?.migratefrom];
}
