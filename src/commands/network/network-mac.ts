// Which MAC addresses are somebody's in a network. Two cards with one address take each other's frames, so instances and devices
// ask here before one gets another.
import { sql } from 'kysely';
import { routerPortMac } from '../../model/ipv6.ts';
import type { Tables } from '../../store/schema.ts';
import type { Room } from '../room.ts';

type Place = Pick<Tables['network'], 'id' | 'gateway' | 'ip6gateway' | 'serviceip'>;

/** Whether an interface or a member in the network has this MAC address, or its router, or what the hypervisors serve there. */
export async function hasMac(room: Room, network: Place, mac: string): Promise<boolean> {
  // RFC 5798, 7.3: those of routers that share an address. No instance may take part in that.
  if (mac.startsWith('00:00:5e:00:01:') || mac.startsWith('00:00:5e:00:02:')) return true;
  return isTaken(room, network, mac, '');
}

/** The same for a device, whose own memberships do not count. It may be a router that shares an address with another. */
export async function hasMacBeside(room: Room, network: Place, mac: string, device: string): Promise<boolean> {
  return isTaken(room, network, mac, device);
}

async function isTaken(room: Room, network: Place, mac: string, device: string): Promise<boolean> {
  const ports = [network.gateway, network.ip6gateway, network.serviceip].filter((address) => address !== null);
  if (ports.some((address) => routerPortMac(network.id, address) === mac)) return true;
  const { rows } = await sql`
    select id from nic where network = ${network.id} and mac = ${mac}
    union all select id from member where network = ${network.id} and mac = ${mac} and device <> ${device} limit 1`.execute(
    room.db,
  );
  return rows.length > 0;
}
