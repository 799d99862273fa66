// Remote access: VPNs, their users, and the profiles users come with.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import type { Body, Params } from '../../../test/support/cloud.ts';
import { newId } from '../../lib/id.ts';
import { silentLog } from '../../lib/log.ts';
import { sleep } from '../../lib/sleep.ts';
import type { VpnSpec } from '../../protocol/vpn.ts';
import { vpnJob } from '../../protocol/vpn-schema.ts';
import { vpnSpecs } from '../../reconcile/vpn-spec.ts';
import { createIntentCache } from '../../store/load.ts';
import { unseal } from '../../store/seal.ts';
import { recordVpnRoutes, recordVpnStates } from '../../store/vpn-states.ts';
import { unknown } from '../network/network.test-support.ts';
import { type PublicCloud, openCloud } from '../public/public.test-support.ts';
import { acquired, shop } from '../public/vpc-address.test-support.ts';
import { createVpnClientProfile } from './vpn-profile.ts';

const WHO = 'acme-admin';

interface World {
  readonly vpcid: string;
  readonly address: string;
}

async function world(cloud: PublicCloud): Promise<World> {
  const { vpcid } = await shop(cloud);
  return { vpcid, address: await acquired(cloud, vpcid) };
}

const vpnOf = (cloud: PublicCloud, { address }: World, more: Params = {}): Promise<Body> =>
  cloud.made(WHO, 'createRemoteAccessVpn', { publicipid: address, ...more }, 'remoteaccessvpn');

const userOf = (cloud: PublicCloud, username = 'anna', more: Params = {}): Promise<Body> =>
  cloud.made(WHO, 'addVpnUser', { username, password: 'Secret.Word1', ...more }, 'vpnuser');

async function profileOf(cloud: PublicCloud, vpn: Body, username = 'anna'): Promise<Body> {
  const answer = await cloud.callAs(WHO, 'createVpnClientProfile', { remoteaccessvpnid: String(vpn['id']), username });
  return answer['vpnclientprofile'] as Body;
}

/** What the node would be told. */
async function specsOf(cloud: PublicCloud, vpcid: string): Promise<VpnSpec[]> {
  const { intent } = await createIntentCache(cloud.store).refresh();
  const specs = vpnSpecs(intent.vpcs.get(vpcid)!, (sealed) => unseal(cloud.store.sealKey, sealed));
  for (const spec of specs) vpnJob.parse({ address: '192.0.0.18', spec });
  return specs;
}

test('createRemoteAccessVpn by openvpn: a range nobody has, certificates of its own, no secret in the answer', async () => {
  await using cloud = await openCloud();
  const at = await world(cloud);
  const vpn = await vpnOf(cloud, at);
  assert.deepEqual(
    ['kind', 'port', 'cidr', 'iprange', 'state', 'vpcid', 'presharedkey'].map((key) => vpn[key]),
    ['openvpn', 1194, '10.8.0.0/24', '10.8.0.2-10.8.0.254', 'Running', at.vpcid, undefined],
  );
  await userOf(cloud);
  const profile = await profileOf(cloud, vpn);
  const text = String(profile['profile']);
  const blocks = [...text.matchAll(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)].map(([pem]) => pem);
  const [ca, client] = blocks.map((pem) => new X509Certificate(pem));
  assert.ok(client!.verify(ca!.publicKey), 'the authority of the VPN signed the client');
  assert.match(client!.subject, new RegExp(`^CN=${String(profile['id'])}$`));
  const [spec] = await specsOf(cloud, at.vpcid);
  assert.ok(spec?.kind === 'openvpn');
  assert.ok(new X509Certificate(spec.certificate).verify(ca!.publicKey), 'and the server');
  assert.deepEqual(
    spec.clients.map(({ ip, username, serial }) => [ip, username, serial]),
    [['10.8.0.2', 'anna', client!.serialNumber]],
  );
  assert.deepEqual(spec.routes, ['10.1.1.0/24', '10.1.2.0/24']);
  assert.ok(text.includes(`verify-x509-name ${new X509Certificate(spec.certificate).subject.slice(3)} name`));
});

