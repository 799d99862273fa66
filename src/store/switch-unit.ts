// From rows to the unit of a physical switch: which VLANs each of its ports must carry, and on whose account. Pure.
import type { PortVlan, Switch, SwitchPort } from '../model/switch.ts';
import { needsEveryHypervisor, type Settings } from './intent-units.ts';
import type { Row, Rows } from './intent-rows.ts';

/** A switch with the ports that are ours to set or to compare; free access ports we manage are set to the native VLAN. */
export function switchUnit(
  rows: Rows,
  row: Row<'switch'>,
  { distributedNat }: Pick<Settings, 'distributedNat'>,
): Switch {
  const everywhere = rows.network.by('physicalnetwork', row.physicalnetwork).filter(hasVlan);
  const routed = everywhere.filter((network) => needsEveryHypervisor(rows, network)).map(({ id }) => id);
  const ports = rows.switchport
    .by('switch', row.id)
    .flatMap((port) => portOf(rows, row, port, { routed, distributedNat }));
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
    ports: [...ports, ...uplinksOf(rows, row, ports)],
  };
}

/** What goes for all ports of a switch. */
interface Everywhere {
  /** Ids of networks that OVN has router ports on. */
  readonly routed: readonly string[];
  readonly distributedNat: boolean;
}

function portOf(
  rows: Rows,
  row: Row<'switch'>,
  port: Row<'switchport'>,
  { routed, distributedNat }: Everywhere,
): SwitchPort[] {
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
  if (host === undefined || !CABLES.includes(port.role)) return [];
  const tagged = vlans([...networksAt(rows, host.id), ...(hasOvn(host) ? routed : [])]);
  const outside = publicVlans(rows, row, host, distributedNat).filter(({ vlan }) =>
    tagged.every((each) => each.vlan !== vlan),
  );
  return [{ id, name, mode, behind: `${host.kind} ${host.name}`, trunk: true, tagged: [...tagged, ...outside] }];
}

/** Roles of ports that a host of ours hangs on. */
const CABLES: readonly string[] = ['hypervisor', 'gateway', 'router'];

/** Whether OVN may place router ports there. */
function hasOvn({ kind }: Row<'host'>): boolean {
  return kind === 'hypervisor' || kind === 'gateway';
}

/** VLANs of public addresses, which a gateway node is there for; hypervisors meet them for instances of their own where they may. */
function publicVlans(
  rows: Rows,
  { physicalnetwork }: Row<'switch'>,
  { kind }: Row<'host'>,
  distributedNat: boolean,
): PortVlan[] {
  if (kind !== 'gateway' && !(distributedNat && kind === 'hypervisor')) return [];
  const ranges = rows.publicrange.by('physicalnetwork', physicalnetwork).filter(({ network }) => network === null);
  const vlans = new Set(ranges.map(({ vlan }) => vlan).filter((vlan) => vlan !== null));
  return [...vlans].map((vlan) => ({ vlan, networks: ['public addresses'] }));
}

/**
 * The ports that lead to other switches. Which of them leads to which nobody says, so a VLAN that is needed at this switch and at
 * another must be on each. Where people are asked for lines, nothing can be compared.
 */
function uplinksOf(rows: Rows, row: Row<'switch'>, ports: readonly SwitchPort[]): SwitchPort[] {
  const uplinks = rows.switchport.by('switch', row.id).filter(({ role }) => role === 'uplink');
  if (uplinks.length === 0 || row.driver === 'instructions') return [];
  const here = new Set(ports.flatMap(({ untagged, tagged }) => [untagged, ...tagged].map((each) => each?.vlan)));
  const shared = rows.network
    .by('physicalnetwork', row.physicalnetwork)
    .filter((network) => hasVlan(network) && here.has(network.vlan) && isElsewhere(rows, row, network.id))
    .map(({ id }) => id);
  if (shared.length === 0) return [];
  const tagged = vlansOf(rows, row.physicalnetwork, shared);
  return uplinks.map(({ id, name }) => ({ id, name, mode: 'check', behind: 'other switches', trunk: true, tagged }));
}

/** Whether a network's frames pass another switch of the same physical network. */
function isElsewhere(rows: Rows, { id, physicalnetwork }: Row<'switch'>, network: string): boolean {
  return switchesOfNetwork(rows, network).some(
    (other) => other !== id && rows.switch.get(other)?.physicalnetwork === physicalnetwork,
  );
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

/** Ids of the switches that carry a network at a port of a device or a node. */
export function switchesOfNetwork(rows: Rows, id: string): string[] {
  const network = rows.network.get(id);
  const everywhere = network !== undefined && hasVlan(network) && needsEveryHypervisor(rows, network);
  const ports = rows.member.by('network', id).map((member) => rows.switchport.get(member.switchport)?.switch);
  const hosts = [
    ...rows.nic.by('network', id).flatMap((nic) => hostsOf(rows.instance.get(nic.instance))),
    ...rows.networkrouter.by('network', id).map((leg) => leg.host),
    ...(everywhere ? [...rows.host.all()].filter(hasOvn).map((host) => host.id) : []),
  ];
  return [...ports.filter((port) => port !== undefined), ...hosts.flatMap((host) => switchesAtHost(rows, host))];
}

/** These switches, and those that lead to them: what is needed at one must be on the uplinks of the others. */
export function withLinked(rows: Rows, ids: readonly string[]): string[] {
  const wires = new Set(ids.map((id) => rows.switch.get(id)?.physicalnetwork));
  const linked = [...rows.switch.all()].filter(
    ({ id, physicalnetwork }) =>
      wires.has(physicalnetwork) && rows.switchport.by('switch', id).some(({ role }) => role === 'uplink'),
  );
  return [...ids, ...linked.map(({ id }) => id)];
}

/** Ids of the switches whose cables carry an instance's frames, while it moves those of both places. */
export function switchesOfInstance(rows: Rows, instance: Row<'instance'> | undefined): string[] {
  return hostsOf(instance).flatMap((host) => switchesAtHost(rows, host));
}

function hostsOf(instance: Row<'instance'> | undefined): (string | null | undefined)[] {
  return [instance?.host, instance?.migratefrom];
}
