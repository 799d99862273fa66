// Site to site: gateways, the other ends, and connections, with CloudStack's refusals.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Body, Params } from '../../../test/support/cloud.ts';
import type { VpnSpec } from '../../protocol/vpn.ts';
import { vpnJob } from '../../protocol/vpn-schema.ts';
import { vpnSpecs } from '../../reconcile/vpn-spec.ts';
import { createIntentCache } from '../../store/load.ts';
import { unseal } from '../../store/seal.ts';
import { recordVpnStates } from '../../store/vpn-states.ts';
import { unknown } from '../network/network.test-support.ts';
import { type PublicCloud, openCloud } from '../public/public.test-support.ts';
import { newPresharedKey, newWireGuardKeys } from './vpn-keys.ts';

const WHO = 'acme-admin';

const office = (more: Params = {}): Params => ({
  name: 'office',
  gateway: '198.51.100.9',
  cidrlist: '192.168.50.0/24,192.168.51.0/24',
  ipsecpsk: 'AVeryLongSecret',
  ikepolicy: 'aes256-sha256;modp2048',
  esppolicy: 'aes128-sha256;modp2048,aes256-sha512',
  ...more,
});

interface World {
  readonly vpcid: string;
  readonly gateway: Body;
}

async function world(cloud: PublicCloud): Promise<World> {
  const vpcid = await cloud.vpc(WHO, 'blue', '10.1.0.0/16');
  await cloud.tier(WHO, vpcid, '10.1.1.0/24');
  await cloud.settle();
  return { vpcid, gateway: await cloud.made(WHO, 'createVpnGateway', { vpcid }, 'vpngateway') };
}

const otherEnd = (cloud: PublicCloud, more: Params = {}): Promise<Body> =>
  cloud.made(WHO, 'createVpnCustomerGateway', office(more), 'vpncustomergateway');

const joining = ({ gateway }: World, other: Body, more: Params = {}): Params => ({
  s2svpngatewayid: String(gateway['id']),
  s2scustomergatewayid: String(other['id']),
  ...more,
});

async function specsOf(cloud: PublicCloud, vpcid: string): Promise<VpnSpec[]> {
  const { intent } = await createIntentCache(cloud.store).refresh();
  const specs = vpnSpecs(intent.vpcs.get(vpcid)!, (sealed) => unseal(cloud.store.sealKey, sealed));
  for (const spec of specs) vpnJob.parse({ address: '192.0.0.18', spec });
  return specs;
}

test('a connection by IPsec: what the node is told, the states it tells, and reset', async () => {
  await using cloud = await openCloud();
  const at = await world(cloud);
  const other = await otherEnd(cloud, { dpd: 'true', ikeversion: 'ikev2' });
  assert.equal(other['ipsecpsk'], undefined);
  const connection = await cloud.made(WHO, 'createVpnConnection', joining(at, other), 'vpnconnection');
  assert.equal(connection['state'], 'Pending');
  const [spec] = await specsOf(cloud, at.vpcid);
  assert.ok(spec?.kind === 'ipsec');
  const { psk, localCidrs, remoteCidrs, ikeProposals, espProposals, ikeVersion, dpd, epoch } = spec;
  assert.deepEqual(
    { psk, localCidrs, remoteCidrs, ikeProposals, espProposals, ikeVersion, dpd, epoch },
    {
      psk: 'AVeryLongSecret',
      localCidrs: ['10.1.0.0/16'],
      remoteCidrs: ['192.168.50.0/24', '192.168.51.0/24'],
      ikeProposals: ['aes256-sha256-modp2048'],
      espProposals: ['aes128-sha256-modp2048', 'aes256-sha512'],
      ikeVersion: 2,
      dpd: true,
      epoch: 0,
    },
  );
  const id = String(connection['id']);
  await cloud.refused(
    WHO,
    'resetVpnConnection',
    { id },
    `VPN connection ${id} cannot be reseted when state is Pending!`,
  );
  const tell = (state: 'Connected' | 'Error', reason?: string): Promise<void> =>
    recordVpnStates(cloud.store, [{ id, state, ...(reason === undefined ? {} : { reason }) }]);
  await tell('Connected');
  await tell('Error', 'the peer says NO_PROPOSAL_CHOSEN');
  const [row] = await cloud.list(WHO, 'listVpnConnections', { vpcid: at.vpcid });
  assert.deepEqual([row?.['state'], row?.['reason']], ['Error', 'the peer says NO_PROPOSAL_CHOSEN']);
  const events = await cloud.list(WHO, 'listEvents', { type: 'VPN.S2S.CONNECTION.STATE', listall: 'true' });
  assert.deepEqual(
    events.map(({ level }) => level),
    ['WARN', 'INFO'],
  );
  const check = (await cloud.callAs(WHO, 'checkVpn', { vpnconnectionid: id }))['vpncheck'] as Body;
  assert.deepEqual([check['result'], check['repair']], ['tunnel', `resetVpnConnection id=${id}`]);
  await cloud.doAs(WHO, 'resetVpnConnection', { id });
  assert.equal(((await specsOf(cloud, at.vpcid))[0] as { epoch: number }).epoch, 1);
  await tell('Error', 'the peer says NO_PROPOSAL_CHOSEN');
  assert.equal((await cloud.list(WHO, 'listVpnConnections'))[0]?.['state'], 'Error', 'the same words after a reset');
  for (const table of ['job', 'event', 'customergateway'] as const) {
    const rows = JSON.stringify(await cloud.store.db.selectFrom(table).selectAll().execute());
    assert.ok(!rows.includes('AVeryLongSecret'), `${table} does not hold the secret`);
  }
});

