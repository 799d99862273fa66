// The intent, kept up to date: a full load once, afterwards only what the `change` table says was touched. Units that were not
// touched stay the same objects, which is what the compiler's memory lives from.
import type { GuestNetwork, Host, Intent, PrivateNetwork, UnitKey, Vpc } from '../model/intent.ts';
import type { Switch } from '../model/switch.ts';
import { fabricUnit, hostUnit, networkUnit, vpcUnit, type Settings } from './intent-units.ts';
import { type Row, type Rows, type Touched, completeOfferings, loadRows, rereadRows } from './intent-rows.ts';
import type { Db, Store } from './open.ts';
import { switchUnit } from './switch-unit.ts';
import type { IntentTable } from './schema.ts';
import { readFlag, readNumber } from './setting.ts';
import { unitsOf } from './touched-units.ts';

export interface Refreshed {
  readonly intent: Intent;
  /** Generation of the intent before; 0 when everything was read anew. */
  readonly from: number;
  /**
   * By generation above `from`: the units its change touched, as far as they can be told. Empty after a full load: then
   * everything may have been touched.
   */
  readonly dirty: ReadonlyMap<number, ReadonlySet<UnitKey>>;
}

export interface IntentCache {
  /** The intent as it is on disk now. Calls wait for each other. */
  refresh(): Promise<Refreshed>;
  /** Forgets and reads everything. */
  reload(): Promise<Refreshed>;
}

interface State {
  readonly rows: Rows;
  readonly settings: Settings;
  readonly intent: Intent;
}

export function createIntentCache(store: Store): IntentCache {
  let state: State | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  const inTurn = (work: (db: Db) => Promise<Refreshed>): Promise<Refreshed> => {
    const result = turn.then(() => snapshot(store, work));
    turn = result.catch(() => undefined);
    return result;
  };

  async function full(db: Db): Promise<Refreshed> {
    state = await loadIntent(db);
    return { intent: state.intent, from: 0, dirty: new Map() };
  }

  async function changed(db: Db): Promise<Refreshed> {
    if (state === undefined) return full(db);
    const before = state;
    // Until the new state is whole there is none: whatever breaks off half-way leads to a full load.
    state = undefined;
    const { next, dirty } = await nextIntent(db, before);
    state = next;
    return { intent: next.intent, from: before.intent.generation, dirty };
  }

  return { refresh: () => inTurn(changed), reload: () => inTurn(full) };
}

/** Runs reads that all see the same instant. */
async function snapshot<T>(store: Store, read: (db: Db) => Promise<T>): Promise<T> {
  // SQLite's transactions are snapshots anyway and take no notice of the level.
  return store.db.transaction().setIsolationLevel('repeatable read').execute(read);
}

async function generationOf(db: Db): Promise<number> {
  const row = await db.selectFrom('counter').select('value').where('name', '=', 'generation').executeTakeFirstOrThrow();
  return row.value;
}

async function readSettings(db: Db): Promise<Settings> {
  const underlayMtu = await readNumber(db, 'network.underlay.mtu');
  return { underlayMtu, distributedNat: await readFlag(db, 'network.static.nat.distributed') };
}

async function loadIntent(db: Db): Promise<State> {
  const generation = await generationOf(db);
  const settings = await readSettings(db);
  const { underlayMtu } = settings;
  const rows = await loadRows(db);
  const networks = mapOf([...rows.network.all()].filter(standsAlone), (row) => networkUnit(rows, row));
  const vpcs = mapOf(rows.vpc.all(), (row) => vpcUnit(rows, row, privateNetworks(networks)));
  const hosts = mapOf([...rows.host.all()].filter(hasJoined), (row) => hostUnit(rows, row, underlayMtu));
  const switches = mapOf(rows.switch.all(), (row) => switchUnit(rows, row, settings));
  const fabric = fabricUnit(rows, settings);
  return { rows, settings, intent: { generation, fabric, vpcs, networks, hosts, switches } };
}

async function nextIntent(db: Db, state: State): Promise<{ next: State; dirty: Map<number, Set<UnitKey>> }> {
  const { rows, intent } = state;
  const generation = await generationOf(db);
  const settings = await readSettings(db);
  const changes = await db
    .selectFrom('change')
    .selectAll()
    .where('generation', '>', intent.generation)
    .orderBy('generation')
    .execute();
  const units = await touchedUnits(db, rows, changes);
  const dirty = new Map<number, Set<UnitKey>>();
  for (const change of changes) {
    const set = dirty.get(change.generation) ?? new Set();
    for (const unit of units.get(`${change.kind}/${change.id}`) ?? []) set.add(unit);
    dirty.set(change.generation, set);
  }
  const stale = new Set([...units.values()].flatMap((set) => [...set]));
  const newMtu = settings.underlayMtu !== state.settings.underlayMtu;
  const newNat = settings.distributedNat !== state.settings.distributedNat;
  if (newMtu) for (const host of rows.host.all()) stale.add(`host:${host.id}`);
  if (newNat) for (const row of rows.switch.all()) stale.add(`switch:${row.id}`);
  if (stale.size === 0 && !newMtu && !newNat)
    return { next: { rows, settings, intent: { ...intent, generation } }, dirty };
  return { next: { rows, settings, intent: rebuilt(rows, intent, generation, settings, stale) }, dirty };
}

