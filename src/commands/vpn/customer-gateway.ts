// VPN customer gateways: the other ends of connections between sites, as their owners describe them. The secret is sealed, and shown
// never: who sent it knows it.
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { visible } from '../access.ts';
import { ownerFields, ownersOf } from '../join.ts';
import { knownIds } from '../known.ts';
import { containing, ownedRows, ownerParams, page, pageParams } from '../list.ts';
import { forParams, ownerOf } from '../owner.ts';
import { type Room, jobCommand, listCommand } from '../room.ts';
import { type CustomerGateway, readCustomerGateway } from './customer-gateway-read.ts';
import { refuseSiteClash } from './site-clash.ts';

export const customerGatewayView = z.object({
  id: field.string('id of the customer gateway'),
  name: field.string('its name'),
  kind: field.string('ipsec or wireguard'),
  gateway: field.string('its public address'),
  ipaddress: field.string('the same'),
  cidrlist: field.string('networks behind it, separated by commas'),
  publickey: field.string('wireguard: its public key'),
  port: field.integer('wireguard: its UDP port'),
  ikepolicy: field.string('ipsec: how keys are agreed upon'),
  esppolicy: field.string('ipsec: how packets are protected'),
  ikelifetime: field.long('ipsec: seconds until keys are agreed upon anew'),
  esplifetime: field.long('ipsec: seconds until packets are protected by other keys'),
  dpd: field.boolean('ipsec: whether a dead peer is noticed'),
  forceencap: field.boolean('ipsec: true: packets are in UDP always'),
  ikeversion: field.string('ipsec: ike for either, ikev1 or ikev2'),
  splitconnections: field.boolean('ipsec: whether each pair of networks has its own tunnel'),
  created: field.date('when it was made'),
  ...ownerFields,
});

type View = z.infer<typeof customerGatewayView>;

const object = { kind: 'object', key: 'vpncustomergateway', view: customerGatewayView } as const;

/** What IPsec's other end looks like, for those who show a connection too. */
export function ipsecFields(row: CustomerGateway): Partial<View> {
  if (row.kind !== 'ipsec') return {};
  return {
    ikepolicy: row.ikepolicy,
    esppolicy: row.esppolicy,
    ikelifetime: row.ikelifetime,
    esplifetime: row.esplifetime,
    dpd: row.dpd === 1,
    forceencap: true,
    ikeversion: row.ikeversion,
    splitconnections: row.splitconnections === 1,
  };
}

async function showCustomerGateways(room: Room, rows: readonly CustomerGateway[]): Promise<View[]> {
  const owner = await ownersOf(room.db, rows);
  return rows.map((row) =>
    field.compact<View>({
      id: row.id,
      name: row.name,
      kind: row.kind,
      gateway: row.gateway,
      ipaddress: row.gateway,
      cidrlist: row.cidrlist,
      publickey: row.publickey,
      port: row.port,
      ...ipsecFields(row),
      created: field.clientDate(row.created),
      ...owner(row),
    }),
  );
}

/** The customer gateway with this id as a job's result shows it. */
export async function viewCustomerGateway(room: Room, id: string): Promise<View | undefined> {
  const rows = await room.db.selectFrom('customergateway').selectAll().where('id', '=', id).execute();
  return (await showCustomerGateways(room, rows))[0];
}

const described = {
  name: param.text('Its name; VPN- and its address where it is left out').optional(),
  gateway: param.text('Its public address').optional(),
  cidrlist: param.text('Networks behind it, separated by commas', 4096).optional(),
  ipsecpsk: param
    .text('The secret of both ends; for wireguard an additional key, base64. Kept sealed, and never shown')
    .optional(),
  publickey: param.text('wireguard: its public key').optional(),
  port: param.integer('wireguard: its UDP port; 51820 where it is left out').optional(),
  ikepolicy: param.text('ipsec: such as aes256-sha256;modp2048; several with commas').optional(),
  esppolicy: param.text('ipsec: the same; without a group there is no perfect forward secrecy').optional(),
  ikelifetime: param.integer('Seconds; 86400 where it is left out', { type: 'long' }).optional(),
  esplifetime: param.integer('Seconds; 3600 where it is left out', { type: 'long' }).optional(),
  dpd: param.flag('Whether a dead peer is noticed').optional(),
  forceencap: param
    .flag('ipsec: packets are in UDP always, with true and with false: our end is behind a translation. Shown as true')
    .optional(),
  ikeversion: param.text('ike for either, as where it is left out, ikev1 or ikev2').optional(),
  splitconnections: param.flag('A tunnel for each pair of networks, for peers that know only one each').optional(),
};

