// Interfaces that come and go: a further one, one less, and which of them leads to the rest of the world.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { type Refusal, refuse } from '../../api/error.ts';
import { ref, text } from '../../api/param.ts';
import { parseIp } from '../../lib/ip.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, unknownId, visible } from '../access.ts';
import { readMac } from '../known.ts';
import { usableNetwork } from '../network/network-access.ts';
import { hasMac } from '../network/network-mac.ts';
import { type JobAnswer, type Room, jobCommand } from '../room.ts';
import { cardOptionsParam, setCardOptions } from './dhcp-options.ts';
import { removeNic } from './instance-destroy.ts';
import { checkHostnameFree } from './instance-name.ts';
import { addNic, checkNetwork, implementNetworks, refuseNoAddresses } from './instance-nics.ts';
import { instanceView } from './instance-view.ts';
import { refuseUsedNic } from './nic-rules.ts';

type Instance = Tables['instance'];

const object = { kind: 'object', key: 'virtualmachine', view: instanceView } as const;
const instanceParam = ref('instance', 'The instance');
const nicParam = ref('nic', 'The interface');

export const addNicToVirtualMachine = jobCommand({
  name: 'addNicToVirtualMachine',
  summary: 'Gives an instance, running or stopped, an interface in a further network',
  roles: WRITERS,
  params: z.object({
    virtualmachineid: instanceParam,
    networkid: ref('network', 'The network'),
    ipaddress: text('Its address; the lowest free one when left out', 40).optional(),
    macaddress: text('Its MAC address', 17).optional(),
    dhcpoptions: cardOptionsParam.optional(),
  }),
  answer: object,
  event: 'NIC.CREATE',
  async job(room, want) {
    const instance = await changeable(room, want.virtualmachineid, 'add a nic to');
    const network = await usableNetwork(room, want.networkid, 'networkid');
    if (want.ipaddress !== undefined && parseIp(want.ipaddress) === undefined)
      throw refuse('parameter', `Invalid format for IP address parameter: ${want.ipaddress}`);
    if (want.ipaddress !== undefined) refuseNoAddresses(network);
    const zone = await existing(room, 'zone', instance.zone, 'zoneid');
    if (network.zone !== zone.id) {
      const other = await existing(room, 'zone', network.zone, 'zoneid');
      throw refuse(
        'parameter',
        `${instance.hostname} is in zone:${zone.name} but ${network.name} is in zone:${other.name}`,
      );
    }
    await checkNetwork(room, network, zone, await ownerOfInstance(room, instance));
    const nics = await room.db.selectFrom('nic').selectAll().where('instance', '=', instance.id).execute();
    if (nics.some((nic) => nic.network === network.id)) {
      throw refuse(
        'failed',
        `A NIC already exists for VM:${instance.id} in network: ${network.id}. A further address there is had with addIpToNic`,
      );
    }
    const mac = want.macaddress === undefined ? undefined : readMac(want.macaddress);
    if (mac !== undefined && (await hasMac(room, network, mac)))
      throw refuse('failed', `A NIC with this MAC-Address already exists for network: ${network.id} (${mac})`);
    await checkHostnameFree(room, instance.hostname, [network], instance.id);
    const used = new Set(nics.map((nic) => nic.deviceid));
    const deviceid = Array.from({ length: nics.length + 1 }, (_, index) => index).find((index) => !used.has(index))!;
    const isdefault = nics.some((nic) => nic.isdefault === 1) ? 0 : 1;
    const created = new Date().toISOString();
    const id = await addNic(room, instance.id, { network, ip: want.ipaddress, mac }, { deviceid, isdefault, created });
    if (want.dhcpoptions !== undefined) await setCardOptions(room, { id, network: network.id }, want.dhcpoptions);
    const enters = instance.power === 'running' ? await implementNetworks(room, [network]) : [];
    return { ...about(instance, `adding an interface in network ${network.name} to`), enters };
  },
});

