// Attack 24: VPNs. Text that would become a line of a program's configuration, profiles that were revoked, routes wider than allowed,
// addresses that are another's, keys of another tenant. What the wire does is test/lab/vpn.test.ts.
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Refusal } from '../../src/api/error.ts';
import { isOptional } from '../../src/api/param.ts';
import { type PublicCloud, openCloud } from '../../src/commands/public/public.test-support.ts';
import { acquired } from '../../src/commands/public/vpc-address.test-support.ts';
import { cidr, covers } from '../../src/lib/ip.ts';
import type { VpnSpec } from '../../src/protocol/vpn.ts';
import { vpnJob } from '../../src/protocol/vpn-schema.ts';
import { vpnSpecs } from '../../src/reconcile/vpn-spec.ts';
import { createIntentCache } from '../../src/store/load.ts';
import { unseal } from '../../src/store/seal.ts';
import type { Body, Params } from '../support/cloud.ts';

const WHO = 'acme-admin';
const SECRET = 'Secret.Word1';

const OFFICE = {
  name: 'office',
  gateway: '198.51.100.9',
  cidrlist: '192.168.50.0/24',
  ipsecpsk: 'AVeryLongSecret',
  ikepolicy: 'aes256-sha256;modp2048',
  esppolicy: 'aes256-sha256;modp2048',
};

let cloud: PublicCloud;
let vpcid: string;
let address: string;
let theirs: string;
before(async () => {
  cloud = await openCloud();
  vpcid = await cloud.vpc(WHO, 'blue', '10.1.0.0/16');
  await cloud.tier(WHO, vpcid, '10.1.1.0/24');
  theirs = await cloud.vpc('globex-admin', 'theirs', '10.7.0.0/16');
  await cloud.tier('globex-admin', theirs, '10.7.1.0/24');
  await cloud.settle();
  address = await acquired(cloud, vpcid);
});
after(() => cloud[Symbol.asyncDispose]());
afterEach(clear);

/** What gateway nodes would be told, judged by the same schema that the node's agent uses. */
async function specsOf(vpc: string): Promise<VpnSpec[]> {
  const { intent } = await createIntentCache(cloud.store).refresh();
  const specs = vpnSpecs(intent.vpcs.get(vpc)!, (sealed) => unseal(cloud.store.sealKey, sealed));
  for (const spec of specs) vpnJob.parse({ address: '192.0.0.18', spec });
  return specs;
}

/** Ends every VPN of the account, so that attacks do not meet. */
async function clear(): Promise<void> {
  await cloud.settle();
  for (const { id } of await cloud.list(WHO, 'listVpnConnections'))
    await cloud.doAs(WHO, 'deleteVpnConnection', { id: String(id) });
  for (const { id } of await cloud.list(WHO, 'listVpnGateways'))
    await cloud.doAs(WHO, 'deleteVpnGateway', { id: String(id) });
  for (const { id } of await cloud.list(WHO, 'listVpnCustomerGateways'))
    await cloud.doAs(WHO, 'deleteVpnCustomerGateway', { id: String(id) });
  for (const { publicipid, kind } of await cloud.list(WHO, 'listRemoteAccessVpns'))
    await cloud.doAs(WHO, 'deleteRemoteAccessVpn', { publicipid: String(publicipid), kind: String(kind) });
  for (const { id } of await cloud.list(WHO, 'listStaticRoutes', { vpcid }))
    await cloud.doAs(WHO, 'deleteStaticRoute', { id: String(id) });
  for (const { username } of await cloud.list(WHO, 'listVpnUsers'))
    await cloud.doAs(WHO, 'removeVpnUser', { username: String(username) });
}

const accessOf = (more: Params = {}): Promise<Body> =>
  cloud.made(WHO, 'createRemoteAccessVpn', { publicipid: address, ...more }, 'remoteaccessvpn');
const userOf = (username: string, more: Params = {}): Promise<Body> =>
  cloud.made(WHO, 'addVpnUser', { username, password: SECRET, ...more }, 'vpnuser');
const profileOf = async (vpn: Body, username: string): Promise<Body> =>
  (await cloud.callAs(WHO, 'createVpnClientProfile', { remoteaccessvpnid: String(vpn['id']), username }))[
    'vpnclientprofile'
  ] as Body;

/** Each would be a line, an argument or a word of its own in a file of openvpn, strongSwan, WireGuard or nftables. */
const HOSTILE = [
  'a\nscript-security 2\nup /bin/sh',
  'a"\nup "/bin/sh -c id"',
  "a'; up /bin/sh #",
  'a}\nconnections { x { remote_addrs = %any',
  'a; flush ruleset',
  '$(id)',
  '`id`',
  '-config',
  '--up',
  '../../etc/passwd',
  'a\u0000b',
  'a\r\nPostUp = id',
  'a\u2028up id',
  '%any',
];

