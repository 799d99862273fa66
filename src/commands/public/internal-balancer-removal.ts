// How balancers inside networks go: by command, or with their network.
import { releaseAddresses } from '../../store/allocate.ts';
import type { Tx } from '../../store/write.ts';
import type { InternalBalancer } from './internal-balancer-view.ts';

/** The balancers that share an address of a network. */
export function balancersAt(tx: Tx, network: string, sourceip: string): Promise<InternalBalancer[]> {
  return tx.db
    .selectFrom('internalbalancer')
    .selectAll()
    .where('network', '=', network)
    .where('sourceip', '=', sourceip)
    .execute();
}

/** Removes one with its members; its address is free with the last one there. */
export async function dropInternalBalancer(
  tx: Tx,
  row: Pick<InternalBalancer, 'id' | 'network' | 'sourceip'>,
): Promise<void> {
  const members = await tx.db
    .selectFrom('internalmember')
    .select('id')
    .where('internalbalancer', '=', row.id)
    .execute();
  for (const member of members) await tx.remove('internalmember', member.id);
  await tx.remove('internalbalancer', row.id);
  const [next] = await balancersAt(tx, row.network, row.sourceip);
  // It is in the name of the one who took it first.
  if (next === undefined) await releaseAddresses(tx, row.id);
  else await tx.db.updateTable('address').set({ owner: next.id }).where('owner', '=', row.id).execute();
}
