// An instance that is a namespace moves to another hypervisor (issue 3, E and F): not while it runs, but with its files and its address,
// and it is never on both.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { rows, text } from '../../src/demo/answer.ts';
import { readInstances } from '../../src/lab/exec.ts';
import { cloudForSuite, type Guest, type LabCloud } from '../support/tenant-lab.ts';

let lab: LabCloud;
let near: Guest;
let walker: Guest;
const hosts = new Map<string, string>();

describe('moving instances that are namespaces', () => {
  cloudForSuite(async (made) => {
    lab = made;
    const tier = await lab.tenant.tier(await lab.tenant.vpc('v', '10.1.0.0/16'), '10.1.1.1', 'default_allow');
    near = await lab.tenant.instance('near', tier, 'h2');
    walker = await lab.tenant.instance('walker', tier, 'h1');
    const found = rows(await lab.cloud.as('admin')('listHosts', { type: 'Routing' }), 'host');
    for (const host of found) hosts.set(text(host, 'name'), text(host, 'id'));
  });

  test('it answers from its new place with the files it had, and nothing of it is left at the old one', async (t) => {
    await lab.exec(walker, 'sh', '-c', 'echo kept > /root/file');
    const { gapMs } = await lab.wire.outage(near, walker.address, () => migrate('h3'));
    t.diagnostic(`longest gap ${gapMs} ms`);
    assert.ok(gapMs < 10_000, `${gapMs} ms`);
    assert.ok(await lab.ping(near, walker));
    assert.equal((await lab.exec(walker, 'cat', '/root/file')).stdout, 'kept\n');
    assert.equal(readInstances(lab.cloud.state).find(({ id }) => id === walker.id)?.host, 'h3');
    assert.deepEqual(await ports('h1'), []);
    assert.equal((await ports('h3')).length, 1);
  });

  test('moved back and forth, it ends where it was wanted last, once', async () => {
    await migrate('h1');
    await migrate('h3');
    assert.ok(await lab.ping(near, walker));
    assert.deepEqual(await ports('h1'), []);
    assert.equal((await lab.exec(walker, 'cat', '/root/file')).stdout, 'kept\n');
    const { stdout } = await lab.cloud.lab.exec('h1', ['ls', '/run/netns']);
    assert.equal(stdout.split('\n').filter((name) => name === `i-${walker.id.slice(0, 8)}`).length, 1);
  });
});

function migrate(host: string): Promise<object> {
  return lab.cloud.as('admin')('migrateVirtualMachine', { virtualmachineid: walker.id, hostid: hosts.get(host)! });
}

/** Names of the instance's ports on a hypervisor's bridge. */
async function ports(node: string): Promise<string[]> {
  const argv = [
    'ovs-vsctl',
    `--db=unix:${lab.cloud.state}/lab/${node}/db.sock`,
    '--bare',
    '--columns=name',
    'find',
    'Interface',
    `external_ids:vm-id=${walker.id}`,
  ];
  const { stdout } = await lab.cloud.lab.exec(node, argv);
  return stdout.split('\n').filter((line) => line !== '');
}
