// Regions: several clouds that know each other. There is one, this one; clients ask for it by number 1.
import { z } from 'zod';
import { EVERYBODY } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { pageOf, pageParams } from '../list.ts';
import { listCommand } from '../room.ts';

export const regionView = z.object({
  id: field.integer('number of the region'),
  name: field.string('its name'),
  gslbserviceenabled: field.boolean('false'),
  portableipserviceenabled: field.boolean('false'),
});

const LOCAL = { id: 1, name: 'Local', gslbserviceenabled: false, portableipserviceenabled: false };

export const listRegions = listCommand({
  name: 'listRegions',
  summary: 'Lists regions: this cloud alone',
  roles: EVERYBODY,
  key: 'region',
  view: regionView,
  params: z.object({
    id: param.integer('The region of this number').optional(),
    name: param.text('The region of this name').optional(),
    ...pageParams,
  }),
  list(_room, want) {
    const asked =
      (want.id === undefined || want.id === LOCAL.id) &&
      (want.name === undefined || want.name.toLowerCase() === LOCAL.name.toLowerCase()) &&
      (want.keyword === undefined || LOCAL.name.toLowerCase().includes(want.keyword.toLowerCase()));
    return Promise.resolve(pageOf(asked ? [LOCAL] : [], want));
  },
});
