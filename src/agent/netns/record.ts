// What the netns driver notes of an instance in DIR/<id>.json: written before anything is made and removed after everything is gone,
// so that nothing is ever left without its note. Others read it to find a guest (`lab exec`).
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { isUuid } from '../../lib/id.ts';

const schema = z.object({
  id: z.string(),
  name: z.string(),
  hostname: z.string(),
  /** Name of the node that runs it. */
  host: z.string(),
  netns: z.string(),
  /** The guest's first process, in the pid namespace of the agent; null while it is off. */
  pid: z.int().nullable(),
  /** Folder of what the guest keeps over a reboot. */
  rootfs: z.string(),
  /** The boot counter it was started with. */
  boot: z.int(),
  /** When its guest was started, and when its cards were last changed (milliseconds since 1970). */
  started: z.number(),
  wired: z.number(),
  nics: z.array(z.object({ id: z.string(), mac: z.string(), deviceId: z.int(), device: z.string(), port: z.string() })),
});

export type InstanceRecord = z.infer<typeof schema>;
export type NicRecord = InstanceRecord['nics'][number];

export function recordFile(directory: string, id: string): string {
  return join(directory, `${id}.json`);
}

/** All records of the folder, of every node that shares it. A damaged one is not there: what it was of is made anew or removed by what is found. */
export async function readRecords(directory: string): Promise<Map<string, InstanceRecord>> {
  const records = new Map<string, InstanceRecord>();
  const files = await readdir(directory).catch(() => [] as string[]);
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
