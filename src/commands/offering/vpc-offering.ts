// VPC offerings: which services the router of a VPC can give to its tiers.
import { z } from 'zod';
import { EVERYBODY, ROOT } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import {
  type NetworkService,
  OVN_PROVIDER,
  VPC_PROVIDER,
  asksRedundancy,
  capabilitiesOf,
} from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import type { VpcOfferingTable } from '../../store/schema/offering.ts';
import { existing } from '../access.ts';
import { namesOf } from '../join.ts';
import { containing, named, page, pageParams } from '../list.ts';
import { withService } from './network-offering.ts';
import { readInternetProtocol } from './internet-protocol.ts';
import { wantedCapabilities } from './offering-capabilities.ts';
import { limitParams, offeringState, refuseLimits } from './offering.ts';
import { serviceNamed, serviceParams, serviceView, showServices, wantedServices } from './offering-services.ts';
import { type Room, jobCommand, listCommand } from '../room.ts';

const capableServiceView = serviceView.extend({
  capability: field.list(
    'what it is asked to be able to',
    z.object({ name: field.string('name'), value: field.string('value') }),
  ),
});

export const vpcOfferingView = z.object({
  id: field.string('id of the offering'),
  name: field.string('its name'),
  displaytext: field.string('its description'),
  state: field.string('Enabled or Disabled: whether new VPCs may be made of it'),
  isdefault: field.boolean('whether it came with the cloud'),
  service: field.list('the services its VPCs have', capableServiceView),
  serviceofferingid: field.string('size of its routers'),
  serviceofferingname: field.string('name of that size'),
  internetprotocol: field.string('ipv4, dualstack or ipv6: which tiers its VPCs may have'),
  distributedvpcrouter: field.boolean('true: every host routes for itself'),
  supportsregionLevelvpc: field.boolean('false'),
  created: field.date('when it was made'),
});

/** Services with what each is asked to be able to. */
function withCapabilities(row: VpcOfferingTable): z.infer<typeof capableServiceView>[] {
  const capabilities = capabilitiesOf(row);
  return showServices(row).map((service) => ({
    ...service,
    capability: Object.entries(capabilities[service.name as NetworkService] ?? {}).map(([name, value]) => ({
      name,
      value,
    })),
  }));
}

export async function showVpcOfferings(
  room: Room,
  rows: readonly VpcOfferingTable[],
): Promise<z.infer<typeof vpcOfferingView>[]> {
  const sizes = await namesOf(
    room.db,
    'serviceoffering',
    rows.map((row) => row.serviceoffering),
  );
  return rows.map((row) =>
    field.compact<z.infer<typeof vpcOfferingView>>({
      id: row.id,
      name: row.name,
      displaytext: row.displaytext,
      state: row.state,
      isdefault: row.isdefault === 1,
      service: withCapabilities(row),
      serviceofferingid: row.serviceoffering,
      serviceofferingname: row.serviceoffering === null ? undefined : sizes.get(row.serviceoffering),
      internetprotocol: row.internetprotocol,
      distributedvpcrouter: true,
      supportsregionLevelvpc: false,
      created: field.clientDate(row.created),
    }),
  );
}

/** The one with this id, for the result of a job; undefined when it is gone. */
export async function viewVpcOffering(room: Room, id: string): Promise<object | undefined> {
  return (
    await showVpcOfferings(room, await room.db.selectFrom('vpcoffering').selectAll().where('id', '=', id).execute())
  )[0];
}

export const listVPCOfferings = listCommand({
  name: 'listVPCOfferings',
  summary: 'Lists VPC offerings',
  roles: EVERYBODY,
  key: 'vpcoffering',
  view: vpcOfferingView,
  params: z.object({
    id: param.ref('vpcoffering', 'The offering with this id').optional(),
    name: param.text('The offering of this name').optional(),
    displaytext: param.text('The offering of this description', 4096).optional(),
    isdefault: param.flag('Whether it came with the cloud').optional(),
    state: param.text('Enabled or Disabled').optional(),
    supportedservices: param.list('With all of these services').optional(),
    zoneid: param.ref('zone', 'Offerings of this zone: all of them').optional(),
    domainid: param.ref('domain', 'Offerings of this domain: all of them').optional(),
    ...pageParams,
  }),
  async list(room, want) {
    if (want.id !== undefined) await existing(room, 'vpcoffering', want.id);
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    let query = room.db.selectFrom('vpcoffering').selectAll();
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.displaytext !== undefined) query = query.where(named('displaytext', want.displaytext));
    if (want.state !== undefined) query = query.where(named('state', want.state));
    if (want.isdefault !== undefined) query = query.where('isdefault', '=', want.isdefault ? 1 : 0);
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    for (const service of want.supportedservices ?? []) query = query.where(withService(serviceNamed(service)));
    const { count, rows } = await page(query.orderBy('sort').orderBy('created').orderBy('id'), want);
    return { count, rows: await showVpcOfferings(room, rows) };
  },
});

