// migrateVirtualMachine: a running instance goes to another hypervisor. The change says where it comes from and where it is to be;
// both places know it until it is there, and the job ends then (store/settle.ts lets the old place go).
import { z } from 'zod';
import { ROOT } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import { flag, ref } from '../../api/param.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, unknownId, visible } from '../access.ts';
import { type Room, jobCommand } from '../room.ts';
import { moveAddresses } from './instance-nics.ts';
import { instanceView } from './instance-view.ts';

type Instance = Tables['instance'];
type Host = Tables['host'];

export const migrateVirtualMachine = jobCommand({
  name: 'migrateVirtualMachine',
  summary: 'Moves a running instance to another hypervisor; while it is on its way, moving it back gives the move up',
  roles: ROOT,
  params: z.object({
    virtualmachineid: ref('instance', 'The instance'),
    hostid: ref('host', 'The hypervisor it is to run on').optional(),
    autoselect: flag('Without hostid: take the hypervisor with the fewest instances').optional(),
    storageid: ref('storagepool', 'Not offered: instances have no storage pools').optional(),
  }),
  answer: { kind: 'object', key: 'virtualmachine', view: instanceView },
  event: 'VM.MIGRATE',
  async job(room, want) {
    const instance = await visible(room, 'instance', want.virtualmachineid, 'virtualmachineid');
    if (want.storageid !== undefined)
      throw refuse('parameter', 'Instances have no storage pools to be moved to: leave storageid out and give hostid');
    if (instance.host === null || (instance.state !== 'Running' && instance.state !== 'Migrating')) {
      throw refuse(
        'parameter',
        `VM is not Running, unable to migrate the vm with specified id: ${instance.hostname} is ${instance.state}. A stopped one is started where you want it: startVirtualMachine hostid=…`,
      );
    }
    const source = await existing(room, 'host', instance.host, 'hostid');
    const destination = await destinationOf(room, instance, source, want.hostid, want.autoselect === true);
    await refuseCrossing(room, instance, source, destination);
    if (source.state !== 'Up' && instance.state === 'Running') {
      throw refuse(
        'failed',
        `Cannot migrate VM ${instance.hostname}: host ${source.name} that runs it is ${source.state}, and only a host that answers can hand it over. Start that host's agent`,
      );
    }
    await room.tx.update('instance', instance.id, {
      host: destination.id,
      lasthost: destination.id,
      migratefrom: source.id,
      state: 'Migrating',
    });
    await moveAddresses(room, instance.id);
    return {
      about: { type: 'VirtualMachine', id: instance.id },
      view: 'virtualmachine',
      enters: [{ kind: 'instance', id: instance.id, state: 'Running' }],
      text: `migrating instance ${instance.hostname} from ${source.name} to ${destination.name}`,
    };
  },
});

async function destinationOf(
  room: Room,
  instance: Instance,
  source: Host,
  id: string | undefined,
  autoselect: boolean,
): Promise<Host> {
  if (id === undefined) {
    if (!autoselect)
      throw refuse('parameter', 'Either hostId or autoselect=true must be specified: where is the instance to go?');
    return leastLoaded(room, instance, source);
  }
  const host = await existing(room, 'host', id, 'hostid');
  if (host.kind !== 'hypervisor') throw unknownId(room, 'hostid', id);
  if (host.id === source.id) {
    throw refuse(
      'parameter',
      `Cannot migrate VM, VM is already presnt on this host, please specify valid destination host to migrate the VM: ${instance.hostname} ${instance.state === 'Migrating' ? 'is on its way to' : 'runs on'} ${host.name}`,
    );
  }
  if (host.zone !== instance.zone) {
    throw refuse(
      'parameter',
      `Cannot migrate the VM, destination host is not in the same cluster as current host of the VM: ${host.name} is in another zone`,
    );
  }
  if (!canTake(host)) {
    throw refuse(
      'parameter',
      `Cannot migrate VM, destination host is not in correct state, has status: ${host.state}, state: ${host.resourcestate}; ${host.name} must be Up and Enabled`,
    );
  }
  return host;
}

async function leastLoaded(room: Room, instance: Instance, source: Host): Promise<Host> {
  const hosts = await room.db
    .selectFrom('host')
    .selectAll()
    .where('zone', '=', instance.zone)
    .where('kind', '=', 'hypervisor')
    .orderBy('name')
    .execute();
  const running = await room.db.selectFrom('instance').select('host').where('host', 'is not', null).execute();
  const load = (host: Host): number => running.filter((row) => row.host === host.id).length;
  const [host] = hosts
    .filter((one) => one.id !== source.id && one.id !== instance.migratefrom && canTake(one))
    .toSorted((a, b) => load(a) - load(b));
  if (host !== undefined) return host;
  const others = hosts
    .filter((one) => one.id !== source.id)
    .map((one) => `${one.name} is ${one.state}, ${one.resourcestate}`);
  throw refuse(
    'capacity',
    `Unable to find a host to migrate ${instance.hostname} to: besides ${source.name} there is ${others.length === 0 ? 'none' : others.join('; ')}. A host takes instances while it is Up and Enabled`,
  );
}

/** One that is on its way can only be called back: a third place would have to hear of it from two. */
async function refuseCrossing(room: Room, instance: Instance, source: Host, destination: Host): Promise<void> {
  if (instance.migratefrom === null || instance.migratefrom === destination.id) return;
  const from = await existing(room, 'host', instance.migratefrom, 'hostid');
  throw refuse(
    'failed',
    `Cannot migrate VM ${instance.hostname} to ${destination.name}: it is on its way from ${from.name} to ${source.name}. Wait until it is there, or move it back to ${from.name}`,
  );
}

function canTake(host: Host): boolean {
  return host.state === 'Up' && host.resourcestate === 'Enabled';
}
