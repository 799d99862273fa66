// Ansible's CloudStack modules as Debian ships them: a playbook with a whole tenant's life, from his domain to its removal, over real packets.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { suite, test } from 'node:test';
import { rows, text } from '../../src/demo/answer.ts';
import { type LabCloud, cloudForSuite } from '../support/tenant-lab.ts';
import { labCommand, nothingLeft, play } from './tenant.ts';

const PLAYBOOK = new URL('ansible-tenant.yml', import.meta.url).pathname;
const MODULES = '/usr/lib/python3/dist-packages/ansible_collections/ngine_io/cloudstack';
const missing =
  (!existsSync('/usr/bin/ansible-playbook') || !existsSync(MODULES)) &&
  'ansible with its CloudStack modules is not installed';

suite('Ansible over real packets', { skip: missing }, () => {
  let lab: LabCloud;
  cloudForSuite(
    (started) => {
      lab = started;
    },
    { topology: 'region' },
  );

  test('a playbook takes a tenant in, builds all he can have, uses it, and leaves nothing', async () => {
    const vars = { lab_exec: labCommand(lab) };
    const argv = ['/usr/bin/ansible-playbook', '-i', 'localhost,', '-c', 'local', '-e', JSON.stringify(vars)] as const;
    const { code, stdout, stderr } = await play(lab, [...argv, PLAYBOOK], lab.cloud.access.accounts['admin']!, {
      ANSIBLE_PYTHON_INTERPRETER: '/usr/bin/python3',
      ANSIBLE_HOME: `${lab.cloud.state}/ansible`,
      ANSIBLE_LOCAL_TEMP: `${lab.cloud.state}/ansible/tmp`,
      ANSIBLE_REMOTE_TEMP: `${lab.cloud.state}/ansible/remote`,
      ANSIBLE_PIPELINING: 'true',
      ANSIBLE_NOCOLOR: 'true',
    });
    assert.equal(code, 0, `${stdout}\n${stderr}`);
    assert.match(stdout, /^localhost +: ok=\d+ +changed=\d+ +unreachable=0 +failed=0 /m);
    await nothingLeft(lab);
    const domains = rows(await lab.cloud.as('admin')('listDomains', { listall: 'true' }), 'domain');
    assert.ok(!domains.some((row) => text(row, 'name') === 'umbrella'), 'the tenant itself is gone');
  });
});