test('updateVpnCustomerGateway begins its connections anew, unless only the name changes or all is said as it was', async () => {
  await using cloud = await openCloud();
  const at = await world(cloud);
  const other = await otherEnd(cloud);
  const made = await cloud.made(WHO, 'createVpnConnection', joining(at, other), 'vpnconnection');
  const told = { id: String(made['id']), by: 'gw1', state: 'Connected' } as const;
  await recordVpnStates(cloud.store, [told]);
  const after = async (more: Params): Promise<unknown[]> => {
    await cloud.doAs(WHO, 'updateVpnCustomerGateway', { id: String(other['id']), ...more });
    const [row] = await cloud.list(WHO, 'listVpnConnections');
    return [((await specsOf(cloud, at.vpcid))[0] as { epoch: number }).epoch, row?.['state']];
  };
  assert.deepEqual(await after({ name: 'bureau' }), [0, 'Connected']);
  assert.deepEqual(await after(office({ forceencap: 'false' })), [0, 'Connected'], 'all of it said again');
  assert.deepEqual(await after({ ipsecpsk: 'AnotherLongSecret' }), [1, 'Connecting']);
  assert.deepEqual(await after({ cidrlist: '192.168.51.0/24' }), [2, 'Connecting']);
});

test('a connection by WireGuard: both ends’ keys', async () => {
  await using cloud = await openCloud();
  const at = await world(cloud);
  const { publicKey } = newWireGuardKeys();
  const peer = { kind: 'wireguard', name: 'lab', gateway: '198.51.100.9', cidrlist: '192.168.60.0/24' };
  await cloud.refused(WHO, 'createVpnCustomerGateway', peer, 'publickey is missing');
  await cloud.refused(WHO, 'createVpnCustomerGateway', { ...peer, publickey: 'x' }, 'Invalid publickey');
  for (const ipsec of ['dpd', 'forceencap', 'splitconnections', 'ikelifetime', 'esplifetime']) {
    const params = { ...peer, publickey: publicKey, [ipsec]: ipsec.endsWith('lifetime') ? '3600' : 'true' };
    await cloud.refused(WHO, 'createVpnCustomerGateway', params, `${ipsec} is not for WireGuard`);
  }
  const own = { ...peer, name: 'own', publickey: String(at.gateway['publickey']) };
  const self = await cloud.made(WHO, 'createVpnCustomerGateway', own, 'vpncustomergateway');
  await cloud.refused(WHO, 'createVpnConnection', joining(at, self), "is that of VPC blue's own VPN gateway");
  const other = await cloud.made(
    WHO,
    'createVpnCustomerGateway',
    { ...peer, publickey: publicKey, port: '7000' },
    'vpncustomergateway',
  );
  await cloud.made(WHO, 'createVpnConnection', joining(at, other, { passive: 'true' }), 'vpnconnection');
  const [spec] = await specsOf(cloud, at.vpcid);
  assert.ok(spec?.kind === 'wireguard-site');
  assert.deepEqual([spec.publicKey, spec.peerPort, spec.port, spec.passive], [publicKey, 7000, 51_820, true]);
  assert.equal(at.gateway['port'], 51_820);
  const again = { id: String(other['id']), ipsecpsk: newPresharedKey() };
  const epoch = async (): Promise<number> => {
    await cloud.doAs(WHO, 'updateVpnCustomerGateway', again);
    return ((await specsOf(cloud, at.vpcid))[0] as { epoch: number }).epoch;
  };
  assert.deepEqual([await epoch(), await epoch()], [1, 1], 'the same key again changes nothing');
});

