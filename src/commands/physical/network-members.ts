// What a network that is to be deleted still holds of devices. Apart, because the network's own room asks it and knows no device.
import { refuse } from '../../api/error.ts';
import type { Tables } from '../../store/schema.ts';
import type { Room } from '../room.ts';

/** Refuses to delete a network that devices are in, and names them. */
export async function refuseMembers(room: Room, network: Tables['network']): Promise<void> {
  const members = await room.db
    .selectFrom('member')
    .innerJoin('device', 'device.id', 'member.device')
    .select(['device.name', 'member.state'])
    .where('member.network', '=', network.id)
    .orderBy('device.name')
    .execute();
  if (members.length === 0) return;
  const names = members
    .slice(0, 5)
    .map(({ name, state }) => (state === 'Detaching' ? `${name} (being detached)` : name));
  throw refuse(
    'failed',
    `Can't delete network ${network.name} as ${members.length === 1 ? '1 device is' : `${members.length} devices are`} in it: ${names.join(', ')}${members.length > names.length ? ` and ${members.length - names.length} more` : ''}. Detach them first (detachDevice)`,
  );
}
