// Registering, changing and deleting templates. The rules about who may: his own by everybody, what is featured by root alone.
import { z } from 'zod';
import { ROOT, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { isUuid, newId } from '../../lib/id.ts';
import type { Tables } from '../../store/schema.ts';
import type { TemplateTable } from '../../store/schema/offering.ts';
import { existing, unknownId, visible } from '../access.ts';
import { OTHER_OS, osTypeName } from './os-type.ts';
import { forParams, ownerOf } from '../owner.ts';
import { type Room, jobCommand, writeCommand } from '../room.ts';
import { showTemplates, templateView } from './template.ts';

const FORMATS = ['QCOW2', 'RAW', 'VHD', 'OVA', 'VMDK'];

const imageParams = {
  isdynamicallyscalable: param.flag('Whether its instances can grow while they run').optional(),
  passwordenabled: param.flag('Whether the image takes a password from the cloud').optional(),
  sshkeyenabled: param.flag('Whether the image takes SSH keys from the cloud').optional(),
  requireshvm: param.flag('Only true').optional(),
};

export const registerTemplate = writeCommand({
  name: 'registerTemplate',
  summary: 'Registers a template',
  roles: WRITERS,
  event: 'TEMPLATE.CREATE',
  answer: { kind: 'list', key: 'template', view: templateView },
  params: z.object({
    name: param.text('Name'),
    displaytext: param.text('Description', 4096),
    format: param.text(FORMATS.join(', ')),
    hypervisor: param.text('KVM'),
    url: param.text('Where the image is: http or https', 2048),
    zoneid: param.ref('zone', 'Its zone').optional(),
    zoneids: param.list('Its zone, one; or -1 for all').optional(),
    ostypeid: param.ref('ostype', 'Kind of its operating system').optional(),
    ispublic: param.flag('Whether everybody may use it').optional(),
    isfeatured: param.flag('Whether it is recommended to everybody; root only').optional(),
    isextractable: param.flag('Whether the image may be taken out').optional(),
    checksum: param
      .text(
        'Accepted; nothing is fetched that could be checked: hypervisors boot the image that their own configuration names',
      )
      .optional(),
    ...imageParams,
    ...forParams,
  }),
  async write(room, want) {
    const owner = await ownerOf(room, want);
    if (want.isfeatured === true) refuseFeaturing(room);
    if (want.hypervisor.toLowerCase() !== 'kvm')
      throw refuse('parameter', `Hypervisor ${want.hypervisor} is not offered; supported are: KVM`);
    const row: Tables['template'] = {
      id: newId(),
      name: want.name,
      displaytext: want.displaytext,
      account: owner.account.id,
      domain: owner.domain.id,
      zone: await zoneFor(room, [...(want.zoneid === undefined ? [] : [want.zoneid]), ...(want.zoneids ?? [])]),
      ostypename: osTypeOf(room, want.ostypeid) ?? OTHER_OS,
      format: formatOf(want.format),
      hypervisor: 'KVM',
      size: 0,
      url: checkedUrl(want.url),
      templatetype: 'USER',
      passwordenabled: bit(want.passwordenabled) ?? 0,
      sshkeyenabled: bit(want.sshkeyenabled) ?? 0,
      ispublic: bit(want.ispublic) ?? 0,
      isfeatured: bit(want.isfeatured) ?? 0,
      isextractable: bit(want.isextractable) ?? 0,
      isdynamicallyscalable: bit(want.isdynamicallyscalable) ?? 0,
      isready: 1,
      rootpassword: null,
      removed: 0,
      created: new Date().toISOString(),
    };
    await room.tx.insert('template', row);
    return { count: 1, template: await showTemplates(room, [row]) };
  },
});

export const updateTemplate = writeCommand({
  name: 'updateTemplate',
  summary: 'Changes what is said of a template',
  roles: WRITERS,
  event: 'TEMPLATE.UPDATE',
  answer: { kind: 'object', key: 'template', view: templateView },
  params: z.object({
    id: param.ref('template', 'The template'),
    name: param.text('New name').optional(),
    displaytext: param.text('New description', 4096).optional(),
    ostypeid: param.ref('ostype', 'Kind of its operating system').optional(),
    format: param.text(FORMATS.join(', ')).optional(),
    ...imageParams,
  }),
  async write(room, want) {
    const old = await ownTemplate(room, want.id);
    const row: TemplateTable = {
      ...old,
      name: want.name ?? old.name,
      displaytext: want.displaytext ?? old.displaytext,
      ostypename: osTypeOf(room, want.ostypeid) ?? old.ostypename,
      format: want.format === undefined ? old.format : formatOf(want.format),
      isdynamicallyscalable: bit(want.isdynamicallyscalable) ?? old.isdynamicallyscalable,
      passwordenabled: bit(want.passwordenabled) ?? old.passwordenabled,
      sshkeyenabled: bit(want.sshkeyenabled) ?? old.sshkeyenabled,
    };
    await room.tx.update('template', row.id, row);
    return { template: (await showTemplates(room, [row]))[0] };
  },
});

export const updateTemplatePermissions = writeCommand({
  name: 'updateTemplatePermissions',
  summary: 'Changes who may use a template',
  roles: WRITERS,
  event: 'TEMPLATE.UPDATE',
  answer: { kind: 'success' },
  params: z.object({
    id: param.ref('template', 'The template'),
    ispublic: param.flag('Whether everybody may use it').optional(),
    isfeatured: param.flag('Whether it is recommended to everybody; root only').optional(),
    isextractable: param.flag('Whether the image may be taken out').optional(),
    accounts: param.list("Not offered: a template is public, or its owner's").optional(),
  }),
  async write(room, want) {
    const old = await ownTemplate(room, want.id);
    if (want.isfeatured === true) refuseFeaturing(room);
    if ((want.accounts?.length ?? 0) > 0) {
      throw refuse(
        'parameter',
        `Sharing a template with single accounts (${want.accounts?.join(', ')}) is not offered: make it public with ispublic=true`,
      );
    }
    await room.tx.update('template', old.id, {
      ispublic: bit(want.ispublic) ?? old.ispublic,
      isfeatured: bit(want.isfeatured) ?? old.isfeatured,
      isextractable: bit(want.isextractable) ?? old.isextractable,
    });
    return undefined;
  },
});

export const deleteTemplate = jobCommand({
  name: 'deleteTemplate',
  summary: 'Deletes a template; instances made from it live on',
  roles: WRITERS,
  event: 'TEMPLATE.DELETE',
  answer: { kind: 'success' },
  params: z.object({
    id: param.ref('template', 'The template'),
    zoneid: param.ref('zone', 'From this zone: the one it is in').optional(),
    forced: param.flag('Even while instances made from it exist').optional(),
  }),
  async job(room, want) {
    const row = await ownTemplate(room, want.id);
    if (want.zoneid !== undefined) {
      const zone = await existing(room, 'zone', want.zoneid, 'zoneid');
      if (row.zone !== null && row.zone !== zone.id)
        throw refuse('parameter', `Template ${row.name} is not in zone ${zone.name}`);
    }
    const user = await room.db
      .selectFrom('instance')
      .select('name')
      .where('template', '=', row.id)
      .orderBy('name')
      .executeTakeFirst();
    if (user !== undefined && want.forced !== true) {
      throw refuse(
        'failed',
        `Unable to delete template ${row.name}: instances made from it exist, such as ${user.name}. Destroy them, or use forced=true`,
      );
    }
    await room.tx.update('template', row.id, { removed: 1 });
    return { about: { type: 'Template', id: row.id }, text: `deleting template ${row.name}` };
  },
});

/** A template the caller may change: within his reach, and not one that came with the product unless he is root. */
async function ownTemplate(room: Room, id: string): Promise<TemplateTable> {
  const row = await visible(room, 'template', id);
  if (row.removed === 1) throw unknownId(room, 'id', id);
  if (row.templatetype === 'BUILTIN' && !ROOT.includes(room.call.caller.role)) {
    throw refuse('permission', `Template ${row.name} came with the cloud: only root may change it`);
  }
  return row;
}

function refuseFeaturing(room: Room): void {
  if (room.call.caller.role !== 'admin') {
    throw refuse(
      'permission',
      'Only ROOT admins can feature a template (isfeatured=true). Leave it out, or make it public with ispublic=true',
    );
  }
}

/** The one zone named, or null for all. */
async function zoneFor(room: Room, named: readonly string[]): Promise<string | null> {
  const zones = [...new Set(named)];
  if (zones.length === 0) throw refuse('parameter', 'Please specify a zone with zoneid, or all zones with zoneids=-1');
  if (zones.includes('-1')) return null;
  const [zone, second] = zones;
  if (second !== undefined)
    throw refuse('parameter', `A template is in one zone or in all: name one of ${zones.join(', ')}, or -1 for all`);
  if (zone === undefined || !isUuid(zone)) throw unknownId(room, 'zoneids', zone ?? '');
  return (await existing(room, 'zone', zone, 'zoneid')).id;
}

function osTypeOf(room: Room, id: string | undefined): string | undefined {
  if (id === undefined) return undefined;
  const name = osTypeName(id);
  if (name === undefined) throw unknownId(room, 'ostypeid', id);
  return name;
}

function formatOf(text: string): string {
  const format = text.toUpperCase();
  if (!FORMATS.includes(format))
    throw refuse('parameter', `Please specify a valid format: ${text} is none of ${FORMATS.join(', ')}`);
  return format;
}

/** An http(s) address without a password in it: the text is shown to everybody who may use the template. */
function checkedUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw refuse('parameter', `Please specify a valid URL: ${text} is none of http:// or https://`);
  }
  if (url.username !== '' || url.password !== '') {
    throw refuse('parameter', 'The URL holds a user name or password, and a template shows its URL. Give one without');
  }
  return text;
}

function bit(value: boolean | undefined): 0 | 1 | undefined {
  return value === undefined ? undefined : value ? 1 : 0;
}