test('createVpnCustomerGateway shows that packets of IPsec are in UDP, whatever was asked for', async () => {
  await using cloud = await openCloud();
  assert.equal((await otherEnd(cloud, { forceencap: 'false' }))['forceencap'], true);
});

test('createVpnGateway refuses a second one, and a VPC without a source NAT address', async () => {
  await using cloud = await openCloud();
  const at = await world(cloud);
  await cloud.refused(WHO, 'createVpnGateway', { vpcid: at.vpcid }, 'The VPN gateway of VPC blue already exists!');
  await cloud.refused('globex-admin', 'createVpnGateway', { vpcid: at.vpcid }, unknown('vpcid', at.vpcid));
  await cloud.store.write(async ({ db }) => {
    await db.updateTable('publicip').set({ issourcenat: 0 }).where('vpc', '=', at.vpcid).execute();
  });
  await cloud.doAs(WHO, 'deleteVpnGateway', { id: String(at.gateway['id']) });
  await cloud.refused(
    WHO,
    'createVpnGateway',
    { vpcid: at.vpcid },
    'does not have a Public IP address with SourceNat, so no VPN is possible.',
    530,
  );
});

test('createVpnCustomerGateway refuses with CloudStack’s texts, and what is weak unless the operator allows it', async () => {
  await using cloud = await openCloud();
  const refused = (more: Params, text: string): Promise<void> =>
    cloud.refused(WHO, 'createVpnCustomerGateway', office(more), text, 431);
  await refused({ gateway: '10.0.0' }, 'The customer gateway ip 10.0.0 is invalid!');
  await refused({ gateway: '224.0.0.1' }, 'The customer gateway ip 224.0.0.1 is invalid!');
  await refused({ name: 'a\nb' }, 'control characters');
  await refused(
    { ikepolicy: 'aes256-sha256' },
    'The customer gateway IKE policy aes256-sha256 is invalid! Verify the required Diffie Hellman (DH) group is specified.',
  );
  await refused({ esppolicy: 'aes256-sha256;modp2048\nx' }, 'control characters');
  await refused({ esppolicy: 'rot13-sha256' }, 'The customer gateway ESP policy rot13-sha256 is invalid!');
  await refused({ ikelifetime: '0' }, 'The IKE lifetime 0 of vpn connection is invalid!');
  await refused({ esplifetime: '90000' }, 'The ESP lifetime 90000 of vpn connection is invalid!');
  await refused({ ikeversion: 'ikev3' }, 'The IKE version ikev3 is invalid!');
  await refused({ ipsecpsk: 'short' }, 'The pre-shared key (ipsecpsk) is invalid');
  await refused(
    { cidrlist: Array.from({ length: 11 }, (_, index) => `192.168.${index}.0/24`).join(',') },
    'Too many subnets of customer gateway! The limit is 10',
  );
  await refused(
    { cidrlist: '192.168.1.0/24,192.168.1.128/25' },
    'The subnet of customer gateway 192.168.1.128/25 is overlapped with another subnet 192.168.1.0/24 of customer gateway!',
  );
  await refused({ ikepolicy: '3des-md5;modp1024' }, 'is weak: 3des, md5, modp1024');
  await cloud.callAs('admin', 'updateConfiguration', { name: 'vpn.weak.policies.allowed', value: 'true' });
  await otherEnd(cloud, { ikepolicy: '3des-md5;modp1024' });
  await refused({}, 'The customer gateway with name office already existed!');
});

