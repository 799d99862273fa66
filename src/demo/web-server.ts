// Small web servers in instances that say who they are, and whoever asks them: what tells stories of forwards and balancers apart.
import type { World } from './story.ts';
import type { Guest } from './tenant.ts';
import type { Place } from './wire.ts';

/** A web server in an instance that says the instance's name, at each of the ports; `/big` has so many bytes. */
export async function serveName(world: World, guest: Guest, ports: readonly number[], bytes = 0): Promise<void> {
  const page = 'mkdir -p /tmp/www && cd /tmp/www && hostname >index.html';
  const big = bytes === 0 ? [] : [`head -c ${bytes} /dev/zero >big`];
  const script = [page, ...big, ...ports.map((port) => `httpd -p ${port} -h /tmp/www`)].join(' && ');
  const { code, stderr } = await world.exec(guest, ['sh', '-c', script]);
  if (code !== 0) throw new Error(`no web server in ${guest.name}: ${stderr.trim()}`);
}

/** Who answers at `address` (with its port): the name, or undefined when nobody does within so many seconds. */
export async function whoAnswers(world: World, from: Place, address: string, seconds = 2): Promise<string | undefined> {
  // BusyBox's own, as the instances have it: its option for a time limit crashes in Debian 12.
  const argv = ['timeout', `${seconds}`, 'busybox', 'wget', '-q', '-O', '-', `http://${address}/`];
  const { code, stdout } = await world.exec(from, argv);
  return code === 0 ? stdout.trim() : undefined;
}

/** Expects the answer at `address` to come from `wanted`, or from nobody. */
export async function answersAs(
  world: World,
  promise: string,
  from: Place,
  address: string,
  wanted: string | undefined,
): Promise<void> {
  const who = await whoAnswers(world, from, address);
  world.expect(promise, who === wanted, `${address} was answered by ${who ?? 'nobody'}`);
}

/** Mbit/s at which one instance reads `/big` of another, which has so many bytes. Throws when it cannot within 30 seconds. */
export async function rateOf(world: World, reader: Guest, server: Guest, bytes: number): Promise<number> {
  const began = performance.now();
  const argv = ['timeout', '30', 'wget', '-q', '-O', '/dev/null', `http://${server.address}/big`];
  const { code } = await world.exec(reader, argv);
  if (code !== 0) throw new Error(`${reader.name} cannot read from ${server.name}`);
  return (bytes * 8) / 1000 / (performance.now() - began);
}
