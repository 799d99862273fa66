// A live copy of the little the agent needs from the node's own OVS database, by RFC 7047's monitor: which of our ports are on
// br-int and whether OVN has installed them. Push instead of polling; writing is done with ovs-vsctl, so that it prints well.
import { connect, type Socket } from 'node:net';
import { createBackoff } from '../lib/backoff.ts';
import type { Bell } from '../lib/bell.ts';
import type { Log } from '../lib/log.ts';

export interface Ovs {
  readonly version: string;
  /** The node's name as OVN announces it (external_ids:hostname). */
  readonly hostname?: string;
  readonly hasBridge: boolean;
  /** Ports of the integration bridge by name. */
  readonly ports: ReadonlyMap<string, OvsPort>;
  /** MAC addresses of all interfaces, by name. */
  readonly macs: ReadonlyMap<string, string>;
  /** Physical networks that OVN has a bridge to here, sorted: those of ovn-bridge-mappings whose bridge is there. */
  readonly wires: readonly string[];
}

export interface OvsPort {
  readonly externalIds: Readonly<Record<string, string>>;
  /** What OVS says is wrong with the interface, such as that its device is gone. */
  readonly error?: string;
  /** OpenFlow's number of it; absent while the switch has not taken it. */
  readonly ofport?: number;
}

/** How the node is wired, for who sends frames of his own. */
export interface OvsLayout {
  /** external_ids of the whole: `ovn-remote`, `ovn-bridge-mappings`, `system-id`. */
  readonly externalIds: Readonly<Record<string, string>>;
  /** Interfaces of every bridge, by the bridge's name. */
  readonly bridges: ReadonlyMap<string, readonly OvsInterface[]>;
}

export interface OvsInterface {
  readonly name: string;
  /** Empty: a device of the kernel's; else internal, patch, geneve, … */
  readonly type: string;
  readonly ofport?: number;
}

export interface OvsClient {
  /** The copy as it is now. Throws a sentence while the database does not answer. */
  read(): Ovs;
  /** All bridges as they are now. Throws like {@link read}. */
  layout(): OvsLayout;
  close(): void;
}

const BRIDGE = 'br-int';
const TABLES = {
  Open_vSwitch: { columns: ['ovs_version', 'external_ids'] },
  Bridge: { columns: ['name', 'ports'] },
  Port: { columns: ['name', 'interfaces'] },
  Interface: { columns: ['name', 'external_ids', 'error', 'mac_in_use', 'ofport', 'type'] },
};

type Row = Readonly<Record<string, unknown>>;
type Tables = Map<string, Map<string, Row>>;

/** Connects and stays connected; rings `bell` whenever the copy changed. `database` is `unix:PATH`. */
export function createOvsClient(database: string, bell: Bell, log: Log): OvsClient {
  const backoff = createBackoff(50, 2000);
  let tables: Tables | undefined;
  let view: Ovs | undefined;
  let why = 'it has not answered yet';
  let socket: Socket | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;

  function open(): void {
    const split = createSplitter();
    const current = connect(database.slice('unix:'.length));
    socket = current;
    current.setEncoding('utf8');
    current.on('connect', () =>
      current.write(JSON.stringify({ id: 'monitor', method: 'monitor', params: ['Open_vSwitch', 'all', TABLES] })),
    );
    current.on('data', (chunk: string) => {
      try {
        for (const text of split(chunk)) receive(current, JSON.parse(text) as Row);
      } catch (error) {
        current.destroy(error as Error);
      }
    });
    current.on('error', (error) => (why = error.message));
    current.on('close', () => {
      if (view !== undefined) log.warn({ database, reason: why }, 'lost the OVS database');
      tables = view = undefined;
      bell.ring();
      if (!closed) timer = setTimeout(open, backoff.next());
    });
  }

  function receive(from: Socket, message: Row): void {
    if (message['method'] === 'echo')
      from.write(JSON.stringify({ id: message['id'], result: message['params'], error: null }));
    else if (message['id'] === 'monitor') {
      if (message['error'] != null) throw new Error(`the monitor was refused: ${JSON.stringify(message['error'])}`);
      tables = new Map();
      backoff.reset();
      update(message['result'] as Row);
    } else if (message['method'] === 'update') update((message['params'] as unknown[])[1] as Row);
  }

  function update(changes: Row): void {
    if (tables === undefined) return;
    for (const [table, rows] of Object.entries(changes)) {
      const kept = tables.get(table) ?? new Map<string, Row>();
      tables.set(table, kept);
      for (const [uuid, change] of Object.entries(rows as Readonly<Record<string, { new?: Row }>>)) {
        if (change.new === undefined) kept.delete(uuid);
        else kept.set(uuid, change.new);
      }
    }
    view = undefined;
    bell.ring();
  }

  open();
  return {
    read() {
      if (tables === undefined) throw new Error(`the OVS database ${database} does not answer: ${why}`);
      view ??= look(tables);
      return view;
    },
    layout() {
      if (tables === undefined) throw new Error(`the OVS database ${database} does not answer: ${why}`);
      return layoutOf(tables);
    },
    close() {
      closed = true;
      clearTimeout(timer);
      socket?.destroy();
    },
  };
}

