// updateVlanIpRange: a range of public addresses grows or shrinks. What its routers were told, gateway and netmask, never changes.
import { z } from 'zod';
import { ROOT } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { ip } from '../../lib/ip.ts';
import { existing } from '../access.ts';
import { refuseNetworkOverlap } from '../network/public-overlap.ts';
import { writeCommand } from '../room.ts';
import { addressesInUse, knownRange } from './public-range.ts';
import { checkOverlap, readRange } from './public-range-read.ts';
import { publicRangeView, showRanges } from './public-range-view.ts';

export const updateVlanIpRange = writeCommand({
  name: 'updateVlanIpRange',
  summary: 'Changes the first and the last address of a range of public addresses',
  roles: ROOT,
  event: 'VLAN.IP.RANGE.UPDATE',
  answer: { kind: 'object', key: 'vlan', view: publicRangeView },
  params: z.object({
    id: param.ref('publicrange', 'The range'),
    startip: param.text('First address').optional(),
    endip: param.text('Last address').optional(),
    gateway: param.text('As it is: it cannot change').optional(),
    netmask: param.text('As it is: it cannot change').optional(),
    forsystemvms: param.flag('Only false: there are no system instances').optional(),
  }),
  async write(room, want) {
    const range = await knownRange(room, want.id);
    const label = `${range.startip}-${range.endip}`;
    if (want.forsystemvms === true)
      throw refuse('parameter', 'There are no system instances that could use the range: leave forsystemvms out');
    for (const [name, value, is] of [
      ['gateway', want.gateway, range.gateway],
      ['netmask', want.netmask, range.netmask],
    ] as const) {
      if (value === undefined || value === is) continue;
      throw refuse(
        'parameter',
        `The ${name} of range ${label} cannot change from ${is} to ${value}: routers that have its addresses go by it. Make another range, and delete this one when nobody has an address of it`,
      );
    }
    const { startip, endip } = readRange({
      startip: want.startip ?? range.startip,
      endip: want.endip ?? range.endip,
      gateway: range.gateway,
      netmask: range.netmask,
    });
    const outside = (await addressesInUse(room, range.id)).filter(
      (row) => ip(row.ip) < ip(startip) || ip(row.ip) > ip(endip),
    );
    if (outside.length > 0) {
      const some = outside.slice(0, 5).map((row) => row.ip);
      throw refuse(
        'parameter',
        `${outside.length} Ips are in use outside of ${startip}-${endip}: ${some.join(', ')}${outside.length > 5 ? ', …' : ''}. Release them first, or leave them in the range`,
      );
    }
    const zone = await existing(room, 'zone', range.zone);
    const changed = { ...range, startip, endip };
    await checkOverlap(room, zone, changed, range.id);
    // One that was there before may shrink beside whatever has come.
    if (ip(startip) < ip(range.startip) || ip(endip) > ip(range.endip))
      await refuseNetworkOverlap(room, zone.id, changed);
    // Addresses outside that nobody has keep no row: their ids are of the range that was.
    const free = await room.tx.db
      .selectFrom('publicip')
      .select(['id', 'ip'])
      .where('publicrange', '=', range.id)
      .where('state', '=', 'Free')
      .execute();
    for (const row of free)
      if (ip(row.ip) < ip(startip) || ip(row.ip) > ip(endip))
        await room.tx.db.deleteFrom('publicip').where('id', '=', row.id).execute();
    await room.tx.update('publicrange', range.id, { startip, endip });
    return { vlan: (await showRanges(room.db, [changed]))[0] };
  },
});
