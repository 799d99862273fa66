// Who is on a network, asked on the wire: a scan, and what scans have found, whether it is ours or not.
import { sql } from 'kysely';
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { cidr } from '../../lib/ip.ts';
import { type Identity, type Known, identify, inventory, placesIn } from '../../store/inventory.ts';
import type { NetworkTable } from '../../store/schema/network.ts';
import type { ScanTable, SightingTable } from '../../store/schema/wire.ts';
import { readNumber } from '../../store/setting.ts';
import { visible, visibleRows } from '../access.ts';
import { containing, page, pageParams } from '../list.ts';
import { type Room, type WriteRoom, jobCommand, listCommand } from '../room.ts';
import { macPrefix } from './who-has.ts';

export const scanView = z.object({
  id: field.string('id of the scan'),
  networkid: field.string('the network that was scanned'),
  state: field.string('Requested, Done or Failed'),
  errortext: field.string('why it failed'),
  hostname: field.string('the node that asked; for root'),
  count: field.integer('addresses that answered'),
  strangers: field.integer('those of them that are not known to be ours'),
  created: field.date('when it was asked for'),
  finished: field.date('when it was done'),
});

type ScanView = z.infer<typeof scanView>;

/** The scan with this id as its job's result shows it. */
export async function viewScan(room: Room, id: string): Promise<ScanView | undefined> {
  const row = await room.db
    .selectFrom('scan')
    .innerJoin('host', 'host.id', 'scan.host')
    .selectAll('scan')
    .select('host.name')
    .where('scan.id', '=', id)
    .executeTakeFirst();
  if (row === undefined) return undefined;
  const seen =
    row.finished === null
      ? []
      : await room.db
          .selectFrom('sighting')
          .selectAll()
          .where('network', '=', row.network)
          .where('last', '=', row.finished)
          .execute();
  const known = await inventory(room.db, { networks: [row.network] });
  return field.compact<ScanView>({
    id: row.id,
    networkid: row.network,
    state: row.state,
    errortext: row.error,
    hostname: room.call.caller.role === 'admin' ? row.name : undefined,
    count: row.state === 'Done' ? seen.length : undefined,
    strangers: row.state === 'Done' ? seen.filter((one) => identify(known, one).is !== 'ours').length : undefined,
    created: field.clientDate(row.created),
    finished: row.finished === null ? undefined : field.clientDate(row.finished),
  });
}

/** Larger networks take minutes at the rate that harms nobody. */
const SHORTEST_PREFIX = 20;
const INTERVAL = 'network.scan.interval';
/** A node that has not answered by then will not. */
const LOST_MS = 120_000;

export const scanNetwork = jobCommand({
  name: 'scanNetwork',
  summary: 'Asks every address of a VLAN network who it is; listNetworkNeighbors shows the answers',
  roles: WRITERS,
  params: z.object({ networkid: param.ref('network', 'The network') }),
  answer: { kind: 'object', key: 'networkscan', view: scanView },
  event: 'NETWORK.SCAN',
  async job(room, want) {
    const network = await visible(room, 'network', want.networkid, 'networkid');
    refuseUnscannable(network);
    await refuseTooMany(room, network);
    const host = await askedNode(room, network);
    const id = newId();
    await room.tx.insert('scan', {
      id,
      network: network.id,
      host,
      route: null,
      nic: null,
      target: null,
      found: null,
      state: 'Requested',
      error: null,
      account: network.account,
      domain: network.domain,
      finished: null,
      created: new Date().toISOString(),
    });
    const about = { type: 'NetworkScan', id };
    return { about, view: 'networkscan', text: `scanning network ${network.name} (${network.cidr})` };
  },
});

