// The address of a device in a network: proposed or wanted, checked against the network's CIDR and everybody who has one there.
// Unlike instances' addresses it may lie outside the range that is handed out: that is what such ranges leave room for.
import { refuse } from '../../api/error.ts';
import { cidr, formatIp, lengthOfNetmask, parseIp, usable } from '../../lib/ip.ts';
import { allocateAddress } from '../../store/allocate.ts';
import type { Tables } from '../../store/schema.ts';
import { asRefusal } from '../network/network-segment.ts';
import type { Room, WriteRoom } from '../room.ts';

type Network = Tables['network'];

export interface AddressWish {
  /** `10.1.1.10` or `10.1.1.10/24`. */
  readonly ipaddress?: string | undefined;
  readonly netmask?: string | undefined;
  readonly isgateway: boolean;
}

/** Reserves the device's address and gives it; null in a network without addresses. `member` is the id it is reserved for. */
export async function reserveAddress(
  room: WriteRoom,
  network: Network,
  wish: AddressWish,
  member: string,
): Promise<string | null> {
  if (network.cidr === null) {
    if (wish.ipaddress === undefined) return null;
    throw refuse(
      'parameter',
      `Network ${network.name} has no addresses (type ${network.guesttype}): leave ipaddress out and set it at the device`,
    );
  }
  const wanted = readWish(network, network.cidr, wish);
  if (wanted === undefined) {
    try {
      return await allocateAddress(room.tx, network, undefined, 'member', member);
    } catch (error) {
      throw asRefusal(
        error,
        'capacity',
        (text) =>
          `No address for the device: ${text}. Give one outside of the range that is handed out, if there is one`,
      );
    }
  }
  await refuseTaken(room, network, wanted);
  await room.tx.db
    .insertInto('address')
    .values({ network: network.id, ip: wanted, kind: 'member', owner: member })
    .execute();
  return wanted;
}

function readWish(network: Network, networkCidr: string, wish: AddressWish): string | undefined {
  const { ipaddress, isgateway } = wish;
  const gateway = network.gateway ?? undefined;
  if (ipaddress === undefined) return isgateway ? gateway : undefined;
  const [text = '', lengthText] = ipaddress.split('/');
  const address = parseIp(text);
  const prefix = cidr(networkCidr);
  if (address === undefined || !/^[0-9]{0,2}$/.test(lengthText ?? ''))
    throw refuse('parameter', `Invalid ipaddress ${ipaddress}: write it like 10.1.1.10 or 10.1.1.10/${prefix.length}`);
  const length = wish.netmask === undefined ? undefined : lengthOfNetmask(wish.netmask);
  if (wish.netmask !== undefined && length === undefined)
    throw refuse('parameter', `Invalid netmask ${wish.netmask}: write it like 255.255.255.0`);
  for (const given of [lengthText === undefined || lengthText === '' ? undefined : Number(lengthText), length]) {
    if (given !== undefined && given !== prefix.length) {
      throw refuse(
        'parameter',
        `A /${given} does not fit network ${network.name}, which is ${networkCidr}: with another prefix the device would look for its neighbours in the wrong place. Set /${prefix.length} at the device`,
      );
    }
  }
  if (!usable(prefix, address)) {
    throw refuse(
      'parameter',
      `${text} is no member's address of network ${network.name}, whose CIDR is ${networkCidr}: its neighbours would never answer it`,
    );
  }
  const formatted = formatIp(address);
  if (isgateway && gateway !== undefined && formatted !== gateway) {
    throw refuse(
      'parameter',
      `The gateway of network ${network.name} is ${gateway}, the device would have ${formatted}: give ipaddress=${gateway}, or leave ipaddress out`,
    );
  }
  if (!isgateway && formatted === gateway) {
    throw refuse(
      'parameter',
      `${formatted} is the gateway's address of network ${network.name}: give isgateway=true if the device is to be the gateway, else another address`,
    );
  }
  return formatted;
}

async function refuseTaken(room: Room, network: Network, wanted: string): Promise<void> {
  const row = await room.db
    .selectFrom('address')
    .select(['kind', 'owner'])
    .where('network', '=', network.id)
    .where('ip', '=', wanted)
    .executeTakeFirst();
  if (row === undefined) return;
  throw refuse(
    'parameter',
    `${wanted} is in use in network ${network.name} by ${await holderOf(room, row.kind, row.owner)}. Leave ipaddress out to be given a free one`,
  );
}

/** Who has an address, as far as the caller may know. */
async function holderOf(room: Room, kind: string, owner: string): Promise<string> {
  const { role, accountId, domainId } = room.call.caller;
  const known = (row: { readonly account: string; readonly domain: string } | undefined): boolean =>
    row !== undefined &&
    (role === 'admin' || row.account === accountId || (role !== 'user' && row.domain === domainId));
  const instance = await room.db
    .selectFrom('nic')
    .innerJoin('instance', 'instance.id', 'nic.instance')
    .leftJoin('nicaddress', 'nicaddress.nic', 'nic.id')
    .select(['instance.displayname', 'instance.account', 'instance.domain'])
    .where((eb) => eb.or([eb('nic.id', '=', owner), eb('nicaddress.id', '=', owner)]))
    .executeTakeFirst();
  if (instance !== undefined) return known(instance) ? `instance ${instance.displayname}` : 'an instance';
  const device = await room.db
    .selectFrom('member')
    .innerJoin('device', 'device.id', 'member.device')
    .select(['device.name', 'device.account', 'device.domain', 'member.state'])
    .where('member.id', '=', owner)
    .executeTakeFirst();
  if (device !== undefined) {
    const name = known(device) ? `device ${device.name}` : 'a device';
    return device.state === 'Detaching' ? `${name}, which is being detached` : name;
  }
  return (
    { gateway: 'a private gateway', router: 'a router', reserved: 'nobody: it is reserved' }[kind] ?? 'somebody else'
  );
}
