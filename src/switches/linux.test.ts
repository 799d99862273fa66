// The driver of Linux switches over a real SSH server, with programs that stand in for iproute2's: what is recorded when a switch refuses half of
// a change, or is lost in the middle of it. What the commands do to a real bridge is tested in the lab.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { silentLog } from '../lib/log.ts';
import { type Review, reviewSwitch } from './review.ts';
import { closeSsh } from './ssh.ts';
import { type TestSshServer, startSshServer } from './sshd.test-support.ts';
import { access, documentOf } from './switch.test-support.ts';

const IP = `case "$*" in
  *'show dev br0') echo '[{"ifname":"br0","linkinfo":{"info_kind":"bridge","info_data":{"vlan_filtering":1}}}]' ;;
  *) echo '[{"ifname":"p1","operstate":"UP"},{"ifname":"p2","operstate":"UP"}]' ;;
esac`;
/** Its ports are in no VLAN; it has no room for VLAN 77, and goes away when asked for VLAN 88. */
const BRIDGE = `case "$*" in
  '-j '*) ;;
  *'vid 77 '*) echo 'RTNETLINK answers: No space left on device' >&2; exit 2 ;;
  *'vid 88 '*) kill $PPID ;;
  *) echo "$*" >> "$(dirname "$0")/done" ;;
esac`;

let server: TestSshServer;
before(async () => {
  // Its programs are those in the server's own folder.
  server = await startSshServer(({ directory }) => [
    `ForceCommand sed 's#PATH=[^ ]*#PATH=${directory}:/usr/bin:/bin#' | sh`,
  ]);
  for (const [name, script] of Object.entries({ ip: IP, bridge: BRIDGE }))
    writeFileSync(join(server.directory, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
});
after(async () => {
  await closeSsh();
  await server.stop();
});

function review(first: number, second: number): Promise<Review> {
  const { address, user, hostKey, privateKey } = server;
  const login = { address, options: { user, hostKey, bridge: 'br0', sudo: false }, secret: { privateKey } };
  const document = documentOf([access('p1', first), access('p2', second)], { driver: 'linux', ...login });
  return reviewSwitch(document, { apply: true, log: silentLog() });
}

const add = (port: string, vlan: number): string => `bridge vlan add dev ${port} vid ${vlan} pvid untagged`;
const linesOf = ({ steps }: Review): string[] => steps.map(({ argv }) => argv.join(' '));

test('reviewSwitch() gives the steps that ran before one that the switch refused', async () => {
  const reviewed = await review(55, 77);
  assert.match(reviewed.report.error!, /setting ports: "bridge vlan add dev p2 .*" failed there: .*No space left/);
  assert.deepEqual(linesOf(reviewed), [add('p1', 55)]);
  assert.equal(readFileSync(join(server.directory, 'done'), 'utf8'), `${add('p1', 55).replace(/^bridge /, '')}\n`);
  assert.deepEqual(linesOf(await review(77, 55)), [], 'the first was refused: nothing ran');
});

test('reviewSwitch() gives all steps that may have run where the connection was lost', async () => {
  const reviewed = await review(88, 56);
  assert.match(reviewed.report.error!, /setting ports: the connection was lost in the middle/);
  assert.deepEqual(linesOf(reviewed), [add('p1', 88), add('p2', 56)]);
});

test('reviewSwitch() gives the steps that ran where the switch does not do what it says', async () => {
  const reviewed = await review(55, 56);
  assert.match(reviewed.report.error!, /it said yes and did not do it: port p1 .*; .*port p2/);
  assert.deepEqual(linesOf(reviewed), [add('p1', 55), add('p2', 56)]);
});
