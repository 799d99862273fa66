// VPN gateways: a VPC's own end of connections between sites, at its source NAT address. Its WireGuard key is made with it.
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { offers } from '../../model/network-service.ts';
import { WIREGUARD_SITE_PORT } from '../../model/vpn.ts';
import { seal } from '../../store/seal.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, visible } from '../access.ts';
import { namesOf, ownerFields, ownersOf } from '../join.ts';
import { knownIds, refuseHidden } from '../known.ts';
import { ownedRows, ownerParams, page, pageParams } from '../list.ts';
import { type PublicIp, heldAddress } from '../public/public-ip-view.ts';
import { refuseConflict } from '../public/rule-conflict.ts';
import { type Room, jobCommand, listCommand } from '../room.ts';
import { newWireGuardKeys } from './vpn-keys.ts';
import { SITE_PORTS } from './vpn-ports.ts';

export type VpnGateway = Tables['vpngateway'];

export const vpnGatewayView = z.object({
  id: field.string('id of the gateway'),
  vpcid: field.string('its VPC'),
  vpcname: field.string('name of its VPC'),
  publicip: field.string('its public address'),
  publickey: field.string('WireGuard: its public key, for the other end'),
  port: field.integer('WireGuard: its UDP port'),
  fordisplay: field.boolean('true'),
  created: field.date('when it was made'),
  ...ownerFields,
});

type View = z.infer<typeof vpnGatewayView>;

const object = { kind: 'object', key: 'vpngateway', view: vpnGatewayView } as const;

async function showVpnGateways(room: Room, rows: readonly VpnGateway[]): Promise<View[]> {
  if (rows.length === 0) return [];
  const { db } = room;
  const addresses = await db
    .selectFrom('publicip')
    .select(['id', 'ip'])
    .where(
      'id',
      'in',
      rows.map(({ publicip }) => publicip),
    )
    .execute();
  const ipOf = new Map(addresses.map(({ id, ip }) => [id, ip]));
  const vpcs = await namesOf(
    db,
    'vpc',
    rows.map(({ vpc }) => vpc),
  );
  const owner = await ownersOf(db, rows);
  return rows.map((row) =>
    field.compact<View>({
      id: row.id,
      vpcid: row.vpc,
      vpcname: vpcs.get(row.vpc),
      publicip: ipOf.get(row.publicip),
      publickey: row.publickey,
      port: WIREGUARD_SITE_PORT,
      fordisplay: true,
      created: field.clientDate(row.created),
      ...owner(row),
    }),
  );
}

/** The gateway with this id as a job's result shows it. */
export async function viewVpnGateway(room: Room, id: string): Promise<View | undefined> {
  const rows = await room.db.selectFrom('vpngateway').selectAll().where('id', '=', id).execute();
  return (await showVpnGateways(room, rows))[0];
}

export const createVpnGateway = jobCommand({
  name: 'createVpnGateway',
  summary: "Makes a VPC's own end of connections between sites, at its source NAT address",
  roles: WRITERS,
  event: 'VPN.S2S.VPN.GATEWAY.CREATE',
  answer: object,
  params: z.object({
    vpcid: param.ref('vpc', 'The VPC'),
    ipaddressid: param.ref('publicip', 'Accepted: its source NAT address').optional(),
    fordisplay: param.flag('Only true').optional(),
  }),
  async job(room, want) {
    refuseHidden(want);
    const vpc = await visible(room, 'vpc', want.vpcid, 'vpcid');
    if (want.ipaddressid !== undefined) await heldAddress(room, want.ipaddressid, 'ipaddressid');
    if (vpc.state !== 'Enabled')
      throw refuse('parameter', `Invalid VPC ${vpc.name} for site to site vpn gateway creation!: it is ${vpc.state}`);
    const offering = await existing(room, 'vpcoffering', vpc.offering, 'vpcofferingid');
    if (!offers(offering, 'Vpn'))
      throw refuse(
        'parameter',
        `Invalid VPC ${vpc.name} for site to site vpn gateway creation!: its offering ${offering.name} has no Vpn. Use an offering with Vpn`,
      );
    const there = await room.db.selectFrom('vpngateway').select('id').where('vpc', '=', vpc.id).executeTakeFirst();
    if (there !== undefined)
      throw refuse('parameter', `The VPN gateway of VPC ${vpc.name} already exists!: it is ${there.id}`);
    const address = await sourceNat(room, vpc, want.ipaddressid);
    for (const port of SITE_PORTS) await refuseConflict(room.db, address, { protocol: 'udp', from: port, to: port });
    const id = newId();
    const { privateKey, publicKey } = newWireGuardKeys();
    await room.tx.insert('vpngateway', {
      id,
      vpc: vpc.id,
      publicip: address.id,
      privatekey: seal(room.store.sealKey, privateKey),
      publickey: publicKey,
      account: vpc.account,
      domain: vpc.domain,
      created: new Date().toISOString(),
    });
    return {
      id,
      about: { type: 'VpnGateway', id },
      view: 'vpngateway',
      text: `creating VPN gateway ${address.ip} of VPC ${vpc.name}`,
    };
  },
});