test('no text of any parameter of any VPN command becomes a line of what a gateway node is told, or of a profile', async () => {
  const vpn = await accessOf();
  const wireguard = await accessOf({ kind: 'wireguard' });
  const user = await userOf('anna');
  const gateway = await cloud.made(WHO, 'createVpnGateway', { vpcid }, 'vpngateway');
  const other = await cloud.made(WHO, 'createVpnCustomerGateway', OFFICE, 'vpncustomergateway');
  const ends = { s2svpngatewayid: String(gateway['id']), s2scustomergatewayid: String(other['id']) };
  const connection = await cloud.made(WHO, 'createVpnConnection', ends, 'vpnconnection');
  const good: Readonly<Record<string, Params>> = {
    createRemoteAccessVpn: { publicipid: address, kind: 'ikev2' },
    updateRemoteAccessVpn: { id: String(vpn['id']) },
    deleteRemoteAccessVpn: { publicipid: address },
    addVpnUser: { username: 'bob', password: SECRET },
    updateVpnUser: { id: String(user['id']) },
    removeVpnUser: { username: 'nobody' },
    createVpnClientProfile: { remoteaccessvpnid: String(vpn['id']), username: 'anna' },
    createVpnGateway: { vpcid },
    updateVpnGateway: { id: String(gateway['id']) },
    deleteVpnGateway: { id: String(gateway['id']) },
    createVpnCustomerGateway: { ...OFFICE, name: 'second' },
    updateVpnCustomerGateway: { id: String(other['id']) },
    deleteVpnCustomerGateway: { id: String(other['id']) },
    createVpnConnection: ends,
    updateVpnConnection: { id: String(connection['id']) },
    resetVpnConnection: { id: String(connection['id']) },
    deleteVpnConnection: { id: String(connection['id']) },
  };
  const commands = [...cloud.registry.values()].filter(({ name }) => /vpn/i.test(name) && !/^(list|check)/.test(name));
  assert.deepEqual(
    commands.map(({ name }) => name).filter((name) => good[name] === undefined),
    [],
    'every VPN command that writes is attacked',
  );
  const taken: string[] = [];
  let tried = 0;
  for (const { name, params } of commands)
    for (const [param, schema] of Object.entries(params.shape)) {
      if (!isOptional(schema) && good[name]![param] === undefined) throw new Error(`${name} lacks ${param} here`);
      for (const hostile of HOSTILE) {
        tried++;
        const answer = await cloud.callAs(WHO, name, { ...good[name], [param]: hostile }).catch((error: unknown) => {
          assert.ok(error instanceof Refusal && error.status < 500, `${name} ${param}=${hostile}: ${String(error)}`);
          return undefined;
        });
        if (answer === undefined) continue;
        taken.push(`${name} ${param}`);
        await cloud.settle();
      }
    }
  assert.ok(tried > 500, `${tried} were tried`);
  assert.deepEqual(
    [...new Set(taken)].filter(
      (one) =>
        !/^(createVpnCustomerGateway|updateVpnCustomerGateway) (name|ipsecpsk)$|^(add|update)VpnUser password$/.test(
          one,
        ),
    ),
    [],
    'free text is a name for lists and a secret, and nothing else',
  );
  await userOf('carl');
  const profile = String((await profileOf(wireguard, 'carl'))['profile']);
  const told = JSON.stringify(await specsOf(vpcid)) + profile;
  for (const word of ['script-security', 'PostUp', '/bin/sh', 'flush ruleset', '%any', '../..', '$(id)'])
    assert.ok(!withoutSecrets(told).includes(word), `${word} reached a node`);
});

/** A pre-shared key may be any printable text: files have it as hexadecimal. */
function withoutSecrets(told: string): string {
  return told.replaceAll(/"psk":"(?:[^"\\]|\\.)*"/g, '');
}

test('a pre-shared key may hold any sign but a space or a line, and stays one value', async () => {
  await cloud.made(WHO, 'createVpnGateway', { vpcid }, 'vpngateway');
  const key = 'a"b;c}d#e\'f$(g)\\h';
  const other = await cloud.made(WHO, 'createVpnCustomerGateway', { ...OFFICE, ipsecpsk: key }, 'vpncustomergateway');
  const [gateway] = await cloud.list(WHO, 'listVpnGateways');
  const ends = { s2svpngatewayid: String(gateway!['id']), s2scustomergatewayid: String(other['id']) };
  await cloud.made(WHO, 'createVpnConnection', ends, 'vpnconnection');
  const [spec] = await specsOf(vpcid);
  assert.equal(spec?.kind === 'ipsec' ? spec.psk : undefined, key);
  for (const bad of ['has a space in it', 'line\nbreak1', 'tab\tulator', 'ümläutsecret'])
    await cloud.refused(
      WHO,
      'createVpnCustomerGateway',
      { ...OFFICE, name: 'x', ipsecpsk: bad },
      /control characters|ipsecpsk/,
    );
});

