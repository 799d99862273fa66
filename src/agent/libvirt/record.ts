// What the libvirt driver notes of an instance in DIR/<id>.json: on which node it is and since when. What libvirt itself knows (whether
// it runs, its cards, its boot counter) is asked there and not noted.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isUuid } from '../../lib/id.ts';

const schema = z.object({
  driver: z.literal('libvirt'),
  id: z.string(),
  name: z.string(),
  hostname: z.string(),
  /** Name of the node that has it. */
  host: z.string(),
  /** When it was started or came here, and when its cards were last changed (milliseconds since 1970). */
  started: z.number(),
  wired: z.number(),
  /** Whether it came here running: what its console said before is not known. */
  arrived: z.boolean(),
  /** Turn of the password that is on the config drive it was started with. */
  turn: z.int().exactOptional(),
});

export type MachineRecord = z.infer<typeof schema>;

export function recordFile(directory: string, id: string): string {
  return join(directory, `${id}.json`);
}

/** All records of the folder, of every node that shares it. A damaged one is not there. */
export async function readRecords(directory: string): Promise<Map<string, MachineRecord>> {
  const records = new Map<string, MachineRecord>();
  const files = await readdir(directory).catch((): string[] => []);
  const ids = files.filter((file) => file.endsWith('.json')).map((file) => file.slice(0, -'.json'.length));
  for (const id of ids.filter(isUuid)) {
    const text = await readFile(recordFile(directory, id), 'utf8').catch(() => '');
    try {
      const parsed = schema.safeParse(JSON.parse(text));
      if (parsed.success && parsed.data.id === id) records.set(id, parsed.data);
    } catch {
      continue; // removed meanwhile, or not ours
    }
  }
  return records;
}