test('createVpnClientProfile: what is secret is in its answer and nowhere else', async () => {
  await using cloud = await openCloud();
  const at = await world(cloud);
  const vpn = await vpnOf(cloud, at, { kind: 'wireguard', iprange: '10.9.0.2-10.9.0.30' });
  assert.deepEqual([vpn['cidr'], vpn['port']], ['10.9.0.0/27', 51_821]);
  await userOf(cloud);
  const profile = await profileOf(cloud, vpn);
  const text = String(profile['profile']);
  const secrets = [...text.matchAll(/(?:PrivateKey|PresharedKey) = (\S+)/g)].map(([, key]) => key!);
  assert.equal(secrets.length, 2);
  assert.match(text, /\nMTU = 1340\n/);
  assert.match(text, /AllowedIPs = 10\.1\.0\.0\/16, 10\.9\.0\.0\/27\n/);
  assert.match(String(profile['qrcode']), /^<svg/);
  assert.ok(String(profile['qrtext']).split('\n').length > 20);
  secrets.push('Secret.Word1');
  for (const table of ['job', 'event', 'vpnclient', 'vpnuser', 'remotevpn'] as const) {
    const rows = JSON.stringify(await cloud.store.db.selectFrom(table).selectAll().execute());
    for (const secret of secrets) assert.ok(!rows.includes(secret), `${table} does not hold ${secret}`);
  }
  const [spec] = await specsOf(cloud, at.vpcid);
  assert.ok(spec?.kind === 'wireguard');
  assert.equal(spec.clients[0]?.presharedKey, secrets[1]);
});

test('createVpnClientProfile answers when the gateway has the keys, and says so where it has not in time', async () => {
  await using cloud = await openCloud();
  const vpn = await vpnOf(cloud, await world(cloud), { kind: 'wireguard' });
  await userOf(cloud);
  assert.equal((await profileOf(cloud, vpn))['ready'], false, 'nobody has told that it is there');
  const { store } = cloud;
  const caller = await cloud.caller(WHO);
  const ask = async (patienceMs: number): Promise<Body> => {
    const command = createVpnClientProfile({ store, log: silentLog(), patienceMs });
    const want = { remoteaccessvpnid: String(vpn['id']), username: 'anna' };
    const call = { caller, request: newId(), command: command.name, given: new Set<string>() };
    return (await command.run(call, want))['vpnclientprofile'] as Body;
  };
  await cloud.settle();
  let answered = false;
  const asked = ask(60_000).finally(() => (answered = true));
  const open = () => store.db.selectFrom('transition').select('id').where('kind', '=', 'vpnuser').execute();
  while ((await open()).length === 0) await sleep(5);
  assert.equal(answered, false);
  await cloud.settle();
  assert.equal((await asked)['ready'], true);
  assert.equal((await ask(1))['ready'], false);
});

test('createVpnClientProfile by ikev2: the certificate to trust, and a file for Apple devices that holds it and no password', async () => {
  await using cloud = await openCloud();
  const vpn = await vpnOf(cloud, await world(cloud), { kind: 'ikev2' });
  await userOf(cloud);
  const profile = await profileOf(cloud, vpn);
  assert.match(String(profile['filename']), /^anna-[0-9a-f]{8}\.mobileconfig$/);
  const file = String(profile['mobileconfig']);
  const authority = new X509Certificate(String(profile['cacertificate']));
  assert.ok(file.includes(`<data>${authority.raw.toString('base64')}</data>`));
  assert.ok(file.includes(`<key>RemoteIdentifier</key><string>${String(profile['server'])}</string>`));
  assert.ok(!file.includes('Secret.Word1'));
});

test('a new profile ends the earlier one, and removing the user all of them', async () => {
  await using cloud = await openCloud();
  const at = await world(cloud);
  const vpn = await vpnOf(cloud, at);
  await userOf(cloud);
  const first = await profileOf(cloud, vpn);
  const second = await profileOf(cloud, vpn);
  assert.equal(first['ipaddress'], second['ipaddress']);
  const idsNow = async (): Promise<unknown[]> => {
    const [spec] = await specsOf(cloud, at.vpcid);
    return spec?.kind === 'openvpn' ? spec.clients.map(({ id }) => id) : [];
  };
  assert.deepEqual(await idsNow(), [second['id']]);
  await cloud.callAs(WHO, 'removeVpnUser', { username: 'anna' });
  assert.deepEqual(await idsNow(), [], 'at once');
  assert.equal((await cloud.list(WHO, 'listVpnUsers'))[0]?.['state'], 'Revoke');
  await cloud.refused(WHO, 'addVpnUser', { username: 'anna', password: 'abc' }, 'is being removed');
  const again = { remoteaccessvpnid: String(vpn['id']), username: 'anna' };
  await cloud.refused(WHO, 'createVpnClientProfile', again, 'is being removed');
  await cloud.settle();
  assert.deepEqual(await cloud.list(WHO, 'listVpnUsers'), []);
  await userOf(cloud);
  assert.deepEqual(await idsNow(), [], 'the same name does not bring the old profile back');
});

