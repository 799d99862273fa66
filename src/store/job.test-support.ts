// A job for tests of who ends it.
import { newId } from '../lib/id.ts';
import type { Store } from './open.ts';
import type { Tx } from './write.ts';

/** A job about an instance that waits for a new generation. */
export async function addJob(
  store: Store,
  instance: string | null,
  {
    cmd = 'startVirtualMachine',
    minutesAgo = 0,
    account = 'a',
    write = async () => {},
  }: {
    readonly cmd?: string;
    readonly minutesAgo?: number;
    readonly account?: string;
    /** The change it waits for. */
    readonly write?: (tx: Tx) => Promise<void>;
  } = {},
): Promise<{ id: string; generation: number }> {
  const id = newId();
  const who = { user: 'u', account, domain: 'd', cmd, request: 'r' };
  const about = { view: null, instancetype: null, instanceid: instance, result: null, completed: null };
  const generation = await store.write(async (tx) => {
    const reached = await tx.generation();
    await write(tx);
    const row = {
      id,
      ...who,
      ...about,
      status: 0,
      resultcode: 0,
      generation: reached,
      created: new Date(Date.now() - minutesAgo * 60_000).toISOString(),
    };
    await tx.db.insertInto('job').values(row).execute();
    return reached;
  });
  return { id, generation };
}