/** Reads again what was touched; gives for each `table/id` the units it was in and is in. */
async function touchedUnits(
  db: Db,
  rows: Rows,
  changes: readonly { readonly kind: string; readonly id: string }[],
): Promise<Map<string, Set<UnitKey>>> {
  const units = new Map<string, Set<UnitKey>>();
  if (changes.length === 0) return units;
  const ids = new Map<IntentTable, Set<string>>();
  for (const { kind, id } of changes) {
    const table = kind as IntentTable;
    ids.set(table, (ids.get(table) ?? new Set()).add(id));
  }
  const before: Touched[] = [];
  for (const [table, set] of ids) {
    for (const id of set) {
      const row = rows[table].get(id);
      before.push({ table, id, was: row, is: row } as Touched);
    }
  }
  for (const one of before) units.set(`${one.table}/${one.id}`, unitsOf(rows, one));
  const touched: Touched[] = [];
  for (const [table, set] of ids) touched.push(...(await rereadRows(db, rows, table, [...set])));
  await completeOfferings(db, rows, touched);
  for (const one of touched) {
    const key = `${one.table}/${one.id}`;
    units.set(key, new Set([...(units.get(key) ?? []), ...unitsOf(rows, one)]));
  }
  return units;
}

function rebuilt(
  rows: Rows,
  intent: Intent,
  generation: number,
  settings: Settings,
  stale: ReadonlySet<UnitKey>,
): Intent {
  const idsOf = (kind: string): string[] =>
    [...stale].filter((key) => key.startsWith(kind)).map((key) => key.slice(kind.length));
  const networkIds = idsOf('network:');
  const networks = replaced(intent.networks, networkIds, (id) => {
    const row = rows.network.get(id);
    return row === undefined || !standsAlone(row) ? undefined : networkUnit(rows, row);
  });
  // A VPC holds the Private networks it is on: those that are new objects make it one.
  const vpcIds = new Set(idsOf('vpc:'));
  for (const id of networkIds) for (const gateway of rows.privategateway.by('network', id)) vpcIds.add(gateway.vpc);
  const privateNetwork = privateNetworks(networks);
  const vpcs = replaced(intent.vpcs, vpcIds, (id) => {
    const row = rows.vpc.get(id);
    return row === undefined ? undefined : vpcUnit(rows, row, privateNetwork);
  });
  const hosts = replaced(intent.hosts, idsOf('host:'), (id) => {
    const row = rows.host.get(id);
    return row === undefined || !hasJoined(row) ? undefined : hostUnit(rows, row, settings.underlayMtu);
  });
  const switches = replaced(intent.switches, idsOf('switch:'), (id) => {
    const row = rows.switch.get(id);
    return row === undefined ? undefined : switchUnit(rows, row, settings);
  });
  const fabric = fabricUnit(rows, settings);
  const sameFabric = JSON.stringify(fabric) === JSON.stringify(intent.fabric);
  return { generation, fabric: sameFabric ? intent.fabric : fabric, vpcs, networks, hosts, switches };
}

const standsAlone = (row: Row<'network'>): boolean => row.vpc === null;
const hasJoined = (row: Row<'host'>): boolean => row.serial !== null;

function privateNetworks(networks: Intent['networks']): (id: string) => PrivateNetwork {
  return (id) => {
    const network = networks.get(id);
    if (network?.kind !== 'private')
      throw new Error(`a private gateway is on network ${id}, which is not a Private network`);
    return network;
  };
}

type Unit = Vpc | PrivateNetwork | GuestNetwork | Host | Switch;

function mapOf<R extends { readonly id: string }, U extends Unit>(
  rows: Iterable<R>,
  make: (row: R) => U,
): Map<string, U> {
  return new Map([...rows].toSorted(byId).map((row) => [row.id, make(row)]));
}

/** A copy of the map with some units made anew; `make` gives undefined for those that are gone. Order of ids is kept. */
function replaced<U extends Unit>(
  units: ReadonlyMap<string, U>,
  ids: Iterable<string>,
  make: (id: string) => U | undefined,
): ReadonlyMap<string, U> {
  const next = new Map(units);
  let added = false;
  let touched = false;
  for (const id of ids) {
    const unit = make(id);
    if (unit === undefined) touched = next.delete(id) || touched;
    else {
      added ||= !next.has(id);
      touched = true;
      next.set(id, unit);
    }
  }
  if (!touched) return units;
  return added ? new Map([...next].toSorted(([a], [b]) => (a < b ? -1 : 1))) : next;
}

function byId(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : 1;
}