test('createRemoteAccessVpn refuses what it cannot do, with the reason', async () => {
  await using cloud = await openCloud();
  const at = await world(cloud);
  const refused = (more: Params, text: string, status = 431): Promise<void> =>
    cloud.refused(WHO, 'createRemoteAccessVpn', { publicipid: at.address, ...more }, text, status);
  await refused({ kind: 'l2tp' }, 'L2TP is not offered');
  await refused({ kind: 'pptp' }, 'Invalid kind pptp');
  await refused(
    { cidr: '10.1.7.0/24' },
    'Invalid ip range: 10.1.7.0/24 overlaps with guest ip range 10.1.0.0-10.1.255.255',
  );
  await refused({ iprange: '10.1.1.5' }, 'Invalid ip range: 10.1.1.5');
  await refused({ cidr: '8.8.8.0/24' }, 'is not RFC1918 compliant');
  await refused({ cidr: '10.0.0.0/8' }, 'clients get a prefix from /16 to /29');
  await refused({ port: '500' }, "are IKE's");
  await refused({ openfirewall: 'true' }, "Can't have openFirewall=true");
  await vpnOf(cloud, at);
  await refused({}, 'A Remote Access VPN already exists for this public Ip address');
  await refused({ kind: 'wireguard', port: '1194' }, 'belongs to remote access by openvpn', 537);
  await vpnOf(cloud, at, { kind: 'wireguard' });
  const second = { publicipid: await acquired(cloud, at.vpcid), cidr: '10.9.0.0/24' };
  await refused({ ...second, kind: 'wireguard' }, 'WireGuard listens at all addresses of a gateway', 537);
  await refused({ ...second, port: '51821' }, 'WireGuard listens at all addresses of a gateway', 537);
  await refused({ ...second, kind: 'wireguard', port: '1194' }, 'WireGuard listens at all addresses of a gateway', 537);
  await vpnOf(cloud, at, { ...second, kind: 'wireguard', port: '51822' });
  const loose = await cloud.made(
    WHO,
    'associateIpAddress',
    { zoneid: (await cloud.list(WHO, 'listZones'))[0]!['id'] as string },
    'ipaddress',
  );
  await refused({ publicipid: String(loose['id']) }, 'The Ip address is not ready to be used yet');
  const net = await cloud.net(WHO, 'node');
  const other = await cloud.address(WHO, net);
  await refused({ publicipid: String(other['id']) }, `Vpn service is not supported in network id=${net}`);
  await cloud.refused(
    'globex-admin',
    'createRemoteAccessVpn',
    { publicipid: at.address },
    unknown('publicipid', at.address),
  );
});

test('VPN users: names, passwords, the limit, and networks behind them that are nobody else’s', async () => {
  await using cloud = await openCloud();
  const at = await world(cloud);
  await vpnOf(cloud, at);
  const refused = (more: Params, text: string, status = 431): Promise<void> =>
    cloud.refused(WHO, 'addVpnUser', { username: 'bob', password: 'Secret.1', ...more }, text, status);
  await refused({ username: '1bob' }, 'Username has to be begin');
  await refused({ username: 'bob\nnobind' }, 'control characters');
  await refused({ username: 'bob"x' }, 'Username has to be begin');
  await refused({ password: 'a b' }, 'Password has to be 3-32');
  await refused({ cidrlist: '10.1.2.0/25' }, 'which is tier', 537);
  await refused({ cidrlist: '10.8.0.0/28' }, 'the clients of remote access', 537);
  await refused({ cidrlist: '0.0.0.0/0' }, 'is everything');
  await refused({ cidrlist: '127.0.0.0/8' }, 'never a network');
  await refused({ cidrlist: '192.168.5.0/24,192.168.5.128/25' }, 'overlap');
  const anna = await userOf(cloud, 'anna', { cidrlist: '192.168.7.1/24' });
  assert.equal(anna['cidrlist'], '192.168.7.0/24');
  await refused({ username: 'anna' }, 'VPN User with name anna is already added');
  await refused({ username: 'Anna' }, 'VPN User with name anna is already added');
  await refused({ cidrlist: '192.168.7.64/26' }, 'which is VPN user anna', 537);
  const route = { vpcid: at.vpcid, cidr: '192.168.7.0/25', nexthop: '10.1.1.9' };
  await cloud.refused(WHO, 'createStaticRoute', route, 'overlaps 192.168.7.0/24, which is VPN user anna', 537);
  const changed = await cloud.made(WHO, 'updateVpnUser', { id: String(anna['id']), cidrlist: '' }, 'vpnuser');
  assert.equal(changed['cidrlist'], '');
  for (let number = 2; number <= 8; number++) await userOf(cloud, `user${number}`);
  await refused({}, 'Cannot add more than 8 remote access vpn users', 532);
});

