// The last part of story 8: sites. Two VPCs by WireGuard, which both ends' product knows of, and a plant with strongSwan by IPsec; and what is
// said of a wrong key, and of a peer that is gone.
import { field, rows, text } from '../../src/demo/answer.ts';
import type { World } from '../../src/demo/story.ts';
import type { Guest, Tenant } from '../../src/demo/tenant.ts';
import { strongSwan, type VpnProgram } from '../../src/demo/vpn-client.ts';

const PLANT = 'plant';
const PLANT_OUTSIDE = '198.51.100.60';
const PLANT_NETWORK = '192.168.60.0/24';
const PLANT_PC = '192.168.60.10';
const SHOP_CIDR = '10.1.0.0/16';
const MILL_CIDR = '10.3.0.0/16';
const POLICY = 'aes256-sha256;modp2048';
const SECRET = 'a-long-shared-key-1';
/** Retries of IKE, on a busy machine. */
const UP_MS = 40_000;
/** A dead peer is noticed by its silence, where it does not say that it goes. */
const GONE_MS = 90_000;

/** A VPC beside the shop, with an instance in it. */
export interface Neighbour {
  readonly vpcid: string;
  readonly guest: Guest;
}

/** The connection to it, and the program there. */
export interface Plant {
  readonly connectionid: string;
  readonly swan: VpnProgram;
}

interface Shop {
  readonly world: World;
  readonly tenant: Tenant;
  readonly vpcid: string;
  readonly web1: Guest;
  readonly mill: Neighbour;
}

interface End {
  readonly id: string;
  readonly ip: string;
  readonly key: string;
}

/** Joins the shop with both; the plant is on its way then (plantJoined). */
export async function joinSites(shop: Shop): Promise<Plant> {
  const ours = await gatewayOf(shop.tenant, shop.vpcid);
  await byWireGuard(shop, ours);
  return byIpsec(shop, ours);
}

async function gatewayOf({ call }: Tenant, vpcid: string): Promise<End> {
  const made = field(await call('createVpnGateway', { vpcid }), 'vpngateway');
  return { id: text(made, 'id'), ip: text(made, 'publicip'), key: text(made, 'publickey') };
}

async function byWireGuard({ world, tenant, web1, mill: { vpcid, guest: mill } }: Shop, ours: End): Promise<void> {
  const theirs = await gatewayOf(tenant, vpcid);
  await world.reaches('sites: before: mill1 does not reach web1', mill, web1.address, false);
  const began = Date.now();
  const connections = [
    await connect(tenant, ours, { name: 'mill', gateway: theirs.ip, ...wireGuard(theirs, MILL_CIDR) }),
    await connect(tenant, theirs, { name: 'shop', gateway: ours.ip, ...wireGuard(ours, SHOP_CIDR) }),
  ];
  await world.waitFor('the WireGuard site', () => world.pingFrom(mill, web1.address), UP_MS);
  world.say(`two VPCs by WireGuard: an answer after ${Date.now() - began} ms`);
  await world.reaches('sites: by WireGuard: web1 reaches mill1', web1, mill.address, true);
  await world.reaches('sites: by WireGuard: mill1 reaches web1', mill, web1.address, true);
  for (const id of connections) await isConnected(world, tenant, id);
  world.expect('sites: by WireGuard: both ends are Connected', true);
}

const wireGuard = ({ key }: End, cidrlist: string) => ({ kind: 'wireguard', publickey: key, cidrlist });

async function connect({ call }: Tenant, own: End, other: Readonly<Record<string, string>>): Promise<string> {
  const end = field(await call('createVpnCustomerGateway', other), 'vpncustomergateway');
  const both = { s2svpngatewayid: own.id, s2scustomergatewayid: text(end, 'id') };
  return text(field(await call('createVpnConnection', both), 'vpnconnection'), 'id');
}

