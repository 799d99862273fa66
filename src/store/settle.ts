// Ends jobs: in one transaction the job gets its result, the rows it was about their lasting state, and the event log its last line.
import { addEvent } from './event.ts';
import type { Store } from './open.ts';
import type { JobTable } from './schema/record.ts';
import type { Tx } from './write.ts';

/** The account type whose users are root. */
const ROOT_ADMIN = 1;

/** A generation somebody waits for, with what waits. */
export interface Pending {
  readonly generation: number;
  readonly jobs: readonly PendingJob[];
  /** Whether rows wait for it to enter their lasting state. */
  readonly transitions: boolean;
}

export interface PendingJob {
  readonly id: string;
  readonly cmd: string;
  readonly request: string;
  readonly created: string;
  /** Id of the object it is about. */
  readonly about: string | null;
  /** Whether it is of an account of the operator's: others are not told of what they share with strangers. */
  readonly root: boolean;
}

/** Everything that waits, in ascending order of generation. */
export async function pending(store: Store): Promise<Pending[]> {
  const jobs = await store.db
    .selectFrom('job')
    .leftJoin('account', 'account.id', 'job.account')
    .select(['job.id', 'job.cmd', 'job.request', 'job.created', 'job.generation', 'job.instanceid as about'])
    .select('account.type')
    .where('job.status', '=', 0)
    .execute();
  const transitions = await store.db.selectFrom('transition').select('generation').distinct().execute();
  const waiting = new Set([...jobs, ...transitions].map((row) => row.generation));
  const byGeneration = Map.groupBy(
    jobs.map(({ type, ...job }) => ({ ...job, root: type === ROOT_ADMIN })),
    (job) => job.generation,
  );
  const moving = new Set(transitions.map((row) => row.generation));
  return [...waiting]
    .toSorted((a, b) => a - b)
    .map((generation) => ({
      generation,
      jobs: byGeneration.get(generation) ?? [],
      transitions: moving.has(generation),
    }));
}

/** A static route's lasting state: Active, or Unreachable and why. */
export interface RouteState {
  readonly id: string;
  readonly state: 'Active' | 'Unreachable';
  readonly reason: string | null;
}

/** Marks generations realized: their jobs are done, their rows enter the states they were promised, routes tell how they fare. */
export async function settle(
  store: Store,
  generations: readonly number[],
  routes: readonly RouteState[],
): Promise<void> {
  if (generations.length === 0 && routes.length === 0) return;
  await store.write(async (tx) => {
    for (const route of routes) await setRouteState(tx, route);
    if (generations.length === 0) return;
    await enterStates(tx, generations);
    const done = await tx.db
      .selectFrom('job')
      .selectAll()
      .where('status', '=', 0)
      .where('generation', 'in', [...generations])
      .execute();
    for (const job of done) await endJob(tx, job, 1, null);
  });
}

/** Fails jobs: `text` names the target and what it waits for. The intent stays; what was promised still comes when it is realized. */
export async function failJobs(store: Store, jobIds: readonly string[], text: string): Promise<void> {
  if (jobIds.length === 0) return;
  await store.write(async (tx) => {
    const jobs = await tx.db
      .selectFrom('job')
      .selectAll()
      .where('status', '=', 0)
      .where('id', 'in', [...jobIds])
      .execute();
    for (const job of jobs) await endJob(tx, job, 2, text);
  });
}

async function enterStates(tx: Tx, generations: readonly number[]): Promise<void> {
  // In order of generation: a row that was started and stopped meanwhile ends in the state asked for last.
  const rows = await tx.db
    .selectFrom('transition')
    .selectAll()
    .where('generation', 'in', [...generations])
    .orderBy('generation')
    .execute();
  for (const { kind, id, state, generation } of rows) {
    const later = await tx.db
      .selectFrom('transition')
      .select('generation')
      .where('kind', '=', kind)
      .where('id', '=', id)
      .where('generation', '>', generation)
      .executeTakeFirst();
    if (later !== undefined) continue;
    if (kind === 'instance') await arrive(tx, id);
    if (kind === 'vpnuser' && state === 'Removed') {
      await forgetUser(tx, id);
      continue;
    }
    // Not through tx.update: the state is what clients see, it changes nothing on the network.
    await tx.db
      .updateTable(kind as 'network')
      .set({ state })
      .where('id', '=', id)
      .execute();
  }
  await tx.db
    .deleteFrom('transition')
    .where('generation', 'in', [...generations])
    .execute();
}

/** A VPN user whose connections are cut is gone; what he came with went when it was asked for. */
async function forgetUser(tx: Tx, id: string): Promise<void> {
  const clients = await tx.db.selectFrom('vpnclient').select('id').where('vpnuser', '=', id).execute();
  for (const client of clients) await tx.remove('vpnclient', client.id);
  await tx.remove('vpnuser', id);
}

/**
 * An instance that was moving is where it was to go, or stopped on the way: its old place lets go. That is a change of its own,
 * since until now the old place had to hold on.
 */
async function arrive(tx: Tx, id: string): Promise<void> {
  const row = await tx.db.selectFrom('instance').select('migratefrom').where('id', '=', id).executeTakeFirst();
  if (row !== undefined && row.migratefrom !== null) await tx.update('instance', id, { migratefrom: null });
}

/** Ends a job inside a change: 1 done; 2 failed, and `text` says why. */
export async function endJob(tx: Tx, job: JobTable, status: 1 | 2, text: string | null): Promise<void> {
  await tx.db
    .updateTable('job')
    .set({
      status,
      resultcode: status === 2 ? 530 : 0,
      completed: new Date().toISOString(),
      // A success keeps what the command left to be shown for an object that is gone.
      ...(text === null ? {} : { result: JSON.stringify({ errorcode: 530, errortext: text }) }),
    })
    .where('id', '=', job.id)
    .execute();
  const scheduled = await tx.db.selectFrom('event').selectAll().where('id', '=', job.id).executeTakeFirst();
  if (scheduled === undefined) return;
  const { type, description, resourcetype, resource } = scheduled;
  await addEvent(tx, scheduled, {
    type,
    level: status === 2 ? 'ERROR' : 'INFO',
    text: text === null ? description : `${description}: ${text}`,
    parent: job.id,
    ...(resourcetype === null || resource === null ? {} : { about: { type: resourcetype, id: resource } }),
  });
}

async function setRouteState(tx: Tx, { id, state, reason }: RouteState): Promise<void> {
  const row = await tx.db.selectFrom('staticroute').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined || (row.state === state && row.reason === reason)) return;
  await tx.db.updateTable('staticroute').set({ state, reason }).where('id', '=', id).execute();
  const was = row.state;
  if (state === 'Active' && was !== 'Unreachable') return;
  const vpc = await tx.db.selectFrom('vpc').select('name').where('id', '=', row.vpc).executeTakeFirst();
  const named = `static route ${row.cidr} via ${row.nexthop} of VPC ${vpc?.name ?? row.vpc}`;
  await addEvent(tx, row, {
    type: 'STATIC.ROUTE.STATE',
    level: state === 'Unreachable' ? 'WARN' : 'INFO',
    text: reason ?? `${named} is reachable again`,
    about: { type: 'StaticRoute', id },
  });
}