function look(tables: Tables): Ovs {
  const root = [...(tables.get('Open_vSwitch')?.values() ?? [])][0] ?? {};
  const bridge = [...(tables.get('Bridge')?.values() ?? [])].find((row) => row['name'] === BRIDGE);
  const ports = new Map<string, OvsPort>();
  for (const portId of uuids(bridge?.['ports'])) {
    for (const interfaceId of uuids(tables.get('Port')?.get(portId)?.['interfaces'])) {
      const row = tables.get('Interface')?.get(interfaceId);
      if (row === undefined) continue;
      const error = typeof row['error'] === 'string' ? { error: row['error'] } : {};
      ports.set(String(row['name']), { externalIds: map(row['external_ids']), ...error, ...ofportOf(row) });
    }
  }
  const macs = new Map<string, string>();
  for (const row of tables.get('Interface')?.values() ?? [])
    if (typeof row['mac_in_use'] === 'string') macs.set(String(row['name']), row['mac_in_use']);
  const settings = map(root['external_ids']);
  const { hostname } = settings;
  const bridges = new Set([...(tables.get('Bridge')?.values() ?? [])].map((row) => String(row['name'])));
  return {
    version: typeof root['ovs_version'] === 'string' ? root['ovs_version'] : 'unknown',
    hasBridge: bridge !== undefined,
    ports,
    macs,
    wires: mappings(settings)
      .filter(([, to]) => bridges.has(to))
      .map(([name]) => name)
      .toSorted(),
    ...(hostname === undefined ? {} : { hostname }),
  };
}

function layoutOf(tables: Tables): OvsLayout {
  const root = [...(tables.get('Open_vSwitch')?.values() ?? [])][0] ?? {};
  const bridges = new Map<string, OvsInterface[]>();
  for (const bridge of tables.get('Bridge')?.values() ?? []) {
    const rows = uuids(bridge['ports'])
      .flatMap((port) => uuids(tables.get('Port')?.get(port)?.['interfaces']))
      .map((id) => tables.get('Interface')?.get(id))
      .filter((row) => row !== undefined);
    bridges.set(
      String(bridge['name']),
      rows.map((row) => ({ name: String(row['name']), type: String(row['type'] ?? ''), ...ofportOf(row) })),
    );
  }
  return { externalIds: map(root['external_ids']), bridges };
}

/** Pairs of physical network and bridge: `physnet1:br-ex,…` (ovn-controller(8), ovn-bridge-mappings). */
export function mappings(externalIds: Readonly<Record<string, string>>): readonly (readonly [string, string])[] {
  return (externalIds['ovn-bridge-mappings'] ?? '').split(',').flatMap((pair) => {
    const [name, bridge] = pair.trim().split(':');
    return name === undefined || bridge === undefined ? [] : [[name, bridge] as const];
  });
}

/** -1 says that the switch could not take it (Open_vSwitch(5) Interface:ofport). */
function ofportOf(row: Row): { readonly ofport?: number } {
  return typeof row['ofport'] === 'number' && row['ofport'] > 0 ? { ofport: row['ofport'] } : {};
}

/** A column of row references: `["uuid", X]` or `["set", [["uuid", X], …]]` (RFC 7047 section 5.1). */
function uuids(value: unknown): string[] {
  if (!Array.isArray(value)) return [];
  if (value[0] === 'uuid') return [String(value[1])];
  return (value[1] as [string, string][]).map(([, uuid]) => uuid);
}

function map(value: unknown): Record<string, string> {
  return Array.isArray(value) ? Object.fromEntries(value[1] as [string, string][]) : {};
}

/** Cuts a stream of JSON objects that follow each other without separator. */
export function createSplitter(): (chunk: string) => string[] {
  let text = '';
  let at = 0;
  let depth = 0;
  let quoted = false;
  return (chunk) => {
    text += chunk;
    const whole: string[] = [];
    let start = 0;
    for (; at < text.length; at++) {
      const char = text[at];
      if (quoted) {
        if (char === '\\') at++;
        else if (char === '"') quoted = false;
      } else if (char === '"') quoted = true;
      else if (char === '{') depth++;
      else if (char === '}' && --depth === 0) {
        whole.push(text.slice(start, at + 1));
        start = at + 1;
      }
    }
    text = text.slice(start);
    at -= start;
    return whole;
  };
}
