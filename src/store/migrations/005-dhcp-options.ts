// DHCP options of whole networks: where machines that start from the network find what they start from.
import type { Kysely } from 'kysely';
import { addColumns } from './table.ts';

export async function up(db: Kysely<never>): Promise<void> {
  await addColumns(db, 'network', { dhcpoptions: null });
}
