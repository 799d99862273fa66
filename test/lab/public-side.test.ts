// The public side of VPCs, without a router of any kind: source NAT, static NAT, forwards, lists, with packets from the world and to it.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { field, text } from '../../src/demo/answer.ts';
import { tenantOf } from '../../src/demo/tenant.ts';
import { echoIn, type Echo } from '../support/echo.ts';
import { openPublic, publicCalls, type PublicAddress, type PublicCalls } from '../support/public-calls.ts';
import { eventually } from '../support/lab.ts';
import { cloudForSuite, type Guest, type LabCloud } from '../support/tenant-lab.ts';

const OUTSIDE = '198.51.100.10';
const FOR_TIERS = 'DefaultIsolatedNetworkOfferingForVpcNetworks';

let lab: LabCloud;
let echo: Echo;
let calls: PublicCalls;
let vpc = '';
let web = '';
let db = '';
let inWeb: Guest;
let inDb: Guest;
let own: PublicAddress;

/** What is expected of an answer: the name of who answers, and whom he saw ask. */
const says = (name: string, from: string, port: number) => ({ name, from, port });

/** Static NAT of the first instance, once it is there. */
async function translated(address: PublicAddress): Promise<void> {
  await calls.staticNat(address, inWeb, web);
  await eventually('static NAT', async () => (await echo.ask('outside', address.ip, 22000)) && true);
}