async function byIpsec({ world, tenant }: Shop, ours: End): Promise<Plant> {
  const swan = await strongSwan(world, {
    machine: PLANT,
    own: PLANT_OUTSIDE,
    peer: ours.ip,
    behindOwn: PLANT_NETWORK,
    behindPeer: SHOP_CIDR,
    secret: SECRET,
    proposal: POLICY.replace(';', '-'),
  });
  const policies = { ikepolicy: POLICY, esppolicy: POLICY, dpd: 'true', ipsecpsk: 'not-the-plants-key' };
  const connectionid = await connect(tenant, ours, {
    name: PLANT,
    gateway: PLANT_OUTSIDE,
    cidrlist: PLANT_NETWORK,
    ...policies,
  });
  const told = await world.waitFor(
    'the key being the reason',
    async () => {
      const { reason, state } = await connectionOf(tenant, connectionid);
      return reason !== undefined && /key/.test(reason) && `${state}: ${reason}`;
    },
    UP_MS,
  );
  world.say(`       listVpnConnections, with a wrong key: ${told}`);
  world.expect('sites: a wrong key is said', told.startsWith('Error'), told);
  const checked = field(await tenant.call('checkVpn', { vpnconnectionid: connectionid }), 'vpncheck');
  world.expect('sites: checkVpn names the tunnel', text(checked, 'result') === 'tunnel', JSON.stringify(checked));
  const { other } = await connectionOf(tenant, connectionid);
  await tenant.call('updateVpnCustomerGateway', { id: other, ipsecpsk: SECRET });
  world.say(`updateVpnCustomerGateway: ${PLANT} has the right key now`);
  return { connectionid, swan };
}

/** The plant once both ends have one key: IKE tries again by itself. */
export async function plantJoined({ world, tenant, web1 }: Shop, { connectionid }: Plant): Promise<void> {
  await world.waitFor('the IPsec site', () => world.pingFrom('plantpc', web1.address), UP_MS);
  await world.reaches('sites: by IPsec: plantpc reaches web1', 'plantpc', web1.address, true);
  await world.reaches('sites: by IPsec: web1 reaches plantpc', web1, PLANT_PC, true);
  const source = await world.sourceSeen(web1, () => world.pingFrom('plantpc', web1.address));
  if (source !== undefined) world.expect('sites: by its own address', source === PLANT_PC, source);
  await isConnected(world, tenant, connectionid);
  world.expect('sites: by IPsec: Connected, as the peer sees it', true);
}

async function connectionOf(
  { call }: Tenant,
  id: string,
): Promise<{ readonly state: string; readonly other: string; readonly reason?: string }> {
  const row = rows(await call('listVpnConnections', { id }), 'vpnconnection')[0];
  const { reason } = (row ?? {}) as { readonly reason?: string };
  const known = { state: text(row, 'state'), other: text(row, 's2scustomergatewayid') };
  return reason === undefined ? known : { ...known, reason };
}

async function isConnected(world: World, tenant: Tenant, id: string): Promise<void> {
  const connected = async (): Promise<boolean> => (await connectionOf(tenant, id)).state === 'Connected';
  await world.waitFor(`connection ${id} being Connected`, connected, UP_MS);
}

/** The plant ends its VPN, and says so to the other end as strongSwan does. */
export async function plantGone({ world, tenant }: Shop, { swan, connectionid }: Plant): Promise<void> {
  await swan.end();
  const began = Date.now();
  world.say(`${PLANT}: kill charon`);
  const gone = async (): Promise<string | false> => {
    const { state, reason } = await connectionOf(tenant, connectionid);
    return state !== 'Connected' && `${state}: ${reason ?? 'no reason'}`;
  };
  const told = await world.waitFor(`${PLANT} not being Connected any more`, gone, GONE_MS);
  world.say(
    `       listVpnConnections, ${Math.round((Date.now() - began) / 1000)} s after the plant has gone: ${told}`,
  );
  world.expect('sites: a peer that is gone is said', /^(Disconnected|Error|Connecting)/.test(told), told);
}