test('createVpnConnection refuses overlaps, seconds and too many; ends that are used stay', async () => {
  await using cloud = await openCloud();
  const at = await world(cloud);
  const other = await otherEnd(cloud);
  const refused = async (more: Params, text: string, status = 431): Promise<void> =>
    cloud.refused(WHO, 'createVpnConnection', joining(at, await otherEnd(cloud, more)), text, status);
  const id = String((await cloud.made(WHO, 'createVpnConnection', joining(at, other), 'vpnconnection'))['id']);
  await cloud.refused(WHO, 'createVpnConnection', joining(at, other), 'already existed!');
  await refused({ name: 'a', cidrlist: '10.1.9.0/24' }, 'subnet 10.1.9.0/24 is overlapped with VPC cidr 10.1.0.0/16!');
  await refused(
    { name: 'b', cidrlist: '192.168.50.128/25', gateway: '198.51.100.8' },
    "is overlapped with existed VPN connection to customer gateway office's subnet 192.168.50.0/24",
  );
  await refused(
    { name: 'self', gateway: String(at.gateway['publicip']), cidrlist: '192.168.99.0/24' },
    'it is an address of VPC blue itself',
  );
  await refused({ name: 'c', cidrlist: '192.168.70.0/24' }, 'cannot be told apart', 537);
  await cloud.refused(
    WHO,
    'deleteVpnCustomerGateway',
    { id: String(other['id']) },
    'because there is still related VPN connections!',
  );
  await cloud.refused(
    WHO,
    'deleteVpnGateway',
    { id: String(at.gateway['id']) },
    'because there is still related VPN connections!',
  );
  const change = { id: String(other['id']), cidrlist: '10.1.0.0/20' };
  await cloud.refused(WHO, 'updateVpnCustomerGateway', change, 'is overlapped with VPC cidr');
  const foreign = await cloud.made('globex-admin', 'createVpnCustomerGateway', office(), 'vpncustomergateway');
  await cloud.refused(
    WHO,
    'createVpnConnection',
    joining(at, foreign),
    unknown('s2scustomergatewayid', String(foreign['id'])),
  );
  await cloud.refused(
    'admin',
    'createVpnConnection',
    joining(at, foreign),
    "same account's VPN gateway and customer gateway!",
  );
  for (let number = 1; number <= 3; number++)
    await cloud.made(
      WHO,
      'createVpnConnection',
      joining(
        at,
        await otherEnd(cloud, {
          name: `n${number}`,
          gateway: `198.51.100.${number}`,
          cidrlist: `192.168.8${number}.0/24`,
        }),
      ),
      'vpnconnection',
    );
  await refused(
    { name: 'd', gateway: '198.51.100.77', cidrlist: '192.168.90.0/24' },
    'There are too many VPN connections with current VPN gateway! The limit is 4',
  );
  await cloud.doAs(WHO, 'deleteVpnConnection', { id });
  assert.equal((await cloud.list(WHO, 'listVpnConnections')).length, 3);
});

test('deleteAccount takes every VPN of the account with it', async () => {
  await using cloud = await openCloud();
  const at = await world(cloud);
  await cloud.made(WHO, 'createVpnConnection', joining(at, await otherEnd(cloud)), 'vpnconnection');
  const [address] = await cloud.list(WHO, 'listPublicIpAddresses', { vpcid: at.vpcid });
  const vpn = await cloud.made(WHO, 'createRemoteAccessVpn', { publicipid: String(address!['id']) }, 'remoteaccessvpn');
  await cloud.made(WHO, 'addVpnUser', { username: 'anna', password: 'Secret.1' }, 'vpnuser');
  await cloud.callAs(WHO, 'createVpnClientProfile', { remoteaccessvpnid: String(vpn['id']), username: 'anna' });
  const { accountId } = await cloud.caller(WHO);
  await cloud.doAs('admin', 'deleteAccount', { id: accountId });
  for (const table of ['remotevpn', 'vpnuser', 'vpnclient', 'vpngateway', 'customergateway', 'vpnconnection'] as const)
    assert.deepEqual(await cloud.store.db.selectFrom(table).selectAll().execute(), [], table);
});
