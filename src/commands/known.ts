// What commands may refer to: ids given as filters, zones that are open, network domain names, MAC addresses, and what nothing here
// can be told. Each unknown id is refused by the name of the parameter it came in.
import { refuse } from '../api/error.ts';
import { isUnicast, parseMac } from '../lib/mac.ts';
import type { Tables } from '../store/schema.ts';
import { type OwnedTable, existing, visible } from './access.ts';
import type { Owner } from './owner.ts';
import type { Room } from './room.ts';

/** Refuses the first parameter whose id is none the caller may see: `owned` says of which table each is. */
export async function knownIds<W extends object>(
  room: Room,
  want: W,
  owned: Partial<Record<keyof W & string, OwnedTable>>,
): Promise<void> {
  for (const [param, table] of Object.entries(owned) as [keyof W & string, OwnedTable][]) {
    const id = want[param];
    if (typeof id === 'string') await visible(room, table, id, param);
  }
}

/** The zone, if things may be made in it: root may use a disabled one, too. */
export async function openZone(room: Room, id: string, param = 'zoneid'): Promise<Tables['zone']> {
  const zone = await existing(room, 'zone', id, param);
  if (zone.allocationstate !== 'Enabled' && room.call.caller.role !== 'admin') {
    throw refuse(
      'permission',
      `Cannot perform this operation since specified Zone is currently disabled: ${zone.name}`,
    );
  }
  return zone;
}

const LABEL = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;

/** Refuses text that is no name of a network domain. */
export function checkNetworkDomain(name: string): void {
  if (name.length <= 190 && name.split('.').every((label) => LABEL.test(label))) return;
  throw refuse(
    'parameter',
    "Invalid network domain. Total length shouldn't exceed 190 chars. Each domain label must be between 1 and 63 characters long, can contain ASCII letters 'a' through 'z', the digits '0' through '9', and the hyphen ('-'); can't start or end with \"-\"",
  );
}

/** The network domain of what an owner makes without naming one: his account's, his domain's, the zone's, or one of his own. */
export function defaultNetworkDomain(owner: Owner, zone: Pick<Tables['zone'], 'networkdomain'>): string {
  const given = owner.account.networkdomain ?? owner.domain.networkdomain ?? zone.networkdomain;
  return given ?? `cs${owner.account.id.slice(0, 8)}.cloud.internal`;
}

/** The MAC address of one machine, in lower case with colons; refuses what is none. */
export function readMac(text: string): string {
  const mac = parseMac(text);
  if (mac === undefined)
    throw refuse('parameter', `Mac address is not valid: ${text.slice(0, 40)}. Write it like 52:54:00:12:34:56`);
  if (!isUnicast(mac))
    throw refuse('parameter', `Mac address is not valid: ${mac} is not unicast, so it is no address of one machine`);
  return mac;
}

/** What an update of an address or rule may say and cannot have. */
export function refuseHidden(want: {
  readonly fordisplay?: boolean | undefined;
  readonly customid?: string | undefined;
}): void {
  if (want.fordisplay === false)
    throw refuse('parameter', 'fordisplay=false is not offered: what an account has, it sees. Leave it out');
  if (want.customid !== undefined)
    throw refuse('parameter', 'customid is not offered: ids are given here. Leave it out');
}
