// Giving public addresses out and taking them back, inside the change that does it. An address that was released is given to
// nobody until its routers have let go of it.
import { refuse } from '../../api/error.ts';
import { newId } from '../../lib/id.ts';
import { formatIp, ip } from '../../lib/ip.ts';
import type { Tables } from '../../store/schema.ts';
import { readSetting } from '../../store/setting.ts';
import { type Entering, type WriteRoom, entersWhenRealized } from '../room.ts';
import { PUBLIC_IP_TAG, type PublicIp } from './public-ip-view.ts';
import { type PublicRange, rangesFor } from './public-range-view.ts';
import { translates } from './public-service.ts';
import { dropRulesOfAddress, dropRulesOfNetwork } from './rule-removal.ts';

interface Holder {
  readonly account: string;
  readonly domain: string;
}

/** What an address is taken for. */
export interface Give {
  readonly zone: Pick<Tables['zone'], 'id' | 'name'>;
  readonly owner: Holder;
  readonly network: string | null;
  readonly issourcenat?: boolean;
  /** The very address; the next free one where it is left out. */
  readonly wanted?: string | undefined;
}

/** Takes an address for its owner. Refuses with 533 where none is left, 532 where he may have no more. */
export async function giveAddress(room: WriteRoom, give: Give): Promise<PublicIp> {
  await checkLimit(room, give.owner);
  const ranges = await rangesFor(room.db, give.zone.id, give.owner);
  const { range, address } =
    give.wanted === undefined ? await nextFree(room, ranges, give) : await theVery(room, ranges, give, give.wanted);
  const attached = give.network !== null;
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
    network: give.network,
    vpc: null,
    acl: null,
    issourcenat: give.issourcenat === true ? 1 : 0,
    nic: null,
    vmip: null,
    state: attached ? 'Allocating' : 'Allocated',
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

async function checkLimit(room: WriteRoom, owner: Holder): Promise<void> {
  const text = await readSetting(room.db, 'max.account.public.ips');
  const limit = text !== undefined && /^[0-9]{1,9}$/.test(text.trim()) ? Number(text) : undefined;
  if (limit === undefined) return;
  const { count } = await room.db
    .selectFrom('publicip')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('account', '=', owner.account)
    .where('state', 'in', ['Allocating', 'Allocated'])
    .executeTakeFirstOrThrow();
  if (Number(count) < limit) return;
  const account = await room.db.selectFrom('account').select('name').where('id', '=', owner.account).executeTakeFirst();
  throw refuse(
    'accountLimit',
    `Maximum number of public IP addresses for account: ${account?.name ?? owner.account} has been exceeded.: it has ${count} of ${limit}. Release one, or ask the operator for more`,
  );
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

/** Gives a network that translates its one source NAT address, where it has none. Promises its state itself. */
export async function giveSourceNat(
  room: WriteRoom,
  network: Tables['network'],
  offering: Tables['networkoffering'],
): Promise<void> {
  if (!translates(offering)) return;
  const has = await room.db
    .selectFrom('publicip')
    .select('id')
    .where('network', '=', network.id)
    .where('issourcenat', '=', 1)
    .executeTakeFirst();
  if (has !== undefined) return;
  const zone = await room.db
    .selectFrom('zone')
    .select(['id', 'name'])
    .where('id', '=', network.zone)
    .executeTakeFirstOrThrow();
  const row = await giveAddress(room, { zone, owner: network, network: network.id, issourcenat: true });
  await entersWhenRealized(room.tx, allocated(row));
}

/** Takes an address back with all that hangs on it. It is free once its routers have let go of it: the state to promise. */
export async function takeBack(room: WriteRoom, row: PublicIp): Promise<Entering> {
  await dropRulesOfAddress(room.tx, row.id);
  await room.tx.db.deleteFrom('tag').where('kind', '=', PUBLIC_IP_TAG).where('resource', '=', row.id).execute();
  await room.tx.update('publicip', row.id, {
    network: null,
    vpc: null,
    issourcenat: 0,
    nic: null,
    vmip: null,
    state: 'Releasing',
    moved: await room.tx.generation(),
  });
  return { kind: 'publicip', id: row.id, state: 'Free' };
}

/** Takes back everything public of a network that goes: its addresses, and its rules for what leaves it. */
export async function takeBackNetwork(room: WriteRoom, network: string): Promise<void> {
  const rows = await room.db.selectFrom('publicip').selectAll().where('network', '=', network).execute();
  for (const row of rows) await entersWhenRealized(room.tx, await takeBack(room, row));
  await dropRulesOfNetwork(room.tx, network);
}
