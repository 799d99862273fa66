// deployVirtualMachine: a new instance. Everything is checked, and its addresses are taken, before the call is answered; what
// the job waits for is that the instance runs and can be reached.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { type Refusal, refuse } from '../../api/error.ts';
import { address, flag, freeMap, integer, list, map, ref, text } from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, unknownId } from '../access.ts';
import { checkLimits } from '../account/resource-count.ts';
import { joinGroups } from './affinity-group.ts';
import { affinityOf, askedGroups } from './affinity.ts';
import { dhcpOptionsParam, setDhcpOptions } from './dhcp-options.ts';
import { firstPassword } from './guest-password.ts';
import { checkHostname, checkHostnameFree } from './instance-name.ts';
import { addNics, implementNetworks, requireService, wishedNics } from './instance-nics.ts';
import { instanceView } from './instance-view.ts';
import { openZone } from '../known.ts';
import { forParams, ownerOf } from '../owner.ts';
import { askedPairs, publicKeysOf } from './key-pair.ts';
import { placeInstance } from './placement.ts';
import { usableTemplate } from './template.ts';
import { userDataOf, userDataParam } from './user-data.ts';
import { type Room, jobCommand } from '../room.ts';
import { addVolume, chosenSize, inGiB, rootSizeOf } from './volume-row.ts';

export const deployVirtualMachine = jobCommand({
  name: 'deployVirtualMachine',
  summary: 'Creates an instance and, unless startvm=false, starts it',
  roles: WRITERS,
  params: z.object({
    zoneid: ref('zone', 'The zone it will run in'),
    serviceofferingid: ref('serviceoffering', 'CPUs and memory'),
    templateid: ref('template', 'What it starts from'),
    name: text('Host name; made up when left out', 255).optional(),
    displayname: text('Name for people; the host name when left out').optional(),
    networkids: list('Networks it gets an interface in; the first is the default', 'network').optional(),
    iptonetworklist: map(
      'Networks with addresses: iptonetworklist[0].networkid, .ip, .mac; instead of networkids',
    ).optional(),
    ipaddress: address('Its address in the default network').optional(),
    macaddress: text('MAC address of the default interface', 17).optional(),
    hostid: ref('host', 'Host to run on; for root').optional(),
    dhcpoptionsnetworklist: dhcpOptionsParam.optional(),
    startvm: flag('Whether to start it (default true)').optional(),
    userdata: userDataParam.optional(),
    keypair: text('Name of an SSH key pair that it lets in').optional(),
    keypairs: list('Names of several SSH key pairs').optional(),
    group: text('Group it belongs to').optional(),
    details: freeMap('Details kept with the instance: details[0].key=value').optional(),
    ip6address: text('The IPv6 address in the first network: only the one that follows from macaddress').optional(),
    diskofferingid: ref('diskoffering', 'A data disk of this kind is made with it').optional(),
    size: integer('Size of that data disk in GiB, where its offering leaves the choice', {
      min: 1,
      type: 'long',
    }).optional(),
    rootdisksize: integer('Size of its root disk in GiB; that of the template when left out', {
      min: 1,
      type: 'long',
    }).optional(),
    affinitygroupids: list('Affinity groups it is in', 'affinitygroup').optional(),
    affinitygroupnames: list('The same by name, instead').optional(),
    securitygroupids: list('Not offered', 'securitygroup').optional(),
    securitygroupnames: list('Not offered').optional(),
    ...forParams,
  }),
  answer: { kind: 'object', key: 'virtualmachine', view: instanceView },
  event: 'VM.CREATE',
  async job(room, want) {
    const zone = await openZone(room, want.zoneid);
    const offering = await existing(room, 'serviceoffering', want.serviceofferingid, 'serviceofferingid');
    if (offering.removed === 1 || offering.issystem === 1)
      throw unknownId(room, 'serviceofferingid', want.serviceofferingid);
    const template = await templateFor(room, want.templateid, zone);
    refuseWhatIsNotOffered(want);
    const owner = await ownerOf(room, want);
    const wishes = await wishedNics(room, want, zone, owner);
    const [first] = wishes;
    const userdata = want.userdata === undefined ? null : userDataOf(want.userdata);
    if (userdata !== null) {
      await requireService(room, first!.network, 'UserData', 'UserData is provided while deploying the VM');
    }
    const pairs = askedPairs(want);
    if (pairs.length > 0)
      await requireService(room, first!.network, 'UserData', 'SSH keypair is provided while deploying the VM');
    const keypairs = pairs.length === 0 ? null : await publicKeysOf(room, owner.account.id, pairs, noSuchPair);
    const groups = await askedGroups(room, owner.account, want);
    if (template.passwordenabled === 1)
      await requireService(room, first!.network, 'UserData', `template ${template.name} is password enabled`);
    if (want.name !== undefined) {
      checkHostname(want.name);
      await checkHostnameFree(
        room,
        want.name,
        wishes.map((wish) => wish.network),
      );
    }
    const start = want.startvm !== false;
    const affinity = await affinityOf(room, groups);
    const six = wishes.some(({ network }) => network.ip6cidr !== null);
    const host =
      start || want.hostid !== undefined ? await placeInstance(room, zone, want.hostid, { affinity, six }) : null;
    const disk = want.diskofferingid === undefined ? undefined : await chosenSize(room, want.diskofferingid, want.size);
    const rootSize = rootSizeOf(template, want.rootdisksize);
    await checkLimits(
      room,
      { account: owner.account.id, domain: owner.domain.id },
      {
        user_vm: 1,
        cpu: offering.cpunumber,
        memory: offering.memory,
        volume: disk === undefined ? 1 : 2,
        primary_storage: inGiB(rootSize) + (disk === undefined ? 0 : inGiB(disk.size)),
      },
    );

    const id = newId();
    const created = new Date().toISOString();
    const name = `i-${await room.tx.next('instance')}-VM`;
    const hostname = want.name ?? name;
    await room.tx.insert('instance', {
      id,
      name,
      displayname: want.displayname ?? hostname,
      hostname,
      zone: zone.id,
      account: owner.account.id,
      domain: owner.domain.id,
      serviceoffering: offering.id,
      template: template.id,
      host: start ? host : null,
      lasthost: host,
      state: start ? 'Starting' : 'Stopped',
      power: start ? 'running' : 'stopped',
      boot: 0,
      ...firstPassword(room.store.sealKey, template),
      userdata,
      keypairs,
      groupname: want.group ?? null,
      details: want.details === undefined ? null : JSON.stringify(detailsOf(want.details)),
      created,
    });
    await addNics(room, id, wishes, created);
    await setDhcpOptions(room, id, want.dhcpoptionsnetworklist);
    await joinGroups(room.tx, id, groups);
    const holder = { zone: zone.id, instance: id, account: owner.account.id, domain: owner.domain.id, created };
    const serial = name.replace(/^i-([0-9]+)-VM$/, '$1');
    await addVolume(room.tx, { ...holder, name: `ROOT-${serial}`, type: 'ROOT', size: rootSize, deviceid: 0 });
    if (disk !== undefined) {
      const data = { ...holder, ...disk, name: `DATA-${serial}`, type: 'DATA', deviceid: 1 } as const;
      await addVolume(room.tx, data);
    }
    const enters = start
      ? [
          { kind: 'instance' as const, id, state: 'Running' },
          ...(await implementNetworks(
            room,
            wishes.map((wish) => wish.network),
          )),
        ]
      : [];
    return {
      id,
      about: { type: 'VirtualMachine', id },
      view: 'virtualmachine',
      enters,
      text: `deploying instance ${hostname} in ${wishes.map((wish) => wish.network.name).join(', ')}`,
    };
  },
});

