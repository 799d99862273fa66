// What router nodes say of the networks they route for: who is master, and what was found wrong. Written beside the intent, since
// a takeover asks nothing of anybody; each new finding becomes an event once.
import { OPERATOR, type Told, addEvent } from './event.ts';
import type { Store } from './open.ts';
import type { Tx } from './write.ts';

/** A leg's state as its node reports it. */
export interface RouterState {
  /** Of the leg. */
  readonly id: string;
  readonly state: 'MASTER' | 'BACKUP' | 'FAULT';
  /** Why the network is not what it should be there. */
  readonly error?: string;
  /** Sentences that name node and interface. */
  readonly findings: readonly string[];
}

/** The type of the event that a finding becomes. */
export const FINDING_EVENT = 'ROUTER.FINDING';
/** The type of the event that another node of a pair is master. */
export const TAKEOVER_EVENT = 'ROUTER.TAKEOVER';

interface Kept {
  readonly id: string;
  readonly network: string;
  readonly state: string | null;
  readonly findings: string | null;
}

/**
 * Keeps what a node reports of its legs; of others it may not speak. Writes nothing while it says the same. The events are the
 * operator's: they name his machines.
 */
export async function recordRouterStates(store: Store, node: string, reported: readonly RouterState[]): Promise<void> {
  if (reported.length === 0) return;
  const legs = (db: Store['db']): Promise<Kept[]> =>
    db
      .selectFrom('networkrouter')
      .innerJoin('host', 'host.id', 'networkrouter.host')
      .select(['networkrouter.id', 'networkrouter.network', 'networkrouter.state', 'networkrouter.findings'])
      .where('host.name', '=', node)
      .execute();
  if (news(await legs(store.db), reported).length === 0) return;
  await store.write(async (tx) => {
    for (const { leg, said } of news(await legs(tx.db), reported)) {
      const known = new Set(findingsOf(leg));
      await tx.db
        .updateTable('networkrouter')
        .set({ state: said.state, findings: textOf(said) })
        .where('id', '=', leg.id)
        .execute();
      for (const finding of new Set(foundBy(said)))
        if (!known.has(finding)) await tell(tx, leg, OPERATOR, FINDING_EVENT, finding);
      if (said.state === 'MASTER' && leg.state !== null && leg.state !== 'MASTER') await tellTakeover(tx, leg, node);
    }
  });
}

/** The node announced the gateway's address by itself; this is for whoever looks for what happened. His nodes are the operator's business. */
async function tellTakeover(tx: Tx, leg: Kept, node: string): Promise<void> {
  const network = await tx.db
    .selectFrom('network')
    .select(['name', 'gateway', 'account', 'domain'])
    .where('id', '=', leg.network)
    .executeTakeFirst();
  if (network === undefined) return;
  const say = (who: string): string =>
    `${who} is master for network ${network.name} now: it has announced ${network.gateway ?? 'its gateway'}, and open connections go on`;
  await tell(tx, leg, OPERATOR, TAKEOVER_EVENT, say(node));
  if (network.account === OPERATOR.account) return;
  await tell(tx, leg, network, TAKEOVER_EVENT, say('the other router'));
}

async function tell(tx: Tx, leg: Kept, to: Told, type: string, text: string): Promise<void> {
  await addEvent(tx, to, { type, level: 'WARN', text, about: { type: 'DomainRouter', id: leg.id } });
}

/** What was found wrong with a leg at its node's last pass. */
export function findingsOf(leg: Pick<Kept, 'findings'>): string[] {
  return leg.findings === null ? [] : (JSON.parse(leg.findings) as string[]);
}

/** All that is wrong: what stands in the way first. */
function foundBy({ error, findings }: RouterState): string[] {
  return [...(error === undefined ? [] : [error]), ...findings];
}

function textOf(said: RouterState): string | null {
  const found = foundBy(said);
  return found.length === 0 ? null : JSON.stringify(found);
}

function news(legs: readonly Kept[], reported: readonly RouterState[]): { leg: Kept; said: RouterState }[] {
  return reported.flatMap((said) => {
    const leg = legs.find(({ id }) => id === said.id);
    const same = leg === undefined || (leg.state === said.state && leg.findings === textOf(said));
    return same ? [] : [{ leg, said }];
  });
}