test('another tenant’s VPN and user are unknown, and users come to their own account’s VPNs only', async () => {
  await using cloud = await openCloud();
  const at = await world(cloud);
  const vpn = String((await vpnOf(cloud, at))['id']);
  const user = String((await userOf(cloud))['id']);
  const foreign = await cloud.made('globex-admin', 'addVpnUser', { username: 'eve', password: 'Secret.1' }, 'vpnuser');
  const profile = (remoteaccessvpnid: string, vpnuserid: string): Params => ({ remoteaccessvpnid, vpnuserid });
  await cloud.refused(
    'globex-admin',
    'createVpnClientProfile',
    profile(vpn, String(foreign['id'])),
    unknown('remoteaccessvpnid', vpn),
  );
  await cloud.refused(
    WHO,
    'createVpnClientProfile',
    profile(vpn, String(foreign['id'])),
    unknown('vpnuserid', String(foreign['id'])),
  );
  await cloud.refused('admin', 'createVpnClientProfile', profile(vpn, String(foreign['id'])), "another account's");
  await cloud.refused('globex-admin', 'updateVpnUser', { id: user }, unknown('id', user));
  await cloud.refused(
    'globex-admin',
    'checkVpn',
    { vpnuserid: user, remoteaccessvpnid: vpn },
    unknown('vpnuserid', user),
  );
  await cloud.refused('globex-admin', 'removeVpnUser', { username: 'anna' }, 'Could not find VPN user anna');
});

test('VPNs go with their address, VPC and account, and forwards keep off their ports', async () => {
  await using cloud = await openCloud();
  const { vpcid, vm, web } = await shop(cloud);
  const at = { vpcid, address: await acquired(cloud, vpcid) };
  await vpnOf(cloud, at);
  await vpnOf(cloud, at, { kind: 'ikev2' });
  await userOf(cloud);
  const forward = {
    ipaddressid: at.address,
    protocol: 'udp',
    publicport: '1190',
    publicendport: '1199',
    privateport: '1190',
    privateendport: '1199',
    virtualmachineid: vm,
  };
  await cloud.refused(WHO, 'createPortForwardingRule', { ...forward, networkid: web }, 'which has UDP 1194', 537);
  await cloud.refused(WHO, 'deleteRemoteAccessVpn', { publicipid: at.address }, 'say which with kind');
  await cloud.doAs(WHO, 'deleteRemoteAccessVpn', { publicipid: at.address, kind: 'ikev2' });
  assert.equal((await cloud.list(WHO, 'listRemoteAccessVpns')).length, 1);
  assert.deepEqual(await cloud.list(WHO, 'listRemoteAccessVpns', { keyword: '_' }), []);
  await cloud.doAs(WHO, 'disassociateIpAddress', { id: at.address });
  assert.deepEqual(await cloud.list(WHO, 'listRemoteAccessVpns'), []);
  assert.equal((await cloud.list(WHO, 'listVpnUsers')).length, 1);
});

test('remote access of an isolated network opens the firewall, and the hole goes with it', async () => {
  await using cloud = await openCloud();
  const networkid = await cloud.net(WHO, 'web', {}, 'DefaultIsolatedNetworkOfferingWithSourceNatService');
  const address = String((await cloud.address(WHO, networkid))['id']);
  await cloud.made(WHO, 'createRemoteAccessVpn', { publicipid: address, kind: 'ikev2' }, 'remoteaccessvpn');
  const holes = await cloud.list(WHO, 'listFirewallRules', { ipaddressid: address });
  assert.deepEqual(holes.map((hole) => hole['startport']).toSorted(), [4500, 500]);
  await cloud.doAs(WHO, 'deleteRemoteAccessVpn', { publicipid: address });
  assert.deepEqual(await cloud.list(WHO, 'listFirewallRules', { ipaddressid: address }), []);
});

