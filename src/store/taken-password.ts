// Passwords that guests have taken are forgotten: nothing of the state opens a machine that has been told how. Apart from the commands
// because nodes say it.
import type { Store } from './open.ts';

/** A password by whose it is and its turn: a later one is not the one that was taken. */
export interface TakenPassword {
  readonly instance: string;
  readonly turn: number;
}

/** Forgets those that a node's guests have taken. Of instances elsewhere a node may not speak. */
export async function forgetPasswords(store: Store, node: string, taken: readonly TakenPassword[]): Promise<void> {
  if (taken.length === 0) return;
  const held = await heldOf(store.db, node, taken);
  if (held.length === 0) return;
  await store.write(async (tx) => {
    for (const id of await heldOf(tx.db, node, taken)) await tx.update('instance', id, { onetimepassword: null });
  });
}

async function heldOf(db: Store['db'], node: string, taken: readonly TakenPassword[]): Promise<string[]> {
  const turns = new Map(taken.map(({ instance, turn }) => [instance, turn]));
  const rows = await db
    .selectFrom('instance')
    .innerJoin('host', (join) =>
      join.on((eb) =>
        eb.or([eb('host.id', '=', eb.ref('instance.lasthost')), eb('host.id', '=', eb.ref('instance.migratefrom'))]),
      ),
    )
    .select(['instance.id', 'instance.passwordturn'])
    .where('host.name', '=', node)
    .where('instance.id', 'in', [...turns.keys()])
    .where('instance.onetimepassword', 'is not', null)
    .execute();
  return rows.filter(({ id, passwordturn }) => turns.get(id) === passwordturn).map(({ id }) => id);
}
