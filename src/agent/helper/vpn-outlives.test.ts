// The agent ends in the middle of a packet, by SIGKILL and with its whole process group: tunnels run on as if nobody had been there, and
// the next agent takes them over as they are.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import type { VpnJob } from '../../protocol/helper.ts';
import { createOpenVpn, PASSWORD } from './openvpn-world.test-support.ts';
import { planVpns } from './vpn.ts';
import type { AgentFile } from './vpn-agent.test-support.ts';
import { createVpnWorld, TIER, uuid, type VpnWorld } from './vpn-world.test-support.ts';
import { createWireGuard } from './wireguard-world.test-support.ts';

const isRoot = process.getuid?.() === 0;

/** Has another process make these true; how it is ended. */
async function settleApart(world: VpnWorld, vpns: readonly VpnJob[]): Promise<() => void> {
  const { context, netns, home } = world;
  const file: AgentFile = { spec: world.helper(vpns), context, netns, home };
  const path = join(home, 'agent.json');
  await mkdir(context.directory, { recursive: true });
  await writeFile(path, JSON.stringify(file));
  const program = new URL('vpn-agent.test-support.ts', import.meta.url).pathname;
  const agent = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'], detached: true });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  agent.stdout.once('data', () => resolve());
  agent.once('exit', (code) => reject(new Error(`the agent ended with ${code}`)));
  await promise;
  agent.removeAllListeners('exit');
  return () => process.kill(-agent.pid!, 'SIGKILL');
}

test(
  'VPNs of a helper outlive the agent, and the next one takes them over without a step',
  { skip: !isRoot },
  async (t) => {
    const world = await createVpnWorld();
    t.after(() => world.close());
    const [openVpn, wireGuard] = [await createOpenVpn(world), await createWireGuard(world)];
    const ann = await openVpn.client(uuid(1), { username: 'ann', ip: '10.8.0.5', routes: [] });
    const bob = await wireGuard.client(uuid(2), '10.8.1.5', []);
    const vpns = [openVpn.job([ann]), wireGuard.job([bob])];
    const kill = await settleApart(world, vpns);
    await openVpn.start(ann, PASSWORD);
    await world.until('OpenVPN carries packets', () => world.pings(TIER, 'tunann'));
    await wireGuard.start(bob, ['10.1.1.0/24']);
    const device = `vx${world.key}`;
    await world.until('WireGuard carries packets', () => world.pings(TIER, device));
    const before = (await world.read()).processes;
    assert.ok(before.length >= 2, 'programs run');

    const flows = ['tunann', device].map((from) =>
      world.inClient('ping', '-i', '0.05', '-c', '60', '-W5', '-I', from, TIER),
    );
    kill();
    for (const flow of flows) assert.match((await flow).stdout, / 60 received/);

    const found = await world.read();
    assert.deepEqual(found.processes, before, 'the very same processes');
    const plan = planVpns(world.helper(vpns), found, true, world.netns, world.context);
    assert.deepEqual(plan, { steps: [], waits: [] });
    // It has them in hand as well.
    await world.settle([openVpn.job([]), wireGuard.job([bob])]);
    await world.until('ann is cut', async () => !(await world.pings(TIER, 'tunann')));
    assert.equal(await world.pings(TIER, device), true, 'bob is not');
  },
);
