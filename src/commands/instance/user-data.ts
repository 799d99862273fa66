// User data of instances: what a guest is told at its start beside its name. Checked where it comes in, kept as base64.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import { freeMap, ref, text } from '../../api/param.ts';
import { offers } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { visible } from '../access.ts';
import { type Room, readCommand, writeCommand } from '../room.ts';
import { instanceView, viewInstance } from './instance-view.ts';

const BYTES = 32_768;

/** The parameter that commands take it by. */
export const userDataParam = text('Data for the guest, base64, at most 32 KiB before encoding', 1_048_576);

/** The user data as it is kept; null for an empty one where that may be. Refuses what no guest could read. */
export function userDataOf(given: string): string {
  // In the letters that are safe in addresses, too, as some clients send it.
  const packed = given.replaceAll(/\s/g, '').replaceAll('-', '+').replaceAll('_', '/');
  if (packed === '') throw refuse('parameter', 'User data is too short: it is empty');
  if (packed.length % 4 !== 0 || !/^[A-Za-z0-9+/]+={0,2}$/.test(packed))
    throw refuse('parameter', 'User data is not base64 encoded');
  const bytes = Buffer.from(packed, 'base64').length;
  if (bytes > BYTES) {
    throw refuse('parameter', `User data is too long for POST request: ${bytes} bytes, where ${BYTES} are allowed`);
  }
  return packed;
}

/** Refuses user data for an instance whose default network tells it nothing. */
export async function requireUserData(
  room: Room,
  instance: Pick<Tables['instance'], 'id' | 'hostname'>,
): Promise<void> {
  const network = await room.db
    .selectFrom('nic')
    .innerJoin('network', 'network.id', 'nic.network')
    .innerJoin('networkoffering', 'networkoffering.id', 'network.offering')
    .select(['network.name', 'networkoffering.services'])
    .where('nic.instance', '=', instance.id)
    .where('nic.isdefault', '=', 1)
    .executeTakeFirst();
  if (network === undefined || offers(network, 'UserData')) return;
  throw refuse(
    'parameter',
    `Unable to set UserData of instance ${instance.hostname}: there is no support for UserData service in the default network ${network.name}. An offering has it from its router, or by provider ConfigDrive`,
  );
}

export const resetUserDataForVirtualMachine = writeCommand({
  name: 'resetUserDataForVirtualMachine',
  summary: 'Gives a stopped instance other user data, or none',
  roles: WRITERS,
  params: z.object({
    id: ref('instance', 'The instance'),
    userdata: userDataParam.optional(),
    userdataid: text('Not offered: user data is not kept apart from instances').optional(),
    userdatadetails: freeMap('Not offered').optional(),
  }),
  answer: { kind: 'object', key: 'virtualmachine', view: instanceView },
  event: 'VM.RESETUSERDATA',
  since: '4.18',
  async write(room, want) {
    if (want.userdataid || want.userdatadetails !== undefined)
      throw refuse('parameter', 'User data is not kept apart from instances here: give it whole, as userdata');
    const instance = await visible(room, 'instance', want.id);
    if (instance.state !== 'Stopped') {
      throw refuse(
        'parameter',
        `VM ${instance.hostname} (${instance.id}) should be stopped to do UserData reset: it is ${instance.state}`,
      );
    }
    const userdata = want.userdata === undefined || want.userdata === '' ? null : userDataOf(want.userdata);
    if (userdata !== null) await requireUserData(room, instance);
    await room.tx.update('instance', instance.id, { userdata });
    return { virtualmachine: await viewInstance(room, instance.id) };
  },
});

const userDataView = z.object({
  virtualmachineid: field.string('id of the instance'),
  userdata: field.string('its user data, base64'),
});

export const getVirtualMachineUserData = readCommand({
  name: 'getVirtualMachineUserData',
  summary: 'Shows the user data of an instance',
  // Not for those who may only look: guests are given secrets this way.
  roles: WRITERS,
  params: z.object({ virtualmachineid: ref('instance', 'The instance') }),
  answer: { kind: 'object', key: 'virtualmachineuserdata', view: userDataView },
  async read(room: Room, want) {
    const { id, userdata } = await visible(room, 'instance', want.virtualmachineid, 'virtualmachineid');
    return { virtualmachineuserdata: { virtualmachineid: id, ...(userdata === null ? {} : { userdata }) } };
  },
});
