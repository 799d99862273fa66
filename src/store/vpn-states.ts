// What gateway nodes say of VPNs: how connections between sites fare, and who is connected. Written beside the intent, since it asks
// nothing of anybody; a connection that changes its state becomes an event.
import { isEndpoint } from '../lib/ip.ts';
import { addEvent } from './event.ts';
import type { Store } from './open.ts';
import type { Tables } from './schema.ts';
import type { Tx } from './write.ts';

/** How one VPN fares, as the node tells it. */
export interface ToldVpn {
  readonly id: string;
  /** Name of the node; absent: nobody tells of it any more. */
  readonly by?: string;
  readonly state: 'Connected' | 'Connecting' | 'Disconnected' | 'Error' | 'Running';
  readonly reason?: string;
  readonly clients?: readonly ToldClient[];
}

interface ToldClient {
  readonly id: string;
  readonly from?: string;
  readonly since?: string;
  readonly received?: number;
  readonly sent?: number;
}

const STATE = 'VPN.S2S.CONNECTION.STATE';
const CLIENT = 'VPN.CLIENT.STATE';
export const ENDING = 'VPN.CERTIFICATE.ENDING';
export const RENEWED = 'VPN.CERTIFICATE.RENEWED';
/** Types of the events that VPNs become by themselves. */
export const VPN_EVENTS = [STATE, CLIENT, ENDING, RENEWED];

/** Longest reason that is kept. */
const MOST_TEXT = 500;

interface News {
  readonly access: readonly { readonly id: string; readonly toldby: string | null; readonly fault: string | null }[];
  readonly connections: readonly { readonly row: Tables['vpnconnection']; readonly told: ToldVpn }[];
  readonly clients: readonly { readonly row: Tables['vpnclient']; readonly seen: string | null }[];
}

/** Bytes are counted on all the time: they are written at most so often. */
const COUNT_MS = 60_000;

/** Where a client comes from is told to nodes, which is a change for all of them: however often it moves, at most so often. */
const MOVE_MS = 60_000;

/** Milliseconds, by a client's id: when its bytes were written last, and when nodes were told of its place. */
interface Times {
  readonly counted: Map<string, number>;
  readonly moved: Map<string, number>;
}

const timesOf = new WeakMap<Store, Times>();

/** What may be written of a client now. */
interface Due {
  count(client: string): boolean;
  move(client: string): boolean;
}

/**
 * Keeps what the node that carries the VPNs tells of them: call it with what that node may tell (reconcile/vpn-watch.ts) and of its active
 * helpers only, since where a helper stands by, nothing is ever connected. Writes nothing while it says the same.
 */
export async function recordVpnStates(store: Store, told: readonly ToldVpn[], now = Date.now()): Promise<void> {
  if (told.length === 0) return;
  const times = timesOf.get(store) ?? { counted: new Map(), moved: new Map() };
  timesOf.set(store, times);
  const due: Due = {
    count: (id) => now - (times.counted.get(id) ?? 0) >= COUNT_MS,
    move: (id) => now - (times.moved.get(id) ?? 0) >= MOVE_MS,
  };
  if (!some(await newsOf(store.db, told, due))) return;
  await store.write(async (tx) => {
    const { access, connections, clients } = await newsOf(tx.db, told, due);
    for (const { id, toldby, fault } of access)
      await tx.db.updateTable('remotevpn').set({ toldby, fault }).where('id', '=', id).execute();
    for (const { row, told: one } of connections) await keepConnection(tx, row, one);
    for (const { row, seen } of clients) {
      const moved = moves(row, seen, due);
      await keepClient(tx, row, seen, moved);
      if (moved) times.moved.set(row.id, now);
      if (seen === null) times.counted.delete(row.id);
      else times.counted.set(row.id, now);
    }
  });
}

/** Who is connected, without what changes with every packet. */
function placeOf(seen: string | null): string | undefined {
  if (seen === null) return undefined;
  const { from, since } = JSON.parse(seen) as ToldClient;
  return JSON.stringify([from, since]);
}

function some({ access, connections, clients }: News): boolean {
  return access.length + connections.length + clients.length > 0;
}

async function newsOf(db: Store['db'], told: readonly ToldVpn[], due: Due): Promise<News> {
  const ids = told.map(({ id }) => id);
  const vpns = await db.selectFrom('remotevpn').select(['id', 'toldby', 'fault']).where('id', 'in', ids).execute();
  const sites = await db.selectFrom('vpnconnection').selectAll().where('id', 'in', ids).execute();
  const clients = await db.selectFrom('vpnclient').selectAll().where('remotevpn', 'in', ids).execute();
  const byId = new Map(told.map((one) => [one.id, one]));
  return {
    access: vpns.flatMap((row) => {
      const one = byId.get(row.id)!;
      const toldby = one.by ?? null;
      const fault = one.by === undefined || one.state === 'Running' ? null : (reasonOf(one) ?? one.state);
      return row.toldby === toldby && row.fault === fault ? [] : [{ id: row.id, toldby, fault }];
    }),
    connections: sites.flatMap((row) => {
      const one = since(row, byId.get(row.id));
      const same =
        one === undefined ||
        (row.state === one.state && row.reason === reasonOf(one) && row.toldby === (one.by ?? null));
      return same ? [] : [{ row, told: one }];
    }),
    clients: clients.flatMap((row) => {
      const list = byId.get(row.remotevpn)?.clients;
      if (list === undefined) return [];
      const now = list.find(({ id }) => id === row.id);
      const seen = now === undefined ? null : JSON.stringify(now);
      const same = seen === row.seen || (placeOf(seen) === placeOf(row.seen) && !due.count(row.id));
      return same && !moves(row, seen, due) ? [] : [{ row, seen }];
    }),
  };
}

