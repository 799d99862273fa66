// Network interfaces of instances: how they are shown, and their list.
import { z } from 'zod';
import { EVERYBODY } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import { compact } from '../../api/field.ts';
import { ref } from '../../api/param.ts';
import { cidr, netmask } from '../../lib/ip.ts';
import type { Tables } from '../../store/schema.ts';
import { unknownId, visible, visibleRows } from '../access.ts';
import type { Db } from '../../store/open.ts';
import { namesOf } from '../join.ts';
import { containing, page, pageParams } from '../list.ts';
import { type Room, listCommand } from '../room.ts';

const secondaryIpView = z.object({
  id: field.string('id of the secondary address'),
  ipaddress: field.string('the address'),
});

export const nicView = z.object({
  id: field.string('id of the interface'),
  virtualmachineid: field.string('id of its instance'),
  networkid: field.string('id of its network'),
  networkname: field.string('name of its network'),
  netmask: field.string('netmask of the network'),
  gateway: field.string('gateway of the network, where it has one'),
  ipaddress: field.string('its address; none in a network of type L2, or without IPv4'),
  ip6address: field.string('its IPv6 address: made of its MAC address by itself'),
  ip6cidr: field.string('IPv6 prefix of the network'),
  ip6gateway: field.string('IPv6 gateway of the network'),
  macaddress: field.string('its MAC address'),
  isolationuri: field.string('the segment, for root: vlan://N'),
  broadcasturi: field.string('the segment, for root: vlan://N'),
  vlanid: field.integer('the VLAN, for root'),
  traffictype: field.string('always Guest'),
  type: field.string('guest type of the network'),
  isdefault: field.boolean('whether the default route goes through it'),
  deviceid: field.string('position among the interfaces of the instance, from 0'),
  secondaryip: field.list('secondary addresses', secondaryIpView),
  vpcid: field.string('id of the VPC, if the network is a tier'),
  vpcname: field.string('name of that VPC'),
});

export type NicView = z.infer<typeof nicView>;

/** Shows interfaces, in the order given. */
export async function showNics(room: Room, rows: readonly Tables['nic'][]): Promise<NicView[]> {
  if (rows.length === 0) return [];
  const ids = [...new Set(rows.map((row) => row.network))];
  const found = await room.db
    .selectFrom('network')
    .select(['id', 'name', 'cidr', 'gateway', 'ip6cidr', 'ip6gateway', 'guesttype', 'vpc', 'vlan'])
    .where('id', 'in', ids)
    .execute();
  const networks = new Map(found.map((network) => [network.id, network]));
  const vpcs = await namesOf(
    room.db,
    'vpc',
    found.map((network) => network.vpc),
  );
  const further = await secondaryOf(
    room.db,
    rows.map((row) => row.id),
  );
  return rows.map((row) => {
    const network = networks.get(row.network);
    // Which VLAN carries a network is the operator's business.
    const vlan = room.call.caller.role === 'admin' ? (network?.vlan ?? undefined) : undefined;
    const uri = vlan === undefined ? undefined : `vlan://${vlan}`;
    return compact<NicView>({
      id: row.id,
      virtualmachineid: row.instance,
      networkid: row.network,
      networkname: network?.name,
      netmask: network === undefined || network.cidr === null ? undefined : netmask(cidr(network.cidr)),
      gateway: network?.gateway,
      ipaddress: row.ip,
      ip6address: row.ip6,
      ip6cidr: row.ip6 === null ? undefined : network?.ip6cidr,
      ip6gateway: row.ip6 === null ? undefined : network?.ip6gateway,
      macaddress: row.mac,
      isolationuri: uri,
      broadcasturi: uri,
      vlanid: vlan,
      traffictype: 'Guest',
      type: network?.guesttype,
      isdefault: row.isdefault === 1,
      deviceid: String(row.deviceid),
      secondaryip: further.get(row.id) ?? [],
      vpcid: network?.vpc,
      vpcname: network?.vpc === null || network === undefined ? undefined : vpcs.get(network.vpc),
    });
  });
}

/** Secondary addresses by interface, oldest first. */
async function secondaryOf(db: Db, nics: readonly string[]): Promise<Map<string, { id: string; ipaddress: string }[]>> {
  const found = await db
    .selectFrom('nicaddress')
    .select(['id', 'nic', 'ip'])
    .where('nic', 'in', [...nics])
    .orderBy('created')
    .orderBy('id')
    .execute();
  const shown = new Map<string, { id: string; ipaddress: string }[]>();
  for (const { id, nic, ip } of found) shown.set(nic, [...(shown.get(nic) ?? []), { id, ipaddress: ip }]);
  return shown;
}

export const listNics = listCommand({
  name: 'listNics',
  summary: 'Lists the network interfaces of an instance',
  roles: EVERYBODY,
  params: z.object({
    virtualmachineid: ref('instance', 'The instance'),
    nicid: ref('nic', 'Only this interface').optional(),
    networkid: ref('network', 'Only the interface in this network').optional(),
    ...pageParams,
  }),
  key: 'nic',
  view: nicView,
  async list(room, want) {
    await visible(room, 'instance', want.virtualmachineid, 'virtualmachineid');
    if (want.networkid !== undefined) await visible(room, 'network', want.networkid, 'networkid');
    let query = room.db.selectFrom('nic').selectAll('nic').where('nic.instance', '=', want.virtualmachineid);
    if (want.networkid !== undefined) query = query.where('nic.network', '=', want.networkid);
    if (want.nicid !== undefined) {
      await knownNic(room, want.nicid);
      query = query.where('nic.id', '=', want.nicid);
    }
    if (want.keyword !== undefined) query = query.where(containing('nic.ip', want.keyword));
    const { count, rows } = await page(query.orderBy('nic.deviceid'), want);
    return { count, rows: await showNics(room, rows) };
  },
});

/** The interface with this id, if its instance is one the caller may see; else refuses as unknown. */
export async function knownNic(room: Room, id: string, param = 'nicid'): Promise<Tables['nic']> {
  const row = await room.db
    .selectFrom('nic')
    .innerJoin('instance', 'instance.id', 'nic.instance')
    .selectAll('nic')
    .where('nic.id', '=', id)
    .where(visibleRows(room.call.caller, 'instance'))
    .executeTakeFirst();
  if (row === undefined) throw unknownId(room, param, id);
  return row;
}
