// What an instance finds when it starts, with packets: names of its neighbours and of the world, metadata, user data, keys, its password
// once. Asked for by the guests themselves as images do, and again from inside by hand. And who finds nothing: strangers.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, suite, test } from 'node:test';
import { field, rows, text } from '../../src/demo/answer.ts';
import { insideArgv } from '../../src/lab/exec.ts';
import { labStatus } from '../../src/lab/status.ts';
import { sandboxEnv } from '../../src/lab/sandbox.ts';
import { sleep } from '../../src/lib/sleep.ts';
import { cloudForSuite, type Guest, labCloud, type LabCloud, type Tenant } from '../support/tenant-lab.ts';

/** The zone's resolver: on a node, where tenants have no way to. */
const [RESOLVER_NODE, RESOLVER] = ['h3', '192.0.2.13'];
const SERVICE = '10.1.1.254';
const USER_DATA = '#!/bin/sh\necho "$(hostname) was told" >/root/told-by-user-data\n';

let lab: LabCloud;
let web: Guest;
let twin: Guest;
let db: Guest;
/** Of another tenant, with the same CIDRs. */
let stranger: Guest;
let domain: string;
let world: ChildProcess | undefined;

suite('first boot', () => {
  after(() => world?.kill());
  cloudForSuite(async (started) => {
    lab = started;
    const { tenant, cloud } = lab;
    serveWorld();
    await cloud.as('admin')('updateZone', { id: tenant.zoneid, dns1: RESOLVER });
    const key = publicKey();
    await tenant.call('registerSSHKeyPair', { name: 'laptop', publickey: key });
    const other = (await labCloud(cloud, 'globex-admin')).tenant;
    const [front, back] = await vpc(tenant, 'boot');
    const [foreign] = await vpc(other, 'other');
    [web, twin, db, stranger] = (await Promise.all([
      passworded(tenant, 'web', front, { keypair: 'laptop', userdata: base64(USER_DATA) }),
      tenant.instance('twin', front, 'h2'),
      tenant.instance('db', back, 'h1'),
      other.instance('stranger', foreign, 'h1'),
    ])) as [Guest, Guest, Guest, Guest];
    domain = (await say(web, 'sed', '-n', 's/^search //p', '/etc/resolv.conf')).trim();
  });

  test('DHCP names the service: it is who answered, who resolves, and how metadata is reached', async () => {
    assert.match(await say(web, 'cat', '/etc/resolv.conf'), new RegExp(`nameserver ${SERVICE}`));
    assert.match(await say(web, 'ip', 'route'), new RegExp(`169\\.254\\.169\\.254 via ${SERVICE}`));
    assert.match(await say(web, 'ip', 'route'), /default via 10\.1\.1\.1/);
  });

  test('names of the network and of the VPC’s other tier resolve, both ways, in full and in short', async () => {
    assert.deepEqual(await resolve(web, 'twin'), [twin.address]);
    assert.deepEqual(await resolve(web, `db.${domain}`), [db.address]);
    assert.deepEqual(await resolve(db, 'WEB'), [web.address]);
    assert.deepEqual(await resolve(web, 'data-server'), [SERVICE]);
    assert.deepEqual(await resolve(db, 'data-server'), ['10.1.2.254']);
    assert.match(await say(web, 'nslookup', db.address), new RegExp(`name = db\\.${domain}`));
  });

  test('a name of the world is asked of the zone’s resolver, by UDP and TCP; nobody else’s names are known', async () => {
    assert.deepEqual(await resolve(web, 'www.example.net'), ['198.51.100.80']);
    assert.deepEqual(await resolve(stranger, 'web'), []);
    assert.deepEqual(await resolve(stranger, `web.${domain}`), []);
    assert.deepEqual(await resolve(web, `nobody.${domain}`), []);
    const query = `${'0007010000010000000000000377777707657861'}${'6d706c65036e65740000010001'}`;
    const packet = `printf '\\x00\\x21${query.replaceAll(/../g, (byte) => `\\x${byte}`)}' | nc -w 2 ${SERVICE} 53 | hexdump -e '1/1 "%02x"'`;
    assert.match(await say(web, 'sh', '-c', packet), /c6336450$/);
  });

  test('a name is known when its instance is, and forgotten with it', async () => {
    const late = await lab.tenant.instance('late', text(await nicOf(web), 'networkid'), 'h2');
    await until(async () => (await resolve(web, 'late'))[0] === late.address);
    await lab.tenant.call('destroyVirtualMachine', { id: late.id, expunge: 'true' });
    await until(async () => (await resolve(web, 'late')).length === 0);
  });

  test('metadata, user data and keys are served to whose they are', async () => {
    for (const at of ['169.254.169.254', SERVICE, 'data-server']) {
      assert.equal(await get(web, at, '/latest/meta-data/instance-id'), web.id);
      assert.equal(await get(web, at, '/latest/meta-data/local-hostname'), `web.${domain}`);
    }
    assert.equal(await get(web, SERVICE, '/latest/user-data'), USER_DATA);
    assert.equal(await get(web, SERVICE, '/2009-04-04/meta-data/local-ipv4'), web.address);
    assert.equal(await get(web, SERVICE, '/latest/meta-data/service-offering'), 'Small Instance');
    assert.equal(await get(twin, SERVICE, '/latest/meta-data/instance-id'), twin.id);
    assert.match(await get(web, SERVICE, '/latest/meta-data/public-keys'), /^ssh-ed25519 /);
    // The guest itself has done with it what images do.
    await until(async () => (await lab.exec(web, 'test', '-e', '/run/told/done')).code === 0);
    assert.match(await say(web, 'cat', '/root/.ssh/authorized_keys'), /^ssh-ed25519 /);
    assert.equal(await say(web, 'cat', '/root/told-by-user-data'), 'web was told\n');
  });

  test('a password is told once: then the guest has it, the service not, and the server neither', async () => {
    await until(async () => (await password(web)) === 'saved_password');
    assert.match(await say(web, 'cat', '/etc/shadow'), /^root:\$6\$/);
    assert.equal(await password(twin), 'saved_password');
    const reset = await lab.tenant.call('resetPasswordForVirtualMachine', { id: web.id });
    const fresh = text(field(reset, 'virtualmachine'), 'password');
    await until(async () => (await password(web)) === 'saved_password' && (await opens(web, fresh)));
  });

  test('whoever asks in another’s name, or from another network, is told nothing', async () => {
    assert.equal((await lab.exec(stranger, 'ip', 'address', 'add', `${web.address}/32`, 'dev', 'eth0')).code, 0);
    const spoofed = `printf 'GET /latest/meta-data/instance-id HTTP/1.0\\r\\n\\r\\n' | timeout 3 nc -s ${web.address} 10.1.1.254 80`;
    assert.doesNotMatch((await lab.exec(stranger, 'sh', '-c', spoofed)).stdout, new RegExp(web.id));
    // The VPC's router leads from one tier to another, but not here.
    assert.notEqual((await lab.exec(db, 'timeout', '3', 'wget', '-q', '-O', '-', `http://${SERVICE}/latest/`)).code, 0);
    assert.notEqual((await lab.exec(db, 'timeout', '3', 'nslookup', 'web', SERVICE)).code, 0);
    assert.ok(await lab.ping(db, web), 'though the tiers reach each other');
    // Nor is there a way through to the node's own network.
    assert.notEqual((await lab.exec(web, 'timeout', '3', 'wget', '-q', '-O', '-', `http://${RESOLVER}/`)).code, 0);
  });

  test('the service goes on while the agent is away, and through its return', async () => {
    const answered = asking(web);
    const agents = async (): Promise<number[]> =>
      (await labStatus(lab.cloud.state)).processes.flatMap(({ name, pid }) =>
        name === 'agent' && pid !== undefined ? [pid] : [],
      );
    const killed = await agents();
    const since = Date.now();
    for (const pid of killed) process.kill(pid, 'SIGKILL');
    await until(async () => {
      const now = await agents();
      const hosts = rows(await lab.cloud.as('admin')('listHosts'), 'host');
      const heard = hosts.every((host) => Date.parse(text(host, 'lastpinged')) > since + 1000);
      return heard && now.length === killed.length && now.every((pid) => !killed.includes(pid));
    });
    const { lost, asked } = await answered.stop();
    assert.ok(asked > 10, `${asked} questions`);
    assert.equal(lost, 0);
  });

  test('a network without services tells by a config drive, the password for one start', async () => {
    const { call, zoneid } = lab.tenant;
    const admin = lab.cloud.as('admin');
    const made = await admin('createNetworkOffering', {
      name: 'drive',
      displaytext: 'drive',
      guestiptype: 'Isolated',
      traffictype: 'GUEST',
      supportedservices: 'UserData',
      'serviceproviderlist[0].service': 'UserData',
      'serviceproviderlist[0].provider': 'ConfigDrive',
    });
    const networkofferingid = text(field(made, 'networkoffering'), 'id');
    await admin('updateNetworkOffering', { id: networkofferingid, state: 'Enabled' });
    const network = await call('createNetwork', {
      name: 'bare',
      displaytext: 'bare',
      zoneid,
      networkofferingid,
      gateway: '10.7.0.1',
      netmask: '255.255.255.0',
      startip: '10.7.0.10',
      endip: '10.7.0.20',
    });
    const guest = await passworded(lab.tenant, 'lonely', text(field(network, 'network'), 'id'), {
      userdata: base64(USER_DATA),
    });
    await until(async () => (await lab.exec(guest, 'test', '-e', '/run/told/done')).code === 0);
    assert.equal(await say(guest, 'cat', '/root/told-by-user-data'), 'lonely was told\n');
    assert.match(await say(guest, 'cat', '/etc/shadow'), /^root:\$6\$/);
    const drive = '/run/boot/drive';
    assert.equal(await say(guest, 'cat', `${drive}/cloudstack/metadata/vm-id.txt`), guest.id);
    assert.equal(JSON.parse(await say(guest, 'cat', `${drive}/openstack/latest/meta_data.json`)).hostname, 'lonely');
    // The password is forgotten once the node has told that the drive is made; what the node keeps has none any more then.
    const kept = join(lab.cloud.state, 'lab', 'h1', 'agent', 'document.json');
    await until(async () => !/"password":\{/.test(await readFile(kept, 'utf8')));
    await call('rebootVirtualMachine', { id: guest.id });
    assert.notEqual((await lab.exec(guest, 'test', '-e', `${drive}/cloudstack/password`)).code, 0);
    assert.match(await say(guest, 'cat', '/etc/shadow'), /^root:\$6\$/);
  });
});

async function vpc(tenant: Tenant, name: string): Promise<[string, string]> {
  const id = await tenant.vpc(name, '10.1.0.0/16');
  return [await tenant.tier(id, '10.1.1.1', 'default_allow'), await tenant.tier(id, '10.1.2.1', 'default_allow')];
}

/** An instance of the template whose password the API makes up. */
async function passworded(
  tenant: Tenant,
  name: string,
  network: string,
  more: Readonly<Record<string, string>>,
): Promise<Guest> {
  const templates = rows(await tenant.call('listTemplates', { templatefilter: 'featured' }), 'template');
  const template = templates.find((row) => (row as { passwordenabled?: boolean }).passwordenabled === true);
  return tenant.instance(name, network, 'h1', { templateid: text(template, 'id'), ...more });
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}

async function nicOf(guest: Guest): Promise<object | undefined> {
  const found = rows(await lab.tenant.call('listVirtualMachines', { id: guest.id }), 'virtualmachine')[0]!;
  return rows(found, 'nic')[0];
}

function publicKey(): string {
  const { publicKey: key } = generateKeyPairSync('ed25519');
  const raw = key.export({ format: 'der', type: 'spki' }).subarray(-32);
  const part = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
  return `ssh-ed25519 ${Buffer.concat([part(Buffer.from('ssh-ed25519')), part(raw)]).toString('base64')} laptop`;
}

/** A resolver that knows a name of the world, where the nodes are. */
function serveWorld(): void {
  const argv = [
    'dnsmasq',
    '--no-daemon',
    '--conf-file=/dev/null',
    '--user=root',
    '--no-resolv',
    '--no-hosts',
    '--bind-interfaces',
  ];
  const known = [`--listen-address=${RESOLVER}`, '--address=/www.example.net/198.51.100.80', '--pid-file='];
  const [program, ...args] = insideArgv(lab.cloud.state, RESOLVER_NODE, [...argv, ...known]);
  world = spawn(program!, args, { stdio: 'ignore', env: sandboxEnv() });
}

async function say(guest: Guest, ...argv: string[]): Promise<string> {
  const { code, stdout, stderr } = await lab.exec(guest, ...argv);
  assert.equal(code, 0, `${argv.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

async function resolve(guest: Guest, name: string): Promise<string[]> {
  const { stdout } = await lab.exec(guest, 'nslookup', '-type=a', name);
  return [...stdout.matchAll(/^Address: +([0-9.]+)$/gm)].map(([, address]) => address!);
}

async function get(guest: Guest, host: string, path: string): Promise<string> {
  return say(guest, 'wget', '-q', '-O', '-', `http://${host}${path}`);
}

async function password(guest: Guest): Promise<string> {
  return say(guest, 'wget', '-q', '-O', '-', '--header', 'DomU_Request: send_my_password', `http://${SERVICE}:8080/`);
}

/** Whether the guest's own records know the password. */
async function opens(guest: Guest, word: string): Promise<boolean> {
  const [, salt, hash] = /^root:\$6\$([^$]+)\$([^:]+):/m.exec(await say(guest, 'cat', '/etc/shadow')) ?? [];
  if (salt === undefined) return false;
  return (await say(guest, 'mkpasswd', '-m', 'sha512', '-S', salt, word)).trim().endsWith(hash!);
}

/** Asks for a name ten times a second until stopped. */
function asking(guest: Guest): { stop(): Promise<{ lost: number; asked: number }> } {
  const over = new AbortController();
  let [lost, asked] = [0, 0];
  const done = (async () => {
    while (!over.signal.aborted) {
      asked++;
      if ((await resolve(guest, 'twin'))[0] !== twin.address) lost++;
      await sleep(100);
    }
  })();
  return {
    async stop() {
      over.abort();
      await done;
      return { lost, asked };
    },
  };
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + 20_000;
  while (!(await holds())) {
    assert.ok(Date.now() < end, `not within 20 s: ${holds}`);
    await sleep(100);
  }
}
