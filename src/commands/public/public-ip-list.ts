// The list of public addresses: those that were acquired, and on request those that could be.
import { z } from 'zod';
import { EVERYBODY } from '../../api/command.ts';
import * as param from '../../api/param.ts';
import { derivedId } from '../../lib/id.ts';
import { formatIp, ip } from '../../lib/ip.ts';
import { existing, unknownId, visibleRows } from '../access.ts';
import { knownIds } from '../known.ts';
import { containing, listParams, ownedRows, page, pageOf, taggedRows } from '../list.ts';
import { type Page, type Room, listCommand } from '../room.ts';
import { PUBLIC_IP_TAG, type PublicIp, type PublicIpView, publicIpView, showPublicIps } from './public-ip-view.ts';
import { rangesFor } from './public-range-view.ts';

const params = z.object({
  id: param.ref('publicip', 'The address with this id').optional(),
  ipaddress: param.text('This address').optional(),
  state: param.text('In this state: Allocating, Allocated, Releasing or Free').optional(),
  allocatedonly: param
    .flag('false: those that could be acquired, too; true where it and state are left out')
    .optional(),
  associatednetworkid: param.ref('network', 'Those that lead to this network').optional(),
  networkid: param.ref('network', 'The same').optional(),
  vpcid: param.ref('vpc', 'Those that lead to this VPC').optional(),
  zoneid: param.ref('zone', 'In this zone').optional(),
  physicalnetworkid: param.ref('physicalnetwork', 'Outside of this physical network').optional(),
  vlanid: param.ref('publicrange', 'Of this range').optional(),
  issourcenat: param.flag('Whether they are source NAT addresses').optional(),
  isstaticnat: param.flag('Whether they have static NAT').optional(),
  forloadbalancing: param.flag('true: those with a load balancer rule').optional(),
  forvirtualnetwork: param.flag('true: all are').optional(),
  fordisplay: param.flag('Whether they are shown to their owner: all are').optional(),
  ...listParams,
});

type Want = z.infer<typeof params>;

export const listPublicIpAddresses = listCommand({
  name: 'listPublicIpAddresses',
  summary: 'Lists public addresses',
  roles: EVERYBODY,
  key: 'publicipaddress',
  view: publicIpView,
  params,
  async list(room, want) {
    await knownIds(room, want, { id: 'publicip', associatednetworkid: 'network', networkid: 'network', vpcid: 'vpc' });
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    if (want.physicalnetworkid !== undefined)
      await existing(room, 'physicalnetwork', want.physicalnetworkid, 'physicalnetworkid');
    if (want.vlanid !== undefined) await knownRange(room, want.vlanid);
    if (want.fordisplay === false || want.forvirtualnetwork === false) return { count: 0, rows: [] };
    const state = want.state?.toLowerCase();
    const withFree = state === undefined ? want.allocatedonly === false : state === 'free';
    return withFree ? withFreeOnes(room, want, state) : acquired(room, want, state);
  },
});

/** Those that somebody has; one that was released is no longer anybody's. */
async function acquired(room: Room, want: Want, state: string | undefined): Promise<Page<PublicIpView>> {
  const { count, rows } = await page((await query(room, want, state)).orderBy('created', 'desc').orderBy('id'), want);
  return { count, rows: await showPublicIps(room, rows) };
}

async function query(room: Room, want: Want, state: string | undefined) {
  let rows = room.db
    .selectFrom('publicip')
    .selectAll()
    .where(await ownedRows(room, 'publicip', want))
    .where(taggedRows('publicip', PUBLIC_IP_TAG, want.tags))
    .where(
      'state',
      'in',
      state === undefined
        ? ['Allocating', 'Allocated']
        : ['Allocating', 'Allocated', 'Releasing'].filter((one) => one.toLowerCase() === state).concat(''),
    );
  const network = want.associatednetworkid ?? want.networkid;
  for (const [column, value] of [
    ['id', want.id],
    ['ip', want.ipaddress],
    ['network', network],
    ['vpc', want.vpcid],
    ['publicrange', want.vlanid],
  ] as const) {
    if (value !== undefined) rows = rows.where(column, '=', value);
  }
  const ranges = room.db.selectFrom('publicrange').select('publicrange.id');
  if (want.zoneid !== undefined) rows = rows.where('publicrange', 'in', ranges.where('zone', '=', want.zoneid));
  if (want.physicalnetworkid !== undefined)
    rows = rows.where('publicrange', 'in', ranges.where('physicalnetwork', '=', want.physicalnetworkid));
  if (want.issourcenat !== undefined) rows = rows.where('issourcenat', '=', want.issourcenat ? 1 : 0);
  if (want.isstaticnat !== undefined) rows = rows.where('nic', want.isstaticnat ? 'is not' : 'is', null);
  if (want.forloadbalancing === true)
    rows = rows.where('id', 'in', room.db.selectFrom('loadbalancer').select('loadbalancer.publicip'));
  if (want.keyword !== undefined) rows = rows.where(containing('ip', want.keyword));
  return rows;
}

