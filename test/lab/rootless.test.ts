// The demo for who is not root: in an unprivileged user namespace it plays its story as it does for root; where the kernel
// refuses that, it says what to do. Run by root, the test becomes nobody.
import assert from 'node:assert/strict';
import { chownSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { CHECKOUT } from '../../src/lab/layout.ts';
import { tryRun } from '../../src/lib/run.ts';
import { temporaryState } from '../support/lab.ts';

const NOBODY = 65_534;
const asUser: readonly string[] =
  process.getuid?.() === 0
    ? ['setpriv', '--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups', '--']
    : [];

test('./demo --once without root holds every expectation, or says why it cannot and what would help', async (t) => {
  const readable = await tryRun([...asUser, 'test', '-r', join(CHECKOUT, 'node_modules/kysely/package.json')]);
  if (readable.code !== 0) return t.skip(`${CHECKOUT} is closed to other users`);
  const home = temporaryState(t);
  if (asUser.length > 0) chownSync(home, NOBODY, NOBODY);
  const state = join(home, 'state');
  const allowed = (await tryRun([...asUser, 'unshare', '--user', '--map-root-user', 'true'])).code === 0;
  const { code, stdout, stderr } = await tryRun(
    [...asUser, join(CHECKOUT, 'demo'), '--once', '--state', state, '--port', '0'],
    { timeoutMs: 120_000, env: { HOME: home } },
  );
  const said = `${stdout}\n${stderr}`;
  assert.ok(!existsSync(state), 'nothing is left');
  if (!allowed) {
    assert.notEqual(code, 0);
    assert.match(said, /refuses this user a user namespace.*run it as root, with sudo/);
    return;
  }
  assert.equal(code, 0, said);
  assert.match(said, /after: all six directions ping, the first packet included/);
  assert.match(said, /\b(\d+) of \1 expectations held/);
  assert.match(said, /instances have no SSH/, 'what is missing without root is said');
});