async function sourceNat(room: Room, vpc: Tables['vpc'], wanted: string | undefined): Promise<PublicIp> {
  const address = await room.db
    .selectFrom('publicip')
    .selectAll()
    .where('vpc', '=', vpc.id)
    .where('issourcenat', '=', 1)
    .executeTakeFirst();
  if (address === undefined)
    throw refuse(
      'failed',
      `Vpc ${vpc.name} does not have a Public IP address with SourceNat, so no VPN is possible.: acquire one (associateIpAddress with vpcid)`,
    );
  if (wanted !== undefined && wanted !== address.id)
    throw refuse(
      'parameter',
      `A VPN gateway is at its VPC's source NAT address, ${address.ip}. Leave ipaddressid out, or make the other one that first (updateVPC with sourcenatipaddress)`,
    );
  return address;
}

export const updateVpnGateway = jobCommand({
  name: 'updateVpnGateway',
  summary: 'Changes a VPN gateway: nothing of it can be changed, it is shown to its owner always',
  roles: WRITERS,
  event: 'VPN.S2S.VPN.GATEWAY.UPDATE',
  answer: object,
  params: z.object({
    id: param.ref('vpngateway', 'The gateway'),
    fordisplay: param.flag('Only true').optional(),
    customid: param.text('Not offered').optional(),
  }),
  async job(room, want) {
    const row = await visible(room, 'vpngateway', want.id);
    refuseHidden(want);
    return { about: { type: 'VpnGateway', id: row.id }, view: 'vpngateway', text: 'updating a VPN gateway' };
  },
});

export const deleteVpnGateway = jobCommand({
  name: 'deleteVpnGateway',
  summary: 'Deletes a VPN gateway that has no connections any more',
  roles: WRITERS,
  event: 'VPN.S2S.VPN.GATEWAY.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('vpngateway', 'The gateway') }),
  async job(room, want) {
    const row = await visible(room, 'vpngateway', want.id);
    const used = await room.db.selectFrom('vpnconnection').select('id').where('vpngateway', '=', row.id).execute();
    if (used.length > 0)
      throw refuse(
        'parameter',
        `Unable to delete VPN gateway ${row.id} because there is still related VPN connections!: ${used.map(({ id }) => id).join(', ')}. Delete them first`,
      );
    await room.tx.remove('vpngateway', row.id);
    return { about: { type: 'VpnGateway', id: row.id }, text: 'deleting a VPN gateway' };
  },
});

export const listVpnGateways = listCommand({
  name: 'listVpnGateways',
  summary: 'Lists VPN gateways of VPCs',
  roles: EVERYBODY,
  key: 'vpngateway',
  view: vpnGatewayView,
  params: z.object({
    id: param.ref('vpngateway', 'The gateway with this id').optional(),
    vpcid: param.ref('vpc', 'The gateway of this VPC').optional(),
    fordisplay: param.flag('Whether they are shown to their owner: all are').optional(),
    ...pageParams,
    ...ownerParams,
  }),
  async list(room, want) {
    await knownIds(room, want, { id: 'vpngateway', vpcid: 'vpc' });
    if (want.fordisplay === false) return { count: 0, rows: [] };
    let query = room.db
      .selectFrom('vpngateway')
      .selectAll()
      .where(await ownedRows(room, 'vpngateway', want.vpcid === undefined ? want : { ...want, listall: true }));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.vpcid !== undefined) query = query.where('vpc', '=', want.vpcid);
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id'), want);
    return { count, rows: await showVpnGateways(room, rows) };
  },
});
