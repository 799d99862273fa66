// What agents tell of addresses that moved, kept once each, with the sentence people read and the event. An upstream that turns out to
// keep an old entry, or to have learnt after all, changes the receipt.
import { newId } from '../lib/id.ts';
import { addEvent } from './event.ts';
import type { Db, Store } from './open.ts';
import type { ReceiptTable } from './schema/wire.ts';
import type { Tx } from './write.ts';

/** A receipt as the node tells it. */
export interface ToldReceipt {
  readonly nicId?: string;
  readonly routerId?: string;
  readonly ip: string;
  readonly mac: string;
  readonly moved: number;
  readonly cause: string;
  readonly announced: string;
  readonly upstream?: string;
  readonly answeredBy?: string;
  readonly verdict?: 'learnt' | 'stale' | 'mute' | 'silent';
  readonly afterMs?: number;
  readonly outageMs?: number;
}

const MOVED = 'ADDRESS.MOVED';
const STALE = 'ADDRESS.STALE';
/** Types of the events that receipts become. */
export const RECEIPT_EVENTS = [MOVED, STALE];

/** What an address came to: a card of an instance, or a router's leg in a network. */
interface Card {
  readonly id: string;
  readonly leg: boolean;
  readonly network: string;
  /** Of the instance, or of the network. */
  readonly about: string;
  readonly name: string;
  readonly account: string;
  readonly domain: string;
}

/** What nodes said last: they repeat themselves for minutes. */
const said = new WeakMap<Store, Map<string, string>>();

/** Keeps what a node reports of cards it has, or had a moment ago; of others it may not speak. */
export async function recordReceipts(store: Store, node: string, receipts: readonly ToldReceipt[]): Promise<void> {
  const known = said.get(store) ?? new Map<string, string>();
  said.set(store, known);
  const text = JSON.stringify(receipts);
  if (receipts.length === 0 || known.get(node) === text) return;
  if ((await news(store.db, node, receipts)).length > 0) {
    await store.write(async (tx) => {
      for (const { card, told, row } of await news(tx.db, node, receipts)) await keep(tx, node, card, told, row);
    });
  }
  known.set(node, text);
}

interface News {
  readonly card: Card;
  readonly told: ToldReceipt;
  readonly row: ReceiptTable | undefined;
}

async function news(db: Db, node: string, receipts: readonly ToldReceipt[]): Promise<News[]> {
  const host = await db.selectFrom('host').select('id').where('name', '=', node).executeTakeFirst();
  if (host === undefined) return [];
  const cards = [
    ...(await cardsAt(db, host.id, [...new Set(receipts.flatMap(({ nicId }) => nicId ?? []))])),
    ...(await legsAt(db, host.id, [...new Set(receipts.flatMap(({ routerId }) => routerId ?? []))])),
  ];
  const moves = [...new Set(receipts.map(({ moved }) => moved))];
  const rows = await db
    .selectFrom('receipt')
    .selectAll()
    .where('moved', 'in', moves)
    .where('node', '=', node)
    .execute();
  return receipts.flatMap((told) => {
    const card = cards.find(({ id, leg }) => id === (leg ? told.routerId : told.nicId));
    const row = rows.find(
      ({ nic, ip, moved }) => nic === (told.nicId ?? null) && ip === told.ip && moved === told.moved,
    );
    if (card === undefined || (row !== undefined && row.verdict === (told.verdict ?? null))) return [];
    return [{ card, told, row }];
  });
}

/** Legs of the routers that this node has. */
async function legsAt(db: Db, host: string, ids: readonly string[]): Promise<Card[]> {
  if (ids.length === 0) return [];
  const rows = await db
    .selectFrom('networkrouter')
    .innerJoin('network', 'network.id', 'networkrouter.network')
    .select(['networkrouter.id', 'network.id as network', 'network.name', 'network.account', 'network.domain'])
    .where('networkrouter.id', 'in', ids)
    .where('networkrouter.host', '=', host)
    .execute();
  return rows.map(({ name, ...row }) => ({ ...row, leg: true, about: row.network, name: `router of network ${name}` }));
}

/** Cards that this node has, or had a moment ago. */
async function cardsAt(db: Db, host: string, ids: readonly string[]): Promise<Card[]> {
  if (ids.length === 0) return [];
  const rows = await db
    .selectFrom('nic')
    .innerJoin('instance', 'instance.id', 'nic.instance')
    .select(['nic.id', 'nic.network', 'nic.instance as about'])
    .select(['instance.displayname as name', 'instance.account', 'instance.domain'])
    .where('nic.id', 'in', ids)
    .where((eb) =>
      eb.or([
        eb('instance.host', '=', host),
        eb('instance.lasthost', '=', host),
        eb('instance.migratefrom', '=', host),
      ]),
    )
    .execute();
  return rows.map((row) => ({ ...row, leg: false }));
}

