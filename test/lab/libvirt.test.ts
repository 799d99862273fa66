// Instances as virtual machines (issue 3, E): libvirt on two hypervisors of the lab, plugged into Open vSwitch, a namespace on the third
// as their neighbour; everything asked for by API, everything seen on the wire.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { field, rows, text } from '../../src/demo/answer.ts';
import { libvirtUri } from '../../src/lab/qemu/libvirtd.ts';
import { labStatus } from '../../src/lab/status.ts';
import { run, type RunResult, tryRun } from '../../src/lib/run.ts';
import { eventually } from '../support/lab.ts';
import { cloudForSuite, type Guest, type LabCloud } from '../support/tenant-lab.ts';

let lab: LabCloud;
let tier = '';
let second = '';
let near: Guest;
let secondNear: Guest;
let vm: Guest;

/** libvirtd is root's: in a user namespace it cannot set up its guests. */
const skip = process.getuid?.() !== 0 && 'libvirtd runs as root only';

describe('instances under libvirt', { timeout: 150_000, skip }, () => {
  cloudForSuite(
    async (made) => {
      lab = made;
      const vpc = await lab.tenant.vpc('machines', '10.1.0.0/16');
      [tier, second] = await Promise.all([
        lab.tenant.tier(vpc, '10.1.1.1', 'default_allow'),
        lab.tenant.tier(vpc, '10.1.2.1', 'default_allow'),
      ]);
      [near, secondNear] = await Promise.all([
        lab.tenant.instance('near', tier, 'h1'),
        lab.tenant.instance('secondnear', second, 'h1'),
      ]);
    },
    { topology: 'machines' },
  );

  test('deployed by API: it boots a kernel of its own, has its address by DHCP, and answers the first ping after the job', async (t) => {
    const templateid = await lab.tenant.idOf('listTemplates', 'template', 'tiny linux kvm with password', {
      templatefilter: 'featured',
    });
    const since = Date.now();
    vm = await lab.tenant.instance('vm', tier, 'h2', { templateid });
    t.diagnostic(`deployed in ${Date.now() - since} ms`);
    assert.ok(await lab.ping(near, vm), 'the first ping');
    const domain = await virsh('h2', 'dumpxml', vm.id);
    assert.match(domain, /<parameters interfaceid='/);
    assert.match(await virsh('h2', 'dominfo', vm.id), /Persistent: +no/);
  });

  test('a card plugged in while it runs gets its address and answers; pulled out, it is gone', async (t) => {
    const since = Date.now();
    const { call } = lab.tenant;
    const answer = field(
      await call('addNicToVirtualMachine', { virtualmachineid: vm.id, networkid: second }),
      'virtualmachine',
    );
    t.diagnostic(`plugged in ${Date.now() - since} ms`);
    const nic = rows(answer, 'nic').find((row) => text(row, 'networkid') === second);
    assert.ok(await lab.ping(secondNear, { address: text(nic, 'ipaddress') }), 'the first ping to the new card');
    assert.ok(await lab.ping(near, vm));
    await call('removeNicFromVirtualMachine', { virtualmachineid: vm.id, nicid: text(nic, 'id') });
    assert.equal([...(await virsh('h2', 'domiflist', vm.id)).matchAll(/bridge/g)].length, 1);
    assert.equal(await lab.ping(secondNear, { address: text(nic, 'ipaddress') }), false);
    assert.ok(await lab.ping(near, vm));
  });

  test('stopped it does not run and has no port; started with a new password it lets that one in, under its name', async () => {
    const { call } = lab.tenant;
    await call('stopVirtualMachine', { id: vm.id, forced: 'true' });
    assert.equal(await lab.ping(near, vm), false);
    assert.equal(await virsh('h2', 'list', '--all', '--name'), '');
    assert.deepEqual(await ports('h2'), []);
    const reset = await call('resetPasswordForVirtualMachine', { id: vm.id });
    await call('startVirtualMachine', { id: vm.id });
    assert.ok(await lab.ping(near, vm));
    const password = text(field(reset, 'virtualmachine'), 'password');
    const said = await login(password, 'hostname; uname -r; cat /sys/class/net/eth0/mtu');
    assert.match(said.stdout, /^vm\n6\.\S+-cloud-amd64\n1442\n$/, said.stderr);
    assert.notEqual((await login('wrong', 'true')).code, 0);
  });

  test('rebooted it begins anew', async () => {
    const before = await virsh('h2', 'domid', vm.id);
    await lab.tenant.call('rebootVirtualMachine', { id: vm.id });
    assert.notEqual(await virsh('h2', 'domid', vm.id), before);
    assert.ok(await lab.ping(near, vm));
  });

  test('the agent and libvirt killed: it runs on and answers, and is taken over; what is not ours is left alone', async () => {
    const id = await virsh('h2', 'domid', vm.id);
    const foreign = 'ffffffff-1111-4222-8333-444444444444';
    const xml = `<domain type='qemu'><name>foreign</name><uuid>${foreign}</uuid><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='pc'>hvm</type></os></domain>`;
    const file = join(lab.cloud.state, 'foreign.xml');
    await writeFile(file, xml);
    await virsh('h2', 'create', '--paused', file);
    try {
      const { lost } = await lab.wire.outage(near, vm.address, async () => {
        await kill('h2', 'agent');
        await kill('h2', 'libvirtd');
        await eventually(
          'libvirt answers again',
          async () => ((await tryVirsh('h2', 'list')).code === 0 ? true : undefined),
          20_000,
        );
        // A change that the new agent has to make by looking at what is there.
        await lab.tenant.call('addNicToVirtualMachine', { virtualmachineid: vm.id, networkid: second });
      });
      // Half a second without either would be 25 pings. One is lost now and then where the guest's processor is emulated and no core is free.
      assert.ok(lost <= 1, `${lost} pings lost`);
      assert.equal(await virsh('h2', 'domid', vm.id), id);
      assert.equal([...(await virsh('h2', 'domiflist', vm.id)).matchAll(/bridge/g)].length, 2);
      assert.equal((await virsh('h2', 'domstate', foreign)).trim(), 'paused');
    } finally {
      await virsh('h2', 'destroy', foreign);
    }
  });

  test('migrated while it runs: it answers from the other hypervisor after a moment, and nothing is left behind', async (t) => {
    const admin = lab.cloud.as('admin');
    const hosts = rows(await admin('listHosts', { type: 'Routing' }), 'host');
    const hostid = text(
      hosts.find((host) => text(host, 'name') === 'h3'),
      'id',
    );
    const since = Date.now();
    const { gapMs, lost, sent } = await lab.wire.outage(
      near,
      vm.address,
      () => admin('migrateVirtualMachine', { virtualmachineid: vm.id, hostid }),
      10,
    );
    t.diagnostic(`migrated in ${Date.now() - since} ms; ${lost} of ${sent} pings lost, longest gap ${gapMs} ms`);
    // Some 0.2 s where a processor is free for it; this guest's own is emulated.
    assert.ok(gapMs < 3000, `${gapMs} ms`);
    assert.equal((await virsh('h3', 'domstate', vm.id)).trim(), 'running');
    assert.equal(await virsh('h2', 'list', '--all', '--name'), '');
    assert.deepEqual(await ports('h2'), []);
    assert.equal((await ports('h3')).length, 2);
    const shown = rows(await admin('listVirtualMachines', { id: vm.id }), 'virtualmachine')[0];
    assert.deepEqual([text(shown, 'hostname'), text(shown, 'state')], ['h3', 'Running']);
    await eventually("the visitor is h3's own now", async () =>
      /Persistent: +no/.test(await virsh('h3', 'dominfo', vm.id)) ? true : undefined,
    );
  });

  test('destroyed and expunged, nothing of it is left: no domain, no port, no file', async () => {
    const folder = join(lab.cloud.state, 'lab/instances', vm.id);
    assert.ok(existsSync(join(folder, 'seed.iso')));
    await lab.cloud.as('admin')('destroyVirtualMachine', { id: vm.id, expunge: 'true' });
    for (const node of ['h2', 'h3']) {
      assert.equal(await virsh(node, 'list', '--all', '--name'), '');
      assert.deepEqual(await ports(node), []);
    }
    assert.deepEqual([existsSync(folder), existsSync(`${folder}.json`)], [false, false]);
  });
});

const tryVirsh = (node: string, ...args: string[]): Promise<RunResult> =>
  tryRun(['virsh', '-q', '-c', libvirtUri(lab.cloud.state, node), ...args]);

async function virsh(node: string, ...args: string[]): Promise<string> {
  const { stdout } = await run(['virsh', '-q', '-c', libvirtUri(lab.cloud.state, node), ...args]);
  return stdout.trim();
}

/** Names of the instances' ports on a hypervisor's bridge. */
async function ports(node: string): Promise<string[]> {
  const database = `unix:${lab.cloud.state}/lab/${node}/db.sock`;
  const { stdout } = await run(['ovs-vsctl', `--db=${database}`, 'list-ports', 'br-int']);
  return stdout.split('\n').filter((name) => /^v[0-9a-f]{12}$/.test(name));
}

/** SSH from the neighbour into the virtual machine. */
function login(password: string, command: string): Promise<RunResult> {
  return lab.exec(near, 'env', `DROPBEAR_PASSWORD=${password}`, 'ssh', '-y', '-y', `root@${vm.address}`, command);
}

/** Kills a daemon of a lab node; the lab starts it again. */
async function kill(node: string, name: string): Promise<void> {
  const { processes } = await labStatus(lab.cloud.state);
  const pid = processes.find((each) => each.node === node && each.name === name)?.pid;
  assert.ok(pid, `${name} runs on ${node}`);
  process.kill(pid, 'SIGKILL');
}
