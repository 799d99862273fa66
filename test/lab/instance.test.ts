// The life of instances, by the API, as seen from their neighbours: what the end of a job promises is true at that moment.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { field, rows, text } from '../../src/demo/answer.ts';
import { readInstances } from '../../src/lab/exec.ts';
import { run } from '../../src/lib/run.ts';
import { eventually } from '../support/lab.ts';
import { cloudForSuite, guestOf, type Guest, type LabCloud } from '../support/tenant-lab.ts';

let lab: LabCloud;
let tier: string;
let near: Guest;
let far: Guest;

/** In a user namespace of its own dropbear logs nobody in (setgroups is refused there): then all but that is tested. */
const noSsh = { skip: process.getuid?.() !== 0 && 'without root nobody can log in to instances of the lab' };

suite('instances', () => {
  cloudForSuite(async (started) => {
    lab = started;
    const vpcid = await lab.tenant.vpc('home', '10.1.0.0/16');
    tier = await lab.tenant.tier(vpcid, '10.1.1.1', 'default_allow');
    [near, far] = await Promise.all([lab.tenant.instance('near', tier, 'h1'), lab.tenant.instance('far', tier, 'h2')]);
  });

  test('a guest is a small machine: its name, its id, BusyBox, its address by DHCP', async () => {
    assert.equal((await lab.exec(near, 'hostname')).stdout, 'near\n');
    assert.equal((await lab.exec(near, 'cat', '/sys/devices/virtual/dmi/id/product_uuid')).stdout, `${near.id}\n`);
    assert.equal((await lab.exec(near, 'readlink', '-f', '/bin/ping')).stdout, '/bin/busybox\n');
    assert.match(
      (await lab.exec(near, 'ip', '-4', 'address', 'show', 'dev', 'eth0')).stdout,
      new RegExp(`inet ${near.address}/24`),
    );
    assert.match((await lab.exec(near, 'ip', 'route')).stdout, /default via 10\.1\.1\.1 dev eth0/);
    const unknown = await lab.exec(near, 'ping', '-c', '1', '-W', '1', '10.1.1.250');
    assert.match(unknown.stdout, /1 packets transmitted, 0 packets received, 100% packet loss/);
  });

  test(
    "root logs in by SSH with the template's password, from another instance, and with no other",
    noSsh,
    async () => {
      assert.deepEqual(await login(near, far, 'password', 'hostname; id -u'), { code: 0, said: 'far\n0\n' });
      assert.notEqual((await login(near, far, 'Password', 'true')).code, 0);
    },
  );

  test('root logs in with the password the API returned, and after a reset only with the new one', noSsh, async () => {
    const { guest, password } = await withPassword('secret');
    assert.match(password, /^\S{6,}$/);
    await loginSoon(guest, password);
    assert.notEqual((await login(near, guest, 'password', 'true')).code, 0, "not with the other template's");
    const again = field(await lab.tenant.call('resetPasswordForVirtualMachine', { id: guest.id }), 'virtualmachine');
    assert.notEqual(text(again, 'password'), password);
    await loginSoon(guest, text(again, 'password'));
    assert.notEqual((await login(near, guest, password, 'true')).code, 0, 'the old one is void');
  });

  test('stop ends it, start brings it back with its address and files, and it answers when the job ends', async () => {
    await lab.exec(far, 'sh', '-c', 'echo kept > /root/file');
    const stopped = field(await lab.tenant.call('stopVirtualMachine', { id: far.id }), 'virtualmachine');
    assert.equal(text(stopped, 'state'), 'Stopped');
    assert.equal(await lab.ping(near, far), false);
    await assert.rejects(async () => lab.exec(far, 'true'), /instance \S+ is not running/);
    const started = field(await lab.tenant.call('startVirtualMachine', { id: far.id }), 'virtualmachine');
    assert.ok(await lab.ping(near, far), 'the first ping after the job');
    assert.equal(guestOf(started).address, far.address);
    assert.equal((await lab.exec(far, 'cat', '/root/file')).stdout, 'kept\n');
  });

  test('reboot ends all that ran, and keeps address, files and host key', async () => {
    const key = (await lab.exec(far, 'dropbearkey', '-y', '-f', '/etc/dropbear/host_ed25519')).stdout;
    await lab.exec(far, 'sh', '-c', 'echo rebooted > /root/file; echo gone > /run/mark');
    await lab.tenant.call('rebootVirtualMachine', { id: far.id });
    assert.ok(await lab.ping(near, far), 'the first ping after the job');
    assert.equal((await lab.exec(far, 'cat', '/root/file')).stdout, 'rebooted\n');
    assert.notEqual((await lab.exec(far, 'ls', '/run/mark')).code, 0, 'what is kept in memory is gone');
    assert.match(key, /Fingerprint/);
    assert.equal((await lab.exec(far, 'dropbearkey', '-y', '-f', '/etc/dropbear/host_ed25519')).stdout, key);
  });

  test('destroyed and expunged, nothing of it is left: no namespace, no port, no row in OVN, no file', async () => {
    const guest = await lab.tenant.instance('short', tier, 'h3');
    assert.ok(await lab.ping(near, guest));
    const nic = text(rows(field(await listed(guest), 'row'), 'nic')[0], 'id');
    assert.ok((await traces(guest, nic)).every(Boolean), 'what is looked for is there before');
    await lab.tenant.call('destroyVirtualMachine', { id: guest.id, expunge: 'true' });
    assert.deepEqual(await traces(guest, nic), [false, false, false, false, false]);
    assert.equal(await lab.ping(near, guest), false);
    await assert.rejects(lab.tenant.call('listVirtualMachines', { id: guest.id }), /entity does not exist/);
  });

  test('its address goes to the next one, and neighbours reach the new one at once', async () => {
    const first = await lab.tenant.instance('first', tier, 'h3', { ipaddress: '10.1.1.200' });
    assert.ok(await lab.ping(near, first));
    await lab.tenant.call('destroyVirtualMachine', { id: first.id, expunge: 'true' });
    const second = await lab.tenant.instance('second', tier, 'h2', { ipaddress: '10.1.1.200' });
    assert.notEqual(second.mac, first.mac);
    // near still has the old one's MAC in its cache.
    assert.ok(await lab.ping(near, second), 'the first ping after the job');
  });

  test('twelve deployed at once have twelve addresses, and each answers right after its job', async () => {
    const guests = await Promise.all(
      Array.from({ length: 12 }, async (_, index) => {
        const guest = await lab.tenant.instance(`many${index}`, tier);
        return { guest, answered: await lab.ping(near, guest), back: await lab.ping(guest, near) };
      }),
    );
    assert.equal(new Set(guests.map(({ guest }) => guest.address)).size, 12);
    assert.equal(new Set(guests.map(({ guest }) => guest.mac)).size, 12);
    assert.deepEqual(
      guests.filter(({ answered, back }) => !(answered && back)).map(({ guest }) => guest.name),
      [],
    );
    const on = Map.groupBy(readInstances(lab.cloud.state), ({ host }) => host);
    assert.equal(on.size, 3, 'they are spread over the hypervisors');
  });
});

