// Attack 24, the other half: secrets of VPNs where they should not be, after every command that has anything to do with one.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { newPresharedKey, newWireGuardKeys } from '../../src/commands/vpn/vpn-keys.ts';
import { createLog } from '../../src/lib/log.ts';
import { vpnSpecs } from '../../src/reconcile/vpn-spec.ts';
import { createIntentCache } from '../../src/store/load.ts';
import { unseal } from '../../src/store/seal.ts';
import { type Body, type Params, openCloud } from '../support/cloud.ts';
import { addHosts } from '../support/hosts.ts';
import { openPublicSide } from '../support/public-side.ts';
import { idOf, makeTier, makeVpc } from '../support/story.ts';

const WHO = 'acme-admin';
const SECRET = 'Secret.Word1';

const OFFICE = {
  name: 'office',
  gateway: '198.51.100.9',
  cidrlist: '192.168.50.0/24',
  ikepolicy: 'aes256-sha256;modp2048',
  esppolicy: 'aes256-sha256;modp2048',
};

test('after all VPN commands ran, no secret of any is in the log, the database, jobs, events or lists', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'trunkline-vpn-secrets-'));
  const logFile = join(folder, 'log');
  const bare = await openCloud({ log: createLog('test', 'trace', logFile) });
  try {
    await addHosts(bare.store);
    await openPublicSide(bare);
    const vpc = await makeVpc(bare, WHO, 'v', '10.1.0.0/16');
    await makeTier(bare, WHO, vpc, 't', '10.1.1.1');
    const ask = async (command: string, params: Params): Promise<Body> => {
      const { body } = await bare.request(WHO, command, params);
      assert.equal(body['errortext'], undefined, `${command}: ${String(body['errortext'])}`);
      await bare.settle();
      return body;
    };
    const publicipid = String((await ask('associateIpAddress', { vpcid: vpc }))['id']);
    const psk = 'PskOfTheOffice.42';
    const wgPsk = newPresharedKey();
    const { publicKey } = newWireGuardKeys();
    const secrets = [SECRET, 'Another.Word2', psk, 'PskThatFollowed.43', wgPsk];
    await ask('addVpnUser', { username: 'anna', password: SECRET });
    await ask('updateVpnUser', {
      id: await idOf(bare, WHO, 'listVpnUsers', 'vpnuser', {}),
      password: 'Another.Word2',
    });
    for (const kind of ['openvpn', 'wireguard', 'ikev2']) {
      const remoteaccessvpnid = String((await ask('createRemoteAccessVpn', { publicipid, kind }))['id']);
      const made = (await ask('createVpnClientProfile', { remoteaccessvpnid, username: 'anna' }))[
        'vpnclientprofile'
      ] as Body;
      const text = String(made['profile'] ?? '');
      secrets.push(
        ...[...text.matchAll(/(?:PrivateKey|PresharedKey) = (\S+)/g)].map(([, key]) => key!),
        ...[...text.matchAll(/PRIVATE KEY-----\n(\S+)/g)].map(([, line]) => line!),
        ...[...text.matchAll(/Static key V1-----\n([0-9a-f]+)/g)].map(([, line]) => line!),
      );
      if (kind !== 'wireguard') await ask('updateRemoteAccessVpn', { id: remoteaccessvpnid, renewcertificate: 'true' });
    }
    const s2svpngatewayid = String((await ask('createVpnGateway', { vpcid: vpc }))['id']);
    const ipsec = String((await ask('createVpnCustomerGateway', { ...OFFICE, ipsecpsk: psk }))['id']);
    await ask('updateVpnCustomerGateway', { id: ipsec, ipsecpsk: 'PskThatFollowed.43' });
    const peer = { kind: 'wireguard', name: 'lab', gateway: '198.51.100.10', cidrlist: '192.168.60.0/24' };
    const wireguard = String(
      (await ask('createVpnCustomerGateway', { ...peer, publickey: publicKey, ipsecpsk: wgPsk }))['id'],
    );
    for (const s2scustomergatewayid of [ipsec, wireguard])
      await ask('createVpnConnection', { s2svpngatewayid, s2scustomergatewayid });
    // Refused with the secret in the request: the text must not quote it.
    const bad = await bare.request(WHO, 'createVpnCustomerGateway', {
      ...OFFICE,
      name: 'bad',
      ipsecpsk: 'With a.Space77',
    });
    assert.ok(!bad.text.includes('a.Space77'));
    const worse = await bare.request(WHO, 'addVpnUser', { username: 'bob', password: 'No space.here99' });
    assert.ok(!worse.text.includes('space.here99'));
    secrets.push('a.Space77', 'space.here99');

    const { intent } = await createIntentCache(bare.store).refresh();
    const opened = JSON.stringify(vpnSpecs(intent.vpcs.get(vpc)!, (sealed) => unseal(bare.store.sealKey, sealed)));
    for (const [, key] of opened.matchAll(/"(?:privateKey|psk|presharedKey|password)":"([^"]+)"/g)) secrets.push(key!);
    for (const [, line] of opened.matchAll(/PRIVATE KEY-----\\n([A-Za-z0-9+/=]+)/g)) secrets.push(line!);
    assert.ok(new Set(secrets).size >= 14, `${new Set(secrets).size} secrets are looked for`);

    const places: Record<string, string> = { log: readFileSync(logFile, 'utf8') };
    const tables = [
      'job',
      'event',
      'transition',
      'change',
      'remotevpn',
      'vpnuser',
      'vpnclient',
      'vpngateway',
      'customergateway',
      'vpnconnection',
      'configuration',
    ] as const;
    for (const table of tables)
      places[`table ${table}`] = JSON.stringify(await bare.store.db.selectFrom(table).selectAll().execute());
    for (const { name } of bare.registry.values())
      if (/^list.*(Vpn|Events|AsyncJobs)/.test(name))
        places[name] = (await bare.request('admin', name, { listall: true })).text;
    assert.ok(Object.keys(places).filter((name) => name.startsWith('list')).length >= 7);
    for (const { jobid } of (await bare.callAs('admin', 'listAsyncJobs', { listall: true }))['asyncjobs'] as Body[])
      places[`job ${String(jobid)}`] = (
        await bare.request('admin', 'queryAsyncJobResult', { jobid: String(jobid) })
      ).text;
    for (const [place, text] of Object.entries(places))
      for (const [index, secret] of [...new Set(secrets)].entries())
        assert.ok(
          !text.includes(secret) && !text.includes(encodeURIComponent(secret)),
          `secret ${index} is in ${place}`,
        );
  } finally {
    await bare[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  }
});
