// Private gateways: a VPC's own leg on a Private network. Listing and deleting; making one is in private-gateway-create.ts.
import { z } from 'zod';
import { ADMINS, EVERYBODY } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { cidr, contains, netmask, parseIp } from '../../lib/ip.ts';
import { releaseAddresses } from '../../store/allocate.ts';
import type { Tables } from '../../store/schema.ts';
import { visible } from '../access.ts';
import { namesOf, ownerFields, ownersOf, tagView, tagsOf } from '../join.ts';
import { knownIds } from '../known.ts';
import { containing, listParams, named, ownedRows, page, taggedRows } from '../list.ts';
import { removeNetwork } from '../network/network.ts';
import { type Room, type WriteRoom, jobCommand, listCommand } from '../room.ts';

export const privateGatewayView = z.object({
  id: field.string('id of the gateway'),
  ipaddress: field.string('its address on the Private network'),
  state: field.string('Creating, Ready or Deleting'),
  vpcid: field.string('its VPC'),
  vpcname: field.string('name of its VPC'),
  networkid: field.string('the Private network it is on'),
  networkname: field.string('name of that network'),
  cidr: field.string('CIDR of that network'),
  netmask: field.string('netmask of that network, or the one it was made with'),
  gateway: field.string('the gateway it was made with: the next hop of routes that name this private gateway'),
  vlan: field.string('VLAN of the network; for root'),
  physicalnetworkid: field.string('the physical network that carries it'),
  sourcenatsupported: field.boolean('as it was asked for; addresses are never translated between VPCs'),
  aclid: field.string('its ACL list'),
  aclname: field.string('name of its ACL list'),
  zoneid: field.string('its zone'),
  zonename: field.string('name of its zone'),
  ...ownerFields,
  tags: field.list('its tags', tagView),
});

type GatewayView = z.infer<typeof privateGatewayView>;

/** Private gateways as their answers show them: the fields of both dialects. */
export async function showPrivateGateways(
  room: Room,
  rows: readonly Tables['privategateway'][],
): Promise<GatewayView[]> {
  if (rows.length === 0) return [];
  const { db } = room;
  const root = room.call.caller.role === 'admin';
  const owner = await ownersOf(db, rows);
  const vpcs = await namesOf(
    db,
    'vpc',
    rows.map((row) => row.vpc),
  );
  const acls = await namesOf(
    db,
    'acl',
    rows.map((row) => row.acl),
  );
  const found = await db
    .selectFrom('network')
    .select(['id', 'name', 'cidr', 'vlan', 'zone', 'physicalnetwork'])
    .where('id', 'in', [...new Set(rows.map((row) => row.network))])
    .execute();
  const networks = new Map(found.map((row) => [row.id, row]));
  const zones = await namesOf(
    db,
    'zone',
    found.map((row) => row.zone),
  );
  const tags = await tagsOf(
    db,
    'PrivateGateway',
    rows.map((row) => row.id),
  );
  return rows.map((row) => {
    const network = networks.get(row.network);
    return field.compact<GatewayView>({
      id: row.id,
      ipaddress: row.ip,
      state: row.state,
      vpcid: row.vpc,
      vpcname: vpcs.get(row.vpc),
      networkid: row.network,
      networkname: network?.name,
      cidr: network?.cidr,
      netmask: row.netmask ?? (network?.cidr ? netmask(cidr(network.cidr)) : undefined),
      gateway: row.gateway,
      vlan: root && network?.vlan ? String(network.vlan) : undefined,
      physicalnetworkid: network?.physicalnetwork,
      sourcenatsupported: row.sourcenat === 1,
      aclid: row.acl,
      aclname: acls.get(row.acl),
      zoneid: network?.zone,
      zonename: network === undefined ? undefined : zones.get(network.zone),
      ...owner(row),
      tags: tags(row.id),
    });
  });
}

/** The gateway with this id as a job's result shows it. */
export async function viewPrivateGateway(room: Room, id: string): Promise<GatewayView | undefined> {
  const rows = await room.db.selectFrom('privategateway').selectAll().where('id', '=', id).execute();
  return (await showPrivateGateways(room, rows))[0];
}

