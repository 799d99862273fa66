// The life of an instance: start, stop, reboot, change. An instance that does not run has no host; its interfaces keep their
// addresses until it is expunged.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { type Refusal, refuse } from '../../api/error.ts';
import { flag, freeMap, ref, text } from '../../api/param.ts';
import type { Tables } from '../../store/schema.ts';
import { checkLimits, takenBy } from '../account/resource-count.ts';
import { existing, unknownId, visible } from '../access.ts';
import { affinityOf, groupsOf } from './affinity.ts';
import { dhcpOptionsParam, setDhcpOptions } from './dhcp-options.ts';
import { checkGuestPassword, newGuestPassword } from './guest-password.ts';
import { detailsOf } from './instance-deploy.ts';
import { checkHostname, checkHostnameFree } from './instance-name.ts';
import { implementNetworks, moveAddresses, networksOf } from './instance-nics.ts';
import { instanceView, showInstances, viewInstance } from './instance-view.ts';
import { checkMayChoose, hasSix, placeInstance } from './placement.ts';
import { requireUserData, userDataOf, userDataParam } from './user-data.ts';
import { type JobAnswer, type WriteRoom, jobCommand, writeCommand } from '../room.ts';

type Instance = Tables['instance'];

const object = { kind: 'object', key: 'virtualmachine', view: instanceView } as const;
const idParam = ref('instance', 'The instance');

/** What every job about an instance answers. */
function about(instance: Instance, text: string): JobAnswer {
  return {
    about: { type: 'VirtualMachine', id: instance.id },
    view: 'virtualmachine',
    text: `${text} instance ${instance.hostname}`,
  };
}

function wrongState(what: string, instance: Instance, help: string): Refusal {
  return refuse(
    'parameter',
    `Unable to ${what} instance ${instance.hostname} (${instance.id}) in state ${instance.state}: ${help}`,
  );
}

export const startVirtualMachine = jobCommand({
  name: 'startVirtualMachine',
  summary: 'Starts an instance',
  roles: WRITERS,
  params: z.object({ id: idParam, hostid: ref('host', 'Host to run on; for root').optional() }),
  answer: object,
  event: 'VM.START',
  async job(room, want) {
    const instance = await visible(room, 'instance', want.id);
    const answer = about(instance, 'starting');
    if (want.hostid !== undefined) checkMayChoose(room);
    if (instance.power === 'running' && instance.host !== null) {
      if (want.hostid !== undefined) await refuseElsewhere(room, instance, instance.host, want.hostid);
      return answer;
    }
    if (instance.state === 'Destroyed') throw wrongState('start', instance, 'recover it first');
    // It counts for nobody's limits from the moment it is given up.
    if (instance.destroyed !== null) throw wrongState('start', instance, 'it is being destroyed; recover it then');
    const zone = await existing(room, 'zone', instance.zone, 'zoneid');
    const affinity = await affinityOf(room, await groupsOf(room, instance.id), instance.id);
    const host = await placeInstance(room, zone, want.hostid, {
      last: instance.lasthost,
      affinity,
      six: await hasSix(room, instance.id),
    });
    // Stopped on its way and started where it came from: there is nothing left to move.
    const migratefrom = host === instance.migratefrom ? null : instance.migratefrom;
    const placed = { host, lasthost: host, migratefrom };
    await room.tx.update('instance', instance.id, { ...placed, state: 'Starting', power: 'running' });
    await moveAddresses(room, instance.id);
    const networks = await implementNetworks(room, await networksOf(room, instance.id));
    return { ...answer, enters: [{ kind: 'instance', id: instance.id, state: 'Running' }, ...networks] };
  },
});

/** A start never moves what runs. */
async function refuseElsewhere(room: WriteRoom, instance: Instance, at: string, wanted: string): Promise<void> {
  const host = await existing(room, 'host', wanted, 'hostid');
  if (host.id === at) return;
  const { name } = await existing(room, 'host', at);
  throw refuse(
    'parameter',
    `Unable to start instance ${instance.hostname} (${instance.id}) on ${host.name}: it runs on ${name}. migrateVirtualMachine moves it; or leave hostid out`,
  );
}

export const stopVirtualMachine = jobCommand({
  name: 'stopVirtualMachine',
  summary: 'Stops an instance; it keeps its addresses',
  roles: WRITERS,
  params: z.object({ id: idParam, forced: flag('Accepted; a stop never waits for the guest here').optional() }),
  answer: object,
  event: 'VM.STOP',
  async job(room, want) {
    const instance = await visible(room, 'instance', want.id);
    const answer = about(instance, 'stopping');
    if (instance.state === 'Stopped' || instance.state === 'Stopping') return answer;
    if (instance.state === 'Destroyed') throw wrongState('stop', instance, 'it does not run any more');
    await room.tx.update('instance', instance.id, { host: null, state: 'Stopping', power: 'stopped' });
    return { ...answer, enters: [{ kind: 'instance', id: instance.id, state: 'Stopped' }] };
  },
});

export const rebootVirtualMachine = jobCommand({
  name: 'rebootVirtualMachine',
  summary: 'Restarts an instance on its host',
  roles: WRITERS,
  params: z.object({ id: idParam, forced: flag('Accepted; a reboot never waits for the guest here').optional() }),
  answer: object,
  event: 'VM.REBOOT',
  async job(room, want) {
    const instance = await visible(room, 'instance', want.id);
    if (instance.state !== 'Running')
      throw wrongState('reboot', instance, 'only a running one can be restarted; start it');
    await room.tx.update('instance', instance.id, { boot: instance.boot + 1 });
    return about(instance, 'rebooting');
  },
});

