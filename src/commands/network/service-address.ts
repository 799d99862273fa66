// The address of a network at which the hypervisors serve names, user data and passwords: taken when the network is made, or when one
// that is older than the service is restarted.
import { isServedByNodes, servicesOf } from '../../model/network-service.ts';
import { addressPlan, allocateHighest } from '../../store/allocate.ts';
import type { Tables } from '../../store/schema.ts';
import type { Tx } from '../../store/write.ts';

type Network = Pick<
  Tables['network'],
  'id' | 'name' | 'cidr' | 'gateway' | 'startip' | 'endip' | 'ipexclusionlist' | 'guestcidr' | 'serviceip' | 'guesttype'
>;

/** In a range this small every address is for a machine that somebody counted on. */
const SMALLEST = 4;

/**
 * Gives the network its service address and answers it: the highest that is free. Null where its offering has nothing that is served
 * so, or no address can be spared: then DHCP names the zone's resolvers, and user data is not served.
 */
export async function giveServiceAddress(
  tx: Tx,
  network: Network,
  offering: Pick<Tables['networkoffering'], 'services'>,
): Promise<string | null> {
  if (network.serviceip !== null) return network.serviceip;
  if (network.cidr === null || network.guesttype === 'Private' || !servicesOf(offering).some(isServedByNodes))
    return null;
  const { from, to } = addressPlan(network);
  if (to - from + 1 < SMALLEST) return null;
  const ip = await allocateHighest(tx, network, 'service', network.id);
  if (ip === undefined) return null;
  await tx.update('network', network.id, { serviceip: ip });
  return ip;
}

/** The same for networks that exist, by their ids: those that have one keep it. */
export async function giveServiceAddresses(tx: Tx, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const rows = await tx.db
    .selectFrom('network')
    .innerJoin('networkoffering', 'networkoffering.id', 'network.offering')
    .selectAll('network')
    .select('networkoffering.services')
    .where('network.id', 'in', ids)
    .where('network.serviceip', 'is', null)
    .execute();
  for (const row of rows) await giveServiceAddress(tx, row, row);
}
