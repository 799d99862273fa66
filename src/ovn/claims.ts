// Who carries which router port that has a group of chassis: OVN binds such a port to the chassis that took it (ovn-sb(5) Port_Binding,
// type chassisredirect). Apart from realized.ts, because a takeover is nobody's change: it happens by itself.
import type { Replica, Row } from './replica.ts';
import type { GatewayChassisRow, HAChassisGroupRow, HAChassisRow, LogicalRouterPortRow } from './schema/northbound.ts';
import type { PortBindingRow } from './schema/southbound.ts';

export interface GatewayClaim {
  /** Name of the router port. */
  readonly port: string;
  /** Key of the unit it belongs to: `vpc:ID`. */
  readonly unit: string;
  /** Name of the chassis that carries it; undefined while nobody does. */
  readonly chassis: string | undefined;
  /** Names of the chassis of its group, best first. */
  readonly candidates: readonly string[];
}

export interface Claims {
  all(): readonly GatewayClaim[];
  onChange(listener: (changed: readonly GatewayClaim[], gone: readonly string[]) => void): () => void;
}

/** northd names the port that stands for a router port on its chassis so (northd.c, chassis_redirect_name). */
const PREFIX = 'cr-';

/** Changes of both databases that come together are told together, before the next message is read. */
export function createClaims(northbound: Replica, southbound: Replica): Claims {
  const listeners = new Set<(changed: readonly GatewayClaim[], gone: readonly string[]) => void>();
  let known = new Map<string, GatewayClaim>();
  let looking = false;

  const read = (): Map<string, GatewayClaim> => {
    const ports = new Map<string, LogicalRouterPortRow>();
    for (const row of northbound.table('Logical_Router_Port').values() as MapIterator<LogicalRouterPortRow>)
      if (row.name !== undefined) ports.set(row.name, row);
    const chassis = southbound.table('Chassis');
    const found = new Map<string, GatewayClaim>();
    for (const row of southbound.table('Port_Binding').values() as MapIterator<PortBindingRow>) {
      const port = row.logical_port?.slice(PREFIX.length);
      const own = port === undefined ? undefined : ports.get(port);
      const unit = own?.external_ids?.['unit'];
      if (port === undefined || own === undefined || unit === undefined) continue;
      const holder = chassis.get(row.chassis?.[0] ?? '')?.['name'];
      const candidates = candidatesOf(own, northbound);
      found.set(port, { port, unit, chassis: typeof holder === 'string' ? holder : undefined, candidates });
    }
    return found;
  };
  const look = (): void => {
    looking = false;
    const before = known;
    known = read();
    const changed = [...known.values()].filter((claim) => !same(claim, before.get(claim.port)));
    const gone = [...before.keys()].filter((port) => !known.has(port));
    if (changed.length > 0 || gone.length > 0) for (const listener of listeners) listener(changed, gone);
  };
  const soon = (): void => {
    if (looking) return;
    looking = true;
    queueMicrotask(look);
  };
  southbound.onChange((changes) => {
    if (changes.some(({ table, before, after }) => table === 'Port_Binding' && !sameHolder(before, after))) soon();
    else if (changes.some(({ table }) => table === 'Chassis')) soon();
  });
  northbound.onChange((changes) => {
    if (changes.some(({ table }) => GROUPS.has(table))) soon();
  });

  return {
    all: () => [...known.values()],
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

const GROUPS: ReadonlySet<string> = new Set(['Gateway_Chassis', 'HA_Chassis', 'HA_Chassis_Group']);

/** Bindings change for other reasons, too: `up` follows each claim. */
function sameHolder(before: Row | undefined, after: Row | undefined): boolean {
  if (before === undefined || after === undefined) return false;
  return (before as PortBindingRow).chassis?.[0] === (after as PortBindingRow).chassis?.[0];
}

/** A port names its group itself, or a group by reference (ovn-nb(5) Logical_Router_Port). */
function candidatesOf(port: LogicalRouterPortRow, northbound: Replica): string[] {
  const own = (port.gateway_chassis ?? []).map(
    (id) => northbound.table('Gateway_Chassis').get(id) as GatewayChassisRow,
  );
  const group = northbound.table('HA_Chassis_Group').get(port.ha_chassis_group?.[0] ?? '') as
    | HAChassisGroupRow
    | undefined;
  const shared = (group?.ha_chassis ?? []).map((id) => northbound.table('HA_Chassis').get(id) as HAChassisRow);
  return [...own, ...shared]
    .filter((row) => row !== undefined)
    .toSorted((a, b) => (b.priority ?? 0) - (a.priority ?? 0))
    .flatMap(({ chassis_name }) => chassis_name ?? []);
}

function same(a: GatewayClaim, b: GatewayClaim | undefined): boolean {
  return b !== undefined && a.chassis === b.chassis && a.unit === b.unit && a.candidates.join() === b.candidates.join();
}
