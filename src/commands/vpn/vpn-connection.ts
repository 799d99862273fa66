// VPN connections: a VPC's own end and another one, joined. Its state is what the peer really sees, as the gateway's node tells it.
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import type { Tables } from '../../store/schema.ts';
import { readNumber } from '../../store/setting.ts';
import { visible } from '../access.ts';
import { ownerFields, ownersOf } from '../join.ts';
import { knownIds, refuseHidden } from '../known.ts';
import { ownedRows, ownerParams, page, pageParams } from '../list.ts';
import { forParams, ownerOf } from '../owner.ts';
import { type Room, jobCommand, listCommand } from '../room.ts';
import { customerGatewayView, ipsecFields } from './customer-gateway.ts';
import { refuseSiteClash } from './site-clash.ts';

const { ikepolicy, esppolicy, ikelifetime, esplifetime, dpd, forceencap, ikeversion, splitconnections, kind } =
  customerGatewayView.shape;

export const vpnConnectionView = z.object({
  id: field.string('id of the connection'),
  s2svpngatewayid: field.string('our end'),
  publicip: field.string('its public address'),
  vpcid: field.string('its VPC'),
  s2scustomergatewayid: field.string('the other end'),
  gateway: field.string('its public address'),
  cidrlist: field.string('networks behind the other end, separated by commas'),
  kind,
  ikepolicy,
  esppolicy,
  ikelifetime,
  esplifetime,
  dpd,
  forceencap,
  ikeversion,
  splitconnections,
  passive: field.boolean('whether the other end has to begin'),
  state: field.string('Pending, Connecting, Connected, Disconnected or Error'),
  reason: field.string('why it is not Connected'),
  fordisplay: field.boolean('true'),
  created: field.date('when it was made'),
  ...ownerFields,
});

type View = z.infer<typeof vpnConnectionView>;
type Connection = Tables['vpnconnection'];

const object = { kind: 'object', key: 'vpnconnection', view: vpnConnectionView } as const;

async function showVpnConnections(room: Room, rows: readonly Connection[]): Promise<View[]> {
  if (rows.length === 0) return [];
  const { db } = room;
  const gateways = await db
    .selectFrom('vpngateway')
    .innerJoin('publicip', 'publicip.id', 'vpngateway.publicip')
    .select(['vpngateway.id', 'vpngateway.vpc', 'publicip.ip'])
    .where('vpngateway.id', 'in', [...new Set(rows.map(({ vpngateway }) => vpngateway))])
    .execute();
  const others = await db
    .selectFrom('customergateway')
    .selectAll()
    .where('id', 'in', [...new Set(rows.map(({ customergateway }) => customergateway))])
    .execute();
  const gatewayOf = new Map(gateways.map((row) => [row.id, row]));
  const otherOf = new Map(others.map((row) => [row.id, row]));
  const owner = await ownersOf(db, rows);
  return rows.map((row) => {
    const gateway = gatewayOf.get(row.vpngateway);
    const other = otherOf.get(row.customergateway);
    return field.compact<View>({
      id: row.id,
      s2svpngatewayid: row.vpngateway,
      publicip: gateway?.ip,
      vpcid: gateway?.vpc,
      s2scustomergatewayid: row.customergateway,
      gateway: other?.gateway,
      cidrlist: other?.cidrlist,
      kind: other?.kind,
      ...(other === undefined ? {} : ipsecFields(other)),
      passive: row.passive === 1,
      state: row.state,
      reason: row.reason,
      fordisplay: true,
      created: field.clientDate(row.created),
      ...owner(row),
    });
  });
}

/** The connection with this id as a job's result shows it. */
export async function viewVpnConnection(room: Room, id: string): Promise<View | undefined> {
  const rows = await room.db.selectFrom('vpnconnection').selectAll().where('id', '=', id).execute();
  return (await showVpnConnections(room, rows))[0];
}