export const resetPasswordForVirtualMachine = jobCommand({
  name: 'resetPasswordForVirtualMachine',
  summary: 'Gives an instance a new password; a running one is restarted with it',
  roles: WRITERS,
  params: z.object({
    id: idParam,
    password: text('The new password; made up when left out', 64).optional(),
  }),
  answer: object,
  event: 'VM.RESETPASSWORD',
  async job(room, want) {
    const instance = await visible(room, 'instance', want.id);
    const template = await existing(room, 'template', instance.template, 'templateid');
    if (template.passwordenabled !== 1) {
      throw refuse(
        'parameter',
        `Fail to reset password for the virtual machine, the template is not password enabled: ${template.name}. Deploy from a template whose passwordenabled is true`,
      );
    }
    if (instance.state !== 'Running' && instance.state !== 'Stopped')
      throw wrongState('reset the password of', instance, 'it must be Running or Stopped');
    if (want.password !== undefined) checkGuestPassword(want.password);
    const boot = instance.state === 'Running' ? instance.boot + 1 : instance.boot;
    const password = newGuestPassword(room.store.sealKey, instance.passwordturn + 1, want.password);
    await room.tx.update('instance', instance.id, { ...password, boot });
    return about(instance, 'resetting the password of');
  },
});

export const updateVirtualMachine = writeCommand({
  name: 'updateVirtualMachine',
  summary: 'Changes names, group, details or user data of an instance',
  roles: WRITERS,
  params: z.object({
    id: idParam,
    displayname: text('Name for people').optional(),
    name: text('Host name; the guest takes it at its next start').optional(),
    group: text('Group it belongs to; empty for none').optional(),
    userdata: userDataParam.optional(),
    dhcpoptionsnetworklist: dhcpOptionsParam.optional(),
    details: freeMap('Details kept with the instance, instead of those it had').optional(),
  }),
  answer: object,
  event: 'VM.UPDATE',
  async write(room, want) {
    const instance = await visible(room, 'instance', want.id);
    const userdata = want.userdata ? userDataOf(want.userdata) : null;
    if (userdata !== null) await requireUserData(room, instance);
    if (want.name !== undefined && want.name !== instance.hostname) {
      checkHostname(want.name);
      await checkHostnameFree(room, want.name, await networksOf(room, instance.id), instance.id);
    }
    const details = want.details === undefined ? instance.details : JSON.stringify(detailsOf(want.details));
    // Host name and user data reach the guest; the rest is changed without a new generation.
    await room.tx.db
      .updateTable('instance')
      .set({
        displayname: want.displayname ?? instance.displayname,
        groupname: want.group === undefined ? instance.groupname : want.group === '' ? null : want.group,
        details,
      })
      .where('id', '=', instance.id)
      .execute();
    const told = {
      ...(want.name === undefined ? {} : { hostname: want.name }),
      ...(want.userdata === undefined ? {} : { userdata }),
    };
    await setDhcpOptions(room, instance.id, want.dhcpoptionsnetworklist);
    if (Object.keys(told).length > 0) await room.tx.update('instance', instance.id, told);
    return { virtualmachine: await viewInstance(room, instance.id) };
  },
});

async function changeOffering(room: WriteRoom, id: string, offeringId: string): Promise<Instance> {
  const instance = await visible(room, 'instance', id);
  const offering = await existing(room, 'serviceoffering', offeringId, 'serviceofferingid');
  if (offering.removed === 1 || offering.issystem === 1) throw unknownId(room, 'serviceofferingid', offeringId);
  if (instance.state !== 'Stopped') throw wrongState('change the service offering of', instance, 'stop it first');
  const before = await takenBy(room, instance);
  await checkLimits(room, instance, {
    cpu: Math.max(0, offering.cpunumber - (before.cpu ?? 0)),
    memory: Math.max(0, offering.memory - (before.memory ?? 0)),
  });
  await room.tx.update('instance', instance.id, { serviceoffering: offering.id });
  return { ...instance, serviceoffering: offering.id };
}

const offeringParams = { id: idParam, serviceofferingid: ref('serviceoffering', 'The new offering') };

export const changeServiceForVirtualMachine = writeCommand({
  name: 'changeServiceForVirtualMachine',
  summary: 'Gives a stopped instance another service offering',
  roles: WRITERS,
  params: z.object(offeringParams),
  answer: object,
  event: 'VM.UPGRADE',
  async write(room, want) {
    const changed = await changeOffering(room, want.id, want.serviceofferingid);
    return { virtualmachine: (await showInstances(room, [changed]))[0] };
  },
});

export const scaleVirtualMachine = jobCommand({
  name: 'scaleVirtualMachine',
  summary: 'Gives a stopped instance another service offering, as a job',
  roles: WRITERS,
  params: z.object(offeringParams),
  // CloudStack's manual says "success"; what it answers, and what clients read, is the instance.
  answer: object,
  event: 'VM.UPGRADE',
  async job(room, want) {
    const changed = await changeOffering(room, want.id, want.serviceofferingid);
    return about(changed, 'changing the service offering of');
  },
});
