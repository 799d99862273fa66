// The addresses of a network interface: further ones beside the main one, and another main one. Whoever gets or changes one notes
// the generation, so that the address is announced from its new place.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import { compact } from '../../api/field.ts';
import { ref, text } from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { parseIp } from '../../lib/ip.ts';
import { type AddressKind, AllocationError, allocateAddress, releaseAddresses } from '../../store/allocate.ts';
import type { Tables } from '../../store/schema.ts';
import { readNumber } from '../../store/setting.ts';
import { unknownId, visible, visibleRows } from '../access.ts';
import { type Room, type WriteRoom, jobCommand } from '../room.ts';
import { instanceView } from './instance-view.ts';
import { knownNic } from './nic.ts';
import { refuseUsedAddress, refuseUsedNic } from './nic-rules.ts';

const secondaryView = z.object({
  id: field.string('id of the secondary address'),
  ipaddress: field.string('the address'),
  nicid: field.string('the interface'),
  networkid: field.string('its network'),
  virtualmachineid: field.string('its instance'),
  secondaryip: field.list(
    'the same, as lists of interfaces show it',
    z.object({ id: z.string(), ipaddress: z.string() }),
  ),
});

const idParam = ref('nic', 'The interface');
const addressParam = (description: string) => text(description, 40).optional();

/** The secondary address with this id, for the result of a job; undefined when it is gone. Refuses one of an interface the caller may not see. */
export async function viewSecondaryAddress(room: Room, id: string): Promise<object | undefined> {
  const row = await room.db.selectFrom('nicaddress').selectAll().where('id', '=', id).executeTakeFirst();
  if (row === undefined) return undefined;
  const nic = await knownNic(room, row.nic);
  return compact<z.infer<typeof secondaryView>>({
    id,
    ipaddress: row.ip,
    nicid: nic.id,
    networkid: nic.network,
    virtualmachineid: nic.instance,
    secondaryip: [{ id, ipaddress: row.ip }],
  });
}

export const addIpToNic = jobCommand({
  name: 'addIpToNic',
  summary: 'Gives an interface a further address of its network; the guest has to set it itself',
  roles: WRITERS,
  envelope: 'addiptovmnicresponse',
  params: z.object({ nicid: idParam, ipaddress: addressParam('The address; the lowest free one when left out') }),
  answer: { kind: 'object', key: 'nicsecondaryip', view: secondaryView },
  event: 'NIC.SECONDARY.IP.ASSIGN',
  async job(room, want) {
    const nic = await knownNic(room, want.nicid);
    checkFormat(want.ipaddress);
    const network = await networkOf(room, nic);
    await refuseTooMany(room, nic);
    const id = newId();
    const ip = await take(room, nic, network, want.ipaddress, 'secondary', id);
    const moved = await room.tx.generation();
    await room.tx.insert('nicaddress', { id, nic: nic.id, ip, moved, created: new Date().toISOString() });
    return {
      id,
      about: { type: 'NicSecondaryIp', id },
      view: 'nicsecondaryip',
      text: `adding address ${ip} to an interface in network ${network.name}`,
    };
  },
});

export const removeIpFromNic = jobCommand({
  name: 'removeIpFromNic',
  summary: 'Takes a secondary address away from an interface',
  roles: WRITERS,
  params: z.object({ id: ref('nicsecondaryip', 'The secondary address') }),
  answer: { kind: 'success' },
  event: 'NIC.SECONDARY.IP.UNASSIGN',
  async job(room, want) {
    const row = await room.db
      .selectFrom('nicaddress')
      .innerJoin('nic', 'nic.id', 'nicaddress.nic')
      .innerJoin('instance', 'instance.id', 'nic.instance')
      .selectAll('nicaddress')
      .where('nicaddress.id', '=', want.id)
      .where(visibleRows(room.call.caller, 'instance'))
      .executeTakeFirst();
    if (row === undefined) throw unknownId(room, 'id', want.id);
    await refuseUsedAddress(room, row.nic, row.ip);
    await releaseAddresses(room.tx, row.id);
    await room.tx.remove('nicaddress', row.id);
    return { about: { type: 'NicSecondaryIp', id: row.id }, text: `removing address ${row.ip} from its interface` };
  },
});