/** Addresses nobody has are no rows: they follow from the ranges the caller could be given addresses from. */
async function withFreeOnes(room: Room, want: Want, state: string | undefined): Promise<Page<PublicIpView>> {
  const held = state === 'free' ? [] : await (await query(room, want, undefined)).execute();
  const narrowed =
    [want.id, want.associatednetworkid, want.networkid, want.vpcid].some((value) => value !== undefined) ||
    want.issourcenat === true ||
    want.isstaticnat === true ||
    want.forloadbalancing === true ||
    (want.tags?.length ?? 0) > 0;
  const free = narrowed ? [] : await freeOnes(room, want);
  const all = [...held, ...free].toSorted((a, b) => ip(a.ip) - ip(b.ip));
  const { count, rows } = pageOf(all, want);
  return { count, rows: await showPublicIps(room, rows) };
}

async function freeOnes(room: Room, want: Want): Promise<PublicIp[]> {
  const { caller } = room.call;
  const zones =
    want.zoneid === undefined
      ? (await room.db.selectFrom('zone').select('id').execute()).map(({ id }) => id)
      : [want.zoneid];
  const free: PublicIp[] = [];
  for (const zone of zones) {
    for (const range of await rangesFor(room.db, zone, { account: caller.accountId, domain: caller.domainId })) {
      if (want.vlanid !== undefined && range.id !== want.vlanid) continue;
      if (want.physicalnetworkid !== undefined && range.physicalnetwork !== want.physicalnetworkid) continue;
      const taken = new Set(
        (
          await room.db
            .selectFrom('publicip')
            .select('ip')
            .where('publicrange', '=', range.id)
            .where('state', '!=', 'Free')
            .execute()
        ).map((row) => row.ip),
      );
      for (let at = ip(range.startip); at <= ip(range.endip); at++) {
        const address = formatIp(at);
        if (taken.has(address) || (want.ipaddress !== undefined && want.ipaddress !== address)) continue;
        if (want.keyword !== undefined && !address.includes(want.keyword)) continue;
        free.push(freeRow(range.id, address));
      }
    }
  }
  return free;
}

function freeRow(range: string, address: string): PublicIp {
  return {
    id: derivedId(`publicip/${range}/${address}`),
    publicrange: range,
    ip: address,
    account: '',
    domain: '',
    network: null,
    vpc: null,
    acl: null,
    issourcenat: 0,
    helperslot: 0,
    nic: null,
    vmip: null,
    state: 'Free',
    moved: 0,
    created: '',
  };
}

/** A range is known to those who have an address of it, or could be given one. */
async function knownRange(room: Room, id: string): Promise<void> {
  const range = await room.db.selectFrom('publicrange').selectAll().where('id', '=', id).executeTakeFirst();
  if (range === undefined) throw unknownId(room, 'vlanid', id);
  const { caller } = room.call;
  if (caller.role === 'admin') return;
  const usable = await rangesFor(room.db, range.zone, { account: caller.accountId, domain: caller.domainId });
  if (usable.some((one) => one.id === id)) return;
  const has = await room.db
    .selectFrom('publicip')
    .select('id')
    .where('publicrange', '=', id)
    .where(visibleRows(caller, 'publicip'))
    .executeTakeFirst();
  if (has === undefined) throw unknownId(room, 'vlanid', id);
}
