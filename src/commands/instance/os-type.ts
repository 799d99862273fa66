// Kinds of operating systems and hypervisors, as clients name them when they register templates. A fixed list: nothing here
// behaves differently by it.
import { z } from 'zod';
import { EVERYBODY } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { derivedId } from '../../lib/id.ts';
import { existing, unknownId } from '../access.ts';
import { holds, pageOf, pageParams } from '../list.ts';
import { type Room, listCommand } from '../room.ts';

export const osTypeView = z.object({
  id: field.string('id of the kind'),
  name: field.string('its name'),
  description: field.string('its name'),
  oscategoryid: field.string('the family it belongs to'),
  oscategoryname: field.string('name of the family'),
});

export const osCategoryView = z.object({
  id: field.string('id of the family'),
  name: field.string('its name'),
});

export const hypervisorView = z.object({ name: field.string('name of the hypervisor') });

const FAMILIES: Readonly<Record<string, readonly string[]>> = {
  Debian: ['Debian GNU/Linux 12 (64-bit)', 'Debian GNU/Linux 11 (64-bit)'],
  Ubuntu: ['Ubuntu 24.04 LTS (64-bit)', 'Ubuntu 22.04 LTS (64-bit)'],
  RedHat: ['Red Hat Enterprise Linux 9 (64-bit)', 'Red Hat Enterprise Linux 8 (64-bit)'],
  CentOS: ['CentOS Stream 9 (64-bit)', 'CentOS 7 (64-bit)', 'CentOS 5.5 (64-bit)'],
  BSD: ['FreeBSD (64-bit)', 'OpenBSD (64-bit)'],
  Windows: ['Windows Server 2022 (64-bit)', 'Windows 11 (64-bit)'],
  Other: ['Other Linux (64-bit)', 'Other (64-bit)'],
};

const CATEGORIES = Object.keys(FAMILIES).map((name) => ({ id: derivedId(`oscategory/${name}`), name }));

const OS_TYPES = CATEGORIES.flatMap((category) =>
  (FAMILIES[category.name] ?? []).map((name) => ({
    id: derivedId(`ostype/${name}`),
    name,
    description: name,
    oscategoryid: category.id,
    oscategoryname: category.name,
  })),
);

// A page of templates asks for a hundred of them: no hash for each.
const KNOWN_IDS = new Map(OS_TYPES.map(({ id, name }) => [name, id]));

/** What a template is of when it does not say. */
export const OTHER_OS = 'Other Linux (64-bit)';

/** The id clients know a kind by; it follows from the name, also for a kind that is no longer listed. */
export function osTypeId(name: string): string {
  return KNOWN_IDS.get(name) ?? derivedId(`ostype/${name}`);
}

/** The name of a kind by its id; undefined when there is none. */
export function osTypeName(id: string): string | undefined {
  return OS_TYPES.find((type) => type.id === id)?.name;
}

export const listOsTypes = listCommand({
  name: 'listOsTypes',
  summary: 'Lists kinds of operating systems',
  roles: EVERYBODY,
  key: 'ostype',
  view: osTypeView,
  params: z.object({
    id: param.ref('ostype', 'The kind with this id').optional(),
    oscategoryid: param.ref('oscategory', 'Of this family').optional(),
    description: param.text('The kind of this name').optional(),
    ...pageParams,
  }),
  list(room, want) {
    if (want.id !== undefined && osTypeName(want.id) === undefined) throw unknownId(room, 'id', want.id);
    const types = OS_TYPES.filter(
      (type) =>
        (want.id === undefined || type.id === want.id) &&
        (want.oscategoryid === undefined || type.oscategoryid === want.oscategoryid) &&
        (want.description === undefined || type.description.toLowerCase() === want.description.toLowerCase()) &&
        holds(type.description, want.keyword),
    );
    return Promise.resolve(pageOf(types, want));
  },
});

export const listOsCategories = listCommand({
  name: 'listOsCategories',
  summary: 'Lists families of operating systems',
  roles: EVERYBODY,
  key: 'oscategory',
  view: osCategoryView,
  params: z.object({
    id: param.ref('oscategory', 'The family with this id').optional(),
    name: param.text('The family of this name').optional(),
    ...pageParams,
  }),
  list(room, want) {
    if (want.id !== undefined && !CATEGORIES.some((category) => category.id === want.id))
      throw unknownId(room, 'id', want.id);
    const categories = CATEGORIES.filter(
      (category) =>
        (want.id === undefined || category.id === want.id) &&
        (want.name === undefined || category.name.toLowerCase() === want.name.toLowerCase()) &&
        holds(category.name, want.keyword),
    );
    return Promise.resolve(pageOf(categories, want));
  },
});

export const listHypervisors = listCommand({
  name: 'listHypervisors',
  summary: 'Lists hypervisors: KVM alone',
  roles: EVERYBODY,
  key: 'hypervisor',
  view: hypervisorView,
  params: z.object({ zoneid: param.ref('zone', 'In this zone').optional() }),
  async list(room: Room, want) {
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    return { count: 1, rows: [{ name: 'KVM' }] };
  },
});
