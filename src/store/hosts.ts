// What the agent channel asks of the state: may this node join, is its certificate the current one, what did it report.
// Apart from the commands because the reconciler calls it, and because most reports must not become a new generation.
import { createHash, timingSafeEqual } from 'node:crypto';
import { parseIp } from '../lib/ip.ts';
import { wiresOf } from './intent-units.ts';
import type { Store } from './open.ts';
import type { HostTable } from './schema/zone.ts';

/** A report that says nothing new is written at most this often. */
const SEEN_EVERY_MS = 10_000;

/** What is kept of a join token's secret. The secret is random and long, so a plain hash is enough. */
export function hashSecret(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}

/**
 * Lets a node in once: true when `secret` is the one its token holds and the token has neither expired nor been used. From then
 * on `serial` is the one certificate the node may come with; an earlier one is no longer current.
 */
export async function acceptJoin(
  store: Store,
  node: string,
  secret: string,
  serial: string,
  now = new Date(),
): Promise<boolean> {
  return store.write(async (tx) => {
    const host = await tx.db.selectFrom('host').selectAll().where('name', '=', node).executeTakeFirst();
    // Compared even where there is nothing to compare with: how long it takes tells nobody which nodes exist.
    const offered = Buffer.from(hashSecret(secret), 'hex');
    const wanted =
      host?.secret === null || host?.secret === undefined
        ? Buffer.alloc(offered.length)
        : Buffer.from(host.secret, 'hex');
    const right = timingSafeEqual(offered, wanted);
    if (!right || host === undefined || host.secret === null) return false;
    if (host.secretexpires === null || host.secretexpires <= now.toISOString()) return false;
    await tx.update('host', host.id, { secret: null, secretexpires: null, serial });
    return true;
  });
}

/** Whether this certificate is the one the node joined with last. */
export async function isCurrent(store: Store, node: string, serial: string): Promise<boolean> {
  const host = await store.db.selectFrom('host').select('serial').where('name', '=', node).executeTakeFirst();
  return host !== undefined && host.serial === serial;
}

/**
 * Takes a node's report: it is Up, or in Alert for a while, and these are its facts (JSON of NodeFacts). Only a new state, a new tunnel address or other physical
 * networks are a change of intent; the rest is written beside it, and nothing at all when the last report said the same a moment ago.
 */
export async function recordReport(store: Store, node: string, facts: string, now = new Date()): Promise<void> {
  const host = await store.db.selectFrom('host').selectAll().where('name', '=', node).executeTakeFirst();
  if (host === undefined || isFresh(host, facts, now)) return;
  await store.write(async (tx) => {
    const lastseen = now.toISOString();
    const underlayip = await newUnderlay(tx.db, host, facts);
    const state = stateOnReturn(host);
    if (host.state !== state || underlayip !== host.underlayip || wiresIn(facts) !== wiresIn(host.facts)) {
      await tx.update('host', host.id, { state, underlayip, facts, lastseen });
    } else {
      await tx.db.updateTable('host').set({ facts, lastseen }).where('id', '=', host.id).execute();
    }
  });
}

/**
 * A gateway node that comes back is in Alert at first: its agent answers before OVN's controller is ready, and ways out that came back
 * to it at once were cut off for 1.5 s (measured). {@link endAlert} says when it is well.
 */
function stateOnReturn({ state, kind }: Pick<HostTable, 'state' | 'kind'>): 'Up' | 'Alert' {
  return state === 'Alert' || (state === 'Down' && kind === 'gateway') ? 'Alert' : 'Up';
}

/** Hosts in Alert that report. */
export async function alerted(store: Store): Promise<Pick<HostTable, 'id' | 'name' | 'lastseen'>[]> {
  return store.db.selectFrom('host').select(['id', 'name', 'lastseen']).where('state', '=', 'Alert').execute();
}

/** A host in Alert has been well for long enough: it is Up, and gateways may come to it again. */
export async function endAlert(store: Store, id: string): Promise<void> {
  await store.write(async (tx) => {
    const host = await tx.db.selectFrom('host').select('state').where('id', '=', id).executeTakeFirst();
    if (host?.state === 'Alert') await tx.update('host', id, { state: 'Up' });
  });
}

/** A node that was silent this long counts as Down, and what it alone tells of as not there: a takeover takes less. */
export const SILENT_MS = 30_000;

/** Marks those Down that were Up, or in Alert, and have not reported for `olderThanMs`. Answers their names. */
export async function markDown(store: Store, olderThanMs: number, now = new Date()): Promise<string[]> {
  const before = new Date(now.getTime() - olderThanMs).toISOString();
  const silent = (db: Store['db']): Promise<Pick<HostTable, 'id' | 'name'>[]> =>
    db
      .selectFrom('host')
      .select(['id', 'name'])
      .where('state', 'in', ['Up', 'Alert'])
      .where('lastseen', '<', before)
      .orderBy('name')
      .execute();
  if ((await silent(store.db)).length === 0) return [];
  return store.write(async (tx) => {
    const hosts = await silent(tx.db);
    for (const host of hosts) await tx.update('host', host.id, { state: 'Down' });
    return hosts.map((host) => host.name);
  });
}

function isFresh(host: HostTable, facts: string, now: Date): boolean {
  if ((host.state !== 'Up' && host.state !== 'Alert') || host.facts !== facts || host.lastseen === null) return false;
  return now.getTime() - Date.parse(host.lastseen) < SEEN_EVERY_MS;
}

/** The physical networks of a report, as text that is equal for equal ones. */
function wiresIn(facts: string | null): string {
  return JSON.stringify(wiresOf(facts));
}

/** The tunnel address a node says it has, unless it is none or another node's: a node speaks for itself only. */
async function newUnderlay(db: Store['db'], host: HostTable, facts: string): Promise<string> {
  const { underlayIp } = JSON.parse(facts) as { underlayIp?: unknown };
  if (typeof underlayIp !== 'string' || underlayIp === host.underlayip || parseIp(underlayIp) === undefined)
    return host.underlayip;
  const other = await db.selectFrom('host').select('id').where('underlayip', '=', underlayIp).executeTakeFirst();
  return other === undefined ? underlayIp : host.underlayip;
}