function refuseUnscannable(network: NetworkTable): void {
  const { name } = network;
  if (network.segment !== 'vlan' || network.vlan === null) {
    throw refuse(
      'parameter',
      `Network ${name} cannot be scanned: it is on no VLAN, so only our own machines are on it. listWhoHasThisIp and listVirtualMachines with networkid=${network.id} know them all`,
    );
  }
  if (network.cidr === null) {
    throw refuse(
      'parameter',
      `Network ${name} cannot be scanned: it has no CIDR, so there are no addresses to ask for. listSwitchPorts shows the MAC addresses behind switch ports, to root of all, to others of those granted to them`,
    );
  }
  if (cidr(network.cidr).length < SHORTEST_PREFIX) {
    throw refuse(
      'parameter',
      `Network ${name} cannot be scanned: ${network.cidr} is larger than a /${SHORTEST_PREFIX}, and asking for every address would take minutes`,
    );
  }
}

async function refuseTooMany({ tx, db }: WriteRoom, network: NetworkTable): Promise<void> {
  const now = Date.now();
  const scans = await db
    .selectFrom('scan')
    .selectAll()
    .where('network', '=', network.id)
    .where('route', 'is', null)
    .execute();
  for (const scan of scans.filter(({ state }) => state === 'Requested')) {
    if (now - Date.parse(scan.created) < LOST_MS) {
      throw refuse(
        'parameter',
        `Network ${network.name} is being scanned since ${scan.created}: wait for that scan to end`,
      );
    }
    await forgetLost(tx, scan);
  }
  const seconds = await readNumber(db, INTERVAL);
  const last = Math.max(
    -Infinity,
    ...scans.filter(({ state }) => state === 'Done').map(({ created }) => Date.parse(created)),
  );
  const wait = Math.ceil((last + seconds * 1000 - now) / 1000);
  if (wait > 0) {
    throw refuse(
      'parameter',
      `Network ${network.name} was scanned ${Math.round((now - last) / 1000)} s ago: it can be scanned every ${seconds} s (setting ${INTERVAL}), again in ${wait} s. listNetworkNeighbors shows what was found`,
    );
  }
}

async function forgetLost(tx: WriteRoom['tx'], scan: ScanTable): Promise<void> {
  const error = `its node did not answer within ${LOST_MS / 1000} s`;
  await tx.update('scan', scan.id, { state: 'Failed', error, finished: new Date().toISOString() });
}

/** A hypervisor that is up: one that has an instance of the network, if there is one. */
async function askedNode({ db }: Room, network: NetworkTable): Promise<string> {
  const hosts = await db
    .selectFrom('host')
    .select(['id', 'name'])
    .where('zone', '=', network.zone)
    .where('kind', '=', 'hypervisor')
    .where('state', '=', 'Up')
    .orderBy('name')
    .execute();
  const near = await db
    .selectFrom('nic')
    .innerJoin('instance', 'instance.id', 'nic.instance')
    .select('instance.host')
    .where('nic.network', '=', network.id)
    .where('instance.host', 'is not', null)
    .execute();
  const has = new Set(near.map(({ host }) => host));
  const chosen = hosts.find(({ id }) => has.has(id)) ?? hosts[0];
  if (chosen !== undefined) return chosen.id;
  throw refuse(
    'unavailable',
    `Network ${network.name} cannot be scanned now: no hypervisor of its zone is Up that could ask (listHosts)`,
  );
}

export const neighborView = z.object({
  id: field.string('id of the sighting'),
  networkid: field.string('the network it was seen in'),
  networkname: field.string('name of that network'),
  ipaddress: field.string('the address it answered for'),
  macaddress: field.string('its MAC address'),
  vendor: field.string('who made its network card, by the MAC address'),
  place: field.string('switch port or hypervisor; for root'),
  known: field.boolean('whether it is ours, with an address of its own'),
  kind: field.string(
    'instance, device, router, vpc, gateway; stranger; unconfirmed, where one is expected whose MAC address nobody knows; or whose address it uses without being it: impostor',
  ),
  ownerid: field.string('id of the instance, device, router node or VPC'),
  ownername: field.string('its name; of an impostor and where unconfirmed: whose address it is'),
  firstseen: field.date('when it was seen first'),
  lastseen: field.date('when it was seen last'),
});

type NeighborView = z.infer<typeof neighborView>;

