// How many rules of a kind one address or network can have: all of them stand in what gateway nodes and hypervisors are told, so that one
// tenant's must not become a burden to the others there.
import { refuse } from '../../api/error.ts';
import type { Db } from '../../store/open.ts';

/** What is counted, where, how many there can be, and what the kind is called. */
const MOST = {
  loadbalancer: { at: 'publicip', most: 64, what: 'load balancer rules' },
  portforward: { at: 'publicip', most: 1024, what: 'port forwarding rules' },
  internalbalancer: { at: 'network', most: 64, what: 'internal load balancers' },
} as const;

/** Refuses one more rule at a public address or in a network that has as many as it can; `name` says which one that is. */
export async function refuseManyRules(db: Db, kind: keyof typeof MOST, id: string, name: string): Promise<void> {
  const { at, most, what } = MOST[kind];
  const row = await db
    .selectFrom(kind as 'loadbalancer')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where(at as 'publicip', '=', id)
    .executeTakeFirstOrThrow();
  if (Number(row.count) < most) return;
  const other = at === 'publicip' ? 'Acquire another address' : 'Use another network';
  throw refuse('parameter', `${name} has ${row.count} ${what}, and can have at most ${most}. ${other}, or delete some`);
}

/** Firewall rules of one address, or of one network in one direction and family. */
const MOST_FIREWALL = 500;

/** The same for firewall rules, of which the others are read anyway. */
export function refuseManyFirewallRules(others: readonly unknown[], name: string): void {
  if (others.length < MOST_FIREWALL) return;
  throw refuse(
    'parameter',
    `${name} has ${others.length} firewall rules, and can have at most ${MOST_FIREWALL}. Join rules for the same ports by their CIDRs, or delete some`,
  );
}
