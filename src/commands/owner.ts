// Whose a new object will be: the caller's, or that of the account and domain it names, if it may act for them.
import { refuse } from '../api/error.ts';
import { ref, text } from '../api/param.ts';
import type { Tables } from '../store/schema.ts';
import { reaches, unknownId } from './access.ts';
import type { Room } from './room.ts';

export const forParams = {
  account: text('The account the object will belong to; with domainid').optional(),
  domainid: ref('domain', 'The domain of that account').optional(),
  projectid: text('Projects are not offered').optional(),
};

export interface Owner {
  readonly account: Tables['account'];
  readonly domain: Tables['domain'];
}

interface ForWant {
  readonly account?: string | undefined;
  readonly domainid?: string | undefined;
  readonly projectid?: string | undefined;
}

/** The owner of what is about to be made. Refuses an account the caller may not act for as if it did not exist. */
export async function ownerOf(room: Room, want: ForWant): Promise<Owner> {
  const { caller } = room.call;
  if (want.projectid !== undefined && want.projectid !== '-1') {
    throw refuse(
      'parameter',
      `Unable to find project by id ${want.projectid}: projects are not offered here. Leave projectid out, or name account and domainid`,
    );
  }
  if ((want.account === undefined) !== (want.domainid === undefined)) {
    throw refuse('parameter', 'AccountName and domainId must be specified together');
  }
  if (want.account === undefined || want.domainid === undefined) {
    const account = await room.db
      .selectFrom('account')
      .selectAll()
      .where('id', '=', caller.accountId)
      .executeTakeFirstOrThrow();
    const domain = await room.db
      .selectFrom('domain')
      .selectAll()
      .where('id', '=', caller.domainId)
      .executeTakeFirstOrThrow();
    return { account, domain };
  }
  const domain = await room.db.selectFrom('domain').selectAll().where('id', '=', want.domainid).executeTakeFirst();
  if (domain === undefined || !(domain.id === caller.domainId || reaches(caller, domain.path))) {
    throw unknownId(room, 'domainid', want.domainid);
  }
  const account = await room.db
    .selectFrom('account')
    .selectAll()
    .where('domain', '=', domain.id)
    .where('name', '=', want.account)
    .executeTakeFirst();
  if (account === undefined || !(account.id === caller.accountId || reaches(caller, domain.path))) {
    throw refuse('parameter', `Unable to find account ${want.account} in domain ${domain.id}`);
  }
  if (account.state !== 'enabled') {
    throw refuse(
      'permission',
      `Can't add resources to the account ${account.name} in state ${account.state}: it is not enabled`,
    );
  }
  return { account, domain };
}
