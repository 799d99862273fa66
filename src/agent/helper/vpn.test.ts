// VPNs of a gateway helper with their real programs, and clients as people have them: who comes in, who does not, who is cut.
import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { run, tryRun } from '../../lib/run.ts';
import type { VpnJob } from '../../protocol/helper.ts';
import { netnsOf } from './names.ts';
import { createOpenVpn, type OpenVpnWorld, PASSWORD } from './openvpn-world.test-support.ts';
import { createWireGuard } from './wireguard-world.test-support.ts';
import {
  createVpnWorld,
  HELPER_IP,
  OFFICE,
  OTHER,
  SERVER,
  TIER,
  uuid,
  type VpnWorld,
} from './vpn-world.test-support.ts';

const isRoot = process.getuid?.() === 0;

describe('VPNs of a helper', { skip: !isRoot }, () => {
  let world: VpnWorld;
  let vpn: OpenVpnWorld;
  before(async () => {
    world = await createVpnWorld();
    vpn = await createOpenVpn(world);
  });
  after(() => world.close());

  const alive = async (pid: number): Promise<boolean> => (await tryRun(['kill', '-0', String(pid)])).code === 0;
  const pidOf = async (program: string): Promise<number> =>
    (await world.read()).processes.find((one) => one.program === program)!.pid;

  test('OpenVPN: in with certificate and password, routes as told, its network behind it; cut when revoked', async (t: TestContext) => {
    const { until, pings, settle, inClient } = world;
    const ann = await vpn.client(uuid(1), { username: 'ann', ip: '10.8.0.5', routes: ['192.168.50.0/24'] });
    await settle([vpn.job([ann])]);
    const first = await vpn.start(ann, 'wrong');
    await until('a refusal', async () => (await vpn.log(ann)).includes('AUTH_FAILED'));
    // Or two would want the same device.
    await until('it gives up', async () => !(await alive(first)));
    await vpn.start(ann, PASSWORD);
    t.diagnostic(`first answer after ${await until('the tier answers', () => pings(TIER, '10.8.0.5'))} ms`);
    assert.equal(await pings(TIER, OFFICE), true, 'from the network behind it');
    assert.equal(await pings(OTHER, '10.8.0.5'), false, 'not where it may not');
    await inClient('ip', 'addr', 'add', '10.8.0.77/32', 'dev', 'lo');
    await inClient('ip', 'route', 'add', `${OTHER}/32`, 'dev', 'tunann');
    assert.equal(await pings(TIER, '10.8.0.77'), false, "not with another client's address");
    assert.equal(await pings(OTHER, '10.8.0.5'), false, 'not by a route of its own making');
    await until('it is told', async () => (await world.status()).clients?.[0]?.id === ann.id);
    await inClient('ip', 'route', 'del', `${OTHER}/32`, 'dev', 'tunann');
    await settle([vpn.job([ann], ['10.1.1.0/24', '10.99.0.0/24'])]);
    t.diagnostic(`a new route after ${await until('the new tier', () => pings(OTHER, '10.8.0.5'))} ms`);
    await settle([vpn.job([])]);
    t.diagnostic(`cut after ${await until('cut', async () => !(await pings(TIER, '10.8.0.5')))} ms`);
    assert.equal((await world.status()).state, 'Running');
  });

  test('OpenVPN: the gate may die: who is in stays in, who came meanwhile comes in, who is revoked is cut', async (t: TestContext) => {
    const { until, pings, settle } = world;
    const bob = await vpn.client(uuid(2), { username: 'bob', ip: '10.8.0.6', routes: [] });
    const cyd = await vpn.client(uuid(3), { username: 'cyd', ip: '10.8.0.7', routes: [] });
    await settle([vpn.job([bob, cyd])]);
    await vpn.start(bob, PASSWORD);
    await until('the tier answers', () => pings(TIER, 'tunbob'));
    const server = await pidOf('openvpn');
    process.kill(await pidOf('node'), 'SIGKILL');
    await vpn.start(cyd, PASSWORD);
    await until('he asks nobody', async () => (await vpn.log(cyd)).includes('PUSH_REQUEST'));
    assert.equal(await pings(TIER, 'tunbob'), true, 'who was in');
    await settle([vpn.job([bob, cyd])]);
    t.diagnostic(`in after ${await until('who came meanwhile', () => pings(TIER, 'tuncyd'))} ms`);
    assert.equal(await pidOf('openvpn'), server, 'OpenVPN itself runs on');
    assert.doesNotMatch(await vpn.log(bob), /process restarting/);
    // All begins anew, and the gate is asked again: it lets go what OpenVPN holds back.
    process.kill(server, 'SIGUSR1');
    await until('he comes back', async () => /process restarting/.test(await vpn.log(bob)));
    for (const device of ['tunbob', 'tuncyd']) await until('the tier answers again', () => pings(TIER, device));
    await settle([vpn.job([cyd])]);
    await until('cut', async () => !(await pings(TIER, 'tunbob')));
    assert.equal(await pings(TIER, 'tuncyd'), true, 'the other one is not');
  });

  test('OpenVPN is not root, its files are for root alone, and nothing of it is left', async () => {
    const { context, key } = world;
    await world.settle([vpn.job([])]);
    const status = await readFile(`/proc/${await pidOf('openvpn')}/status`, 'utf8');
    assert.match(status, /^Uid:\t65534\t65534\t/m);
    const folder = `${context.directory}/${key}/vpn`;
    for (const name of await readdir(folder, { recursive: true })) {
      const found = await stat(`${folder}/${name}`);
      // Logs and marks, too: nobody but root reads any of it.
      if (found.isFile()) assert.equal(found.mode & 0o077, 0, name);
    }
    await world.settle([]);
    assert.deepEqual(await readdir(folder), []);
    assert.deepEqual((await world.read()).processes, []);
  });

  test('WireGuard: in with its key, not with other addresses; a second peer without an interruption; cut when revoked', async (t: TestContext) => {
    const { until, pings, settle, inClient } = world;
    const wireGuard = await createWireGuard(world);
    const { job } = wireGuard;
    const one = await wireGuard.client(uuid(4), '10.8.1.5', ['192.168.50.0/24']);
    const two = await wireGuard.client(uuid(5), '10.8.1.6', []);
    await settle([job([one])]);
    await wireGuard.start(one, ['10.1.1.0/24', '10.99.0.0/24']);
    t.diagnostic(`first answer after ${await until('the tier answers', () => pings(TIER, '10.8.1.5'))} ms`);
    assert.equal(await pings(TIER, OFFICE), true);
    await inClient('ip', 'addr', 'add', '10.8.1.6/32', 'dev', 'lo');
    assert.equal(await pings(TIER, '10.8.1.6'), false, "not with another client's address");
    assert.equal(await pings(OTHER, '10.8.1.5'), false, 'not where it may not');
    assert.equal((await world.status()).clients?.[0]?.id, one.id);
    const flow = inClient('ping', '-i', '0.05', '-c', '40', '-W1', '-I', '10.8.1.5', TIER);
    await settle([job([one, two])]);
    assert.match((await flow).stdout, /, 0% packet loss/);
    await settle([job([two])]);
    assert.equal(await pings(TIER, '10.8.1.5'), false);
  });

  /** A strongSwan of the client's: asks it with swanctl. */
  async function swan(connections: string): Promise<(...argv: string[]) => ReturnType<typeof tryRun>> {
    const folder = join(world.home, 'ike');
    const socket = `unix://${folder}/vici.sock`;
    await writeFile(
      join(folder, 'strongswan.conf'),
      `charon-systemd {\n load = random nonce openssl pem pkcs1 pkcs8 pubkey x509 revocation constraints hmac kdf eap-identity eap-mschapv2 kernel-libipsec kernel-netlink socket-default vici\n plugins {\n vici {\n socket = ${socket}\n }\n kernel-libipsec {\n allow_peer_ts = yes\n }\n }\n filelog {\n l {\n path = ${folder}/charon.log\n default = 1\n flush_line = yes\n }\n }\n}\n`,
    );
    await writeFile(join(folder, 'swanctl.conf'), connections);
    const env = { STRONGSWAN_CONF: `${folder}/strongswan.conf`, SWANCTL_DIR: folder };
    world.launch(['charon-systemd'], env);
    const ask = (...argv: string[]): ReturnType<typeof tryRun> =>
      tryRun(['swanctl', ...argv, '--uri', socket], { env, timeoutMs: 30_000 });
    await world.until('strongSwan is there', async () => (await ask('--load-all')).code === 0);
    return ask;
  }

  test('IKEv2: in with a password; who has changed or is revoked is cut, and nobody else', async (t: TestContext) => {
    const { until, pings, settle, home, context, key } = world;
    const { ca, issue } = await world.authority();
    const server = await issue('server', `extendedKeyUsage=serverAuth\nsubjectAltName=IP:${SERVER}`);
    const ann = { id: uuid(6), username: 'ann', password: 'pass "word', ip: '10.8.2.5', routes: [] };
    const bob = { id: uuid(7), username: 'bob', password: 'other', ip: '10.8.2.6', routes: [] };
    const job = (clients: readonly (typeof ann)[], id = uuid(12)): VpnJob => ({
      address: HELPER_IP,
      spec: {
        kind: 'ikev2',
        id,
        publicIp: SERVER,
        range: '10.8.2.0/24',
        routes: ['10.1.1.0/24', `${OTHER}/32`],
        dns: [],
        ca,
        certificate: server.certificate,
        key: server.key,
        clients,
      },
    });
    await settle([job([bob, ann])]);
    await mkdir(join(home, 'ike', 'x509ca'), { recursive: true });
    await writeFile(join(home, 'ike', 'x509ca', 'ca.pem'), ca);
    const connection = (name: string): string =>
      ` ${name} {\n version = 2\n remote_addrs = ${SERVER}\n encap = yes\n vips = 0.0.0.0\n local {\n auth = eap\n eap_id = ${name}\n }\n remote {\n auth = pubkey\n id = ${SERVER}\n }\n children {\n ${name} {\n remote_ts = 10.1.1.0/24,${OTHER}/32\n }\n }\n }\n`;
    const ask = await swan(
      `connections {\n${connection('ann')}${connection('bob')}}\nsecrets {\n eap-1 {\n id = ann\n secret = "pass \\"word"\n }\n eap-2 {\n id = bob\n secret = other\n }\n}\n`,
    );
    for (const name of ['ann', 'bob']) {
      const said = await ask('--initiate', '--child', name, '--timeout', '20');
      assert.equal(said.code, 0, said.stdout + said.stderr);
    }
    await until('the tier answers ann', () => pings(TIER, ann.ip));
    await until('and bob', () => pings(TIER, bob.ip));
    // libipsec wants an address in each network: it takes nobody's packets.
    assert.equal(await pings(OTHER, bob.ip), true, 'a network of one address');
    assert.equal((await world.read()).standIns.includes(OTHER), !context.kernelIpsec);
    const told = async (): Promise<readonly string[] | undefined> =>
      (await world.status()).clients?.map(({ id }) => id).toSorted();
    assert.deepEqual(await told(), [ann.id, bob.id]);
    const before = (await world.read()).sas.find(({ name }) => name.includes(bob.id))!.name;
    // A new password: the one she is in with is good no more.
    await settle([job([bob, { ...ann, password: 'a new one' }])]);
    t.diagnostic(`cut after ${await until('ann is cut', async () => !(await pings(TIER, ann.ip)))} ms`);
    assert.deepEqual(await told(), [bob.id]);
    assert.notEqual((await ask('--initiate', '--child', 'ann', '--timeout', '20')).code, 0, 'not with the old one');
    assert.equal(await pings(TIER, bob.ip), true, 'bob is in as he was');
    assert.equal((await world.read()).sas.find(({ name }) => name.includes(bob.id))?.name, before);
    // A second VPN comes and goes: its key with it, and bob does not notice.
    const folder = `${context.directory}/${key}/vpn/ipsec/private`;
    await settle([job([bob]), job([], uuid(13))]);
    assert.deepEqual((await readdir(folder)).toSorted(), [`${uuid(12)}.pem`, `${uuid(13)}.pem`]);
    await settle([job([bob])]);
    assert.deepEqual(await readdir(folder), [`${uuid(12)}.pem`]);
    assert.equal(await pings(TIER, bob.ip), true);
    await settle([job([])]);
    await until('bob is cut', async () => !(await pings(TIER, bob.ip)));
    assert.deepEqual(await told(), []);
    await settle([vpn.job([])]);
    assert.deepEqual((await world.read()).standIns, []);
  });

  test('what somebody breaks in the helper is said, and put right', async () => {
    await world.settle([vpn.job([])]);
    const own = netnsOf(world.key, world.context);
    for (const [broken, said] of [
      ['sysctl -qw net.ipv4.ip_forward=0', /^packets are not passed on: forwarding was switched off/],
      ['nft flush ruleset', /^packets are not passed on: somebody changed the packet filter/],
      ['nft flush chain inet trunkline-vpn input', /^packets are not passed on: somebody changed the packet filter/],
    ] as const) {
      await run(['nsenter', `--net=/run/netns/${own}`, ...broken.split(' ')]);
      const { state, reason } = await world.status();
      assert.equal(state, 'Error', broken);
      assert.match(reason ?? '', said);
      await world.settle([vpn.job([])]);
      assert.equal((await world.status()).state, 'Running', broken);
    }
  });
});
