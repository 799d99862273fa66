// What scans found: who answers on a network, first and last seen, held against what is known of it. Strangers and addresses that two
// machines use become events, once each; a duplicate that was gone and is back, again.
import { newId } from '../lib/id.ts';
import { OPERATOR, type Told, addEvent } from './event.ts';
import { identify, inventory, type Known, nameOf, placesIn } from './inventory.ts';
import type { Db, Store } from './open.ts';
import type { NetworkTable } from './schema/network.ts';
import type { ScanTable } from './schema/wire.ts';
import { failJobs } from './settle.ts';
import type { Tx } from './write.ts';

/** The answer to a scan as the node tells it. */
export interface ToldScan {
  readonly id: string;
  readonly error?: string;
  readonly hosts: readonly SeenHost[];
  /** What a probe saw; kept as it is. */
  readonly probe?: object;
}

interface SeenHost {
  readonly ip: string;
  readonly mac: string;
  readonly vendor?: string;
}

const STRANGER = 'NETWORK.STRANGER';
const DUPLICATE = 'NETWORK.DUPLICATE.ADDRESS';
/** Types of the events that scans become. */
export const SCAN_EVENTS = [STRANGER, DUPLICATE];

/** Takes the answers to open scans that this node was asked to make; others are old or none of its business. */
export async function recordScans(store: Store, node: string, scans: readonly ToldScan[]): Promise<void> {
  if (scans.length === 0) return;
  const answered = await open(store.db, node, scans);
  if (answered.length === 0) return;
  for (const { row, told } of answered)
    if (told.error !== undefined) await failJobs(store, await jobsOf(store.db, row), told.error);
  await store.write(async (tx) => {
    for (const { row, told } of await open(tx.db, node, scans)) await close(tx, row, told);
  });
}

/** Forgets what was asked and found on a network that is about to go. */
export async function forgetScans(tx: Tx, network: string): Promise<void> {
  const rows = await tx.db.selectFrom('scan').select('id').where('network', '=', network).execute();
  for (const { id } of rows) await tx.remove('scan', id);
  await tx.db.deleteFrom('sighting').where('network', '=', network).execute();
}

/** Failed before the scan is closed: afterwards nothing keeps them from being done. */
async function jobsOf(db: Db, { id }: ScanTable): Promise<string[]> {
  const rows = await db.selectFrom('job').select('id').where('status', '=', 0).where('instanceid', '=', id).execute();
  return rows.map((row) => row.id);
}

async function open(
  db: Db,
  node: string,
  scans: readonly ToldScan[],
): Promise<{ readonly row: ScanTable; readonly told: ToldScan }[]> {
  const rows = await db
    .selectFrom('scan')
    .innerJoin('host', 'host.id', 'scan.host')
    .selectAll('scan')
    .where('host.name', '=', node)
    .where('scan.state', '=', 'Requested')
    .where(
      'scan.id',
      'in',
      scans.map(({ id }) => id),
    )
    .execute();
  return rows.flatMap((row) => {
    const told = scans.find(({ id }) => id === row.id);
    return told === undefined ? [] : [{ row, told }];
  });
}

/** First sightings of one scan that get an event each: a hostile device can invent thousands. */
const MAX_NEWS = 20;

/** A scan's answers, and what they are held against. */
interface Scan {
  readonly network: NetworkTable;
  readonly hosts: readonly SeenHost[];
  readonly known: readonly Known[];
  readonly places: (mac: string) => string | undefined;
  /** Addresses that were told of: one event names both machines. */
  readonly duplicates: Set<string>;
}

async function close(tx: Tx, row: ScanTable, told: ToldScan): Promise<void> {
  const finished = new Date().toISOString();
  const state = told.error === undefined ? 'Done' : 'Failed';
  const found = told.probe === undefined ? null : JSON.stringify(told.probe);
  await tx.update('scan', row.id, { state, error: told.error ?? null, found, finished });
  if (row.route !== null) return;
  const network = await tx.db.selectFrom('network').selectAll().where('id', '=', row.network).executeTakeFirst();
  if (told.error !== undefined || network === undefined) return;
  const known = await inventory(tx.db, { networks: [network.id] });
  const places = await placesIn(tx.db, network);
  const before = await tx.db
    .selectFrom('scan')
    .select('finished')
    .where('network', '=', network.id)
    .where('route', 'is', null)
    .where('state', '=', 'Done')
    .where('id', '!=', row.id)
    .orderBy('finished', 'desc')
    .limit(1)
    .executeTakeFirst();
  const scan: Scan = { network, hosts: told.hosts, known, places, duplicates: new Set() };
  let news = 0;
  for (const host of told.hosts) {
    const place = places(host.mac) ?? known.find(({ mac }) => mac === host.mac)?.place;
    const last = await sight(tx, network, host, place, finished);
    if (last === undefined) {
      if (news < MAX_NEWS) await judge(tx, scan, host);
      news++;
    } else if (last < (before?.finished ?? '') && scan.duplicates.size < MAX_NEWS) {
      // It was gone, and with it perhaps a duplicate that somebody mended.
      await tellDuplicate(tx, scan, host);
    }
  }
  if (news > MAX_NEWS) {
    const text = `${news - MAX_NEWS} more addresses were seen for the first time in network ${network.name}: listNetworkNeighbors shows them`;
    await tell(tx, network, STRANGER, text, text);
  }
}

