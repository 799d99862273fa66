// Whose is what is made at a public address: its owner's, whoever else is named.
import { refuse } from '../../api/error.ts';
import { ownerOf } from '../owner.ts';
import type { Room } from '../room.ts';
import type { PublicIp } from './public-ip-view.ts';

/** Refuses a call that names another owner than the address's. `what` is to be made, and what they are called together. */
export async function refuseOtherOwner(
  room: Room,
  want: Parameters<typeof ownerOf>[1],
  address: PublicIp,
  [what, all]: readonly [string, string],
): Promise<void> {
  if (want.account === undefined && want.domainid === undefined && want.projectid === undefined) return;
  const { account } = await ownerOf(room, want);
  if (account.id === address.account) return;
  throw refuse(
    'parameter',
    `Unable to create ${what} for account ${account.name}: ${address.ip} is another account's, and its ${all} are, too. Leave account and domainid out`,
  );
}
