// Making a network offering: all the rules of which services, types and flags go together, in CloudStack's order and words.
import { z } from 'zod';
import { ROOT } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { ROUTER_PROVIDER, VPC_PROVIDER } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { existing } from '../access.ts';
import {
  availabilityOf,
  networkOfferingView,
  refuseSecondRequired,
  refuseTakenOffering,
  showNetworkOfferings,
} from './network-offering.ts';
import { limitParams, refuseLimits } from './offering.ts';
import { serviceParams, wantedServices, wantsRedundancy } from './offering-services.ts';
import { type Room, writeCommand } from '../room.ts';

const GUEST_TYPES = ['Isolated', 'Shared', 'L2', 'Private'] as const;
const TRAFFIC_TYPES = ['Public', 'Management', 'Control', 'Guest', 'Vlan', 'Storage'];

export const createNetworkOffering = writeCommand({
  name: 'createNetworkOffering',
  summary: 'Creates a network offering; it is Disabled unless enable=true',
  roles: ROOT,
  event: 'NETWORK.OFFERING.CREATE',
  answer: { kind: 'object', key: 'networkoffering', view: networkOfferingView },
  params: z.object({
    name: param.text('Name, unique'),
    displaytext: param.text('Description', 4096),
    traffictype: param.text('Guest'),
    guestiptype: param.text(GUEST_TYPES.join(', ')),
    ...serviceParams,
    availability: param.text('Optional or Required').optional(),
    specifyvlan: param.flag('Whether who makes a network chooses its VLAN').optional(),
    specifyipranges: param.flag('Whether who makes a network chooses its range of addresses').optional(),
    conservemode: param.flag('Whether a public address may have several uses; false for VPCs').optional(),
    ispersistent: param.flag('Whether networks are built before the first instance comes').optional(),
    egressdefaultpolicy: param.flag('Whether traffic out is free without a rule').optional(),
    forvpc: param.flag('Whether it is for tiers of VPCs').optional(),
    networkrate: param.integer('Mbit/s').optional(),
    serviceofferingid: param.ref('serviceoffering', 'Size of its routers').optional(),
    tags: param.text('Tags', 4096).optional(),
    enable: param.flag('Whether it may be used at once').optional(),
    segment: param
      .text('vlan or overlay: what its networks are made of. vlan where nothing routes, else overlay')
      .optional(),
    ...limitParams,
  }),
  async write(room, want) {
    refuseLimits(want, 'network offering');
    const guesttype = guestTypeOf(want.traffictype, want.guestiptype);
    const named = (want.serviceproviderlist ?? []).some(
      (entry) => entry['provider']?.toLowerCase() === VPC_PROVIDER.toLowerCase(),
    );
    const forvpc = want.forvpc ?? named;
    const services = wantedServices(want, forvpc ? VPC_PROVIDER : ROUTER_PROVIDER);
    const routed = services.length > 0 || forvpc;
    const has = (name: string): boolean => services.some((service) => service.name === name);
    wantsRedundancy(want, services);
    if (forvpc) refuseForVpc(guesttype, services, want.conservemode);
    if (services.length > 0 && (guesttype === 'Private' || guesttype === 'L2')) {
      throw refuse(
        'parameter',
        `A network of type ${guesttype} has no router, so no services (${services.map((service) => service.name).join(', ')}): leave supportedservices empty`,
      );
    }
    if (want.specifyipranges === true && guesttype !== 'Shared' && (guesttype !== 'Isolated' || has('SourceNat'))) {
      throw refuse(
        'parameter',
        'SpecifyIpRanges can only be true for Shared network offerings and Isolated with no SourceNat service',
      );
    }
    if (want.specifyipranges === false && guesttype === 'Shared') {
      throw refuse('parameter', 'SpecifyIpRanges should always be true for Shared network offerings');
    }
    if (want.ispersistent === true && guesttype === 'Shared') {
      throw refuse('parameter', "isPersistent should be false if network offering's type is Shared");
    }
    if (want.networkrate !== undefined && want.networkrate < 0) {
      throw refuse(
        'parameter',
        `Failed to create network offering ${want.name}: specify the network rate value more than 0; ${want.networkrate} was given`,
      );
    }
    await refuseTakenOffering(room, want.name);
    const row: Tables['networkoffering'] = {
      id: newId(),
      name: want.name,
      displaytext: want.displaytext,
      guesttype,
      services: JSON.stringify(services),
      specifyvlan: bit(want.specifyvlan === true),
      specifyipranges: bit(want.specifyipranges ?? guesttype === 'Shared'),
      conservemode: bit(want.conservemode ?? !forvpc),
      ispersistent: bit(want.ispersistent === true),
      isdefault: 0,
      forvpc: bit(forvpc),
      egressdefaultpolicy: bit(want.egressdefaultpolicy === true),
      availability: availabilityOf(want.availability) ?? 'Optional',
      state: want.enable === true ? 'Enabled' : 'Disabled',
      networkrate: want.networkrate ?? null,
      tags: want.tags ?? null,
      serviceoffering: await routerSize(room, want.serviceofferingid),
      segment:
        segmentOf(want.segment, want.specifyvlan === true) ??
        (routed && guesttype === 'Isolated' && want.specifyvlan !== true ? 'overlay' : 'vlan'),
      networkmode: 'NATTED',
      capabilities: '{}',
      sort: 0,
      created: new Date().toISOString(),
    };
    await refuseSecondRequired(room, row);
    await room.tx.insert('networkoffering', row);
    return { networkoffering: (await showNetworkOfferings(room, [row]))[0] };
  },
});

