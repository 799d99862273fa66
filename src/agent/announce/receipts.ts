// The receipts of the last minutes, kept in the state folder: an agent that is started anew still tells what became of a move.
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ReceiptReport } from '../../protocol/document.ts';
import { receiptReport } from '../../protocol/schema.ts';
import { writeWhole } from '../file.ts';

/** After the start of a large node there are many: the newest are told. */
export const MOST_RECEIPTS = 500;

/** What a receipt is about: one move of one address to one card. */
export function receiptKey({ nicId, ip, moved }: Pick<ReceiptReport, 'nicId' | 'ip' | 'moved'>): string {
  return `${nicId}/${ip}/${moved}`;
}

export async function readReceipts(state: string): Promise<ReceiptReport[]> {
  const text = await readFile(fileOf(state), 'utf8').catch(() => '[]');
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.flatMap((one) => receiptReport.safeParse(one).data ?? []) : [];
  } catch {
    return [];
  }
}

export function keepReceipts(state: string, receipts: readonly ReceiptReport[]): Promise<void> {
  return writeWhole(fileOf(state), JSON.stringify(receipts.slice(-MOST_RECEIPTS)));
}

function fileOf(state: string): string {
  return join(state, 'receipts.json');
}
