// The last document, kept on disk: after a reboot the node makes the same state true with the control plane away, and never
// takes an older one.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../lib/log.ts';
import type { NodeDocument } from '../protocol/document.ts';
import { nodeDocument, whatIsWrong } from '../protocol/schema.ts';
import { writeWhole } from './file.ts';

/** The kept document; undefined when there is none, or none that can be read (which the log says). */
export async function readKept(state: string, log: Log): Promise<NodeDocument | undefined> {
  const file = join(state, 'document.json');
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const parsed = nodeDocument.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
    log.error({ file, reason: whatIsWrong(parsed.error) }, 'the kept document is damaged; waiting for the server');
  } catch (error) {
    log.error({ file, err: (error as Error).message }, 'the kept document is damaged; waiting for the server');
  }
  return undefined;
}

/** Keeps the document (mode 0600: it holds password hashes and, where the node may serve VPNs, their keys and secrets). */
export function keep(state: string, document: NodeDocument): Promise<void> {
  return writeWhole(join(state, 'document.json'), JSON.stringify(document), 0o600);
}
