// What createNetwork asks before anything is made: whether offering, type, addresses and caller go together. In CloudStack's words;
// apart from network-create.ts because there is so much of it.
import { refuse } from '../../api/error.ts';
import { cidr } from '../../lib/ip.ts';
import { needsLinuxRouter, offers } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { readNumber } from '../../store/setting.ts';
import type { Room } from '../room.ts';
import { type Addresses, checkRfc1918, readAddresses } from './network-address.ts';
import { freeCidr } from './network-router.ts';

type Offering = Tables['networkoffering'];

/** The parameters of createNetwork that are checked here. */
export interface Want {
  readonly vpcid?: string | undefined;
  readonly cidr?: string | undefined;
  readonly gateway?: string | undefined;
  readonly netmask?: string | undefined;
  readonly startip?: string | undefined;
  readonly endip?: string | undefined;
  readonly ipexclusionlist?: string | undefined;
  readonly vlan?: string | undefined;
  readonly aclid?: string | undefined;
  readonly dns1?: string | undefined;
  readonly dns2?: string | undefined;
  readonly acltype?: string | undefined;
  readonly subdomainaccess?: boolean | undefined;
  readonly account?: string | undefined;
  readonly isolatedpvlan?: string | undefined;
  readonly ip6cidr?: string | undefined;
  readonly ip6gateway?: string | undefined;
  readonly startipv6?: string | undefined;
  readonly endipv6?: string | undefined;
}

export function checkGuestType(want: Want, { guesttype }: Offering): void {
  if (guesttype !== 'Private') return;
  const { startip, endip, vpcid, gateway, netmask } = want;
  if ([startip, endip, vpcid, gateway, netmask].some((value) => value !== undefined)) {
    throw refuse(
      'parameter',
      "StartIp/endIp/vpcId/gateway/netmask can't be specified for guest type Private: give its cidr, and connect VPCs by private gateways",
    );
  }
  if (want.dns1 !== undefined || want.dns2 !== undefined)
    throw refuse('parameter', 'Network of type Private does not support setting DNS servers');
  if (want.aclid !== undefined)
    throw refuse(
      'parameter',
      'A network of type Private has no ACL list: each private gateway on it has one of its own',
    );
}

/** Whom a network is for besides its account: null for nobody. */
export function sharedOf(want: Want, { guesttype }: Offering): 'Domain' | 'Subdomains' | null {
  const { acltype, subdomainaccess } = want;
  const kind = acltype?.toLowerCase();
  if (kind !== undefined && kind !== 'account' && kind !== 'domain') {
    throw refuse(
      'parameter',
      `Incorrect aclType specified. Check the API documentation for supported types: Account, Domain; ${acltype} is neither`,
    );
  }
  if (kind === 'domain' && guesttype === 'Isolated')
    throw refuse('parameter', 'AclType should be Account for network of type Isolated');
  if (kind === 'domain' && guesttype !== 'Shared') {
    throw refuse(
      'parameter',
      `Only Shared networks can have aclType=Domain: this one will be of type ${guesttype}, which belongs to one account`,
    );
  }
  // As in CloudStack: a Shared network is for a domain unless an account is named.
  const domain = kind === 'domain' || (kind === undefined && guesttype === 'Shared' && want.account === undefined);
  if (!domain) {
    if (subdomainaccess === true)
      throw refuse('parameter', 'Parameter subDomainAccess can be specified only with aclType=Domain');
    return null;
  }
  if (want.account !== undefined) {
    throw refuse(
      'parameter',
      'A network with aclType=Domain belongs to no single account: name the domain by domainid and leave account out, or use aclType=Account',
    );
  }
  return subdomainaccess === false ? 'Domain' : 'Subdomains';
}

/** Who may make which: what reaches beyond its owner (Shared, a VLAN of choice) is not for everybody. */
export function checkRole(room: Room, want: Want, { guesttype, name, specifyvlan }: Offering): void {
  const { role } = room.call.caller;
  if (role === 'admin') return;
  if (guesttype === 'Shared')
    throw refuse(
      'parameter',
      `Only Admins can create network with guest type ${guesttype}: ${name} is such an offering`,
    );
  if (role !== 'user') return;
  if (guesttype !== 'Isolated' && (guesttype !== 'L2' || specifyvlan === 1)) {
    throw refuse(
      'parameter',
      `Regular user can create a network only from the network offering having traffic type Guest and network type Isolated with a service SourceNat enabled, or of type L2 on a VLAN from the pool; ${name} is of type ${guesttype}. Ask an admin of your domain`,
    );
  }
  if (want.vlan !== undefined)
    throw refuse('parameter', 'Only ROOT admin and domain admins are allowed to specify vlanId');
}