function guestTypeOf(traffictype: string, guestiptype: string): (typeof GUEST_TYPES)[number] {
  if (!TRAFFIC_TYPES.some((name) => name.toLowerCase() === traffictype.toLowerCase())) {
    throw refuse(
      'parameter',
      'Invalid value for traffictype. Supported traffic types: Public, Management, Control, Guest, Vlan or Storage',
    );
  }
  if (traffictype.toLowerCase() !== 'guest')
    throw refuse('parameter', `Only traffic type Guest is supported in the current release; ${traffictype} was given`);
  const guesttype = GUEST_TYPES.find((name) => name.toLowerCase() === guestiptype.toLowerCase());
  if (guesttype === undefined) {
    throw refuse(
      'parameter',
      `Invalid "type" parameter is given; can have Shared and Isolated values, and L2 and Private; ${guestiptype} is none`,
    );
  }
  return guesttype;
}

/** What VPCs ask of an offering for their tiers: they would refuse the network otherwise, so the offering is refused already. */
function refuseForVpc(
  guesttype: string,
  services: readonly { readonly name: string; readonly provider: string }[],
  conservemode: boolean | undefined,
): void {
  if (guesttype !== 'Isolated') {
    throw refuse(
      'parameter',
      `Only networks of type Isolated can belong to VPC; an offering of type ${guesttype} cannot have forvpc=true`,
    );
  }
  if (conservemode === true)
    throw refuse('parameter', 'Only networks with conserve mode Off can belong to VPC: set conservemode=false');
  const foreign = services.find(({ provider }) => provider !== VPC_PROVIDER);
  if (foreign !== undefined) {
    throw refuse(
      'parameter',
      `Provider of type ${foreign.provider} is not supported for network offerings that can be used in VPC: name ${VPC_PROVIDER}`,
    );
  }
}

async function routerSize(room: Room, id: string | undefined): Promise<string | null> {
  if (id === undefined) return null;
  const size = await existing(room, 'serviceoffering', id, 'serviceofferingid');
  if (size.removed === 1) throw refuse('parameter', `Cannot find specified service offering: ${id}`);
  if (size.issystem !== 1) {
    throw refuse(
      'parameter',
      `The specified service offering ${id} cannot be used by virtual router! ${size.name} is for instances`,
    );
  }
  return size.id;
}

function segmentOf(text: string | undefined, specifyvlan: boolean): 'vlan' | 'overlay' | undefined {
  if (text === undefined) return undefined;
  const segment = (['vlan', 'overlay'] as const).find((name) => name === text.toLowerCase());
  if (segment === undefined) throw refuse('parameter', `Invalid segment ${text}. Supported are: vlan, overlay`);
  if (segment === 'overlay' && specifyvlan) {
    throw refuse(
      'parameter',
      'A network on an overlay has no VLAN to choose: specifyvlan=true goes with segment=vlan only',
    );
  }
  return segment;
}

function bit(value: boolean): 0 | 1 {
  return value ? 1 : 0;
}