export const createVpnCustomerGateway = jobCommand({
  name: 'createVpnCustomerGateway',
  summary: 'Describes the other end of connections between sites',
  roles: WRITERS,
  event: 'VPN.S2S.CUSTOMER.GATEWAY.CREATE',
  answer: object,
  params: z.object({
    kind: param.text('ipsec, as where it is left out, or wireguard').optional(),
    ...described,
    gateway: described.gateway.unwrap(),
    cidrlist: described.cidrlist.unwrap(),
    ...forParams,
  }),
  async job(room, want) {
    const { account, domain } = await ownerOf(room, want);
    const kept = await readCustomerGateway(room, want);
    const name = want.name ?? `VPN-${kept.gateway}`;
    await refuseName(room, account.id, name);
    const id = newId();
    await room.tx.insert('customergateway', {
      id,
      name,
      ...kept,
      account: account.id,
      domain: domain.id,
      created: new Date().toISOString(),
    });
    return {
      id,
      about: { type: 'VpnCustomerGateway', id },
      view: 'vpncustomergateway',
      text: `creating VPN customer gateway ${name} at ${kept.gateway}`,
    };
  },
});

async function refuseName(room: Room, account: string, name: string, own?: string): Promise<void> {
  const other = await room.db
    .selectFrom('customergateway')
    .select('id')
    .where('account', '=', account)
    .where('name', '=', name)
    .executeTakeFirst();
  if (other === undefined || other.id === own) return;
  throw refuse('parameter', `The customer gateway with name ${name} already existed!: it is ${other.id}`);
}

export const updateVpnCustomerGateway = jobCommand({
  name: 'updateVpnCustomerGateway',
  summary: 'Changes the description of the other end; its connections follow',
  roles: WRITERS,
  event: 'VPN.S2S.CUSTOMER.GATEWAY.UPDATE',
  answer: object,
  params: z.object({ id: param.ref('vpncustomergateway', 'The customer gateway'), ...described, ...forParams }),
  async job(room, want) {
    const row = await visible(room, 'customergateway', want.id);
    if (want.account !== undefined || want.domainid !== undefined || want.projectid !== undefined) {
      const { account } = await ownerOf(room, want);
      if (account.id !== row.account)
        throw refuse(
          'parameter',
          `Customer gateway ${row.name} is not account ${account.name}'s: leave account and domainid out`,
        );
    }
    const kept = await readCustomerGateway(room, want, row);
    const name = want.name ?? row.name;
    await refuseName(room, row.account, name, row.id);
    const connections = await room.db
      .selectFrom('vpnconnection')
      .innerJoin('vpngateway', 'vpngateway.id', 'vpnconnection.vpngateway')
      .select(['vpnconnection.id', 'vpnconnection.epoch', 'vpnconnection.state'])
      .select(['vpngateway.id as gateway', 'vpngateway.vpc', 'vpngateway.account'])
      .where('vpnconnection.customergateway', '=', row.id)
      .execute();
    for (const { id, vpc, account, gateway } of connections)
      await refuseSiteClash(room, { id: gateway, vpc, account }, { ...row, ...kept }, id);
    await room.tx.update('customergateway', row.id, { ...kept, name });
    // What runs was agreed upon by what held before: it begins anew, as after a reset.
    if (Object.entries(kept).some(([column, value]) => row[column as keyof CustomerGateway] !== value))
      for (const { id, epoch, state } of connections)
        await room.tx.update('vpnconnection', id, {
          epoch: epoch + 1,
          ...(state === 'Pending' ? {} : { state: 'Connecting', reason: null }),
        });
    return {
      about: { type: 'VpnCustomerGateway', id: row.id },
      view: 'vpncustomergateway',
      text: `updating VPN customer gateway ${name}`,
    };
  },
});

export const deleteVpnCustomerGateway = jobCommand({
  name: 'deleteVpnCustomerGateway',
  summary: 'Deletes a customer gateway that has no connections any more',
  roles: WRITERS,
  event: 'VPN.S2S.CUSTOMER.GATEWAY.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('vpncustomergateway', 'The customer gateway') }),
  async job(room, want) {
    const row = await visible(room, 'customergateway', want.id);
    const used = await room.db.selectFrom('vpnconnection').select('id').where('customergateway', '=', row.id).execute();
    if (used.length > 0)
      throw refuse(
        'parameter',
        `Unable to delete VPN customer gateway with id ${row.id} because there is still related VPN connections!: ${used.map(({ id }) => id).join(', ')}. Delete them first`,
      );
    await room.tx.remove('customergateway', row.id);
    return { about: { type: 'VpnCustomerGateway', id: row.id }, text: `deleting VPN customer gateway ${row.name}` };
  },
});

export const listVpnCustomerGateways = listCommand({
  name: 'listVpnCustomerGateways',
  summary: 'Lists VPN customer gateways',
  roles: EVERYBODY,
  key: 'vpncustomergateway',
  view: customerGatewayView,
  params: z.object({
    id: param.ref('vpncustomergateway', 'The customer gateway with this id').optional(),
    ...pageParams,
    ...ownerParams,
  }),
  async list(room, want) {
    await knownIds(room, want, { id: 'customergateway' });
    let query = room.db
      .selectFrom('customergateway')
      .selectAll()
      .where(await ownedRows(room, 'customergateway', want));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id'), want);
    return { count, rows: await showCustomerGateways(room, rows) };
  },
});
