// Changing which address a network or a VPC has as its source NAT address: what leaves it is translated to that one from then on, and
// the one before stays an address of its own. Apart from acquiring addresses, because updateVPC and updateNetwork ask for it.
import { refuse } from '../../api/error.ts';
import type { Entering, WriteRoom } from '../room.ts';
import { helperSlotAt, refuseCrowded } from '../vpn/vpn-place.ts';
import { allocated } from './public-ip-give.ts';
import { isHeld } from './public-ip-view.ts';
import { ruleOf } from './rule-conflict.ts';

/** Whose source NAT address changes. */
interface Whose {
  readonly of: 'network' | 'vpc';
  readonly id: string;
  readonly name: string;
  /** Whether one address may serve source NAT and rules, too. */
  readonly conserve: boolean;
}

/**
 * Makes an address that was acquired for a network or VPC its source NAT address; the states to promise, none where it is already.
 * Refuses one that is not its own, or that has a purpose it cannot keep beside.
 */
export async function changeSourceNat(room: WriteRoom, whose: Whose, ip: string): Promise<Entering[]> {
  const what = whose.of === 'vpc' ? `VPC ${whose.name}` : `network ${whose.name}`;
  const rows = await room.db.selectFrom('publicip').selectAll().where(whose.of, '=', whose.id).execute();
  const next = rows.find((row) => row.ip === ip && isHeld(row));
  if (next === undefined) {
    const has = rows.filter(isHeld).map((row) => row.ip);
    throw refuse(
      'parameter',
      `Unable to make ${ip} the source NAT address of ${what}: it is not one of its addresses, ${has.length === 0 ? 'it has none' : `which are ${has.join(', ')}`}. Acquire it with associateIpAddress ${whose.of}id and ipaddress first`,
    );
  }
  if (next.issourcenat === 1) return [];
  if (next.nic !== null) {
    throw refuse(
      'parameter',
      `Unable to make ${ip} the source NAT address of ${what}: it has static NAT to ${next.vmip}. Disable that first, or name another address`,
    );
  }
  const rule = whose.conserve ? undefined : await ruleOf(room.db, next.id);
  if (rule !== undefined) {
    throw refuse(
      'parameter',
      `Unable to make ${ip} the source NAT address of ${what}: it serves ${rule.purpose} (rule ${rule.id}), and an address has one purpose there. Delete its rules first, or name another address`,
    );
  }
  const place = whose.of === 'vpc' ? { vpc: whose.id, network: null } : { vpc: null, network: whose.id };
  await refuseCrowded(room.db, place, next);
  const moved = await room.tx.generation();
  for (const row of rows.filter(({ issourcenat }) => issourcenat === 1)) {
    const helperslot = await helperSlotAt(room.db, place, row, next);
    await room.tx.update('publicip', row.id, { issourcenat: 0, helperslot, moved });
  }
  await room.tx.update('publicip', next.id, { issourcenat: 1, state: 'Allocating', moved });
  return [allocated(next)];
}