/** A peer that was there once, or refused, and does not answer now is gone: it is Connecting at first, and after a reset. */
function since({ state }: Tables['vpnconnection'], told: ToldVpn | undefined): ToldVpn | undefined {
  const first = state === 'Pending' || state === 'Connecting';
  return told?.state === 'Connecting' && !first ? { ...told, state: 'Disconnected' } : told;
}

function reasonOf({ reason }: ToldVpn): string | null {
  return reason === undefined ? null : reason.slice(0, MOST_TEXT);
}

// Not through tx.update: what is seen changes nothing on the network.
async function keepConnection(tx: Tx, row: Tables['vpnconnection'], told: ToldVpn): Promise<void> {
  const reason = reasonOf(told);
  const patch = { state: told.state, reason, toldby: told.by ?? null };
  await tx.db.updateTable('vpnconnection').set(patch).where('id', '=', row.id).execute();
  if (row.state === told.state) return;
  const other = await tx.db
    .selectFrom('customergateway')
    .select(['name', 'gateway'])
    .where('id', '=', row.customergateway)
    .executeTakeFirst();
  const bad = told.state === 'Error' || (told.state === 'Disconnected' && row.state === 'Connected');
  await addEvent(tx, row, {
    type: STATE,
    level: bad ? 'WARN' : 'INFO',
    text: `VPN connection to ${other?.name ?? row.customergateway} (${other?.gateway ?? 'unknown'}) is ${told.state}, and was ${row.state}${reason === null ? '' : `: ${reason}`}`,
    about: { type: 'VpnConnection', id: row.id },
  });
}

async function keepClient(tx: Tx, row: Tables['vpnclient'], seen: string | null, moved: boolean): Promise<void> {
  await tx.db.updateTable('vpnclient').set({ seen }).where('id', '=', row.id).execute();
  // The one thing here that nodes are told again: who takes over from this one has to know.
  if (moved) await tx.update('vpnclient', row.id, { endpoint: endpointOf(seen)! });
  if ((row.seen === null) === (seen === null)) return;
  const user = await tx.db.selectFrom('vpnuser').selectAll().where('id', '=', row.vpnuser).executeTakeFirst();
  if (user === undefined) return;
  const from = seen === null ? undefined : (JSON.parse(seen) as ToldClient).from;
  await addEvent(tx, user, {
    type: CLIENT,
    level: 'INFO',
    text:
      seen === null
        ? `VPN user ${user.username} (${row.ip}) is not connected any more`
        : `VPN user ${user.username} (${row.ip}) is connected${from === undefined ? '' : ` from ${from}`}`,
    about: { type: 'VpnUser', id: user.id },
  });
}

/** Whether a WireGuard client comes from elsewhere than nodes know, and they may be told now. */
function moves(row: Tables['vpnclient'], seen: string | null, due: Due): boolean {
  const endpoint = endpointOf(seen);
  return row.publickey !== null && endpoint !== undefined && endpoint !== row.endpoint && due.move(row.id);
}

/** Where a client comes from, if that is an address and a port. */
function endpointOf(seen: string | null): string | undefined {
  const from = seen === null ? undefined : (JSON.parse(seen) as ToldClient).from;
  return from !== undefined && isEndpoint(from) ? from : undefined;
}

/** VPNs that somebody counts as served, connected or on the way to it: what must be forgotten when nobody tells of it. */
export async function vpnsInUse(store: Store): Promise<readonly { readonly id: string; readonly site: boolean }[]> {
  const access = await store.db
    .selectFrom('remotevpn')
    .select('id')
    .where((on) =>
      on.or([
        on('toldby', 'is not', null),
        on(
          'id',
          'in',
          on.selectFrom('vpnclient').select('vpnclient.remotevpn').where('vpnclient.seen', 'is not', null),
        ),
      ]),
    )
    .execute();
  const sites = await store.db
    .selectFrom('vpnconnection')
    .select('id')
    .where((on) => on.or([on('toldby', 'is not', null), on('state', 'in', ['Connected', 'Error'])]))
    .execute();
  return [...access.map(({ id }) => ({ id, site: false })), ...sites.map(({ id }) => ({ id, site: true }))];
}

/** Keeps which prefixes routers are known to send to VPNs, by the VPN's id. */
export async function recordVpnRoutes(store: Store, routed: ReadonlyMap<string, readonly string[]>): Promise<void> {
  if (routed.size === 0) return;
  await store.write(async (tx) => {
    for (const [id, prefixes] of routed)
      for (const table of ['remotevpn', 'vpnconnection'] as const)
        await tx.db
          .updateTable(table)
          .set({ routed: prefixes.join(',') })
          .where('id', '=', id)
          .execute();
  });
}