async function keep(tx: Tx, node: string, card: Card, told: ToldReceipt, row: ReceiptTable | undefined): Promise<void> {
  const text = sentenceOf(told, card.name, await earlierHolder(tx.db, card, told));
  const found = {
    answeredby: told.answeredBy ?? null,
    verdict: told.verdict ?? null,
    afterms: told.afterMs === undefined ? null : Math.round(told.afterMs),
    outagems: told.outageMs === undefined ? null : Math.round(told.outageMs),
    text,
  };
  if (row === undefined) {
    await tx.insert('receipt', {
      id: newId(),
      network: card.network,
      nic: card.leg ? null : card.id,
      ip: told.ip,
      mac: told.mac,
      cause: told.cause,
      moved: told.moved,
      node,
      announced: told.announced,
      upstream: told.upstream ?? null,
      ...found,
      account: card.account,
      domain: card.domain,
      created: new Date().toISOString(),
    });
  } else {
    await tx.db.updateTable('receipt').set(found).where('id', '=', row.id).execute();
  }
  const mended = row?.verdict === 'stale' && told.verdict === 'learnt';
  // A machine that starts is no news; that a router does not find it is.
  if (told.verdict !== 'stale' && told.cause === 'start' && !mended) return;
  const type = told.verdict === 'stale' ? STALE : MOVED;
  await addEvent(tx, card, {
    type,
    level: type === STALE ? 'WARN' : 'INFO',
    text,
    about: { type: card.leg ? 'Network' : 'VirtualMachine', id: card.about },
  });
}

interface Holder {
  readonly mac: string;
  readonly name: string | undefined;
}

/** Who had the address before, by the MAC the upstream still uses or else by the last receipt of another card. */
async function earlierHolder(db: Db, card: Card, told: ToldReceipt): Promise<Holder | undefined> {
  if (told.verdict !== 'stale') return undefined;
  let mac = told.answeredBy;
  if (mac === undefined) {
    const before = await db
      .selectFrom('receipt')
      .select('mac')
      .where('network', '=', card.network)
      .where('ip', '=', told.ip)
      .where('mac', '!=', told.mac)
      .where('moved', '<', told.moved)
      .orderBy('moved', 'desc')
      .executeTakeFirst();
    mac = before?.mac;
  }
  if (mac === undefined) return undefined;
  const holder = await db
    .selectFrom('nic')
    .innerJoin('instance', 'instance.id', 'nic.instance')
    .select('instance.displayname as name')
    .where('nic.network', '=', card.network)
    .where('nic.mac', '=', mac)
    .executeTakeFirst();
  return { mac, name: holder?.name };
}

/** The receipt as a sentence: what was done, who answered, and what to do where an upstream did not learn. */
export function sentenceOf(told: ToldReceipt, name: string, earlier?: Holder): string {
  const { ip, mac, upstream, afterMs, outageMs } = told;
  const here = `${ip} is at ${mac} (${name}) now and was announced to all on the network`;
  if (upstream === undefined || told.verdict === undefined) return here;
  switch (told.verdict) {
    case 'learnt': {
      const away = outageMs === undefined ? '' : `; it was away for ${Math.round(outageMs)} ms`;
      return `${here}; ${upstream} had learnt it ${Math.round(afterMs ?? 0)} ms later${away}`;
    }
    case 'stale': {
      const old = earlier === undefined ? 'another MAC address' : nameOfHolder(earlier);
      const saw =
        told.answeredBy === undefined
          ? `${upstream} answers other addresses of ${name} and not this one: it seems to keep an old ARP entry (${old})`
          : `${upstream} still sends what is for ${ip} to ${old}: it keeps an old ARP entry`;
      return (
        `${here}, but ${saw}. Traffic from there does not reach ${ip}. On ${upstream} remove the entry of ${ip} ` +
        `(ip neigh del ${ip} dev INTERFACE; clear ip arp ${ip}), remove it from the configuration if it is a static one, or wait ` +
        `for its ARP timeout, which is better set to some minutes`
      );
    }
    case 'mute':
      return `${here}; ${upstream} answers ARP but no echo request, so it cannot be seen whether it learnt`;
    case 'silent':
      return `${here}; ${upstream} does not answer, so it cannot be seen whether it learnt: see that it is up and on this network`;
    default:
      return told.verdict satisfies never;
  }
}

function nameOfHolder({ mac, name }: Holder): string {
  return name === undefined ? mac : `${mac} (${name})`;
}
