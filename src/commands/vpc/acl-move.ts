// moveNetworkAclItem (CloudStack 4.20): puts a rule of an ACL list between two others. Apart from changing a rule, because it may have
// to make room by renumbering those that come after.
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import type { Tables } from '../../store/schema.ts';
import { unknownId } from '../access.ts';
import { refuseHidden } from '../known.ts';
import { type Room, jobCommand } from '../room.ts';
import { aclItemView, ownItem } from './acl-item.ts';

type Item = Tables['aclitem'];

export const moveNetworkAclItem = jobCommand({
  name: 'moveNetworkAclItem',
  summary: 'Puts a rule of an ACL list at another place in it',
  roles: WRITERS,
  event: 'NETWORK.ACL.ITEM.UPDATE',
  answer: { kind: 'object', key: 'networkacl', view: aclItemView },
  params: z.object({
    id: param.ref('aclitem', 'The rule'),
    previousaclruleid: param.ref('aclitem', 'The rule it is to stand after; none: it becomes the first').optional(),
    nextaclruleid: param.ref('aclitem', 'The rule it is to stand before; none: it becomes the last').optional(),
    aclconsistencyhash: param
      .text('MD5 of the ids of all rules in order, strung together: refused where the list is another by now')
      .optional(),
    customid: param.text('Not offered').optional(),
  }),
  async job(room, want) {
    refuseHidden({ customid: want.customid });
    const { item, acl } = await ownItem(room, want.id, "Default ACL's rules cannot be moved");
    const all = await room.db
      .selectFrom('aclitem')
      .selectAll()
      .where('acl', '=', acl.id)
      .orderBy('number')
      .orderBy('id')
      .execute();
    checkHash(all, want.aclconsistencyhash, acl.name);
    const others = all.filter(({ id }) => id !== item.id);
    const place = placeBetween(room, others, want);
    const number = (others[place - 1]?.number ?? 0) + 1;
    // The numbers after it grow only as far as they must; from the last one down, since no two may be equal meanwhile.
    const shifted: { readonly id: string; readonly number: number }[] = [];
    let least = number + 1;
    for (const other of others.slice(place)) {
      if (other.number >= least) break;
      shifted.push({ id: other.id, number: least });
      least += 1;
    }
    if (item.number !== number || shifted.length > 0) {
      // Out of the way first.
      await room.tx.update('aclitem', item.id, { number: all.at(-1)!.number + all.length });
      for (const other of shifted.toReversed()) await room.tx.update('aclitem', other.id, { number: other.number });
      await room.tx.update('aclitem', item.id, { number });
    }
    return {
      about: { type: 'NetworkACL', id: item.id },
      view: 'networkacl',
      text: `moving rule ${item.number} of ACL list ${acl.name} to ${number}`,
    };
  },
});

/** MD5 of the rules' ids in their order: CloudStack's way to say which state of a list a client means. No secret. */
export function consistencyHash(items: readonly Pick<Item, 'id'>[]): string {
  return createHash('md5')
    .update(items.map(({ id }) => id).join(''))
    .digest('hex');
}

function checkHash(items: readonly Item[], hash: string | undefined, list: string): void {
  if (hash === undefined || hash === '' || hash.toLowerCase() === consistencyHash(items)) return;
  throw refuse(
    'parameter',
    `The rules of ACL list ${list} are others than aclconsistencyhash ${hash.slice(0, 64)} says: somebody changed the list meanwhile. List them again (listNetworkACLs), and move then`,
  );
}

/** How many of the other rules stand before the place meant. */
function placeBetween(
  room: Room,
  others: readonly Item[],
  want: { readonly previousaclruleid?: string | undefined; readonly nextaclruleid?: string | undefined },
): number {
  const { previousaclruleid: previous, nextaclruleid: next } = want;
  if (previous === undefined && next === undefined) {
    throw refuse(
      'parameter',
      'Both previous and next ACL rule IDs cannot be invalid.: give previousaclruleid, nextaclruleid, or both',
    );
  }
  const after = previous === undefined ? 0 : 1 + indexOf(room, others, previous, 'previousaclruleid');
  const before = next === undefined ? others.length : indexOf(room, others, next, 'nextaclruleid');
  // A rule alone says its side; two must be neighbours, or the place between them is not one.
  if (previous === undefined) {
    if (before === 0) return 0;
    throw refuse(
      'parameter',
      `Rule ${next} is not the first of its list, so nothing can become the first before it: give previousaclruleid as well`,
    );
  }
  if (next === undefined) {
    if (after === others.length) return after;
    throw refuse(
      'parameter',
      `Rule ${previous} is not the last of its list, so nothing can become the last after it: give nextaclruleid as well`,
    );
  }
  if (after === before) return after;
  throw refuse(
    'parameter',
    `Rules ${previous} and ${next} do not follow each other, so there is no one place between them. List the rules again (listNetworkACLs)`,
  );
}

/** A rule of another list is not known in this one. */
function indexOf(room: Room, others: readonly Item[], id: string, name: string): number {
  const index = others.findIndex((item) => item.id === id);
  if (index < 0) throw unknownId(room, name, id);
  return index;
}
