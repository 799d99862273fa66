// Giving public addresses out and taking them back, inside the change that does it. An address that was released is given to
// nobody until its routers have let go of it.
import { type Refusal, refuse } from '../../api/error.ts';
import { newId } from '../../lib/id.ts';
import { formatIp, ip } from '../../lib/ip.ts';
import { offers } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { checkLimits } from '../account/resource-count.ts';
import { type Entering, type Room, type WriteRoom, entersWhenRealized } from '../room.ts';
import { PUBLIC_IP_TAG, type PublicIp } from './public-ip-view.ts';
import { type PublicRange, rangesFor } from './public-range-view.ts';
import { hasOwnAddress, isByOvn } from './public-service.ts';
import { dropVpnsOfAddress } from '../vpn/vpn-removal.ts';
import { dropRulesOfAddress, dropRulesOfNetwork, endStaticNat, giveBackToVpc } from './rule-removal.ts';

interface Holder {
  readonly account: string;
  readonly domain: string;
}

/** What an address is taken for. */
export interface Give {
  readonly zone: Pick<Tables['zone'], 'id' | 'name'>;
  readonly owner: Holder;
  readonly network?: string | null;
  readonly vpc?: string | null;
  readonly issourcenat?: boolean;
  /** The very address; the next free one where it is left out. */
  readonly wanted?: string | undefined;
}

/** Takes an address for its owner. Refuses with 533 where none is left, 532 where he may have no more. */
export async function giveAddress(room: WriteRoom, give: Give): Promise<PublicIp> {
  await checkLimits(room, give.owner, { public_ip: 1 });
  const ranges = await rangesFor(room.db, give.zone.id, give.owner);
  const { range, address } =
    give.wanted === undefined ? await nextFree(room, ranges, give) : await theVery(room, ranges, give, give.wanted);
  const network = give.network ?? null;
  const vpc = give.vpc ?? null;
  // The row of whoever had it last: its id is unknown from now on.
  await room.tx.db
    .deleteFrom('publicip')
    .where('publicrange', '=', range.id)
    .where('ip', '=', address)
    .where('state', '=', 'Free')
    .execute();
  const row: PublicIp = {
    id: newId(),
    publicrange: range.id,
    ip: address,
    account: give.owner.account,
    domain: give.owner.domain,
    network,
    vpc,
    acl: null,
    issourcenat: give.issourcenat === true ? 1 : 0,
    helperslot: 0,
    nic: null,
    vmip: null,
    state: network === null && vpc === null ? 'Allocated' : 'Allocating',
    moved: await room.tx.generation(),
    created: new Date().toISOString(),
  };
  await room.tx.insert('publicip', row);
  return row;
}

/** The state an address enters once its routers have it. */
export function allocated({ id }: PublicIp): Entering {
  return { kind: 'publicip', id, state: 'Allocated' };
}

/** The addresses of a range that are not to be had. */
async function takenIn(room: WriteRoom, range: PublicRange): Promise<Map<string, string>> {
  const rows = await room.db
    .selectFrom('publicip')
    .select(['ip', 'state'])
    .where('publicrange', '=', range.id)
    .where('state', '!=', 'Free')
    .execute();
  return new Map(rows.map((row) => [row.ip, row.state]));
}

interface Found {
  readonly range: PublicRange;
  readonly address: string;
}

async function nextFree(room: WriteRoom, ranges: readonly PublicRange[], { zone }: Give): Promise<Found> {
  let releasing = 0;
  for (const range of ranges) {
    const taken = await takenIn(room, range);
    for (let at = ip(range.startip); at <= ip(range.endip); at++) {
      const address = formatIp(at);
      if (!taken.has(address)) return { range, address };
    }
    releasing += [...taken.values()].filter((state) => state === 'Releasing').length;
  }
  const why =
    ranges.length === 0
      ? `zone ${zone.name} has no range of public addresses for this account. An operator adds one with createVlanIpRange`
      : `all in zone ${zone.name} are in use${releasing === 0 ? '' : ` or being released (${releasing})`}. Release one, or ask the operator for another range`;
  throw refuse('capacity', `Insufficient address capacity: Unable to find available public IP addresses, ${why}`);
}

async function theVery(
  room: WriteRoom,
  ranges: readonly PublicRange[],
  { zone }: Give,
  wanted: string,
): Promise<Found> {
  const at = ip(wanted);
  const address = formatIp(at);
  const range = ranges.find((one) => ip(one.startip) <= at && at <= ip(one.endip));
  if (range === undefined) {
    throw refuse(
      'parameter',
      `Unable to acquire ${address}: it is in none of the ranges of public addresses that zone ${zone.name} has for this account. List those that are free with listPublicIpAddresses allocatedonly=false`,
    );
  }
  const state = (await takenIn(room, range)).get(address);
  if (state === undefined) return { range, address };
  throw refuse(
    'parameter',
    state === 'Releasing'
      ? `Unable to acquire ${address}: the routers of its last owner have not let go of it yet. Try again in a moment`
      : `Unable to acquire ${address}: it is allocated already. Choose another, or leave ipaddress out`,
  );
}