test('checkVpn and listVpnClients say who is connected, and which fact is wrong', async () => {
  await using cloud = await openCloud();
  const at = await world(cloud);
  const vpn = await vpnOf(cloud, at);
  const user = await userOf(cloud, 'anna', { cidrlist: '192.168.7.0/24' });
  const check = async (): Promise<Body> =>
    (await cloud.callAs(WHO, 'checkVpn', { vpnuserid: String(user['id']), remoteaccessvpnid: String(vpn['id']) }))[
      'vpncheck'
    ] as Body;
  assert.match(String((await check())['repair']), /^createVpnClientProfile/);
  const profile = await profileOf(cloud, vpn);
  assert.match(String((await check())['description']), /anna \(10\.8\.0\.2\) is not connected/);
  const generation = (): Promise<unknown> =>
    cloud.store.db.selectFrom('counter').selectAll().where('name', '=', 'generation').execute();
  const before = await generation();
  const since = '2026-11-22T08:00:00.000Z';
  const clients = [{ id: String(profile['id']), from: '198.51.100.7:40000', since, received: 10, sent: 20 }];
  await recordVpnStates(cloud.store, [{ id: String(vpn['id']), by: 'gw1', state: 'Running', clients }]);
  await recordVpnRoutes(cloud.store, new Map([[String(vpn['id']), ['10.8.0.0/24', '192.168.7.0/24']]]));
  assert.deepEqual(await generation(), before, 'nobody has to do anything for it');
  const [client] = await cloud.list(WHO, 'listVpnClients', { connected: 'true' });
  assert.deepEqual(
    [client?.['username'], client?.['fromaddress'], client?.['since']],
    ['anna', '198.51.100.7:40000', '2026-11-22T08:00:00+0000'],
  );
  const after = await check();
  const facts = after['fact'] as Body[];
  assert.deepEqual(
    facts.filter(({ name }) => name !== 'acl').map(({ name, state }) => `${String(name)} ${String(state)}`),
    [
      'tunnel good',
      'pushedroute good',
      'forwarding good',
      'returnroute good',
      'iroute good',
      'returnroute good',
      'peerroute unknown',
    ],
  );
  await recordVpnStates(cloud.store, [{ id: String(vpn['id']), state: 'Running', clients: [] }]);
  assert.equal((await check())['result'], 'tunnel');
});

test('recordVpnStates() tells nodes of a WireGuard client that hops from port to port once a minute, and of its last place', async () => {
  await using cloud = await openCloud();
  const at = await world(cloud);
  const vpn = await vpnOf(cloud, at, { kind: 'wireguard' });
  await userOf(cloud);
  const { id } = await profileOf(cloud, vpn);
  const generation = async (): Promise<unknown> =>
    (await cloud.store.db.selectFrom('counter').selectAll().where('name', '=', 'generation').execute())[0];
  const endpoint = async (): Promise<unknown> =>
    (await cloud.store.db.selectFrom('vpnclient').select('endpoint').executeTakeFirst())?.endpoint;
  const start = Date.now();
  const hop = (port: number, seconds: number): Promise<void> => {
    const clients = [{ id: String(id), from: `198.51.100.7:${port}`, received: 1, sent: 1 }];
    const told = { id: String(vpn['id']), by: 'gw1', state: 'Running', clients } as const;
    return recordVpnStates(cloud.store, [told], start + seconds * 1000);
  };
  await hop(4000, 0);
  assert.equal(await endpoint(), '198.51.100.7:4000', 'at once');
  const before = await generation();
  for (let second = 1; second < 60; second++) await hop(4000 + second, second);
  assert.deepEqual([await generation(), await endpoint()], [before, '198.51.100.7:4000']);
  assert.equal((await cloud.list(WHO, 'listVpnClients'))[0]?.['fromaddress'], '198.51.100.7:4059');
  await hop(4059, 61);
  assert.equal(await endpoint(), '198.51.100.7:4059', 'though it has not moved since');
  assert.notDeepEqual(await generation(), before);
});