/** A template the caller may use, and in this zone. */
async function templateFor(room: Room, id: string, zone: Tables['zone']): Promise<Tables['template']> {
  const template = await usableTemplate(room, id, 'templateid');
  if (template.isready !== 1)
    throw refuse('parameter', `The template ${id} is not available for use: it is not ready yet`);
  if (template.zone !== null && template.zone !== zone.id) {
    throw refuse(
      'parameter',
      `The template ${id} is not available for use in zone ${zone.name}: choose one that listTemplates shows for this zone`,
    );
  }
  return template;
}

interface NotOffered {
  readonly ip6address?: string | undefined;
  readonly securitygroupids?: readonly string[] | undefined;
  readonly securitygroupnames?: readonly string[] | undefined;
}

/** What CloudStack knows and this product does not: said, never ignored. */
function refuseWhatIsNotOffered(want: NotOffered): void {
  if (want.securitygroupids?.length || want.securitygroupnames?.length) {
    throw refuse(
      'parameter',
      "Can't create vm with security groups; security group feature is not enabled per zone. Use network ACLs of the tier instead",
    );
  }
}

function noSuchPair(name: string): Refusal {
  return refuse(
    'parameter',
    `A key pair with name '${name}' was not found. createSSHKeyPair or registerSSHKeyPair adds it`,
  );
}

/** `details[0].key=a&details[0].value=b` and `details[0].a=b` both mean {a: b}. */
export function detailsOf(entries: readonly Readonly<Record<string, string>>[]): Record<string, string> {
  return Object.fromEntries(
    entries.flatMap((entry) => {
      const { key, value } = entry as { readonly key?: string; readonly value?: string };
      return key !== undefined && value !== undefined ? [[key, value]] : Object.entries(entry);
    }),
  );
}