export const createVpnConnection = jobCommand({
  name: 'createVpnConnection',
  summary: 'Joins a VPC to another site',
  roles: WRITERS,
  event: 'VPN.S2S.CONNECTION.CREATE',
  answer: object,
  params: z.object({
    s2svpngatewayid: param.ref('vpngateway', 'Our end'),
    s2scustomergatewayid: param.ref('vpncustomergateway', 'The other end'),
    passive: param.flag('Wait for the other end to begin').optional(),
    fordisplay: param.flag('Only true').optional(),
  }),
  async job(room, want) {
    refuseHidden(want);
    const gateway = await visible(room, 'vpngateway', want.s2svpngatewayid, 's2svpngatewayid');
    const other = await visible(room, 'customergateway', want.s2scustomergatewayid, 's2scustomergatewayid');
    if (gateway.account !== other.account)
      throw refuse(
        'parameter',
        "VPN connection can only be esitablished between same account's VPN gateway and customer gateway!",
      );
    const beside = await room.db.selectFrom('vpnconnection').selectAll().where('vpngateway', '=', gateway.id).execute();
    if (beside.some(({ customergateway }) => customergateway === other.id))
      throw refuse(
        'parameter',
        `The vpn connection with customer gateway id ${other.id} and vpn gateway id ${gateway.id} already existed!`,
      );
    const limit = await readNumber(room.db, 'site2site.vpn.vpngateway.connection.limit');
    if (beside.length >= limit)
      throw refuse(
        'parameter',
        `There are too many VPN connections with current VPN gateway! The limit is ${limit}: delete one, or ask the operator (site2site.vpn.vpngateway.connection.limit)`,
      );
    await refuseSiteClash(room, gateway, other);
    const id = newId();
    await room.tx.insert('vpnconnection', {
      id,
      vpngateway: gateway.id,
      customergateway: other.id,
      passive: want.passive === true ? 1 : 0,
      epoch: 0,
      state: 'Pending',
      reason: null,
      account: gateway.account,
      domain: gateway.domain,
      created: new Date().toISOString(),
    });
    return {
      id,
      about: { type: 'VpnConnection', id },
      view: 'vpnconnection',
      text: `creating VPN connection to customer gateway ${other.name}`,
    };
  },
});

export const updateVpnConnection = jobCommand({
  name: 'updateVpnConnection',
  summary: 'Changes who of a VPN connection has to begin',
  roles: WRITERS,
  event: 'VPN.S2S.CONNECTION.UPDATE',
  answer: object,
  params: z.object({
    id: param.ref('vpnconnection', 'The connection'),
    passive: param.flag('Wait for the other end to begin').optional(),
    fordisplay: param.flag('Only true').optional(),
    customid: param.text('Not offered').optional(),
  }),
  async job(room, want) {
    const row = await visible(room, 'vpnconnection', want.id);
    refuseHidden(want);
    if (want.passive !== undefined) await room.tx.update('vpnconnection', row.id, { passive: want.passive ? 1 : 0 });
    return { about: { type: 'VpnConnection', id: row.id }, view: 'vpnconnection', text: 'updating a VPN connection' };
  },
});

export const resetVpnConnection = jobCommand({
  name: 'resetVpnConnection',
  summary: 'Takes a VPN connection down and makes it anew',
  roles: WRITERS,
  event: 'VPN.S2S.CONNECTION.RESET',
  answer: object,
  params: z.object({ id: param.ref('vpnconnection', 'The connection'), ...forParams }),
  async job(room, want) {
    const row = await visible(room, 'vpnconnection', want.id);
    if (want.account !== undefined || want.domainid !== undefined || want.projectid !== undefined) {
      const { account } = await ownerOf(room, want);
      if (account.id !== row.account)
        throw refuse(
          'parameter',
          `VPN connection ${row.id} is not account ${account.name}'s: leave account and domainid out`,
        );
    }
    if (row.state === 'Pending')
      throw refuse(
        'parameter',
        `VPN connection ${row.id} cannot be reseted when state is Pending!: no gateway node has told of it yet`,
      );
    await room.tx.update('vpnconnection', row.id, { epoch: row.epoch + 1, state: 'Connecting', reason: null });
    return { about: { type: 'VpnConnection', id: row.id }, view: 'vpnconnection', text: 'resetting a VPN connection' };
  },
});

export const deleteVpnConnection = jobCommand({
  name: 'deleteVpnConnection',
  summary: 'Ends a VPN connection',
  roles: WRITERS,
  event: 'VPN.S2S.CONNECTION.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('vpnconnection', 'The connection') }),
  async job(room, want) {
    const row = await visible(room, 'vpnconnection', want.id);
    await room.tx.remove('vpnconnection', row.id);
    return { about: { type: 'VpnConnection', id: row.id }, text: 'deleting a VPN connection' };
  },
});

export const listVpnConnections = listCommand({
  name: 'listVpnConnections',
  summary: 'Lists VPN connections between sites',
  roles: EVERYBODY,
  key: 'vpnconnection',
  view: vpnConnectionView,
  params: z.object({
    id: param.ref('vpnconnection', 'The connection with this id').optional(),
    vpcid: param.ref('vpc', 'Connections of this VPC').optional(),
    fordisplay: param.flag('Whether they are shown to their owner: all are').optional(),
    ...pageParams,
    ...ownerParams,
  }),
  async list(room, want) {
    await knownIds(room, want, { id: 'vpnconnection', vpcid: 'vpc' });
    if (want.fordisplay === false) return { count: 0, rows: [] };
    let query = room.db
      .selectFrom('vpnconnection')
      .selectAll()
      .where(await ownedRows(room, 'vpnconnection', want.vpcid === undefined ? want : { ...want, listall: true }));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.vpcid !== undefined)
      query = query.where(
        'vpngateway',
        'in',
        room.db.selectFrom('vpngateway').select('vpngateway.id').where('vpngateway.vpc', '=', want.vpcid),
      );
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id'), want);
    return { count, rows: await showVpnConnections(room, rows) };
  },
});