export const createVPCOffering = jobCommand({
  name: 'createVPCOffering',
  summary: 'Creates a VPC offering; it is Disabled unless enable=true',
  roles: ROOT,
  event: 'VPC.OFFERING.CREATE',
  answer: { kind: 'object', key: 'vpcoffering', view: vpcOfferingView },
  params: z.object({
    name: param.text('Name, unique'),
    displaytext: param.text('Description', 4096),
    ...serviceParams,
    internetprotocol: param.text('ipv4 (default), dualstack, or ipv6: which tiers its VPCs may have').optional(),
    serviceofferingid: param.ref('serviceoffering', 'Size of its routers').optional(),
    enable: param.flag('Whether it may be used at once').optional(),
    ...limitParams,
  }),
  async job(room, want) {
    refuseLimits(want, 'VPC offering');
    const services = wantedServices(want, VPC_PROVIDER);
    if (services.length === 0)
      throw refuse(
        'parameter',
        'Please specify the services of the VPC offering in supportedservices, such as Dhcp,NetworkACL,SourceNat',
      );
    const foreign = services.find(({ provider }) => provider !== VPC_PROVIDER && provider !== OVN_PROVIDER);
    if (foreign !== undefined)
      throw refuse('parameter', `Provider ${foreign.provider} is not supported in VPC: name ${VPC_PROVIDER}`);
    const capabilities = wantedCapabilities(want, services, 'vpc');
    if (want.serviceofferingid !== undefined) {
      const size = await existing(room, 'serviceoffering', want.serviceofferingid, 'serviceofferingid');
      if (size.issystem !== 1) {
        throw refuse(
          'parameter',
          `The specified service offering ${size.id} cannot be used by virtual router! ${size.name} is for instances`,
        );
      }
    }
    await refuseTakenName(room, want.name);
    const row: Tables['vpcoffering'] = {
      id: newId(),
      name: want.name,
      displaytext: want.displaytext,
      services: JSON.stringify(services),
      isdefault: 0,
      internetprotocol: readInternetProtocol(want.internetprotocol),
      capabilities: JSON.stringify(capabilities),
      redundant: asksRedundancy(capabilities) ? 1 : 0,
      state: want.enable === true ? 'Enabled' : 'Disabled',
      serviceoffering: want.serviceofferingid ?? null,
      sort: 0,
      created: new Date().toISOString(),
    };
    await room.tx.insert('vpcoffering', row);
    return {
      id: row.id,
      about: { type: 'VpcOffering', id: row.id },
      view: 'vpcoffering',
      text: `creating VPC offering ${row.name}`,
    };
  },
});

export const updateVPCOffering = jobCommand({
  name: 'updateVPCOffering',
  summary: 'Changes a VPC offering: its texts, its state, its place in the list',
  roles: ROOT,
  event: 'VPC.OFFERING.UPDATE',
  answer: { kind: 'object', key: 'vpcoffering', view: vpcOfferingView },
  params: z.object({
    id: param.ref('vpcoffering', 'The offering'),
    name: param.text('New name').optional(),
    displaytext: param.text('New description', 4096).optional(),
    state: param.text('Enabled or Disabled').optional(),
    sortkey: param.integer('Place in lists: smaller is earlier').optional(),
  }),
  async job(room, want) {
    const old = await existing(room, 'vpcoffering', want.id);
    if (want.name !== undefined && want.name !== old.name) await refuseTakenName(room, want.name);
    await room.tx.update('vpcoffering', old.id, {
      name: want.name ?? old.name,
      displaytext: want.displaytext ?? old.displaytext,
      state: offeringState(want.state) ?? old.state,
      sort: want.sortkey ?? old.sort,
    });
    return {
      about: { type: 'VpcOffering', id: old.id },
      view: 'vpcoffering',
      text: `updating VPC offering ${old.name}`,
    };
  },
});

export const deleteVPCOffering = jobCommand({
  name: 'deleteVPCOffering',
  summary: 'Deletes a VPC offering that no VPC uses',
  roles: ROOT,
  event: 'VPC.OFFERING.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('vpcoffering', 'The offering') }),
  async job(room, want) {
    const row = await existing(room, 'vpcoffering', want.id);
    if (row.isdefault === 1)
      throw refuse(
        'parameter',
        `Default VPC offering can't be deleted: ${row.name}. Disable it to make it unavailable`,
      );
    const { count } = await room.db
      .selectFrom('vpc')
      .select(({ fn }) => fn.countAll<number>().as('count'))
      .where('offering', '=', row.id)
      .executeTakeFirstOrThrow();
    if (count > 0) {
      throw refuse(
        'parameter',
        `Can't delete vpc offering ${row.id} as its used by ${count} vpcs. To make the vpc offering unavailable, disable it`,
      );
    }
    await room.tx.remove('vpcoffering', row.id);
    return { about: { type: 'VpcOffering', id: row.id }, text: `deleting VPC offering ${row.name}` };
  },
});

async function refuseTakenName(room: Room, name: string): Promise<void> {
  const other = await room.db.selectFrom('vpcoffering').select('id').where(named('name', name)).executeTakeFirst();
  if (other !== undefined)
    throw refuse('parameter', `A VPC offering called ${name} exists already (${other.id}). Please choose another name`);
}