test('a profile that was revoked, replaced, or of a VPN that was made anew is known to no node again', async () => {
  for (const kind of ['openvpn', 'wireguard', 'ikev2'] as const) {
    const vpn = await accessOf({ kind });
    await userOf('anna');
    const proofs = async (): Promise<string[]> => {
      const [spec] = await specsOf(vpcid);
      assert.ok(spec !== undefined && 'clients' in spec);
      return spec.clients.map((client) =>
        'serial' in client
          ? client.serial
          : 'publicKey' in client
            ? client.publicKey
            : `${client.id} ${client.password}`,
      );
    };
    await profileOf(vpn, 'anna');
    const [first] = await proofs();
    await profileOf(vpn, 'anna');
    const [second, ...more] = await proofs();
    assert.deepEqual([more, first === second], [[], false], `${kind}: the earlier profile ended`);
    await cloud.callAs(WHO, 'removeVpnUser', { username: 'anna' });
    assert.deepEqual(await proofs(), [], `${kind}: at once, before anybody has realized it`);
    await cloud.settle();
    await userOf('anna');
    assert.deepEqual(await proofs(), [], `${kind}: the name brings nothing back`);
    await profileOf(vpn, 'anna');
    assert.ok(!(await proofs()).some((proof) => proof === first || proof === second));
    const keys = async (): Promise<unknown[]> =>
      (await specsOf(vpcid)).map((spec) => [
        'ca' in spec ? spec.ca : undefined,
        'privateKey' in spec ? spec.privateKey : undefined,
        'tlsCrypt' in spec ? spec.tlsCrypt : undefined,
      ]);
    const [before] = await keys();
    await cloud.doAs(WHO, 'deleteRemoteAccessVpn', { publicipid: address });
    await accessOf({ kind });
    const [now] = await keys();
    assert.notDeepEqual(now, before, `${kind}: another authority and another key at the same address`);
    assert.deepEqual(await proofs(), [], `${kind}: and nobody has a profile for it`);
    await clear();
  }
});

test('nobody is led further than tiers, Private networks and routes that carry: never everywhere, never another tenant’s', async () => {
  await accessOf();
  await cloud.route(WHO, vpcid, '0.0.0.0/0', '10.1.1.77');
  await cloud.route(WHO, vpcid, '10.7.0.0/16', '172.31.0.9');
  const routes = (await specsOf(vpcid)).flatMap((spec) => ('routes' in spec ? spec.routes : []));
  assert.deepEqual(routes, ['10.1.1.0/24'], 'a default route, and one that leads nowhere, are pushed to nobody');
  const vpn = await accessOf({ kind: 'wireguard' });
  await userOf('anna');
  const allowed = /AllowedIPs = (.*)\n/.exec(String((await profileOf(vpn, 'anna'))['profile']))![1]!.split(', ');
  assert.ok(!allowed.some((text) => cidr(text).length === 0), allowed.join());
});

test('networks behind users and sites never overlap tiers, ranges, routes, each other, or the whole world', async () => {
  const vpn = await accessOf();
  const range = String(vpn['cidr']);
  await cloud.route(WHO, vpcid, '10.66.0.0/16', '10.1.1.77');
  await userOf('anna', { cidrlist: '192.168.7.0/24' });
  await cloud.made(WHO, 'createVpnGateway', { vpcid }, 'vpngateway');
  const [gateway] = await cloud.list(WHO, 'listVpnGateways');
  const join = async (more: Params): Promise<Params> => {
    const name = `n${String(Object.values(more).join())}`;
    const other = await cloud.made(WHO, 'createVpnCustomerGateway', { ...OFFICE, name, ...more }, 'vpncustomergateway');
    return { s2svpngatewayid: String(gateway!['id']), s2scustomergatewayid: String(other['id']) };
  };
  await cloud.made(WHO, 'createVpnConnection', await join({}), 'vpnconnection');
  const user = String((await userOf('bob'))['id']);
  for (const cidrlist of [
    '10.1.1.0/25',
    '10.0.0.0/8',
    range,
    '10.66.3.0/24',
    '192.168.7.128/25',
    '192.168.50.0/25',
    '203.0.113.0/24',
    '192.168.8.0/24,192.168.8.0/25',
    '0.0.0.0/0',
    '127.0.0.0/8',
    '169.254.0.0/16',
    '224.0.0.0/4',
    '192.0.0.16/29',
    '198.51.100.0/24',
    '0.0.0.0/1',
  ]) {
    await cloud.refused(
      WHO,
      'updateVpnUser',
      { id: user, cidrlist },
      /overlap|everything|never a network/,
      statusOf(cidrlist),
    );
    await cloud.refused(
      WHO,
      'addVpnUser',
      { username: 'eve', password: SECRET, cidrlist },
      /overlap|everything|never a network/,
      statusOf(cidrlist),
    );
  }
  for (const cidrlist of ['10.1.0.0/24', range, '10.66.3.0/24', '192.168.7.0/25'])
    await cloud.refused(
      WHO,
      'createVpnConnection',
      await join({ cidrlist, gateway: '198.51.100.10' }),
      /overlap/,
      cidrlist.startsWith('10.1.') ? 431 : 537,
    );
  await cloud.refused(
    WHO,
    'createVpnCustomerGateway',
    { ...OFFICE, name: 'loop', cidrlist: '198.51.100.0/24' },
    "holds the customer gateway's own address 198.51.100.9",
  );
  const around = await join({ cidrlist: '198.51.100.0/28', gateway: '198.51.100.77' });
  await cloud.refused(WHO, 'createVpnConnection', around, 'holds 198.51.100.9, the address of customer gateway');
});

