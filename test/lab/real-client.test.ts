// A client that is not ours plays story 1 with real packets: python3-cs as Debian ships it, a domain admin's keys, pings by
// `trunkline lab exec`. The script is the one that test/clients plays without a network.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { CHECKOUT } from '../../src/lab/layout.ts';
import { readInstances } from '../../src/lab/exec.ts';
import { run, tryRun } from '../../src/lib/run.ts';
import { cloudForSuite, type LabCloud } from '../support/tenant-lab.ts';

let lab: LabCloud;

suite('a real client', () => {
  cloudForSuite((started) => {
    lab = started;
  });

  test('python3-cs connects three VPCs as domain admin, all six directions ping, the other tenant sees nothing, and nothing is left', async () => {
    const { access, state } = lab.cloud;
    const { 'acme-admin': acme, 'globex-admin': globex } = access.accounts;
    const { code, stdout, stderr } = await tryRun(['/usr/bin/python3', join(CHECKOUT, 'test/clients/story.py')], {
      timeoutMs: 150_000,
      env: {
        CLOUDSTACK_ENDPOINT: access.endpoint,
        CLOUDSTACK_KEY: acme!.apikey,
        CLOUDSTACK_SECRET: acme!.secretkey,
        OTHER_KEY: globex!.apikey,
        OTHER_SECRET: globex!.secretkey,
        STORY_EXEC: JSON.stringify([join(CHECKOUT, 'trunkline'), 'lab', 'exec', '--state', state]),
      },
    });
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    assert.equal(stdout.trim().split('\n').at(-1), 'PASS');
    assert.match(stdout, /^ok {3}after: all six directions ping, the first packet included$/m, 'it did ping');
    assert.match(stdout, /^ok {3}globex: cannot plug its VPC into acme's Private network$/m);
    for (const table of ['Logical_Switch', 'Logical_Router', 'Logical_Switch_Port', 'ACL']) {
      const argv = ['ovn-nbctl', `--db=${lab.cloud.lab.nb}`, '--bare', '--columns=name', 'find', table];
      const left = await run([...argv, 'external_ids:unit!=fabric']); // the hypervisors' own
      assert.equal(left.stdout.trim(), '', `${table} in OVN`);
    }
    assert.deepEqual(readInstances(state), []);
  });
});