/** States in which a network's addresses may be given out anew. */
const READY = ['Allocated', 'Implemented', 'Setup'];

export const updateVmNicIp = jobCommand({
  name: 'updateVmNicIp',
  summary: 'Gives an interface of a stopped instance another address; the guest takes it at its next start',
  roles: WRITERS,
  params: z.object({ nicid: idParam, ipaddress: addressParam('The address; the lowest free one when left out') }),
  answer: { kind: 'object', key: 'virtualmachine', view: instanceView },
  event: 'NET.IPASSIGN',
  async job(room, want) {
    const nic = await knownNic(room, want.nicid);
    const instance = await visible(room, 'instance', nic.instance, 'nicid');
    checkFormat(want.ipaddress);
    const network = await networkOf(room, nic);
    if (instance.state !== 'Stopped') {
      throw refuse(
        'parameter',
        `VM is not Stopped, unable to update the vm nic having the specified id: ${instance.hostname} is ${instance.state}. Stop it first`,
      );
    }
    if (!READY.includes(network.state)) {
      throw refuse(
        'parameter',
        `Network is not in the right state to update vm nic ip. Correct states are: ${READY.join(', ')}; ${network.name} is ${network.state}`,
      );
    }
    const answer = { about: { type: 'VirtualMachine', id: instance.id }, view: 'virtualmachine' };
    if (want.ipaddress === nic.ip)
      return { ...answer, text: `keeping address ${nic.ip} of instance ${instance.hostname}` };
    await refuseUsedNic(room, nic.id, `Unable to update the address of nic ${nic.id}`, nic.ip ?? undefined);
    const ip = await take(room, nic, network, want.ipaddress, 'nic', nic.id);
    await room.tx.db
      .deleteFrom('address')
      .where('network', '=', network.id)
      .where('ip', '=', nic.ip)
      .where('owner', '=', nic.id)
      .execute();
    await room.tx.update('nic', nic.id, { ip, moved: await room.tx.generation() });
    return {
      ...answer,
      text: `giving instance ${instance.hostname} address ${ip} instead of ${nic.ip} in ${network.name}`,
    };
  },
});

function checkFormat(ip: string | undefined): void {
  if (ip !== undefined && parseIp(ip) === undefined)
    throw refuse('parameter', `Invalid format for IP address parameter: ${ip}`);
}

async function networkOf(room: Room, nic: Tables['nic']): Promise<Tables['network']> {
  const network = await room.db
    .selectFrom('network')
    .selectAll()
    .where('id', '=', nic.network)
    .executeTakeFirstOrThrow();
  if (network.cidr === null) {
    throw refuse(
      'parameter',
      `Network ${network.name} has no addresses: it is of type ${network.guesttype}, where instances bring their own, as many as they like`,
    );
  }
  return network;
}

async function refuseTooMany(room: Room, nic: Tables['nic']): Promise<void> {
  const most = await readNumber(room.db, 'vmnetwork.nic.max.secondary.ipaddresses');
  const rows = await room.db.selectFrom('nicaddress').select('id').where('nic', '=', nic.id).execute();
  if (rows.length < most) return;
  throw refuse(
    'capacity',
    `Maximum Number of Ips per Nic has been crossed.: ${rows.length} secondary addresses, and ${most} are allowed (vmnetwork.nic.max.secondary.ipaddresses)`,
  );
}

async function take(
  room: WriteRoom,
  nic: Tables['nic'],
  network: Tables['network'],
  ip: string | undefined,
  kind: AddressKind,
  owner: string,
): Promise<string> {
  try {
    return await allocateAddress(room.tx, network, ip, kind, owner);
  } catch (error) {
    if (!(error instanceof AllocationError)) throw error;
    if (error.problem === 'full') {
      throw refuse(
        'capacity',
        `Allocating ip to guest nic ${nic.id} failed, for insufficient address capacity: ${error.message}`,
      );
    }
    throw refuse(
      'parameter',
      `Allocating ip to guest nic ${nic.id} failed, please choose another ip: ${error.message}`,
    );
  }
}
