// Which networks have a public side, and who makes it. The one place that refuses public addresses and rules where nobody would
// make them true: VPCs, and networks that OVN routes for.
import { type Refusal, refuse } from '../../api/error.ts';
import { LINUX_ROUTER, type NetworkService, servicesOf } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import type { Room } from '../room.ts';

type Network = Tables['network'];
type Offering = Tables['networkoffering'];

/** The refusal for whatever would have to be done at a VPC's public side. */
export function vpcHasNoPublicSide(name: string, what: string): Refusal {
  return refuse(
    'parameter',
    `Unable to ${what} VPC ${name}: OVN routes for VPCs, and it has no way out to public addresses in this version. Networks outside of VPCs have one, of an offering by ${LINUX_ROUTER}`,
  );
}

/** Who gives a service in the networks of an offering; undefined: nobody. */
export function providerOf(offering: Pick<Offering, 'services'>, service: NetworkService): string | undefined {
  return servicesOf(offering).find(({ name }) => name === service)?.provider;
}

/** Whether a network of this offering translates what leaves it to a public address of its own. */
export function translates(offering: Offering): boolean {
  return offering.networkmode !== 'ROUTED' && providerOf(offering, 'SourceNat') === LINUX_ROUTER;
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
  if (network.vpc !== null) {
    const vpc = await room.db.selectFrom('vpc').select('name').where('id', '=', network.vpc).executeTakeFirstOrThrow();
    throw vpcHasNoPublicSide(vpc.name, `create ${what} for`);
  }
  const offering = await room.db
    .selectFrom('networkoffering')
    .selectAll()
    .where('id', '=', network.offering)
    .executeTakeFirstOrThrow();
  const provider = providerOf(offering, service);
  if (provider === undefined) {
    throw refuse(
      'parameter',
      `Unable to create ${what}; ${service} service is not supported in network with specified id: network ${network.name} is of offering ${offering.name}, which ${servicesOf(offering).length === 0 ? 'has no services: nobody of ours routes there' : 'has no such service'}. Use a network of an offering with ${service} by ${LINUX_ROUTER}, or do it on the machine that routes for it`,
    );
  }
  if (provider !== LINUX_ROUTER) {
    throw refuse(
      'parameter',
      `Unable to create ${what}; OVN routes for network ${network.name} (offering ${offering.name}), and it has no way out to public addresses in this version. Use a network of an offering with ${service} by ${LINUX_ROUTER}`,
    );
  }
  return offering;
}