export const listNetworkNeighbors = listCommand({
  name: 'listNetworkNeighbors',
  summary: 'Lists who was seen on networks by scans, ours or not: address, MAC address, vendor, place',
  roles: EVERYBODY,
  params: z.object({
    networkid: param.ref('network', 'Seen in this network').optional(),
    macaddress: param.text('Its MAC address, or how it begins, such as b8:27:eb').optional(),
    ipaddress: param.address('Seen with this address').optional(),
    ...pageParams,
  }),
  key: 'networkneighbor',
  view: neighborView,
  async list(room, want) {
    if (want.networkid !== undefined) await visible(room, 'network', want.networkid, 'networkid');
    const seen = room.db.selectFrom('network').select('id').where(visibleRows(room.call.caller, 'network'));
    let query = room.db
      .selectFrom('sighting')
      .selectAll()
      .where('network', 'in', want.networkid === undefined ? seen : [want.networkid])
      .orderBy('network')
      .orderBy('ip')
      .orderBy('mac');
    if (want.macaddress !== undefined) {
      const prefix = macPrefix(want.macaddress);
      if (prefix === undefined)
        throw refuse(
          'parameter',
          `${want.macaddress} is no MAC address and does not begin like one: whole bytes such as b8:27:eb`,
        );
      query = query.where(sql`substr(mac, 1, ${prefix.length})`, '=', prefix);
    }
    if (want.ipaddress !== undefined) query = query.where('ip', '=', want.ipaddress);
    if (want.keyword !== undefined) {
      const { keyword } = want;
      const columns = room.call.caller.role === 'admin' ? ['ip', 'mac', 'vendor', 'place'] : ['ip', 'mac', 'vendor'];
      query = query.where((eb) => eb.or(columns.map((column) => containing(column, keyword))));
    }
    const { count, rows } = await page(query, want);
    return { count, rows: await showNeighbors(room, rows) };
  },
});

async function showNeighbors(room: Room, rows: readonly SightingTable[]): Promise<NeighborView[]> {
  const ids = [...new Set(rows.map(({ network }) => network))];
  if (ids.length === 0) return [];
  const networks = new Map(
    (await room.db.selectFrom('network').selectAll().where('id', 'in', ids).execute()).map((row) => [row.id, row]),
  );
  const known = Map.groupBy(await inventory(room.db, { networks: ids }), ({ network }) => network);
  const root = room.call.caller.role === 'admin';
  const places = new Map<string, (mac: string) => string | undefined>();
  if (root) for (const [id, network] of networks) places.set(id, await placesIn(room.db, network));
  return rows.map((row) => {
    const all = known.get(row.network) ?? [];
    const identity = identify(all, row);
    const owner = identity.is === 'stranger' ? undefined : shownOwner(identity.known, root);
    return field.compact<NeighborView>({
      id: row.id,
      networkid: row.network,
      networkname: networks.get(row.network)?.name,
      ipaddress: row.ip,
      macaddress: row.mac,
      vendor: row.vendor,
      place: root ? (ownPlace(identity) ?? places.get(row.network)?.(row.mac) ?? row.place) : undefined,
      known: identity.is === 'ours',
      kind: identity.is === 'ours' || identity.is === 'elsewhere' ? identity.known.kind : identity.is,
      ownerid: owner?.id,
      ownername: owner?.name,
      firstseen: field.clientDate(row.first),
      lastseen: field.clientDate(row.last),
    });
  });
}

/** Which machine a router is is the operator's business, as in listNetworkMembers. */
function shownOwner({ id, kind, owner }: Known, root: boolean): Known['owner'] {
  return kind === 'router' && !root ? { id, name: 'router' } : owner;
}

/** Of instances we know the hypervisor; all others are where a switch sees them. */
function ownPlace(identity: Identity): string | undefined {
  const ours = identity.is === 'ours' || identity.is === 'elsewhere' ? identity.known : undefined;
  return ours?.kind === 'instance' ? ours.place : undefined;
}
