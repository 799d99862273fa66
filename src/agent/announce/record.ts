// What was announced, kept in the state folder, a file per card: after a restart nothing is announced twice, and a move that happened
// meanwhile is noticed.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

const cause = z.enum(['start', 'address', 'migration', 'takeover']);

const schema = z.array(
  z.object({
    ip: z.string(),
    /** Generation of the move that was announced. */
    moved: z.number(),
    cause,
    /** ISO instant. */
    announced: z.string(),
  }),
);

export type Announced = z.infer<typeof schema>[number];

/** Folder of the records in the agent's state folder. */
export function recordFolder(state: string): string {
  return join(state, 'announced');
}

export function recordFile(state: string, nicId: string): string {
  return join(recordFolder(state), `${nicId}.json`);
}

/** What was announced of a card; undefined when nothing ever was, or the file is damaged: then all is announced anew, which does no harm. */
export async function readRecord(state: string, nicId: string): Promise<readonly Announced[] | undefined> {
  const text = await readFile(recordFile(state, nicId), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
