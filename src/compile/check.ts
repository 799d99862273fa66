// A linter of Desired: what must hold of any compiled intent, whatever the intent. Used by tests, and before rows are written as
// a guard, so that a bug in the compiler becomes an error that names the row and not an outage.
import type { Fabric } from '../model/intent.ts';
import type { Desired, DesiredRow, DesiredUnit } from './desired.ts';

/** Where rows refer to others by uuid: column by column, the table referred to. All references stay within a unit. */
const REFERENCES: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  Logical_Switch: {
    ports: 'Logical_Switch_Port',
    load_balancer: 'Load_Balancer',
    acls: 'ACL',
    qos_rules: 'QoS',
  },
  Logical_Switch_Port: { dhcpv4_options: 'DHCP_Options' },
  Logical_Router: {
    ports: 'Logical_Router_Port',
    static_routes: 'Logical_Router_Static_Route',
    policies: 'Logical_Router_Policy',
    load_balancer: 'Load_Balancer',
    nat: 'NAT',
  },
  NAT: { gateway_port: 'Logical_Router_Port' },
  Logical_Router_Port: { gateway_chassis: 'Gateway_Chassis' },
  Load_Balancer: { health_check: 'Load_Balancer_Health_Check' },
  Port_Group: { ports: 'Logical_Switch_Port', acls: 'ACL' },
};

/** Tables whose rows exist only while another row refers to them: the columns that keep them, any of them. */
const KEPT_BY: Readonly<Record<string, readonly string[]>> = {
  Logical_Switch_Port: ['Logical_Switch.ports'],
  Logical_Router_Port: ['Logical_Router.ports'],
  Logical_Router_Static_Route: ['Logical_Router.static_routes'],
  Logical_Router_Policy: ['Logical_Router.policies'],
  Gateway_Chassis: ['Logical_Router_Port.gateway_chassis'],
  ACL: ['Port_Group.acls', 'Logical_Switch.acls'],
  NAT: ['Logical_Router.nat'],
  QoS: ['Logical_Switch.qos_rules'],
  Load_Balancer_Health_Check: ['Load_Balancer.health_check'],
};

/** Stops the program's way to the network when {@link check} finds anything. */
export function assertSound(desired: Desired, fabric: Fabric, sound?: Desired): void {
  const wrong = check(desired, fabric, sound);
  if (wrong.length === 0) return;
  const shown = wrong.slice(0, 10).join('; ');
  throw new Error(
    `the compiled rows are not sound, nothing was written: ${shown}${wrong.length > 10 ? `; and ${wrong.length - 10} more` : ''}`,
  );
}

/**
 * Everything that is wrong with it, a sentence each; empty when it is sound. Units that are the same objects in `sound`, which
 * was checked before, are not searched for doubles again: that is what takes the time.
 */
export function check(desired: Desired, fabric: Fabric, sound?: Desired): readonly string[] {
  const wrong: string[] = [];
  const owners = new Map<string, string>();
  const routerPorts = new Map<string, boolean>();
  const digests = [...desired.units.values()].map(digestOf);
  for (const digest of digests) {
    wrong.push(...digest.wrong);
    const known = sound?.units.get(digest.key);
    for (const identity of known !== undefined && known === desired.units.get(digest.key) ? [] : digest.identities) {
      const other = owners.get(identity);
      if (other !== undefined) wrong.push(`${identity} is in ${other} and in ${digest.key}`);
      owners.set(identity, digest.key);
    }
    for (const [name, hasChassis] of digest.routerPorts) routerPorts.set(name, hasChassis);
  }
  for (const { key, sides } of digests) {
    for (const { name, routerPort, onWire } of sides) {
      const hasChassis = routerPorts.get(routerPort);
      if (hasChassis === undefined)
        wrong.push(`${key}: port ${name} leads to router port ${routerPort}, which no router has`);
      else if (onWire && !hasChassis && fabric.chassis.length > 0) {
        wrong.push(`${key}: router port ${routerPort} is on a VLAN and has no gateway chassis`);
      }
    }
  }
  return wrong;
}

/** What the check across units needs to know of one; found once for each unit object. */
interface Digest {
  readonly key: string;
  readonly wrong: readonly string[];
  /** What must be unique in the whole: row ids, and names within their table. */
  readonly identities: readonly string[];
  /** Whether each router port has gateway chassis. */
  readonly routerPorts: ReadonlyMap<string, boolean>;
  readonly sides: readonly { readonly name: string; readonly routerPort: string; readonly onWire: boolean }[];
}