suite('the public side of a VPC', () => {
  cloudForSuite(
    async (started) => {
      lab = started;
      echo = echoIn(lab.cloud);
      calls = publicCalls(lab.tenant);
      const { tenant } = lab;
      await openPublic(lab, 10, 60);
      vpc = await tenant.vpc('shop', '10.1.0.0/16');
      web = await tenant.tier(vpc, '10.1.1.1', 'default_allow');
      db = await tenant.tier(vpc, '10.1.2.1', 'default_allow');
      [inWeb, inDb] = await Promise.all([tenant.instance('web', web, 'h1'), tenant.instance('db', db, 'h2')]);
      own = await calls.sourceNat({ vpcid: vpc });
      await echo.serve('outside', 'outside', 80, 443);
      await echo.serve(inWeb, 'web', 22000, 8000, 8001, 8002, 8003);
      await echo.serve(inDb, 'db', 22000, 53000);
    },
    { bystanders: true },
  );

  test('an instance of any tier speaks to the world by the source NAT address, and its first packet is answered', async () => {
    for (const guest of [inWeb, inDb]) {
      assert.deepEqual(await echo.ask(guest, OUTSIDE, 80), says('outside', own.ip, 80));
      assert.deepEqual(await echo.ask(guest, OUTSIDE, 443, 'udp'), says('outside', own.ip, 443));
      assert.ok(await echo.ping(guest, '8.8.8.8'));
    }
    assert.ok(await echo.ping('outside', own.ip), 'the router answers at its own address');
  });

  test('static NAT leads an address to an instance and the instance out by it; releasing the address ends both, and what is open', async () => {
    const address = await calls.address({ vpcid: vpc });
    await translated(address);
    assert.deepEqual(await echo.ask('outside', address.ip, 22000), says('web', OUTSIDE, 22000));
    assert.deepEqual(await echo.ask(inWeb, OUTSIDE, 80), says('outside', address.ip, 80));
    assert.ok(await echo.ping('outside', address.ip));
    assert.deepEqual((await echo.ask(inDb, address.ip, 22000))?.name, 'web', 'another tier reaches it, too');
    assert.deepEqual((await echo.ask(inWeb, address.ip, 22000))?.name, 'web', 'and it reaches itself');
    const held = await echo.hold('outside', address.ip, 22000);
    await calls.release(address);
    await held.untilDead();
    await held.end();
    assert.equal(await echo.ask('outside', address.ip, 22000), undefined);
    assert.deepEqual(await echo.ask(inWeb, OUTSIDE, 80), says('outside', own.ip, 80));
  });

  test('forwards lead ports and ranges to instances, from the world and from every tier; those that go are refused at once', async () => {
    const address = await calls.address({ vpcid: vpc });
    const second = await calls.address({ vpcid: vpc });
    const one = await calls.forward(address, inDb, db, '2222', { inside: '22000' });
    await calls.forward(address, inDb, db, '53', { inside: '53000', protocol: 'udp' });
    await calls.forward(second, inWeb, web, '8000-8003');
    assert.deepEqual(await echo.ask('outside', address.ip, 2222), says('db', OUTSIDE, 22000));
    assert.deepEqual(await echo.ask('outside', address.ip, 53, 'udp'), says('db', OUTSIDE, 53000));
    for (const port of [8000, 8001, 8002, 8003])
      assert.deepEqual(await echo.ask('outside', second.ip, port), says('web', OUTSIDE, port));
    for (const guest of [inWeb, inDb]) {
      assert.equal((await echo.ask(guest, address.ip, 2222))?.name, 'db');
      assert.equal((await echo.ask(guest, address.ip, 53, 'udp'))?.name, 'db');
      assert.equal((await echo.ask(guest, second.ip, 8002))?.name, 'web');
    }
    assert.equal(await echo.ask('outside', second.ip, 8004), undefined);
    assert.equal(await echo.ask('outside', address.ip, 22000), undefined);
    const held = await echo.hold('outside', address.ip, 2222);
    await lab.tenant.call('deletePortForwardingRule', { id: one });
    await held.untilDead();
    await held.end();
    assert.equal(await echo.ask('outside', address.ip, 2222), undefined);
    await calls.release(address);
    await calls.release(second);
  });

  test('a list on a public address judges by public port, cuts what is open within a second, and leaves answers alone', async (t) => {
    const address = await calls.address({ vpcid: vpc });
    await calls.forward(address, inDb, db, '2222', { inside: '22000' });
    const list = await calls.list(
      vpc,
      'strangers',
      'ingress deny tcp 2222 198.51.100.10/32',
      'ingress allow tcp 2000-3000',
    );
    const held = await echo.hold('outside', address.ip, 2222);
    assert.ok(await held.isAlive());
    const dead = held.untilDead();
    const begun = Date.now();
    await lab.tenant.call('replaceNetworkACLList', { aclid: list, publicipid: address.id });
    await dead;
    t.diagnostic(`cut ${Date.now() - begun} ms after the request`);
    await held.end();
    assert.equal(await echo.ask('outside', address.ip, 2222), undefined, 'named and denied');
    assert.equal((await echo.ask('upstream', address.ip, 2222))?.name, 'db', 'others may');
    assert.equal((await echo.ask(inWeb, address.ip, 2222))?.name, 'db', "the list is the world's");
    await lab.tenant.call('replaceNetworkACLList', { aclid: list, publicipid: own.id });
    assert.ok(!(await echo.ping('outside', own.ip)), 'the end of a list refuses');
    for (const guest of [inWeb, inDb])
      assert.deepEqual(await echo.ask(guest, OUTSIDE, 80), says('outside', own.ip, 80), 'answers pass');
    const open = await lab.tenant.idOf('listNetworkACLLists', 'networkacllist', 'default_allow');
    await lab.tenant.call('replaceNetworkACLList', { aclid: open, publicipid: own.id });
    assert.ok(await echo.ping('outside', own.ip));
    await calls.release(address);
  });

  test("a list on an address that is an instance's alone lets the instance ask whom it likes", async () => {
    const address = await calls.address({ vpcid: vpc });
    await translated(address);
    const list = await calls.list(vpc, 'only-8001', 'ingress allow tcp 8001');
    await lab.tenant.call('replaceNetworkACLList', { aclid: list, publicipid: address.id });
    assert.deepEqual(await echo.ask('outside', address.ip, 8001), says('web', OUTSIDE, 8001));
    assert.equal(await echo.ask('outside', address.ip, 8002), undefined);
    assert.ok(!(await echo.ping('outside', address.ip)));
    assert.deepEqual(await echo.ask(inWeb, OUTSIDE, 80), says('outside', address.ip, 80));
    assert.equal((await echo.ask(inDb, inWeb.address, 8002))?.name, 'web', 'another tier is not the world');
    assert.equal((await echo.ask(inDb, address.ip, 8002))?.name, 'web', 'not even by the public address');
    const held = await echo.hold('outside', address.ip, 8001);
    await calls.item(list, 'ingress deny tcp 8001');
    assert.ok(await held.isAlive(), 'the first match decides');
    const items = (await lab.tenant.call('listNetworkACLs', { aclid: list })) as {
      networkacl: { id: string; action: string }[];
    };
    const dead = held.untilDead();
    await lab.tenant.call('deleteNetworkACL', { id: items.networkacl.find(({ action }) => action === 'Allow')!.id });
    await dead;
    await held.end();
    await calls.release(address);
  });

  test('two tenants with equal CIDRs have their own addresses, and what is sent to one never reaches the other', async () => {
    const other = await tenantOf(lab.cloud, 'globex-admin');
    const theirs = publicCalls(other);
    const twin = await other.vpc('twin', '10.1.0.0/16');
    const tier = await other.tier(twin, '10.1.1.1', 'default_allow');
    const guest = await other.instance('twin', tier, 'h1');
    assert.equal(guest.address, inWeb.address);
    await echo.serve(guest, 'twin', 22000);
    const source = await theirs.sourceNat({ vpcid: twin });
    const address = await theirs.address({ vpcid: twin });
    await theirs.staticNat(address, guest, tier);
    await eventually('static NAT', async () => (await echo.ask('outside', address.ip, 22000)) && true);
    const mine = await calls.address({ vpcid: vpc });
    await calls.forward(mine, inWeb, web, '22000');
    assert.deepEqual(await echo.ask('outside', address.ip, 22000), says('twin', OUTSIDE, 22000));
    assert.deepEqual(await echo.ask('outside', mine.ip, 22000), says('web', OUTSIDE, 22000));
    assert.deepEqual(
      await echo.ask(inWeb, address.ip, 22000),
      says('twin', own.ip, 22000),
      'by the world, like anybody',
    );
    assert.deepEqual(await echo.ask(guest, mine.ip, 22000), says('web', address.ip, 22000));
    assert.notEqual(source.ip, own.ip);
    await calls.release(mine);
  });

  test('an instance with static NAT keeps its address towards other VPCs and tiers', async () => {
    const { tenant } = lab;
    const far = await tenant.vpc('far', '10.2.0.0/16');
    const tier = await tenant.tier(far, '10.2.1.1', 'default_allow');
    const guest = await tenant.instance('far', tier, 'h3');
    const between = await tenant.privateNetwork('172.16.0.0/24');
    await tenant.gateway(vpc, between, '172.16.0.1', 'default_allow');
    await tenant.gateway(far, between, '172.16.0.2', 'default_allow');
    await tenant.route(vpc, '10.2.0.0/16', '172.16.0.2');
    await tenant.route(far, '10.1.0.0/16', '172.16.0.1');
    await echo.serve(guest, 'far', 80);
    const address = await calls.address({ vpcid: vpc });
    await translated(address);
    for (const [from, ip] of [
      [inWeb, inWeb.address],
      [inDb, inDb.address],
    ] as const)
      assert.deepEqual(await echo.ask(from, guest.address, 80), says('far', ip, 80));
    assert.deepEqual(await echo.ask(guest, inWeb.address, 22000), says('web', guest.address, 22000));
    assert.deepEqual(await echo.ask(inWeb, inDb.address, 22000), says('db', inWeb.address, 22000));
    await calls.release(address);
  });

  test('an instance with an address of another range answers by that range, under its MAC alone, and stays what it is inside', async () => {
    const admin = lab.cloud.as('admin');
    await lab.wire.inNetwork('upstream', ['ip', 'address', 'add', '192.0.4.1/24', 'dev', 'eth0']);
    const { zoneid } = lab.tenant;
    const range = { vlan: '100', gateway: '192.0.4.1', netmask: '255.255.255.0' };
    await admin('createVlanIpRange', { zoneid, startip: '192.0.4.9', endip: '192.0.4.10', ...range });
    const address = await calls.address({ vpcid: vpc, ipaddress: '192.0.4.9' });
    await calls.staticNat(address, inWeb, web);
    await eventually('static NAT', async () => (await echo.ask('outside', address.ip, 22000)) && true);
    assert.deepEqual(await echo.ask(inWeb, OUTSIDE, 80), says('outside', address.ip, 80));
    assert.deepEqual(await echo.ask(inDb, OUTSIDE, 80), says('outside', own.ip, 80));
    assert.deepEqual(await echo.ask(inWeb, inDb.address, 22000), says('db', inWeb.address, 22000));
    assert.equal((await echo.ask(inDb, address.ip, 22000))?.name, 'web');
    const [second, beside] = [
      await calls.address({ vpcid: vpc }),
      await calls.address({ vpcid: vpc, ipaddress: '192.0.4.10' }),
    ];
    await calls.forward(second, inDb, db, '2222', { inside: '22000' });
    assert.deepEqual(
      await echo.ask('outside', second.ip, 2222),
      says('db', OUTSIDE, 22000),
      'forwards are where they were',
    );
    await calls.staticNat(beside, inDb, db);
    await eventually('static NAT', async () => (await echo.ask('outside', beside.ip, 22000)) && true);
    const answered = async (ip: string): Promise<string[]> => {
      const { stdout } = await lab.wire.inNetwork('upstream', ['arping', '-c', '2', '-w', '2', '-I', 'eth0', ip]);
      return [...new Set([...stdout.matchAll(/\[([0-9A-F:]{17})\]/gi)].map(([, mac]) => mac!.toLowerCase()))];
    };
    const [range2, main] = [await answered(address.ip), await answered(own.ip)];
    assert.deepEqual([range2.length, main.length], [1, 1]);
    assert.notDeepEqual(range2, main);
    assert.deepEqual(await answered(beside.ip), range2);
    for (const each of [second, beside, address]) await calls.release(each);
  });

  test('a tier whose offering translates nothing reaches the other tiers and not the world; DHCP tells it what was asked for', async () => {
    const { tenant } = lab;
    const { zoneid } = tenant;
    const [networkofferingid, aclid] = await Promise.all([
      tenant.idOf('listNetworkOfferings', 'networkoffering', `${FOR_TIERS}WithoutSourceNat`),
      tenant.idOf('listNetworkACLLists', 'networkacllist', 'default_allow'),
    ]);
    const addresses = { gateway: '10.1.3.1', netmask: '255.255.255.0', dhcptftpserver: '10.1.2.9' };
    const named = { name: 'inner', displaytext: 'inner', zoneid, vpcid: vpc, networkofferingid, aclid };
    const made = await tenant.call('createNetwork', { ...named, ...addresses });
    const inner = text(field(made, 'network'), 'id');
    const guest = await tenant.instance('inner', inner, 'h1');
    assert.equal((await echo.ask(guest, inDb.address, 22000))?.name, 'db');
    const outside = echo.ask(guest, OUTSIDE, 80);
    assert.deepEqual(await echo.ask(inDb, OUTSIDE, 80), says('outside', own.ip, 80));
    const script = 'printf "#!/bin/sh\\necho \\$1 \\$tftp \\$bootfile\\n" >/tmp/say; chmod +x /tmp/say';
    assert.equal((await lab.exec(guest, 'sh', '-c', script)).code, 0);
    const told = async (): Promise<string> =>
      (await lab.exec(guest, 'udhcpc', '-n', '-q', '-t', '2', '-T', '1', '-i', 'eth0', '-s', '/tmp/say')).stdout;
    assert.match(await told(), /^bound 10\.1\.2\.9 ?$/m);
    await tenant.call('updateNetwork', { id: inner, dhcpbootfilename: 'pxelinux.0' });
    assert.match(await told(), /^bound 10\.1\.2\.9 pxelinux\.0$/m);
    assert.equal(await outside, undefined);
  });
});
