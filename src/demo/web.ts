// Small web servers in instances, and questions to them from anywhere: how stories see to whom a public address leads. Apart from the
// wire, since it is what a person would type, with what every guest has.
import type { Guest, World } from './story.ts';
import type { Place } from './wire.ts';

/** Starts a web server in an instance that answers everybody with the instance's name. It ends with the instance. */
export async function serveName(world: World, guest: Guest, port: string): Promise<void> {
  const script = `mkdir -p /tmp/web; echo ${guest.name} > /tmp/web/index.html; httpd -p ${port} -h /tmp/web`;
  const { code, stderr } = await world.exec(guest, ['sh', '-c', script]);
  if (code !== 0) throw new Error(`${guest.name} serves nothing: ${stderr.trim()}`);
}

/** What a web server answers, without the line's end; empty where none answers in time. */
export async function askWeb(world: World, from: Place, address: string, port: string, seconds = 5): Promise<string> {
  const argv = ['timeout', `${seconds}`, 'busybox', 'wget', '-q', '-O', '-', `http://${address}:${port}/`];
  return (await world.inNetwork(from, argv)).stdout.trim();
}

/** Expects that nobody answers within a second. */
export async function noWeb(world: World, promise: string, from: Place, address: string, port: string): Promise<void> {
  const heard = await askWeb(world, from, address, port, 1);
  world.expect(promise, heard === '', `${heard} answered`);
}