/** Whether a network or a VPC has its source NAT address already. */
export async function hasSourceNat(room: Room, of: 'network' | 'vpc', id: string): Promise<boolean> {
  const row = await room.db
    .selectFrom('publicip')
    .select('id')
    .where(of, '=', id)
    .where('issourcenat', '=', 1)
    .executeTakeFirst();
  return row !== undefined;
}

/**
 * Gives a network the one address of its router, where it is to have one and has none. Where OVN routes, a zone without ranges for
 * its owner gives none: then the first one associated becomes it. Promises its state itself.
 */
export async function giveSourceNat(
  room: WriteRoom,
  network: Tables['network'],
  offering: Tables['networkoffering'],
  wanted?: string,
): Promise<void> {
  if (!hasOwnAddress(network, offering)) {
    if (wanted !== undefined) throw noSourceNat(`network offering ${offering.name}`);
    return;
  }
  if (await hasSourceNat(room, 'network', network.id)) return;
  await giveOwn(room, { owner: network, zone: network.zone, network: network.id, wanted }, isByOvn(offering));
}

/** The same for a VPC, which has OVN route. */
export async function giveVpcSourceNat(
  room: WriteRoom,
  vpc: Tables['vpc'],
  offering: Tables['vpcoffering'],
  wanted?: string,
): Promise<void> {
  if (!offers(offering, 'SourceNat')) {
    if (wanted !== undefined) throw noSourceNat(`VPC offering ${offering.name}`);
    return;
  }
  if (await hasSourceNat(room, 'vpc', vpc.id)) return;
  await giveOwn(room, { owner: vpc, zone: vpc.zone, vpc: vpc.id, wanted }, true);
}

async function giveOwn(
  room: WriteRoom,
  give: Omit<Give, 'zone' | 'issourcenat'> & { readonly zone: string },
  mayLack: boolean,
): Promise<void> {
  const none = mayLack && give.wanted === undefined;
  if (none && (await rangesFor(room.db, give.zone, give.owner)).length === 0) return;
  const zone = await room.db
    .selectFrom('zone')
    .select(['id', 'name'])
    .where('id', '=', give.zone)
    .executeTakeFirstOrThrow();
  await entersWhenRealized(room.tx, allocated(await giveAddress(room, { ...give, zone, issourcenat: true })));
}

function noSourceNat(offering: string): Refusal {
  return refuse(
    'parameter',
    `sourcenatipaddress cannot be given with ${offering}: it has no SourceNat, so nothing is translated to it. Leave it out, or use an offering with SourceNat`,
  );
}

/** Takes an address back with all that hangs on it. It is free once its routers have let go of it: the state to promise. */
export async function takeBack(room: WriteRoom, row: PublicIp): Promise<Entering> {
  await dropVpnsOfAddress(room.tx, row.id);
  await dropRulesOfAddress(room.tx, row.id);
  await room.tx.db.deleteFrom('tag').where('kind', '=', PUBLIC_IP_TAG).where('resource', '=', row.id).execute();
  await room.tx.update('publicip', row.id, {
    network: null,
    vpc: null,
    acl: null,
    issourcenat: 0,
    nic: null,
    vmip: null,
    state: 'Releasing',
    moved: await room.tx.generation(),
  });
  return { kind: 'publicip', id: row.id, state: 'Free' };
}

/**
 * Takes back everything public of a network that goes: its addresses, and its rules for what leaves it. Those of a tier are its VPC's
 * and stay there.
 */
export async function takeBackNetwork(room: WriteRoom, network: string): Promise<void> {
  const rows = await room.db.selectFrom('publicip').selectAll().where('network', '=', network).execute();
  for (const row of rows.filter(({ vpc }) => vpc === null))
    await entersWhenRealized(room.tx, await takeBack(room, row));
  await dropRulesOfNetwork(room.tx, network);
  for (const row of rows.filter(({ vpc }) => vpc !== null)) {
    if (row.nic !== null) await endStaticNat(room.tx, row.id);
    else await giveBackToVpc(room.tx, row.id);
  }
}

/** Takes back all addresses of a VPC that goes. */
export async function takeBackVpc(room: WriteRoom, vpc: string): Promise<void> {
  const rows = await room.db.selectFrom('publicip').selectAll().where('vpc', '=', vpc).execute();
  for (const row of rows) await entersWhenRealized(room.tx, await takeBack(room, row));
}