const digests = new WeakMap<DesiredUnit, Digest>();

function digestOf(unit: DesiredUnit): Digest {
  const known = digests.get(unit);
  if (known !== undefined) return known;
  const digest = digested(unit);
  digests.set(unit, digest);
  return digest;
}

function digested({ key, rows }: DesiredUnit): Digest {
  const wrong: string[] = [];
  const byId = new Map(rows.map((row) => [row.uuid, row]));
  const kept = new Map<string, Set<string>>();
  const identities: string[] = [];
  for (const row of rows) {
    identities.push(row.uuid);
    if (nameOf(row) !== undefined) identities.push(`${row.table} ${nameOf(row)}`);
    if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(row.uuid))
      wrong.push(`${key}: ${label(row)} has no uuid but ${row.uuid}`);
    for (const [column, target] of Object.entries(REFERENCES[row.table] ?? {})) {
      const keeper = `${row.table}.${column}`;
      const referred = kept.get(keeper) ?? new Set();
      for (const uuid of list(row, column)) {
        referred.add(uuid);
        if (byId.get(uuid)?.table !== target)
          wrong.push(`${key}: ${label(row)} refers in ${column} to ${target} ${uuid}, which is not there`);
      }
      kept.set(keeper, referred);
    }
    wrong.push(...unmarked(key, row));
  }
  const secured = new Set(rows.filter(({ table }) => table === 'Port_Group').flatMap((row) => list(row, 'ports')));
  for (const row of rows) {
    const keepers = KEPT_BY[row.table];
    if (keepers !== undefined && !keepers.some((keeper) => kept.get(keeper)?.has(row.uuid) === true))
      wrong.push(`${key}: nothing in ${keepers.join(' or ')} keeps ${label(row)}`);
    if (row.table !== 'Logical_Switch_Port' || row.columns['type'] !== undefined) continue;
    if (!isSecured(row))
      wrong.push(`${key}: instance port ${nameOf(row)} has no port security with a MAC and an address`);
    if (!secured.has(row.uuid))
      wrong.push(`${key}: instance port ${nameOf(row)} is in no port group, so no guard rails hold for it`);
  }
  return { key, wrong, identities, routerPorts: routerPortsOf(rows), sides: sidesOf(rows) };
}

/** A MAC address alone would let router advertisements pass. */
function isSecured(row: DesiredRow): boolean {
  const entries = list(row, 'port_security');
  return (
    entries.length > 0 && entries.every((entry) => /^[0-9a-f:]{17} ([0-9]+\.[0-9.]+|[0-9a-f]*:[0-9a-f:]+)/.test(entry))
  );
}

function unmarked(key: string, row: DesiredRow): readonly string[] {
  if (row.table === 'Static_MAC_Binding') return [];
  const marks = map(row, 'external_ids');
  return marks['unit'] === key && marks['id'] !== undefined
    ? []
    : [`${key}: ${label(row)} is not marked with its id and unit`];
}

function routerPortsOf(rows: readonly DesiredRow[]): ReadonlyMap<string, boolean> {
  const ports = rows.filter(({ table }) => table === 'Logical_Router_Port');
  return new Map(ports.map((row) => [nameOf(row)!, list(row, 'gateway_chassis').length > 0]));
}

function sidesOf(rows: readonly DesiredRow[]): Digest['sides'] {
  const localnets = new Set(rows.filter((row) => row.columns['type'] === 'localnet').map(({ uuid }) => uuid));
  const switches = rows.filter(({ table }) => table === 'Logical_Switch').map((row) => list(row, 'ports'));
  const wired = new Set(switches.filter((ports) => ports.some((port) => localnets.has(port))).flat());
  return rows
    .filter((row) => row.columns['type'] === 'router')
    .map((row) => ({
      name: nameOf(row)!,
      routerPort: map(row, 'options')['router-port'] ?? '',
      onWire: wired.has(row.uuid),
    }));
}

function nameOf(row: DesiredRow): string | undefined {
  const { name } = row.columns;
  return typeof name === 'string' ? name : undefined;
}

function label(row: DesiredRow): string {
  return `${row.table} ${nameOf(row) ?? row.uuid}`;
}

function list(row: DesiredRow, column: string): readonly string[] {
  const value = row.columns[column];
  return Array.isArray(value) ? (value as readonly string[]) : [];
}

function map(row: DesiredRow, column: string): Readonly<Record<string, string>> {
  const value = row.columns[column];
  return typeof value === 'object' && !Array.isArray(value) ? (value as Readonly<Record<string, string>>) : {};
}