/** Outside of VPCs, a network with a router gets this CIDR where neither caller nor zone says another. */
const DEFAULT_GUEST_CIDR = '10.1.1.0/24';

/** The CIDR of a network whose maker names none. Router nodes can have each but once, so that theirs is the next that none of them has. */
export async function defaultCidr(room: Room, zone: Tables['zone'], offering: Offering): Promise<string> {
  const text = zone.guestcidr ?? DEFAULT_GUEST_CIDR;
  return needsLinuxRouter(offering) ? freeCidr(room, zone, text) : text;
}

/** The network's addresses, of the CIDR `fallback` where none are named; undefined for type L2, which has none. */
export function addressesOf(
  want: Want,
  offering: Offering,
  fallback: string,
  vpc: Tables['vpc'] | undefined,
): Addresses | undefined {
  if (offering.guesttype === 'L2') {
    refuseAddresses(want, offering.name, vpc);
    return undefined;
  }
  if (offering.internetprotocol === 'ipv6') return undefined;
  const routed = vpc !== undefined || offers(offering, 'SourceNat') || offers(offering, 'Gateway');
  const addresses = readAddresses(want, routed);
  if (addresses !== undefined) return addresses;
  if (vpc !== undefined)
    throw refuse(
      'parameter',
      `Gateway/netmask are required when create network for VPC: or give cidr, a part of ${vpc.name}'s ${vpc.cidr}`,
    );
  if (offering.guesttype === 'Private') {
    throw refuse(
      'parameter',
      "Can't design network; netmask/gateway or cidr must be passed in: a Private network is given by its cidr, such as 172.16.0.0/24",
    );
  }
  if (offering.guesttype === 'Isolated' && offers(offering, 'SourceNat')) {
    return readAddresses({ ...want, cidr: fallback }, true)!;
  }
  throw refuse(
    'parameter',
    `StartIp/endIp/gateway/netmask are required when create network of type Shared and network of type Isolated with service SourceNat disabled: give gateway and netmask, or cidr; ${offering.name} is of type ${offering.guesttype}`,
  );
}

const ADDRESS_PARAMS = ['cidr', 'gateway', 'netmask', 'startip', 'endip', 'ipexclusionlist', 'dns1', 'dns2'] as const;

function refuseAddresses(want: Want, offering: string, vpc: Tables['vpc'] | undefined): void {
  if (vpc !== undefined) {
    throw refuse(
      'parameter',
      `Network offering can't be used for VPC networks: ${offering} is of type L2, and only networks of type Isolated can belong to VPC ${vpc.name}`,
    );
  }
  const given = ADDRESS_PARAMS.filter((name) => want[name] !== undefined);
  if (given.length === 0) return;
  throw refuse(
    'parameter',
    `A network of type L2 has no addresses, so ${given.join(', ')} cannot be given: leave it out, or choose an offering of type Isolated without services, such as NoServices`,
  );
}

/**
 * Addresses that are not private belong to somebody: root gives them to networks where nobody translates them, and says whose
 * the network is with account and domainid.
 */
export function checkPublic(room: Room, offering: Offering, networkCidr: string): void {
  if (offering.guesttype === 'Shared') return;
  if (room.call.caller.role === 'admin' && offering.forvpc === 0 && !offers(offering, 'SourceNat')) return;
  checkRfc1918(networkCidr);
}

export function checkUnsupported(want: Want): void {
  if (want.isolatedpvlan !== undefined) {
    throw refuse(
      'parameter',
      'Can only support create Private VLAN network with advance shared network!, which is not offered: leave isolatedpvlan out',
    );
  }
}

export async function checkSize(room: Room, addresses: Addresses): Promise<void> {
  if (room.call.caller.role === 'admin') return;
  const limit = await readNumber(room.db, 'network.guest.cidr.limit');
  if (cidr(addresses.cidr).length < limit) {
    throw refuse('parameter', `Cidr size can't be less than ${limit}: ${addresses.cidr} is larger than a /${limit}`);
  }
}

export function checkOutsideVpc(want: Want, offering: Offering): void {
  if (offering.forvpc === 1)
    throw refuse(
      'parameter',
      `Network offering can be used for VPC networks only: give the vpcid that ${offering.name} needs`,
    );
  if (want.aclid !== undefined)
    throw refuse(
      'parameter',
      'Cannot apply NetworkACL. ACL lists are for tiers of a VPC: leave aclid out, or give vpcid',
    );
}
