// Reads one configuration value: what an operator set, or its default, as text.
import type { Db } from './open.ts';

/** Undefined when there is no such setting. */
export async function readSetting(db: Db, name: string): Promise<string | undefined> {
  const row = await db.selectFrom('configuration').select('value').where('name', '=', name).executeTakeFirst();
  return row?.value;
}

/** A setting that is a whole number, at least 0; `fallback` where there is none or it is no number. */
export async function readNumber(db: Db, name: string, fallback: number): Promise<number> {
  const value = await readSetting(db, name);
  return value !== undefined && /^[0-9]{1,9}$/.test(value.trim()) ? Number(value) : fallback;
}
