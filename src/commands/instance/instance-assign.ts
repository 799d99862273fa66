// assignVirtualMachine: a stopped instance gets another owner, and interfaces in networks of his instead of those it had.
import { z } from 'zod';
import { ADMINS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import { list, ref, text } from '../../api/param.ts';
import { checkLimits, takenBy } from '../account/resource-count.ts';
import { existing, visible } from '../access.ts';
import { ownerOf } from '../owner.ts';
import { type WriteRoom, writeCommand } from '../room.ts';
import { leaveGroups } from './affinity-group.ts';
import { removeNics } from './instance-destroy.ts';
import { checkHostnameFree } from './instance-name.ts';
import { addNics, wishedNics } from './instance-nics.ts';
import { TAG_KIND, instanceView, viewInstance } from './instance-view.ts';
import { refuseUsedNic } from './nic-rules.ts';
import { VOLUME_TAG } from './volume-row.ts';

export const assignVirtualMachine = writeCommand({
  name: 'assignVirtualMachine',
  summary: 'Gives a stopped instance, with its volumes, to another account',
  roles: ADMINS,
  params: z.object({
    virtualmachineid: ref('instance', 'The instance'),
    account: text('Its new account').optional(),
    domainid: ref('domain', 'The domain of that account').optional(),
    networkids: list(
      'Networks of the new account it gets an interface in; the first is the default',
      'network',
    ).optional(),
    projectid: text('Projects are not offered').optional(),
  }),
  answer: { kind: 'object', key: 'virtualmachine', view: instanceView },
  event: 'VM.MOVE',
  async write(room, want) {
    const instance = await visible(room, 'instance', want.virtualmachineid, 'virtualmachineid');
    if (want.account === undefined || want.domainid === undefined)
      throw refuse('parameter', 'Name the new account of the instance in account and domainid');
    const owner = await ownerOf(room, want);
    const zone = await existing(room, 'zone', instance.zone, 'zoneid');
    const wishes = await wishedNics(room, { networkids: want.networkids ?? [] }, zone, owner);
    if (instance.state !== 'Stopped') {
      throw refuse(
        'parameter',
        `VM is ${instance.state}, unable to move the vm ${instance.hostname} (${instance.id}): stop it first`,
      );
    }
    if (owner.account.id === instance.account)
      throw refuse('parameter', `The new account and the old account are the same: ${owner.account.name}`);
    const nics = await room.db.selectFrom('nic').select('id').where('instance', '=', instance.id).execute();
    for (const { id } of nics) await refuseUsedNic(room, id, `Unable to move the vm ${instance.hostname}`);
    const networks = wishes.map((wish) => wish.network);
    await checkHostnameFree(room, instance.hostname, networks, instance.id);
    const holder = { account: owner.account.id, domain: owner.domain.id };
    await checkLimits(room, holder, await takenBy(room, instance));
    await removeNics(room.tx, instance.id);
    await leaveGroups(room.tx, instance.id);
    // The keys, the user data and the password were its old owner's; the guest is told of none until its new one sets some.
    const told = { keypairs: null, userdata: null, password: null, onetimepassword: null };
    await room.tx.update('instance', instance.id, { ...holder, ...told });
    await giveVolumes(room, instance.id, holder);
    await room.tx.db
      .updateTable('tag')
      .set(holder)
      .where('kind', '=', TAG_KIND)
      .where('resource', '=', instance.id)
      .execute();
    await addNics(room, instance.id, wishes, new Date().toISOString());
    return { virtualmachine: await viewInstance(room, instance.id) };
  },
});

async function giveVolumes(
  { tx }: WriteRoom,
  instance: string,
  holder: { readonly account: string; readonly domain: string },
): Promise<void> {
  const volumes = await tx.db.selectFrom('volume').select('id').where('instance', '=', instance).execute();
  for (const { id } of volumes) {
    await tx.update('volume', id, holder);
    await tx.db.updateTable('tag').set(holder).where('kind', '=', VOLUME_TAG).where('resource', '=', id).execute();
  }
}
