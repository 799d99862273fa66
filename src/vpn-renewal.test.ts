// Certificates of VPNs before they end.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { test } from 'node:test';
import type { Body } from '../test/support/cloud.ts';
import { openCloud } from './commands/public/public.test-support.ts';
import { acquired, shop } from './commands/public/vpc-address.test-support.ts';
import { renewVpns } from './vpn-renewal.ts';

const DAY_MS = 86_400_000;

test('renewVpns() renews a server’s certificate 30 days before, by the same authority, and tells once whose client’s ends', async () => {
  await using cloud = await openCloud();
  const { vpcid } = await shop(cloud);
  const publicipid = await acquired(cloud, vpcid);
  const vpn = await cloud.made('acme-admin', 'createRemoteAccessVpn', { publicipid }, 'remoteaccessvpn');
  await cloud.made('acme-admin', 'addVpnUser', { username: 'anna', password: 'Secret.1' }, 'vpnuser');
  const remoteaccessvpnid = String(vpn['id']);
  await cloud.callAs('acme-admin', 'createVpnClientProfile', { remoteaccessvpnid, username: 'anna' });
  const certificates = async (): Promise<{ ca: string; server: string }> =>
    JSON.parse(
      (await cloud.store.db.selectFrom('remotevpn').select('certificates').executeTakeFirstOrThrow()).certificates,
    ) as { ca: string; server: string };
  const before = await certificates();
  await renewVpns(cloud.store, Date.now() + 360 * DAY_MS);
  assert.deepEqual(await certificates(), before);
  await renewVpns(cloud.store, Date.now() + 368 * DAY_MS);
  const after = await certificates();
  assert.equal(after.ca, before.ca);
  assert.notEqual(after.server, before.server);
  assert.ok(new X509Certificate(after.server).verify(new X509Certificate(before.ca).publicKey));
  const warned = (): Promise<Body[]> =>
    cloud.list('acme-admin', 'listEvents', { type: 'VPN.CERTIFICATE.ENDING', listall: 'true' });
  assert.deepEqual(await warned(), []);
  await renewVpns(cloud.store, Date.now() + 705 * DAY_MS);
  await renewVpns(cloud.store, Date.now() + 706 * DAY_MS);
  const events = await warned();
  assert.equal(events.length, 1);
  assert.match(String(events[0]!['description']), /VPN user anna ends on 2\d{3}-\d\d-\d\d: make him a new profile/);
});

test('renewVpns() tells once, a year before, of a VPN whose authority ends, and leaves WireGuard alone', async () => {
  await using cloud = await openCloud();
  const { vpcid } = await shop(cloud);
  const publicipid = await acquired(cloud, vpcid);
  for (const kind of ['ikev2', 'wireguard'])
    await cloud.made('acme-admin', 'createRemoteAccessVpn', { publicipid, kind }, 'remoteaccessvpn');
  const told = async (days: number): Promise<string[]> => {
    await renewVpns(cloud.store, Date.now() + days * DAY_MS);
    const events = await cloud.list('acme-admin', 'listEvents', { type: 'VPN.CERTIFICATE.ENDING', listall: 'true' });
    return events.map(({ description }) => String(description));
  };
  assert.deepEqual(await told(3280), []);
  assert.match((await told(3290)).join(), /^the authority of remote access by ikev2 ends on .*make the VPN anew/);
  assert.equal((await told(3291)).length, 1);
});

test('renewVpns() renews what it can where one cannot be, and says which; none again and again that ends with its authority', async () => {
  await using cloud = await openCloud();
  const { vpcid } = await shop(cloud);
  const publicipid = await acquired(cloud, vpcid);
  for (const kind of ['ikev2', 'openvpn'])
    await cloud.made('acme-admin', 'createRemoteAccessVpn', { publicipid, kind }, 'remoteaccessvpn');
  const rows = (): Promise<{ id: string; kind: string; secrets: string; certificates: string }[]> =>
    cloud.store.db.selectFrom('remotevpn').select(['id', 'kind', 'secrets', 'certificates']).orderBy('kind').execute();
  const [ike, open] = await rows();
  await cloud.store.write(async ({ db }) => {
    await db.updateTable('remotevpn').set({ secrets: 'lost' }).where('id', '=', ike!.id).execute();
  });
  await assert.rejects(renewVpns(cloud.store, Date.now() + 368 * DAY_MS), new RegExp(`remote access ${ike!.id}: `));
  const now = await rows();
  assert.notEqual(now[1]!.certificates, open!.certificates, 'the other one is renewed');
  const ca = new X509Certificate((JSON.parse(open!.certificates) as { ca: string }).ca);
  const last = JSON.stringify({ ...JSON.parse(now[1]!.certificates), ends: new Date(ca.validTo).toISOString() });
  await cloud.store.write(async ({ db }) => {
    await db.updateTable('remotevpn').set({ certificates: last }).where('id', '=', open!.id).execute();
    await db.deleteFrom('remotevpn').where('id', '=', ike!.id).execute();
  });
  await renewVpns(cloud.store, Date.parse(ca.validTo) - 10 * DAY_MS);
  assert.equal((await rows())[0]!.certificates, last);
});
