// A device is plugged in at another switch port: its networks and addresses go with it. One change, so that the old port is closed and
// the new one opened together, and nobody else gets its address in between.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, visible } from '../access.ts';
import { type Room, jobCommand } from '../room.ts';
import { checkPort, checkWire } from './member-attach.ts';
import { memberView } from './member-view.ts';
import { portNames } from './device.ts';
import { visiblePort } from './switch-port-view.ts';

export const moveDevice = jobCommand({
  name: 'moveDevice',
  summary:
    'Says that a device is plugged in at another switch port: that port is set for its networks, the old one set back',
  roles: WRITERS,
  event: 'DEVICE.MOVE',
  answer: { kind: 'object', key: 'networkmember', view: memberView },
  params: z.object({
    id: param.ref('device', 'The device'),
    switchportid: param.ref('switchport', 'The port it is plugged in at now'),
  }),
  async job(room, want) {
    const device = await visible(room, 'device', want.id);
    const port = await visiblePort(room, want.switchportid, 'switchportid');
    await checkTarget(room, device, port);
    const members = await room.db
      .selectFrom('member')
      .selectAll()
      .where('device', '=', device.id)
      .orderBy('created')
      .execute();
    const on = await existing(room, 'switch', port.switch);
    const networks: string[] = [];
    for (const member of members) {
      const network = await room.db
        .selectFrom('network')
        .selectAll()
        .where('id', '=', member.network)
        .executeTakeFirstOrThrow();
      if (member.state === 'Detaching')
        throw refuse(
          'inUse',
          `Device ${device.name} is being taken out of network ${network.name}: move it when that is done`,
        );
      checkWire(network, on, port);
      await checkPort(room, network, device, port, member.tagged === 1);
      await room.tx.update('member', member.id, {
        switchport: port.id,
        state: 'Attaching',
        moved: await room.tx.generation(),
      });
      networks.push(network.name);
    }
    await room.tx.update('device', device.id, { switchport: port.id });
    const from = device.switchport === null ? undefined : await nameOf(room, device.switchport);
    const about = members[0];
    return {
      ...(about === undefined
        ? { about: { type: 'Device', id: device.id } }
        : { about: { type: 'NetworkMember', id: about.id }, view: 'networkmember' }),
      text: `moving device ${device.name}${from === undefined ? '' : ` from ${from}`} to ${await nameOf(room, port.id)}${
        networks.length === 0 ? '' : `, with network ${networks.join(', ')}`
      }`,
    };
  },
});

async function checkTarget(room: Room, device: Tables['device'], port: Tables['switchport']): Promise<void> {
  if (port.role !== 'access')
    throw refuse('parameter', `Port ${port.name} is no port for devices: its role is ${port.role}`);
  if (port.id === device.switchport)
    throw refuse('parameter', `Device ${device.name} is at ${await nameOf(room, port.id)} already`);
}

async function nameOf(room: Room, id: string): Promise<string> {
  const port = (await portNames(room, [id])).get(id);
  return port === undefined ? 'its switch port' : `port ${port.name} of switch ${port.on}`;
}
