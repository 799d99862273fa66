// Reads settings: what an operator chose, or the default of the table in model/setting.ts.
import { type FlagSetting, type NumberSetting, SETTINGS, type SettingName, settingValue } from '../model/setting.ts';
import type { Db } from './open.ts';

export async function readText(db: Db, name: SettingName): Promise<string> {
  const row = await db.selectFrom('configuration').select('value').where('name', '=', name).executeTakeFirst();
  return settingValue(name, row?.value);
}

/** A whole number; -1 for any number where the setting can say that. */
export async function readNumber(db: Db, name: NumberSetting): Promise<number> {
  return Number(await readText(db, name));
}

export async function readFlag(db: Db, name: FlagSetting): Promise<boolean> {
  return (await readText(db, name)) === 'true';
}

/** All settings that are numbers and whose names begin so, by name. */
export async function readNumbers(db: Db, prefix: string): Promise<ReadonlyMap<string, number>> {
  const rows = await db.selectFrom('configuration').select(['name', 'value']).execute();
  const stored = new Map(rows.map(({ name, value }) => [name, value]));
  return new Map(
    SETTINGS.filter(({ name }) => name.startsWith(prefix)).map(({ name }) => [
      name,
      Number(settingValue(name, stored.get(name))),
    ]),
  );
}
