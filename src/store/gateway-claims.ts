// Which node carries the public side of which router, kept as OVN tells it. Written beside the intent: a takeover asks nothing of anybody,
// and becomes an event.
import { OPERATOR, addEvent } from './event.ts';
import type { Db, Store } from './open.ts';
import { TAKEOVER_EVENT } from './router-states.ts';
import type { Tables } from './schema.ts';
import type { Tx } from './write.ts';

/** The type of the event that a gateway node lost what it carried. */
export const ALERT_EVENT = 'HOST.ALERT';
/** The unit that belongs to no tenant. */
const FABRIC = 'fabric';

type Claim = Tables['gatewayclaim'];

/** What OVN says of a router port: names of chassis, which are names of hosts. */
export interface ClaimSeen {
  readonly port: string;
  readonly unit: string;
  /** Undefined while nobody carries it: who did last is kept. */
  readonly chassis: string | undefined;
  /** Best first. */
  readonly candidates: readonly string[];
}

/** The ids in a column that holds several with commas. */
export function idsOf(text: string): string[] {
  return text.split(',').filter((id) => id !== '');
}

/**
 * Keeps claims that changed, and forgets ports that are gone; `whole`: what is not among them is gone, too. Draws no generation. One transaction,
 * queued at once: whoever waits for the change that caused it is told afterwards.
 */
export async function recordClaims(
  store: Store,
  seen: readonly ClaimSeen[],
  { gone = [], whole = false }: { readonly gone?: readonly string[]; readonly whole?: boolean } = {},
): Promise<void> {
  await store.write(async (tx) => {
    const hosts = await tx.db.selectFrom('host').select(['id', 'name', 'kind', 'state']).execute();
    const failed = new Set<string>();
    const byName = new Map(hosts.map((host) => [host.name, host]));
    const known = new Map((await tx.db.selectFrom('gatewayclaim').selectAll().execute()).map((row) => [row.port, row]));
    for (const claim of seen) {
      // OVN's own watching of the nodes carries nothing.
      if (claim.unit === FABRIC) continue;
      const was = known.get(claim.port);
      const host = claim.chassis === undefined ? was?.host : byName.get(claim.chassis)?.id;
      if (host === undefined) continue;
      const group = claim.candidates.flatMap((name) => byName.get(name) ?? []);
      const carrying = group.filter(({ kind }) => kind !== 'witness').map(({ id }) => id);
      const slots = slotsFor((was?.slots ?? '').split(','), host, carrying, await avoidedBy(tx.db, claim.unit));
      const candidates = group.map(({ id }) => id).join(',');
      const next = { unit: claim.unit, host, candidates, slots: slots.join(',') };
      const moved = was !== undefined && was.host !== host;
      if (was === undefined) {
        await tx.insert('gatewayclaim', { port: claim.port, ...next, since: new Date().toISOString() });
      } else if (moved || was.candidates !== candidates || was.slots !== next.slots || was.unit !== next.unit) {
        const since = moved ? new Date().toISOString() : was.since;
        await tx.db
          .updateTable('gatewayclaim')
          .set({ ...next, since })
          .where('port', '=', claim.port)
          .execute();
      }
      // Nobody asked for it: the group still prefers the one that had it. One that is just back may claim what is not its own for a moment.
      const taker = hosts.find(({ id }) => id === host);
      if (moved && group[0]?.id === was.host && taker?.state === 'Up') failed.add(was.host);
      if (moved) await tellTakeover(tx, claim.unit, nameOf(hosts, was.host), nameOf(hosts, host));
    }
    for (const host of hosts)
      if (failed.has(host.id) && host.state === 'Up' && host.kind === 'gateway') await alert(tx, host);
    const stays = new Set(seen.map(({ port }) => port));
    const left = whole ? [...known.keys()].filter((port) => !stays.has(port)) : gone;
    for (const port of left) await tx.db.deleteFrom('gatewayclaim').where('port', '=', port).execute();
  });
}

/**
 * The hosts that the two rows of a redundant router stand for: who carries it, then where it was stopped, then the next of the group. A host
 * keeps its place as long as it has one, so that a router's id does not change with its role. '': there is no second host.
 */
export function slotsFor(
  before: readonly string[],
  holder: string,
  candidates: readonly string[],
  avoided: readonly string[],
): string[] {
  const stopped = before.filter((id) => avoided.includes(id));
  const wanted = [...new Set([holder, ...stopped, ...candidates])].slice(0, 2);
  const free = wanted.filter((id) => !before.includes(id));
  return [0, 1].map((place) => {
    const was = before[place] ?? '';
    return wanted.includes(was) ? was : (free.shift() ?? '');
  });
}

async function avoidedBy(db: Db, unit: string): Promise<string[]> {
  const row = await carrierRow(db, unit);
  return row === undefined ? [] : idsOf(row.gatewayavoid);
}

/** The row that says who is to carry the public side of a unit. */
async function carrierRow(
  db: Db,
  unit: string,
): Promise<Pick<Tables['vpc'], 'id' | 'name' | 'gatewayavoid'> | undefined> {
  const [kind, id] = unit.split(':');
  if (id === undefined || (kind !== 'vpc' && kind !== 'network')) return undefined;
  return db.selectFrom(kind).select(['id', 'name', 'gatewayavoid']).where('id', '=', id).executeTakeFirst();
}

function nameOf(hosts: readonly { readonly id: string; readonly name: string }[], id: string): string {
  return hosts.find((host) => host.id === id)?.name ?? id;
}

/** Others took over from it: until it has been well for a while nothing comes back to it ({@link ./hosts.ts}). */
async function alert(tx: Tx, host: { readonly id: string; readonly name: string }): Promise<void> {
  await tx.update('host', host.id, { state: 'Alert' });
  const text = `gateway node ${host.name} lost the ways out that it carried, and others took over: it is in Alert, and gets them back when it has been well for a while`;
  await addEvent(tx, OPERATOR, { type: ALERT_EVENT, level: 'WARN', text, about: { type: 'Host', id: host.id } });
}

/** His machines are the operator's business: tenants see it in listRouters. */
async function tellTakeover(tx: Tx, unit: string, from: string, to: string): Promise<void> {
  const row = await carrierRow(tx.db, unit);
  if (row === undefined) return;
  const [what, type] = unit.startsWith('vpc:') ? ['VPC', 'Vpc'] : ['network', 'Network'];
  const text = `${to} carries the way out of ${what} ${row.name} now; before it was ${from}`;
  await addEvent(tx, OPERATOR, { type: TAKEOVER_EVENT, level: 'WARN', text, about: { type: type!, id: row.id } });
}

/** The claims of units, by unit key, in order of port. */
export async function claimsOf(db: Db, units: readonly string[]): Promise<ReadonlyMap<string, readonly Claim[]>> {
  if (units.length === 0) return new Map();
  const rows = await db
    .selectFrom('gatewayclaim')
    .selectAll()
    .where('unit', 'in', [...units])
    .orderBy('port')
    .execute();
  return Map.groupBy(rows, ({ unit }) => unit);
}