/** Notes that somebody was seen; when last before, undefined for the first time. */
async function sight(
  tx: Tx,
  network: NetworkTable,
  { ip, mac, vendor }: SeenHost,
  place: string | undefined,
  at: string,
): Promise<string | undefined> {
  const before = await tx.db
    .selectFrom('sighting')
    .select(['id', 'place', 'last'])
    .where('network', '=', network.id)
    .where('mac', '=', mac)
    .where('ip', '=', ip)
    .executeTakeFirst();
  if (before !== undefined) {
    await tx.db
      .updateTable('sighting')
      .set({ last: at, place: place ?? before.place, ...(vendor === undefined ? {} : { vendor }) })
      .where('id', '=', before.id)
      .execute();
    return before.last;
  }
  await tx.insert('sighting', {
    id: newId(),
    network: network.id,
    mac,
    ip,
    vendor: vendor ?? null,
    place: place ?? null,
    first: at,
    last: at,
    created: at,
  });
  return undefined;
}

/** What there is to say of somebody who is seen for the first time. */
async function judge(tx: Tx, scan: Scan, host: SeenHost): Promise<void> {
  const { network, known } = scan;
  await tellDuplicate(tx, scan, host);
  const identity = identify(known, host);
  if (identity.is === 'ours') return;
  const own = whoIs(scan, host);
  if (identity.is === 'elsewhere') {
    const text = (name: string): string =>
      `${name} uses ${host.ip} in network ${network.name}, which was not given to it; ${identity.known.ip === '' ? 'it was given none' : `its own is ${identity.known.ip}`}`;
    await tell(tx, network, STRANGER, text(own.name), text(withPlace(own.name, own.place)));
  } else if (identity.is === 'unconfirmed') {
    const owner = nameOf(identity.known);
    const text = (name: string): string =>
      `${name} answers for ${host.ip}, the address of ${owner}, whose hardware address nobody has confirmed: it may be it, or somebody who took it. If it is, register it with its MAC address (registerDevice macaddress=) and attach it`;
    await tell(tx, network, STRANGER, text(own.name), text(withPlace(own.name, own.place)));
  } else if (!known.some(({ mac }) => mac === host.mac)) {
    const text = (name: string): string => `${name} is in network ${network.name} with address ${host.ip}`;
    await tell(tx, network, STRANGER, text(own.name), text(withPlace(own.name, own.place)));
  }
}

/** Who was seen, for sentences, and where. */
function whoIs({ known, places }: Scan, seen: SeenHost): { readonly name: string; readonly place: string | undefined } {
  const owner = identify(known, seen);
  const ours = owner.is === 'ours' || owner.is === 'elsewhere' ? owner.known : undefined;
  const vendor = seen.vendor === undefined ? '' : `, made by ${seen.vendor}`;
  const name = ours === undefined ? `an unknown machine${vendor}` : nameOf(ours);
  return { name: `${seen.mac} (${name})`, place: places(seen.mac) ?? ours?.place };
}

/** Tells, once in a scan, that the address has another owner, or two machines that answer for it. */
async function tellDuplicate(tx: Tx, scan: Scan, host: SeenHost): Promise<void> {
  const { network, hosts, known, duplicates } = scan;
  const identity = identify(known, host);
  const rival = hosts.find(({ ip, mac }) => ip === host.ip && mac !== host.mac);
  if ((rival === undefined && identity.is !== 'impostor') || duplicates.has(host.ip)) return;
  duplicates.add(host.ip);
  const own = whoIs(scan, host);
  if (rival !== undefined) {
    const other = whoIs(scan, rival);
    const both = (where: (text: string, place: string | undefined) => string): string =>
      `two machines answer for ${host.ip} in network ${network.name}: ${where(own.name, own.place)} and ${where(other.name, other.place)}`;
    const advice =
      'Whoever spoke last gets the packets, so connections fail now and then. Give one of them another address';
    await tell(tx, network, DUPLICATE, `${both((text) => text)}. ${advice}`, `${both(withPlace)}. ${advice}`);
  } else if (identity.is === 'impostor') {
    const owner = identity.known;
    const text = `${host.ip} in network ${network.name} belongs to ${nameOf(owner)}${owner.mac === undefined ? '' : ` (${owner.mac})`}`;
    const advice = 'Give it another address, or reserve this one for it';
    await tell(
      tx,
      network,
      DUPLICATE,
      `${text}, but ${own.name} answers for it. ${advice}`,
      `${text}${owner.place === undefined ? '' : `, ${owner.place}`}, but ${withPlace(own.name, own.place)} answers for it. ${advice}`,
    );
  }
}

function withPlace(text: string, place: string | undefined): string {
  return place === undefined ? text : `${text} at ${place}`;
}

/** An event for the network's owner, and one for root that says at which switch port or hypervisor, too. */
async function tell(tx: Tx, network: NetworkTable, type: string, text: string, forRoot: string): Promise<void> {
  const event = (told: Told, description: string): Promise<string> =>
    addEvent(tx, told, { type, level: 'WARN', text: description, about: { type: 'Network', id: network.id } });
  const rootOwns = network.account === OPERATOR.account;
  if (!rootOwns) await event(network, text);
  if (rootOwns || forRoot !== text) await event(OPERATOR, forRoot);
}
