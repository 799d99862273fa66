// The second half of story 11: what a router's machine would have to be there for. A helper that cannot start, a restart, a router that is
// stopped, a gateway node that is lost.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { rows, text } from '../../src/demo/answer.ts';
import { type PublicAddress, under } from '../../src/demo/public-side.ts';
import type { World } from '../../src/demo/story.ts';
import type { Guest, Tenant } from '../../src/demo/tenant.ts';
import { whoAnswers } from '../../src/demo/web-server.ts';
import { labPaths } from '../../src/lab/layout.ts';

const HAPROXY = '/usr/sbin/haproxy';
/** What an agent's log says of a helper that it cannot start. */
const CANNOT = /"target":"(gateway helper[^"]*)","err":"([^"]*haproxy[^"]*)"/;

/** The story's VPC, with an instance in each of its tiers, on two hypervisors. */
export interface Shop {
  readonly world: World;
  readonly tenant: Tenant;
  readonly vpcid: string;
  readonly web1: Guest;
  /** The one in tier db. */
  readonly base: Guest;
}

/** A row of listRouters: a distributed router, and the node that carries its way out. */
export interface Router {
  readonly id: string;
  readonly hostname: string;
  readonly state: string;
  readonly version: string;
}

/** The one row that listRouters shows of the VPC. */
export async function routerOf({ world, vpcid }: Shop): Promise<Router> {
  const listed = rows(await world.operator('listRouters', { vpcid, listall: 'true' }), 'router');
  if (listed.length !== 1) throw new Error(`listRouters shows ${listed.length} rows: ${JSON.stringify(listed)}`);
  return listed[0] as unknown as Router;
}

/** Least connections are counted by haproxy beside the gateway, in a helper: which cannot start while its program is not there. */
export async function helperFails(scene: Shop, assign: () => Promise<object>, address: string): Promise<void> {
  const { world } = scene;
  const { hostname } = await routerOf(scene);
  const log = join(labPaths(world.state).node(hostname), 'agent.log');
  await world.exec(hostname, ['mount', '--bind', '/dev/null', HAPROXY]);
  let done = false;
  const job = assign().then(() => (done = true));
  job.catch(() => undefined); // it is heard below
  try {
    const found = async (): Promise<RegExpExecArray | undefined> => CANNOT.exec(readFileSync(log, 'utf8')) ?? undefined;
    const said = await world.waitFor('the agent saying that it cannot', found);
    world.say(`       ${hostname}'s log: ${said[1]}: "${said[2]}"`);
    world.expect('helper: haproxy cannot start: it is said where and why, and the job does not end', !done);
  } finally {
    await world.exec(hostname, ['umount', HAPROXY]);
  }
  await job;
  const who = await whoAnswers(world, 'outside', address);
  world.expect('helper: when it can again, the job ends, and the rule works', who !== undefined, who);
}

/** A restart that loses packets loses them each time; a machine without a free core loses one now and then by itself. */
const RESTARTS = 3;

/** Restarts the VPC under pings inside and from outside. */
export async function restarted({ world, tenant, vpcid, web1, base }: Shop, own: PublicAddress): Promise<void> {
  const restart = (): Promise<object> => tenant.call('restartVPC', { id: vpcid, cleanup: 'true' });
  const once = async () => {
    const { inside, outside } = await under(world, [web1, base], own, restart);
    const told = `inside ${inside.lost} of ${inside.sent} pings lost, outside ${outside.lost} of ${outside.sent}`;
    world.say(`restartVPC cleanup=true: ${told}`);
    return { inside, told };
  };
  let { inside, told } = await once();
  for (let i = 1; i < RESTARTS && inside.lost > 0; i++) ({ inside, told } = await once());
  world.expect('restart: 200 pings a second inside, and not one is lost', inside.lost === 0, told);
}

/** On a machine without a free core BFD loses sight of gateways that are well: they are in Alert then, for some ten seconds. */
async function gatewaysWell(world: World): Promise<void> {
  const well = async (): Promise<boolean> => {
    const hosts = rows(await world.operator('listHosts', {}), 'host');
    return hosts.filter((host) => text(host, 'name').startsWith('gw')).every((host) => text(host, 'state') === 'Up');
  };
  await world.waitFor('both gateway nodes being well', well, 60_000);
}

/** Stops the router where it is carried, and starts it again. */
export async function stopped(scene: Shop, own: PublicAddress): Promise<void> {
  const { world, web1, base } = scene;
  await gatewaysWell(world);
  const { id, hostname } = await routerOf(scene);
  const stop = (): Promise<object> => world.operator('stopRouter', { id });
  const { inside, outside } = await under(world, [web1, base], own, stop);
  const { state } = await routerOf(scene);
  const told = `inside ${inside.lost} of ${inside.sent} pings lost, outside ${outside.gapMs} ms between two answers`;
  world.say(`stopRouter on ${hostname}: ${state}; ${told}`);
  const held = state === 'Stopped' && outside.recovered && outside.gapMs < 5_000 && inside.lost === 0;
  world.expect('stop: another node carries the way out, and inside nothing is lost', held, told);
  // A node that has just lost what it carried is in Alert, and not started before it is well.
  const start = (): Promise<boolean> =>
    world.operator('startRouter', { id }).then(
      () => true,
      () => false,
    );
  await world.waitFor(`the router on ${hostname} being started again`, start, 40_000);
}

/** The node that carries the way out loses its power; then nobody is left who could take over from the other. */
export async function gatewayLost(scene: Shop, own: PublicAddress): Promise<void> {
  const { world } = scene;
  await gatewaysWell(world);
  const { hostname } = await routerOf(scene);
  const lost = await world.outage('outside', own.ip, () => world.lab.perform('power-off', hostname), 100);
  const told = `${lost.gapMs} ms between two answers, ${lost.lost} of ${lost.sent} pings lost`;
  world.say(`${hostname} has lost its power: outside ${told}`);
  world.expect('a gateway node lost: another takes over', lost.recovered && lost.gapMs < 10_000, told);
  const elsewhere = async (): Promise<Router | false> => {
    const now = await routerOf(scene);
    return now.hostname !== hostname && now;
  };
  const unwell = async (): Promise<boolean> => {
    const [host] = rows(await world.operator('listHosts', { name: hostname }), 'host');
    return text(host, 'state') !== 'Up';
  };
  await world.waitFor(`${hostname} not being Up any more`, unwell, 45_000);
  const now = await world.waitFor('listRouters showing another node', elsewhere, 20_000);
  await world.refused(
    'no gateway node left: the last one is not stopped, and it is said why',
    () => world.operator('stopRouter', { id: now.id }),
    new RegExp(`no other node could carry its way out.*${hostname}.*Start another gateway node`),
  );
  await world.lab.perform('power-on', hostname);
}
