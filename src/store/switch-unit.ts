// From rows to the unit of a physical switch: which VLANs each of its ports must carry, and on whose account. Pure.
import type { PortVlan, Switch, SwitchPort } from '../model/intent.ts';
import type { Row, Rows } from './intent-rows.ts';

/** A switch with the ports that are ours to set or to compare; free access ports we manage are set to the native VLAN. */
export function switchUnit(rows: Rows, row: Row<'switch'>): Switch {
  return {
    id: row.id,
    name: row.name,
    driver: row.driver as Switch['driver'],
    address: row.address,
    options: row.options,
    ...(row.secret === null ? {} : { secret: row.secret }),
    nativeVlan: row.nativevlan,
    confirmed: row.confirmed,
    ports: rows.switchport.by('switch', row.id).flatMap((port) => portOf(rows, port)),
  };
}

function portOf(rows: Rows, port: Row<'switchport'>): SwitchPort[] {
  const { id, name } = port;
  const mode = port.managed === 1 ? 'set' : 'check';
  if (port.role === 'access') {
    const members = rows.member.by('switchport', id);
    const [untagged] = vlansOf(
      rows,
      members.filter((member) => member.tagged === 0).map((member) => member.network),
    );
    const tagged = vlansOf(
      rows,
      members.filter((member) => member.tagged === 1).map((member) => member.network),
    );
    const behind =
      members.length === 0
        ? 'nobody'
        : `device ${members.map((member) => rows.device.get(member.device)?.name ?? member.device).join(', ')}`;
    return [{ id, name, mode, behind, ...(untagged === undefined ? {} : { untagged }), tagged }];
  }
  const host = port.host === null ? undefined : rows.host.get(port.host);
  if (host === undefined || (port.role !== 'hypervisor' && port.role !== 'router')) return [];
  return [{ id, name, mode, behind: `${host.kind} ${host.name}`, tagged: vlansOf(rows, networksAt(rows, host.id)) }];
}

/** Ids of the networks whose frames a node sends and receives: those of its instances, and those it routes for. */
function networksAt(rows: Rows, host: string): string[] {
  const instances = rows.instance.by('host', host);
  const nics = instances.flatMap((instance) => rows.nic.by('instance', instance.id));
  return [...nics.map((nic) => nic.network), ...rows.networkrouter.by('host', host).map((leg) => leg.network)];
}

function vlansOf(rows: Rows, networks: readonly string[]): PortVlan[] {
  const names = new Map<number, Set<string>>();
  for (const id of networks) {
    const network = rows.network.get(id);
    if (network === undefined || network.segment !== 'vlan' || network.vlan === null) continue;
    names.set(network.vlan, (names.get(network.vlan) ?? new Set()).add(network.name));
  }
  return [...names].toSorted(([a], [b]) => a - b).map(([vlan, set]) => ({ vlan, networks: [...set].toSorted() }));
}

/** Ids of the switches that a change at a node or in a network may concern. */
export function switchesAtHost(rows: Rows, host: string | null | undefined): string[] {
  if (typeof host !== 'string') return [];
  return rows.switchport.by('host', host).map((port) => port.switch);
}

export function switchesOfNetwork(rows: Rows, network: string): string[] {
  const ports = rows.member.by('network', network).map((member) => rows.switchport.get(member.switchport)?.switch);
  const hosts = [
    ...rows.nic.by('network', network).map((nic) => rows.instance.get(nic.instance)?.host),
    ...rows.networkrouter.by('network', network).map((leg) => leg.host),
  ];
  return [...ports.filter((id) => id !== undefined), ...hosts.flatMap((host) => switchesAtHost(rows, host))];
}
