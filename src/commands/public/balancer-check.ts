// Who asks the members of a balancer whether they live, where OVN does: an address of their network that nobody has. One for all
// balancers of a network, kept from the first health check to the last.
import { refuse } from '../../api/error.ts';
import { derivedId } from '../../lib/id.ts';
import { allocateHighest, releaseAddresses } from '../../store/allocate.ts';
import type { Tables } from '../../store/schema.ts';
import type { Tx } from '../../store/write.ts';

/** The address, taken now where there is none yet. Refuses with 533 where the network has none left. */
export async function checkAddress(tx: Tx, network: Tables['network']): Promise<string> {
  const owner = ownerOf(network.id);
  const known = await tx.db.selectFrom('address').select('ip').where('owner', '=', owner).executeTakeFirst();
  const address = known?.ip ?? (await allocateHighest(tx, network, 'check', owner));
  if (address !== undefined) return address;
  throw refuse(
    'capacity',
    `Insufficient address capacity: network ${network.name} has no address left, and health checks come from one that no instance has. Free an address first`,
  );
}

/** Gives it back when no health check of the network is left. */
export async function tidyCheckAddress(tx: Tx, network: string): Promise<void> {
  const used = await tx.db
    .selectFrom('loadbalancer')
    .select('id')
    .where('network', '=', network)
    .where('healthcheck', 'is not', null)
    .executeTakeFirst();
  if (used === undefined) await releaseAddresses(tx, ownerOf(network));
}

function ownerOf(network: string): string {
  return derivedId(`health checks in ${network}`);
}
