// One transaction of ours on the northbound database: fenced by the generation, bumping nb_cfg together with the change, so
// that northd and the chassis answer for exactly this change (ovn-nb(5) NB_Global.nb_cfg).
import type { Client } from './client.ts';
import { UnsuitableServerError } from './client.ts';
import { isMarked } from './ownership.ts';
import { operationsOf, type Operation } from './operations.ts';
import type { Change } from './change.ts';
import type { Replica } from './replica.ts';
import type { NBGlobalRow } from './schema/northbound.ts';
import type { Wire } from './wire.ts';

/** NB_Global.external_ids key under which the newest generation written to this database is kept. */
export const GENERATION_KEY = 'trunkline:generation';

/** Another management server has written a newer generation; ours is out of date and must not be written. */
export class StaleGenerationError extends Error {}

/** Another management server wrote between our look and our transaction. Nothing was changed; look again. */
export class FenceMovedError extends Error {}

/** The database refused the change: a constraint, a reference, a value. Nothing was changed. */
export class TransactionError extends Error {}

interface OperationResult {
  readonly error?: string;
  readonly details?: string;
  readonly rows?: readonly { readonly nb_cfg?: number }[];
}

/** The one row of NB_Global; undefined in a database nobody has initialised. */
export function globalRow(replica: Pick<Replica, 'table'>): NBGlobalRow | undefined {
  for (const row of replica.table('NB_Global').values()) return row as NBGlobalRow;
  return undefined;
}

/** The newest generation written to the database, by us or by another management server; 0 when none was. */
export function generationOf(replica: Pick<Replica, 'table'>): number {
  const generation = Number(globalRow(replica)?.external_ids?.[GENERATION_KEY] ?? '0');
  return Number.isSafeInteger(generation) ? generation : 0;
}

/**
 * Commits the changes as `generation` and returns the nb_cfg that covers them, at least `nbCfgAtLeast`.
 * Rejects with StaleGenerationError, FenceMovedError or TransactionError, with the client's error when the connection is lost
 * (the outcome is then unknown), and with a plain error when a value cannot be encoded.
 */
export async function commit(
  client: Pick<Client, 'replica' | 'transact'>,
  changes: readonly Change[],
  generation: number,
  nbCfgAtLeast: number,
): Promise<number> {
  const { replica } = client;
  const seen = generationOf(replica);
  if (seen > generation) {
    throw new StaleGenerationError(
      `the northbound database holds generation ${seen}, newer than ours (${generation}): another management server went ahead, ` +
        `or our state was restored from an older copy; in that case remove ${GENERATION_KEY} from NB_Global.external_ids`,
    );
  }
  const global = globalRow(replica);
  if (global === undefined) {
    // Nobody has initialised this database. Whoever else tries it at the same time makes one of us fail, which is as good.
    await client.transact([{ op: 'insert', table: 'NB_Global', row: {} }]);
    throw new FenceMovedError('the northbound database had no NB_Global row');
  }
  const encoded = operationsOf(changes, replica.schema);
  const nbCfgSeen = global.nb_cfg ?? 0;
  const key = (value: string): readonly unknown[] => ['map', [[GENERATION_KEY, value]]];
  const bump = Math.max(1, nbCfgAtLeast - nbCfgSeen);
  const before: Operation[] = [
    // insert into a map keeps a pair that is there: this only makes sure that the wait has something to compare.
    mutateGlobal([['external_ids', 'insert', key('0')]]),
    // Every transaction of ours bumps nb_cfg: a value other than the one seen means that the plan is made of an old view.
    {
      op: 'wait',
      table: 'NB_Global',
      timeout: 0,
      where: [['external_ids', 'includes', key(String(seen))]],
      columns: ['nb_cfg'],
      until: '==',
      rows: [{ nb_cfg: nbCfgSeen }],
    },
  ];
  const after: Operation[] = [
    mutateGlobal([
      ['external_ids', 'delete', ['set', [GENERATION_KEY]]],
      ['external_ids', 'insert', key(String(generation))],
      ['nb_cfg', '+=', bump],
    ]),
    { op: 'select', table: 'NB_Global', where: [], columns: ['nb_cfg'] },
    { op: 'comment', comment: `trunkline generation ${generation}` },
  ];
  const sent = [...before, ...encoded.map(({ operation }) => operation), ...after];
  const results = (await client.transact(sent)) as readonly (OperationResult | null)[];
  const failedAt = results.findIndex((result) => result?.error !== undefined);
  if (failedAt >= 0) {
    const { error, details } = results[failedAt]!;
    if (failedAt === before.length - 1)
      throw new FenceMovedError('somebody else wrote to the northbound database meanwhile');
    const change = encoded[failedAt - before.length]?.change;
    throw new TransactionError(
      `the northbound database refused: ${error}${explain(details, change, changes, replica)}`,
    );
  }
  const nbCfg = results[sent.length - 2]?.rows?.[0]?.nb_cfg;
  if (nbCfg === undefined) throw new FenceMovedError('the NB_Global row is gone');
  return nbCfg;
}

function mutateGlobal(mutations: readonly unknown[]): Operation {
  return { op: 'mutate', table: 'NB_Global', where: [], mutations };
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** The server's details, followed by the names of the rows it speaks of. */
function explain(
  details: string | undefined,
  change: Change | undefined,
  changes: readonly Change[],
  replica: Replica,
): string {
  const uuids = new Set([...(details ?? '').matchAll(UUID)].map(([uuid]) => uuid));
  if (change !== undefined) uuids.add(change.uuid);
  const rows = [...uuids].flatMap((uuid) => {
    const ours = changes.find((candidate) => candidate.uuid === uuid);
    if (ours !== undefined) return [`${uuid} is ${label(ours.table, ours.after ?? ours.before)} of ${ours.unit}`];
    for (const table of Object.keys(replica.schema.tables)) {
      const row = replica.table(table).get(uuid);
      if (row !== undefined)
        return [`${uuid} is ${label(table, row)}, ${isMarked(row) ? 'ours' : 'which is not ours'}`];
    }
    return [];
  });
  return `${details === undefined ? '' : `: ${details}`}${rows.length === 0 ? '' : ` (${rows.join('; ')})`}`;
}

function label(table: string, row: Readonly<Record<string, unknown>> | undefined): string {
  const name = row?.['name'];
  return typeof name === 'string' && name !== '' ? `${table} ${name}` : table;
}

/**
 * Makes sure that the server lets clients choose row ids: tries an insert and aborts it.
 * Rejects with UnsuitableServerError when it does not.
 */
export async function proveChosenIds(wire: Pick<Wire, 'request'>): Promise<void> {
  const uuid = '7e57ab1e-0000-5000-8000-000000000000';
  const insert = { op: 'insert', table: 'Logical_Switch', uuid, row: { name: 'trunkline probe' } };
  const [result] = (await wire.request('transact', ['OVN_Northbound', insert, { op: 'abort' }])) as readonly {
    readonly uuid?: readonly [string, string];
    readonly details?: string;
  }[];
  if (result?.uuid?.[1] === uuid) return;
  throw new UnsuitableServerError(
    `the northbound database's ovsdb-server does not let clients choose row ids; Open vSwitch 3.1 or newer is needed` +
      (result?.details === undefined ? '' : ` (it said: ${result.details})`),
  );
}
