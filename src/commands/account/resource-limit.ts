// listResourceLimits: how many objects of each kind an account may have. There are no limits in this version: all are -1.
import { z } from 'zod';
import { EVERYBODY } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import { integer } from '../../api/param.ts';
import { ownerFields, ownersOf } from '../join.ts';
import { listParams, ownedRows, pageOf } from '../list.ts';
import { listCommand } from '../room.ts';

/** CloudStack's numbers of the kinds are their places here. */
const KINDS = [
  'user_vm',
  'public_ip',
  'volume',
  'snapshot',
  'template',
  'project',
  'network',
  'vpc',
  'cpu',
  'memory',
  'primary_storage',
  'secondary_storage',
];

const resourceLimitView = z.object({
  ...ownerFields,
  resourcetype: field.string('number of the kind of object'),
  resourcetypename: field.string('name of the kind'),
  max: field.long('how many there may be; -1: any number'),
});

export const listResourceLimits = listCommand({
  name: 'listResourceLimits',
  summary: 'Lists how many objects of each kind an account may have (-1: any number)',
  roles: EVERYBODY,
  params: z.object({
    resourcetype: integer('Only this kind', { min: 0, max: KINDS.length - 1 }).optional(),
    ...listParams,
  }),
  key: 'resourcelimit',
  view: resourceLimitView,
  async list(room, want) {
    // Asked for its refusals: whose limits a caller may see is whose objects he may see.
    await ownedRows(room, 'account', want);
    let accounts = room.db.selectFrom('account').select(['id as account', 'domain']);
    accounts =
      want.account === undefined
        ? accounts.where('id', '=', room.call.caller.accountId)
        : accounts.where('name', '=', want.account).where('domain', '=', want.domainid ?? room.call.caller.domainId);
    const rows = await accounts.execute();
    const owner = await ownersOf(room.db, rows);
    const limits = rows.flatMap((row) =>
      KINDS.map((resourcetypename, type) => ({ ...owner(row), resourcetype: String(type), resourcetypename, max: -1 })),
    );
    return pageOf(
      want.resourcetype === undefined
        ? limits
        : limits.filter((limit) => limit.resourcetype === String(want.resourcetype)),
      want,
    );
  },
});