/** What is nobody's to have is a bad parameter; what somebody has is a conflict. */
function statusOf(cidrlist: string): number {
  return /^(0\.|127|169|224|192\.0\.0)/.test(cidrlist) || cidrlist.includes(',') ? 431 : 537;
}

test('a user who was there before the VPN cannot bring a tier with him: the VPN is refused until that is settled', async () => {
  const eve = await userOf('eve', { cidrlist: '10.1.1.0/24' });
  await cloud.refused(
    WHO,
    'createRemoteAccessVpn',
    { publicipid: address },
    'VPN user eve has 10.1.1.0/24 behind him, and that overlaps 10.1.1.0/24, which is tier',
    537,
  );
  await cloud.made(WHO, 'updateVpnUser', { id: String(eve['id']), cidrlist: '192.168.9.0/24' }, 'vpnuser');
  await accessOf();
  for (const spec of await specsOf(vpcid))
    if ('clients' in spec)
      for (const client of spec.clients)
        for (const route of client.routes) assert.ok(!covers(cidr('10.1.0.0/16'), cidr(route)), route);
});

test('what another tenant owns is unknown, and keys of two tenants have nothing in common', async () => {
  const vpn = await accessOf();
  const user = await userOf('anna');
  const wireguard = await accessOf({ kind: 'wireguard' });
  const own = await cloud.made('globex-admin', 'associateIpAddress', { vpcid: theirs }, 'ipaddress');
  for (const kind of ['openvpn', 'wireguard'])
    await cloud.made(
      'globex-admin',
      'createRemoteAccessVpn',
      { publicipid: String(own['id']), kind },
      'remoteaccessvpn',
    );
  await cloud.made('globex-admin', 'addVpnUser', { username: 'anna', password: SECRET }, 'vpnuser');
  const unknown = /due to incorrect long value format, or entity does not exist/;
  const id = String(vpn['id']);
  const attacks: readonly (readonly [string, Params])[] = [
    ['createVpnClientProfile', { remoteaccessvpnid: id, username: 'anna' }],
    ['createVpnClientProfile', { remoteaccessvpnid: String(wireguard['id']), username: 'anna' }],
    ['updateRemoteAccessVpn', { id, renewcertificate: 'true' }],
    ['deleteRemoteAccessVpn', { publicipid: address }],
    ['updateVpnUser', { id: String(user['id']), password: 'Mine.Now1' }],
    ['checkVpn', { vpnuserid: String(user['id']), remoteaccessvpnid: id }],
    ['createRemoteAccessVpn', { publicipid: address, kind: 'ikev2' }],
    ['createVpnGateway', { vpcid }],
  ];
  for (const [command, params] of attacks) await cloud.refused('globex-admin', command, params, unknown);
  for (const list of ['listVpnClients', 'listRemoteAccessVpns', 'listVpnUsers'])
    assert.ok(!JSON.stringify(await cloud.list('globex-admin', list, { listall: 'true' })).includes(id), list);
  const secrets = (specs: readonly VpnSpec[]): string[] =>
    specs.flatMap((spec) =>
      [
        'ca' in spec ? spec.ca : '',
        'key' in spec ? spec.key : '',
        'privateKey' in spec ? spec.privateKey : '',
        'tlsCrypt' in spec ? spec.tlsCrypt : '',
      ].filter((text) => text !== ''),
    );
  const [ours, others] = [secrets(await specsOf(vpcid)), secrets(await specsOf(theirs))];
  assert.deepEqual([ours.length, others.length], [4, 4]);
  assert.deepEqual(
    ours.filter((text) => others.includes(text)),
    [],
  );
});
