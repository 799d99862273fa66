// Settings of the cloud, as operators see and change them. What there is stands in model/setting.ts.
import { z } from 'zod';
import { ROOT, WATCHERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { settingNamed, settingProblem } from '../../model/setting.ts';
import type { ConfigurationTable } from '../../store/schema/record.ts';
import { containing, named, page, pageParams } from '../list.ts';
import { listCommand, writeCommand } from '../room.ts';

export const configurationView = z.object({
  name: field.string('name of the setting'),
  value: field.string('its value'),
  category: field.string('what it belongs to'),
  description: field.string('what it means'),
  defaultvalue: field.string('the value a fresh cloud has'),
  isdynamic: field.boolean('whether it can be changed'),
});

/** Settings as answers show them. */
export function showConfigurations(rows: readonly ConfigurationTable[]): z.infer<typeof configurationView>[] {
  return rows.map(({ name, value, category, description, defaultvalue, isdynamic }) => ({
    name,
    value,
    category,
    description,
    defaultvalue,
    isdynamic: isdynamic === 1,
  }));
}

export const listConfigurations = listCommand({
  name: 'listConfigurations',
  summary: 'Lists the settings of the cloud',
  roles: WATCHERS,
  params: z.object({
    name: param.text('Name of a setting').optional(),
    category: param.text('Category of settings').optional(),
    ...pageParams,
  }),
  key: 'configuration',
  view: configurationView,
  async list(room, want) {
    let query = room.db.selectFrom('configuration').selectAll().orderBy('name');
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.category !== undefined) query = query.where(named('category', want.category));
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    const { count, rows } = await page(query, want);
    return { count, rows: showConfigurations(rows) };
  },
});

const forAll = param
  .notOffered('a setting is the same for the whole cloud, and would change there. Leave it out to change it for all')
  .optional();

export const updateConfiguration = writeCommand({
  name: 'updateConfiguration',
  summary: 'Changes a setting of the cloud',
  roles: ROOT,
  params: z.object({
    name: param.text('Name of the setting'),
    value: param.text('Its new value', 4096).optional(),
    zoneid: forAll,
    clusterid: forAll,
    storageid: forAll,
    domainid: forAll,
    accountid: forAll,
  }),
  answer: { kind: 'object', key: 'configuration', view: configurationView },
  event: 'CONFIGURATION.VALUE.EDIT',
  async write(room, want) {
    const row = await room.db.selectFrom('configuration').selectAll().where('name', '=', want.name).executeTakeFirst();
    const setting = settingNamed(want.name);
    if (row === undefined || setting === undefined)
      throw refuse('parameter', `Config parameter with name ${want.name} doesn't exist; listConfigurations shows them`);
    if (want.value === undefined)
      throw refuse('parameter', `Name the new value of ${row.name}; it is ${row.value} now`);
    if (setting.isdynamic === 0) throw refuse('parameter', `${row.name} cannot be changed: ${setting.description}`);
    const problem = settingProblem(setting, want.value);
    if (problem !== undefined) throw refuse('parameter', problem);
    await room.db.updateTable('configuration').set({ value: want.value }).where('name', '=', row.name).execute();
    // A setting is no row of the intent: the network follows it when it is looked at again.
    if (FOLLOWED.has(row.name)) await room.tx.generation();
    return { configuration: showConfigurations([{ ...row, value: want.value }])[0] };
  },
});

/** Settings that the network follows. */
const FOLLOWED: ReadonlySet<string> = new Set(['network.underlay.mtu', 'network.static.nat.distributed']);
