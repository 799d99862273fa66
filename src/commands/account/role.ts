// Roles: the four account types under the names clients know. They are fixed; what each may do stands in the commands themselves.
import { z } from 'zod';
import { ADMINS, type Role } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { derivedId } from '../../lib/id.ts';
import { pageOf, pageParams } from '../list.ts';
import { listCommand } from '../room.ts';

export const roleView = z.object({
  id: field.string('id of the role'),
  name: field.string('its name'),
  type: field.string('Admin, DomainAdmin or User'),
  description: field.string('what it may do'),
  isdefault: field.boolean('true: all roles are built in'),
  ispublic: field.boolean('whether a domain admin may give it'),
  state: field.string('enabled'),
});

interface RoleEntry {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly description: string;
  readonly role: Role;
  readonly accountType: number;
  /** Who has it may do what the ones of smaller rank may do, and more. */
  readonly rank: number;
}

const entry = (
  accountType: number,
  role: Role,
  rank: number,
  name: string,
  type: string,
  description: string,
): RoleEntry => ({
  id: derivedId(`role/${role}`),
  name,
  type,
  description,
  role,
  accountType,
  rank,
});

export const ROLES: readonly RoleEntry[] = [
  entry(1, 'admin', 3, 'Root Admin', 'Admin', 'Operates the cloud: everything, everywhere'),
  entry(2, 'domain-admin', 2, 'Domain Admin', 'DomainAdmin', 'Everything of its domain and the domains below'),
  entry(4, 'readonly', 1, 'Read-Only Admin', 'DomainAdmin', 'Sees its domain and the domains below, changes nothing'),
  entry(0, 'user', 0, 'User', 'User', 'Its own networks and instances'),
];

/** The role of an account type. Only the four types are ever stored. */
export function roleOf(accountType: number): RoleEntry {
  const found = ROLES.find((one) => one.accountType === accountType);
  if (found === undefined) throw new Error(`no role has account type ${accountType}`);
  return found;
}

/** The account type that accounttype and roleid ask for; both may be given if they agree. */
export function accountTypeOf(want: {
  readonly accounttype?: number | undefined;
  readonly roleid?: string | undefined;
}): number {
  if (want.accounttype === undefined && want.roleid === undefined) {
    throw refuse(
      'parameter',
      'Neither account type nor role ID are not provided: give accounttype (0 user, 1 root admin, 2 domain admin, 4 read-only admin) or roleid',
    );
  }
  const byId = want.roleid === undefined ? undefined : ROLES.find((one) => one.id === want.roleid);
  if (want.roleid !== undefined && byId === undefined)
    throw refuse('parameter', `There is no role with id ${want.roleid}; listRoles shows them`);
  const type = want.accounttype ?? byId!.accountType;
  if (!ROLES.some((one) => one.accountType === type)) {
    throw refuse(
      'parameter',
      `Invalid account type ${type}: it must be 0 (user), 1 (root admin), 2 (domain admin) or 4 (read-only admin)`,
    );
  }
  if (byId !== undefined && byId.accountType !== type)
    throw refuse('parameter', `accounttype ${type} is not the one of role ${byId.name} (${byId.accountType})`);
  return type;
}

export const listRoles = listCommand({
  name: 'listRoles',
  summary: 'Lists the roles an account can have',
  roles: ADMINS,
  params: z.object({
    id: param.text('Id of a role').optional(),
    name: param.text('Name of a role').optional(),
    type: param.text('Admin, DomainAdmin or User').optional(),
    ...pageParams,
  }),
  key: 'role',
  view: roleView,
  list: (room, want) => {
    const mine = roleOf(room.call.caller.accountType).rank;
    const same = (value: string, wanted: string | undefined): boolean =>
      wanted === undefined || value.toLowerCase() === wanted.toLowerCase();
    const rows = ROLES.filter(
      (one) =>
        one.rank <= mine &&
        same(one.id, want.id) &&
        same(one.name, want.name) &&
        same(one.type, want.type) &&
        one.name.toLowerCase().includes((want.keyword ?? '').toLowerCase()),
    );
    const shown = rows.map(({ id, name, type, description, role }) => ({
      id,
      name,
      type,
      description,
      isdefault: true,
      ispublic: role !== 'admin',
      state: 'enabled',
    }));
    return Promise.resolve(pageOf(shown, want));
  },
});