export const removeNicFromVirtualMachine = jobCommand({
  name: 'removeNicFromVirtualMachine',
  summary: 'Takes an interface away from an instance; its addresses are free again',
  roles: WRITERS,
  params: z.object({ virtualmachineid: instanceParam, nicid: nicParam }),
  answer: object,
  event: 'NIC.DELETE',
  async job(room, want) {
    const instance = await changeable(room, want.virtualmachineid, 'remove a nic from');
    const { nic, network } = await nicOf(room, instance, want.nicid);
    const unable = `Unable to remove nic from ${instance.hostname} in ${network.name}`;
    if (nic.isdefault === 1)
      throw refuse(
        'parameter',
        `${unable}, nic is default.: make another one the default with updateDefaultNicForVirtualMachine first`,
      );
    await refuseUsedNic(room, nic.id, unable);
    await removeNic(room.tx, nic.id);
    return about(instance, `removing the interface in network ${network.name} of`);
  },
});

export const updateDefaultNicForVirtualMachine = jobCommand({
  name: 'updateDefaultNicForVirtualMachine',
  summary:
    'Chooses the interface that the default route of an instance goes through; the guest follows at its next start',
  roles: WRITERS,
  params: z.object({ virtualmachineid: instanceParam, nicid: nicParam }),
  answer: object,
  event: 'NIC.UPDATE',
  async job(room, want) {
    const instance = await changeable(room, want.virtualmachineid, 'update the default nic of');
    const { nic, network } = await nicOf(room, instance, want.nicid);
    if (nic.isdefault === 1) {
      throw refuse(
        'parameter',
        `refusing to set default nic because chosen nic is already the default: ${nic.id} in ${network.name}`,
      );
    }
    const before = await room.db
      .selectFrom('nic')
      .select('id')
      .where('instance', '=', instance.id)
      .where('isdefault', '=', 1)
      .execute();
    for (const { id } of before) await room.tx.update('nic', id, { isdefault: 0 });
    await room.tx.update('nic', nic.id, { isdefault: 1 });
    return about(instance, `making the interface in network ${network.name} the default of`);
  },
});

function about(instance: Instance, text: string): JobAnswer {
  return {
    about: { type: 'VirtualMachine', id: instance.id },
    view: 'virtualmachine',
    text: `${text} instance ${instance.hostname}`,
  };
}

/** The instance, if its interfaces may change: neither half-way to another state nor to another host. */
async function changeable(room: Room, id: string, what: string): Promise<Instance> {
  const instance = await visible(room, 'instance', id, 'virtualmachineid');
  if (instance.state === 'Running' || instance.state === 'Stopped') return instance;
  throw wrongState(instance, what);
}

function wrongState({ hostname, id, state }: Instance, what: string): Refusal {
  return refuse('parameter', `Unable to ${what} ${hostname} (${id}) in state ${state}: it must be Running or Stopped`);
}

async function nicOf(
  room: Room,
  instance: Instance,
  id: string,
): Promise<{ readonly nic: Tables['nic']; readonly network: Tables['network'] }> {
  const nic = await room.db
    .selectFrom('nic')
    .selectAll()
    .where('id', '=', id)
    .where('instance', '=', instance.id)
    .executeTakeFirst();
  if (nic === undefined) throw unknownId(room, 'nicid', id);
  const network = await room.db
    .selectFrom('network')
    .selectAll()
    .where('id', '=', nic.network)
    .executeTakeFirstOrThrow();
  return { nic, network };
}

async function ownerOfInstance(
  room: Room,
  instance: Instance,
): Promise<{ readonly account: Tables['account']; readonly domain: Tables['domain'] }> {
  const { db } = room;
  return {
    account: await db.selectFrom('account').selectAll().where('id', '=', instance.account).executeTakeFirstOrThrow(),
    domain: await db.selectFrom('domain').selectAll().where('id', '=', instance.domain).executeTakeFirstOrThrow(),
  };
}
