// migrateVirtualMachine: a running instance goes to another hypervisor. The change says where it comes from and where it is to be;
// both places know it until it is there, and the job ends then (store/settle.ts lets the old place go).
import { z } from 'zod';
import { ROOT } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import { flag, ref } from '../../api/param.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, unknownId, visible } from '../access.ts';
import { type Room, type WriteRoom, jobCommand } from '../room.ts';
import { affinityOf, groupsOf } from './affinity.ts';
import { moveAddresses } from './instance-nics.ts';
import { instanceView } from './instance-view.ts';
import { canTake, hasSix, lacksGuard } from './placement.ts';

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
    await sendTo(room, instance, source, destination);
    return {
      about: { type: 'VirtualMachine', id: instance.id },
      view: 'virtualmachine',
      enters: [{ kind: 'instance', id: instance.id, state: 'Running' }],
      text: `migrating instance ${instance.hostname} from ${source.name} to ${destination.name}`,
    };
  },
});

/** Sends a running instance on its way; it is Running again when that is realized. */
export async function sendTo(
  room: WriteRoom,
  instance: Pick<Instance, 'id'>,
  source: Pick<Host, 'id'>,
  destination: Pick<Host, 'id'>,
): Promise<void> {
  await room.tx.update('instance', instance.id, {
    host: destination.id,
    lasthost: destination.id,
    migratefrom: source.id,
    state: 'Migrating',
  });
  await moveAddresses(room, instance.id);
}

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
  const ruledOut = (await affinityOf(room, await groupsOf(room, instance.id), instance.id)).ruledOut(host.id);
  // The way back is always open: it came from there.
  if (ruledOut !== undefined && host.id !== instance.migratefrom) {
    throw refuse(
      'parameter',
      `Cannot migrate VM, ${instance.hostname} must not run on ${host.name}: ${ruledOut}. Choose another host, or take it out of the group`,
    );
  }
  const unguarded = (await hasSix(room, instance.id)) ? lacksGuard(host) : undefined;
  if (unguarded !== undefined && host.id !== instance.migratefrom) {
    throw refuse(
      'parameter',
      `Cannot migrate VM, ${instance.hostname} has a card in a network with IPv6 and cannot run on ${host.name}: ${unguarded}. Choose another host`,
    );
  }
  return host;
}

/** The hypervisor with the fewest instances that can take it. Refuses where there is none. */
export async function leastLoaded(room: Room, instance: Instance, source: Host): Promise<Host> {
  const hosts = await room.db
    .selectFrom('host')
    .selectAll()
    .where('zone', '=', instance.zone)
    .where('kind', '=', 'hypervisor')
    .orderBy('name')
    .execute();
  const running = await room.db.selectFrom('instance').select('host').where('host', 'is not', null).execute();
  const load = (host: Host): number => running.filter((row) => row.host === host.id).length;
  const affinity = await affinityOf(room, await groupsOf(room, instance.id), instance.id);
  const six = await hasSix(room, instance.id);
  const whyNot = (one: Host): string | undefined => affinity.ruledOut(one.id) ?? (six ? lacksGuard(one) : undefined);
  const [host] = hosts
    .filter((one) => one.id !== source.id && one.id !== instance.migratefrom && canTake(one))
    .filter((one) => whyNot(one) === undefined)
    .toSorted((a, b) => affinity.cost(a.id) - affinity.cost(b.id) || load(a) - load(b));
  if (host !== undefined) return host;
  const others = hosts
    .filter((one) => one.id !== source.id)
    .map((one) => `${one.name} is ${one.state}, ${one.resourcestate}${withReason(whyNot(one))}`);
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

function withReason(reason: string | undefined): string {
  return reason === undefined ? '' : ` (${reason})`;
}
