// Where remote access can be: which addresses lead into a VPC or network that offers it, how many, and which range is its clients'.
import { refuse } from '../../api/error.ts';
import type { Cidr } from '../../lib/ip.ts';
import { offers } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { existing } from '../access.ts';
import type { PublicIp } from '../public/public-ip-view.ts';
import { isByOvn } from '../public/public-service.ts';
import type { Room } from '../room.ts';
import {
  MOST_OTHERS,
  type Place,
  addressesAt,
  behindUsers,
  clashOf,
  freeRange,
  occupiedAt,
  rangeText,
  rangesOf,
  readClientRange,
} from './vpn-place.ts';
import type { AccessKind } from './vpn-ports.ts';

const KINDS: readonly AccessKind[] = ['openvpn', 'wireguard', 'ikev2'];

/** The kind that is asked for. */
export function readKind(text: string | undefined): AccessKind {
  if (text === undefined) return 'openvpn';
  const kind = KINDS.find((one) => one === text.toLowerCase());
  if (kind !== undefined) return kind;
  const l2tp = text.toLowerCase().startsWith('l2tp');
  throw refuse(
    'parameter',
    l2tp
      ? 'L2TP is not offered: it is protected by one key that all clients share. Take ikev2, which the same phones and desktops bring with them'
      : `Invalid kind ${text}: it can be ${KINDS.join(', ')}`,
  );
}

/** The VPC or network an address is of, if a VPN can lead into it. */
export async function placeOf(room: Room, address: PublicIp): Promise<Place & { readonly row?: Tables['network'] }> {
  if (address.vpc !== null) {
    const vpc = await room.db.selectFrom('vpc').selectAll().where('id', '=', address.vpc).executeTakeFirstOrThrow();
    const offering = await existing(room, 'vpcoffering', vpc.offering, 'vpcofferingid');
    if (!offers(offering, 'Vpn'))
      throw refuse(
        'parameter',
        `Vpn service is not supported in vpc id=${vpc.id}: VPC ${vpc.name} is of offering ${offering.name}. Use an offering with Vpn`,
      );
    return { vpc: vpc.id, network: null };
  }
  if (address.network === null)
    throw refuse(
      'parameter',
      `The Ip address is not ready to be used yet: ${address.ip}: it leads to no network and no VPC. Acquire one with networkid or vpcid`,
    );
  const network = await room.db
    .selectFrom('network')
    .selectAll()
    .where('id', '=', address.network)
    .executeTakeFirstOrThrow();
  const offering = await room.db
    .selectFrom('networkoffering')
    .selectAll()
    .where('id', '=', network.offering)
    .executeTakeFirstOrThrow();
  if (!offers(offering, 'Vpn') || !isByOvn(offering))
    throw refuse(
      'parameter',
      `Vpn service is not supported in network id=${network.id}: network ${network.name} is of offering ${offering.name}${isByOvn(offering) ? '' : ', and router nodes route for it'}. Use an offering with Vpn by OVN, or put a VPN device into the network (attachDevice)`,
    );
  return { vpc: null, network: network.id, row: network };
}

/** Refuses a second VPN of a kind at an address. */
export async function refuseSecond(room: Room, address: PublicIp, kind: AccessKind): Promise<void> {
  const other = await room.db
    .selectFrom('remotevpn')
    .select('id')
    .where('publicip', '=', address.id)
    .where('kind', '=', kind)
    .executeTakeFirst();
  if (other === undefined) return;
  throw refuse(
    'parameter',
    `A Remote Access VPN already exists for this public Ip address: ${address.ip} has ${other.id} by ${kind}. Another kind can stand beside it (kind=${KINDS.filter((one) => one !== kind).join(' or kind=')})`,
  );
}

/** Refuses more addresses with VPNs than the helper has; the source NAT address always has a place. */
export async function refuseSixth({ db }: Room, address: PublicIp, place: Place): Promise<void> {
  if (address.issourcenat === 1) return;
  const used = (await addressesAt(db, place)).filter((one) => one.issourcenat === 0);
  if (used.some(({ id }) => id === address.id) || used.length < MOST_OTHERS) return;
  throw refuse(
    'parameter',
    `Unable to create remote access VPN at ${address.ip}: VPNs can be at ${MOST_OTHERS + 1} public addresses of a VPC or network, its source NAT address among them. Use one that has a VPN already, with another kind or port`,
  );
}

/** The range that is asked for, or a free one. */
export async function rangeAt(
  room: Room,
  place: Place,
  address: PublicIp,
  want: { readonly iprange?: string | undefined; readonly cidr?: string | undefined },
): Promise<Cidr> {
  const occupied = [...(await occupiedAt(room.db, place)), ...(await behindUsers(room.db, address.account))];
  const range = readClientRange(want);
  // A range of its own among all VPNs of the account: clients may be in several, and VPCs give each other routes back to them.
  if (range === undefined) return freeRange([...occupied, ...(await rangesOf(room.db, address.account))]);
  const clash = clashOf(occupied, range);
  if (clash === undefined) return range;
  throw refuse(
    'parameter',
    `Invalid ip range: ${want.iprange ?? want.cidr} overlaps with guest ip range ${rangeText(clash.prefix)}: that is ${clash.what}. Choose another, or leave it out`,
  );
}