export const listPrivateGateways = listCommand({
  name: 'listPrivateGateways',
  summary: 'Lists private gateways',
  roles: EVERYBODY,
  key: 'privategateway',
  view: privateGatewayView,
  params: z.object({
    id: param.ref('privategateway', 'The gateway with this id').optional(),
    ipaddress: param.text('Gateways with this address').optional(),
    networkid: param.ref('network', 'Gateways on this Private network').optional(),
    vpcid: param.ref('vpc', 'Gateways of this VPC').optional(),
    vlan: param.text('Gateways on this VLAN; for root').optional(),
    state: param.text('Gateways in this state').optional(),
    ...listParams,
  }),
  async list(room, want) {
    await knownIds(room, want, { id: 'privategateway', networkid: 'network', vpcid: 'vpc' });
    let query = room.db
      .selectFrom('privategateway')
      .selectAll()
      .where(await ownedRows(room, 'privategateway', want))
      .where(taggedRows('privategateway', 'PrivateGateway', want.tags));
    for (const [column, value] of [
      ['id', want.id],
      ['ip', want.ipaddress],
      ['network', want.networkid],
      ['vpc', want.vpcid],
    ] as const) {
      if (value !== undefined) query = query.where(column, '=', value);
    }
    if (want.state !== undefined) query = query.where(named('state', want.state));
    if (want.keyword !== undefined) query = query.where(containing('ip', want.keyword));
    if (want.vlan !== undefined) {
      const vlan = room.call.caller.role === 'admin' ? Number(want.vlan.replace(/^vlan:\/\//, '')) : Number.NaN;
      const carried = room.db
        .selectFrom('network')
        .select('id')
        .where('vlan', '=', Number.isInteger(vlan) ? vlan : -1);
      query = query.where('network', 'in', carried);
    }
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id', 'desc'), want);
    return { count, rows: await showPrivateGateways(room, rows) };
  },
});

export const deletePrivateGateway = jobCommand({
  name: 'deletePrivateGateway',
  summary: 'Deletes a private gateway that no static route uses any more',
  roles: ADMINS,
  event: 'PRIVATE.GATEWAY.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('privategateway', 'The gateway') }),
  async job(room, want) {
    const gateway = await visible(room, 'privategateway', want.id);
    const network = await room.db
      .selectFrom('network')
      .selectAll()
      .where('id', '=', gateway.network)
      .executeTakeFirstOrThrow();
    await refuseUsed(room, gateway, network);
    await removePrivateGateway(room, gateway);
    return {
      about: { type: 'PrivateGateway', id: gateway.id },
      text: `deleting private gateway ${gateway.ip} on network ${network.name}`,
    };
  },
});

/** Removes the row, its address, and the network that was made for it alone. */
export async function removePrivateGateway(room: WriteRoom, gateway: Tables['privategateway']): Promise<void> {
  const { tx } = room;
  await releaseAddresses(tx, gateway.id);
  await tx.db.deleteFrom('tag').where('kind', '=', 'PrivateGateway').where('resource', '=', gateway.id).execute();
  await tx.remove('privategateway', gateway.id);
  const network = await tx.db
    .selectFrom('network')
    .selectAll()
    .where('id', '=', gateway.network)
    .executeTakeFirstOrThrow();
  if (network.implicit === 0) return;
  const left = await tx.db
    .selectFrom('privategateway')
    .select('id')
    .where('network', '=', network.id)
    .executeTakeFirst();
  if (left === undefined) await removeNetwork(room, network);
}

async function refuseUsed(room: Room, gateway: Tables['privategateway'], network: Tables['network']): Promise<void> {
  const routes = await room.db
    .selectFrom('staticroute')
    .select(['cidr', 'nexthop', 'privategateway'])
    .where('vpc', '=', gateway.vpc)
    .orderBy('cidr')
    .execute();
  const prefix = network.cidr === null ? undefined : cidr(network.cidr);
  const through = routes.filter(
    (route) =>
      route.privategateway === gateway.id || (prefix !== undefined && contains(prefix, parseIp(route.nexthop) ?? -1)),
  );
  if (through.length === 0) return;
  throw refuse(
    'failed',
    `Unable to delete Private Gateway. Please remove these static routes pointing to the private gateway CIDR before attempting to delete the gateway: [${through.map((route) => route.cidr).join(', ')}]`,
  );
}
