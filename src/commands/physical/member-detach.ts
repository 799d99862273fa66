// Takes a device out of a network. Its port is set back first; its address is given back when the switch has said so, because until
// then the device may still answer for it.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import type { Tables } from '../../store/schema.ts';
import { removeMember } from '../../store/switches.ts';
import { visible } from '../access.ts';
import { usableNetwork } from '../network/network-access.ts';
import { type Room, type WriteRoom, jobCommand } from '../room.ts';

type Member = Tables['member'];

const params = z.object({
  id: param.ref('networkmember', 'The membership; instead of networkid and deviceid').optional(),
  networkid: param.ref('network', 'The network').optional(),
  deviceid: param.ref('device', 'The device').optional(),
  forced: param.flag('Give its address back at once, whatever its switch says; for root').optional(),
});

export const detachDevice = jobCommand({
  name: 'detachDevice',
  summary: 'Takes a device out of a network: its port is set back and its address given back',
  roles: WRITERS,
  event: 'DEVICE.DETACH',
  answer: { kind: 'success' },
  params,
  async job(room, want) {
    const member = await memberOf(room, want);
    const { device, network } = await namesAround(room, member);
    if (want.forced === true && room.call.caller.role !== 'admin')
      throw refuse('permission', 'forced is for root: it gives an address back that the device may still use');
    await refuseRouting(room, member, device.name);
    if (want.forced === true) await removeMember(room.tx, member.id);
    else if (member.state === 'Detaching') {
      throw refuse(
        'inUse',
        `Device ${device.name} is being taken out of network ${network.name} already; listNetworkMembers says what it waits for`,
      );
    } else await detach(room, member);
    return {
      about: { type: 'NetworkMember', id: member.id },
      text: `detaching device ${device.name} from network ${network.name}`,
    };
  },
});

async function memberOf(room: Room, want: z.infer<typeof params>): Promise<Member> {
  if (want.id !== undefined) return visible(room, 'member', want.id);
  if (want.networkid === undefined || want.deviceid === undefined)
    throw refuse('parameter', 'Say which device to detach: id of the membership, or networkid and deviceid');
  const network = await usableNetwork(room, want.networkid, 'networkid');
  const device = await visible(room, 'device', want.deviceid, 'deviceid');
  const member = await room.db
    .selectFrom('member')
    .selectAll()
    .where('network', '=', network.id)
    .where('device', '=', device.id)
    .executeTakeFirst();
  if (member === undefined) throw refuse('parameter', `Device ${device.name} is not in network ${network.name}`);
  return member;
}

/** The device and the network of a member, for texts. */
export async function namesAround(
  room: Room,
  member: Member,
): Promise<{ device: Tables['device']; network: Tables['network'] }> {
  const device = await room.db
    .selectFrom('device')
    .selectAll()
    .where('id', '=', member.device)
    .executeTakeFirstOrThrow();
  const network = await room.db
    .selectFrom('network')
    .selectAll()
    .where('id', '=', member.network)
    .executeTakeFirstOrThrow();
  return { device, network };
}

async function refuseRouting(room: Room, member: Member, name: string): Promise<void> {
  const routes = await room.db
    .selectFrom('networkroute')
    .select('cidr')
    .where('member', '=', member.id)
    .orderBy('cidr')
    .execute();
  if (routes.length === 0) return;
  const cidrs = routes.map(({ cidr }) => cidr).join(', ');
  throw refuse(
    'inUse',
    `Can't detach device ${name}: the network reaches ${cidrs} by it. deleteNetworkRoute for ${routes.length === 1 ? 'it' : 'each'} first`,
  );
}

/** Has the port of a member set back; the row goes when the switch says it is. Routes through it go at once. */
export async function detach({ tx }: WriteRoom, member: Member): Promise<void> {
  const routes = await tx.db.selectFrom('networkroute').select('id').where('member', '=', member.id).execute();
  for (const { id } of routes) await tx.remove('networkroute', id);
  if (member.state === 'Detaching') return;
  await tx.update('member', member.id, { state: 'Detaching', moved: await tx.generation(), isgateway: 0 });
}
