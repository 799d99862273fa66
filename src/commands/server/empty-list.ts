// Lists of kinds of objects that this product does not have (yet). Clients ask for them on their way to something else and
// take an empty answer well; a refusal would stop them. Each goes away when its object comes.
import { z } from 'zod';
import { EVERYBODY } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import { ref } from '../../api/param.ts';
import { unknownId } from '../access.ts';
import { listParams, ownedRows } from '../list.ts';
import { type Plan, listCommand } from '../room.ts';

const view = z.object({ id: field.string('id'), name: field.string('name') });

/** A list that is always empty; an id given to it is unknown. */
function emptyList(name: string, key: string, things: string, envelope?: string): Plan {
  return listCommand({
    name,
    ...(envelope === undefined ? {} : { envelope }),
    summary: `Lists ${things}: there are none in this version`,
    roles: EVERYBODY,
    params: z.object({ id: ref(key, `Only this one`).optional(), ...listParams }),
    key,
    view,
    async list(room, want) {
      if (want.id !== undefined) throw unknownId(room, 'id', want.id);
      // Asked for its refusals: an account or domain that does not exist is no empty list.
      await ownedRows(room, 'account', want);
      return { count: 0, rows: [] };
    },
  });
}

export const emptyLists: readonly Plan[] = [
  emptyList('listInstanceGroups', 'instancegroup', 'instance groups'),
  emptyList('listIpForwardingRules', 'ipforwardingrule', 'IP forwarding rules'),
  emptyList('listIsos', 'iso', 'ISO images'),
  // Its answer is named otherwise in every version, and the web console does not start without it.
  emptyList('listLdapConfigurations', 'LdapConfiguration', 'LDAP servers', 'ldapconfigurationresponse'),
  emptyList('listProjects', 'project', 'projects'),
  emptyList('listSecurityGroups', 'securitygroup', 'security groups'),
  emptyList('listSnapshots', 'snapshot', 'snapshots of volumes'),
  emptyList('listVMSnapshot', 'vmSnapshot', 'snapshots of instances'),
];
