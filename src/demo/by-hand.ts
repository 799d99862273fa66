// What a person does at the machines themselves, in networks where nobody does it for him: addresses without DHCP. Apart from the
// stories, since every network without a router begins with it.
import { text } from './answer.ts';
import type { Guest, World } from './story.ts';
import type { Place } from './wire.ts';

/** Sets an address (a /24) at a device of a node or guest. Throws what `ip` said instead. */
export async function setAddress(world: World, where: Place, address: string, device = 'eth0'): Promise<void> {
  const { code, stderr } = await world.exec(where, ['ip', 'address', 'add', `${address}/24`, 'dev', device]);
  if (code !== 0) throw new Error(`${address} cannot be set: ${stderr.trim()}`);
}

/** The MAC address of a device of a node. */
export async function macAt(world: World, where: Place, device = 'eth0'): Promise<string> {
  const { stdout } = await world.inNetwork(where, ['ip', '-json', 'link', 'show', device]);
  return text((JSON.parse(stdout) as object[])[0], 'address');
}

/** Waits until instances of an earlier run are there again, which agents see to after the lab's start, and sets their addresses. */
export async function resume(world: World, guests: readonly Guest[]): Promise<void> {
  const again = (guest: Guest): Promise<boolean> =>
    setAddress(world, guest, guest.address).then(
      () => true,
      () => false,
    );
  await Promise.all(
    guests.map((guest) => world.waitFor(`${guest.name} being there again`, () => again(guest), 60_000)),
  );
}