/** SSH from one guest to another, whose host key it has not seen. */
async function login(
  from: Guest,
  to: Guest,
  password: string,
  command: string,
): Promise<{ code: number | null; said: string }> {
  const env = `DROPBEAR_PASSWORD=${password}`;
  const { code, stdout } = await lab.exec(from, 'env', env, 'ssh', '-y', '-y', `root@${to.address}`, command);
  return { code, said: stdout };
}

/** A guest fetches its password at its start, as every image does: that may be after its job. */
async function loginSoon(to: Guest, password: string): Promise<void> {
  const said = await eventually('the guest taking its password', async () => {
    const answer = await login(near, to, password, 'hostname');
    return answer.code === 0 ? answer.said : undefined;
  });
  assert.equal(said, `${to.name}\n`);
}

async function withPassword(name: string): Promise<{ guest: Guest; password: string }> {
  const { call, idOf } = lab.tenant;
  const answer = await call('deployVirtualMachine', {
    name,
    zoneid: text(rows(await call('listZones'), 'zone')[0], 'id'),
    serviceofferingid: await idOf('listServiceOfferings', 'serviceoffering', 'Small Instance'),
    templateid: await idOf('listTemplates', 'template', 'tiny linux kvm with password', { templatefilter: 'featured' }),
    networkids: tier,
  });
  const instance = field(answer, 'virtualmachine');
  return { guest: guestOf(instance), password: text(instance, 'password') };
}

async function listed(guest: Guest): Promise<object> {
  return { row: rows(await lab.tenant.call('listVirtualMachines', { id: guest.id }), 'virtualmachine')[0] };
}

/** Whether an instance of h3 has: a network namespace, a port on the bridge, a logical port, a folder, a record. */
async function traces(guest: Guest, nic: string): Promise<boolean[]> {
  const { state, lab: nodes } = lab.cloud;
  const folder = join(state, 'lab/instances', guest.id);
  const [names, ports, logical] = await Promise.all([
    nodes.exec('h3', ['ls', '/run/netns']),
    nodes.exec('h3', [
      'ovs-vsctl',
      `--db=unix:${state}/lab/h3/db.sock`,
      '--bare',
      '--columns=name',
      'find',
      'Interface',
      `external_ids:vm-id=${guest.id}`,
    ]),
    run(['ovn-nbctl', `--db=${nodes.nb}`, '--bare', '--columns=name', 'find', 'Logical_Switch_Port', `name=${nic}`]),
  ]);
  return [
    names.stdout.split('\n').includes(`i-${guest.id.slice(0, 8)}`),
    ports.stdout.trim() !== '',
    logical.stdout.trim() !== '',
    existsSync(folder),
    existsSync(`${folder}.json`),
  ];
}
