// Which networks and VPCs have a public side, and how they refuse what their offering lacks. Who makes it true, router nodes or OVN,
// follows from the offering and is asked here and nowhere else.
import { refuse } from '../../api/error.ts';
import { LINUX_ROUTER, type NetworkService, offers, routedBy, servicesOf } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { existing } from '../access.ts';
import type { Room } from '../room.ts';

type Network = Tables['network'];
type Offering = Tables['networkoffering'];

/** Who gives a service in the networks of an offering; undefined: nobody. */
export function providerOf(offering: Pick<Offering, 'services'>, service: NetworkService): string | undefined {
  return servicesOf(offering).find(({ name }) => name === service)?.provider;
}

/** Whether OVN routes for the networks of an offering. */
export function isByOvn(offering: Pick<Offering, 'services'>): boolean {
  return routedBy(servicesOf(offering)) === 'Ovn';
}

/**
 * Whether the router of a network outside a VPC has a public address of its own: the source NAT address or, where OVN routes and
 * nothing is translated, that of its leg to the outside.
 */
export function hasOwnAddress(network: Pick<Network, 'vpc' | 'guesttype'>, offering: Offering): boolean {
  if (network.vpc !== null || network.guesttype !== 'Isolated') return false;
  return offering.networkmode === 'ROUTED' ? isByOvn(offering) : offers(offering, 'SourceNat');
}

/** The offering of a VPC, where its tiers can lead to the outside; else refuses as CloudStack does. */
export async function needVpcSourceNat(
  room: Room,
  vpc: Pick<Tables['vpc'], 'name' | 'offering'>,
): Promise<Tables['vpcoffering']> {
  const offering = await existing(room, 'vpcoffering', vpc.offering, 'vpcofferingid');
  if (offers(offering, 'SourceNat')) return offering;
  throw refuse(
    'parameter',
    `VPC does not support SourceNat service so no public ip addresses can be assigned.: VPC ${vpc.name} is of offering ${offering.name}. Use an offering with SourceNat`,
  );
}

/**
 * The offering of a network, when `service` is made there. Else refuses to `create WHAT` (such as `a port forwarding rule`), with
 * what would help.
 */
export async function needService(
  room: Room,
  network: Network,
  service: NetworkService,
  what: string,
): Promise<Offering> {
  const offering = await room.db
    .selectFrom('networkoffering')
    .selectAll()
    .where('id', '=', network.offering)
    .executeTakeFirstOrThrow();
  if (offers(offering, service)) return offering;
  const help =
    network.vpc === null
      ? `Use a network of an offering with ${service}, such as one by ${LINUX_ROUTER} or by OVN, or do it on the machine that routes for it`
      : service === 'Firewall'
        ? 'In a VPC network ACL lists rule: those of its tiers, and of its public addresses (replaceNetworkACLList)'
        : `Use a tier of an offering with ${service}`;
  throw refuse(
    'parameter',
    `Unable to create ${what}; ${service} service is not supported in network with specified id: network ${network.name} is of offering ${offering.name}, which ${servicesOf(offering).length === 0 ? 'has no services: nobody of ours routes there' : 'has no such service'}. ${help}`,
  );
}
