// What `ovs-vsctl --format=json list` and `ovs-appctl fdb/show` print, as ports and addresses. Pure.
import { z } from 'zod';
import type { PortActual, SwitchActual } from '../protocol/switch.ts';
import { SwitchFault } from './driver.ts';
import { vlanList } from './vlans.ts';

export interface PortTables {
  readonly bridgePorts: ReadonlySet<string>;
  readonly ports: readonly Row[];
  readonly interfaces: ReadonlyMap<string, Row>;
}

type Row = Readonly<Record<string, unknown>>;

const TABLE = z.object({ headings: z.array(z.string()), data: z.array(z.array(z.unknown())) });

/** Reads three tables, one JSON object a line: Bridge (one row), Port, Interface. */
export function readTables(text: string): PortTables {
  const [bridges = [], ports = [], interfaces = []] = text
    .split('\n')
    .filter((line) => line !== '')
    .map(rowsOf);
  return {
    bridgePorts: new Set(setOf(bridges[0]?.['ports']).map(String)),
    ports,
    interfaces: new Map(interfaces.map((row) => [String(setOf(row['_uuid'])[0]), row])),
  };
}

function rowsOf(line: string): Row[] {
  try {
    const { headings, data } = TABLE.parse(JSON.parse(line));
    return data.map((values) => Object.fromEntries(headings.map((heading, index) => [heading, values[index]])));
  } catch (error) {
    throw new SwitchFault(`ovs-vsctl printed something else than tables: ${line.slice(0, 200)}`, { cause: error });
  }
}

/** A column as a list: `["set", […]]`, `["uuid", X]` or a single value (RFC 7047, 5.1). */
function setOf(value: unknown): unknown[] {
  if (!Array.isArray(value)) return value === undefined ? [] : [value];
  if (value[0] === 'set') return (value[1] as unknown[]).flatMap(setOf);
  return value[0] === 'uuid' ? [value[1]] : [];
}

/** The bridge's ports; VLAN modes as ovs-vswitchd.conf.db(5), Port.vlan_mode has them. */
export function portsOf(tables: PortTables): readonly PortActual[] {
  return tables.ports
    .filter((row) => tables.bridgePorts.has(String(setOf(row['_uuid'])[0])))
    .map((row) => {
      const states = setOf(row['interfaces']).map((id) => tables.interfaces.get(String(id))?.['link_state']);
      const up = states.some((state) => state === 'up' || state === 'down') ? { up: states.includes('up') } : {};
      return { name: String(row['name']), ...up, ...vlansOf(row) };
    });
}

function vlansOf(row: Row): Omit<PortActual, 'name'> {
  const [tag] = setOf(row['tag']).map(Number);
  const trunks = vlanList(setOf(row['trunks']).map(Number));
  const [mode = tag === undefined ? 'trunk' : 'access'] = setOf(row['vlan_mode']).map(String);
  const others = trunks.filter((vlan) => vlan !== 0 && vlan !== 4095 && vlan !== tag);
  const tagged = trunks.length === 0 ? 'all' : others;
  switch (mode) {
    case 'access':
      return { untagged: tag ?? 0, tagged: [] };
    case 'native-untagged':
      return { untagged: tag ?? 0, tagged };
    case 'trunk': {
      const vlans = trunks.filter((vlan) => vlan !== 0 && vlan !== 4095);
      if (trunks.length === 0) return { untagged: 0, tagged: 'all' };
      return trunks.includes(0) ? { untagged: 0, tagged: vlans } : { tagged: vlans };
    }
    case 'native-tagged':
      return { tagged, mixed: [tag ?? 0] };
    default: // dot1q-tunnel: whatever comes, tagged or not, goes into the one VLAN
      return { tagged: [], mixed: [tag ?? 0] };
  }
}

/** The MAC table: which address was seen at which port of the bridge, in which VLAN. */
export function addressesOf(tables: PortTables, text: string): SwitchActual['macs'] {
  const names = new Map<string, string>();
  for (const port of tables.ports)
    for (const id of setOf(port['interfaces'])) {
      const number = tables.interfaces.get(String(id))?.['ofport'];
      if (typeof number === 'number' && tables.bridgePorts.has(String(setOf(port['_uuid'])[0])))
        names.set(String(number), String(port['name']));
    }
  return [...text.matchAll(/^\s*(\d+)\s+(\d+)\s+((?:[0-9a-f]{2}:){5}[0-9a-f]{2})\s/gm)].flatMap(
    ([, number, vlan, mac]) => {
      const port = names.get(number!);
      return port === undefined ? [] : [{ port, vlan: Number(vlan), mac: mac! }];
    },
  );
}
