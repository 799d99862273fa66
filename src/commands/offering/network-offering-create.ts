// Making a network offering: all the rules of which services, types and flags go together, in CloudStack's order and words.
import { z } from 'zod';
import { ROOT } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import {
  LINUX_ROUTER,
  OVN_PROVIDER,
  type OfferedService,
  ROUTER_PROVIDER,
  VPC_PROVIDER,
  routedBy,
} from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { existing } from '../access.ts';
import {
  availabilityOf,
  networkOfferingView,
  refuseSecondRequired,
  refuseTakenOffering,
  showNetworkOfferings,
} from './network-offering.ts';
import { detailsText, limitParams, refuseLimits } from './offering.ts';
import { checkInternetProtocol, readInternetProtocol } from './internet-protocol.ts';
import { wantedCapabilities } from './offering-capabilities.ts';
import { serviceParams, wantedServices } from './offering-services.ts';
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
    networkmode: param
      .text('NATTED (default), or ROUTED: instances have routable addresses, and nobody translates them')
      .optional(),
    internetprotocol: param
      .text(
        'ipv4 (default), dualstack, or ipv6 for IPv6 only: networks with IPv6 get a prefix of the zone, routed without translation',
      )
      .optional(),
    tags: param.text('Tags', 4096).optional(),
    details: param.freeMap('Kept with the offering: details[0].key=value').optional(),
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
    const has = (name: string): boolean => services.some((service) => service.name === name);
    const capabilities = wantedCapabilities(want, services);
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
    const internetprotocol = readInternetProtocol(want.internetprotocol);
    const segment = segmentOf(want, guesttype, services, forvpc);
    checkInternetProtocol(internetprotocol, guesttype, services, segment);
    const networkmode = networkModeOf(want.networkmode, services);
    if (internetprotocol === 'ipv6' && networkmode === 'ROUTED')
      throw refuse(
        'parameter',
        'networkmode ROUTED is about IPv4, and with internetprotocol ipv6 there is none: IPv6 is routed always. Leave networkmode out',
      );
    if (want.egressdefaultpolicy === false && routedBy(services) !== 'None' && !has('Firewall') && !forvpc) {
      throw refuse(
        'parameter',
        `Firewall egress with default policy deny is not supported by the provider ${services[0]!.provider} without the service Firewall: add it, or leave egressdefaultpolicy out`,
      );
    }
    refuseHalfRouter(services);
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
      internetprotocol,
      forvpc: bit(forvpc),
      egressdefaultpolicy: bit(want.egressdefaultpolicy === true),
      availability: availabilityOf(want.availability) ?? 'Optional',
      state: want.enable === true ? 'Enabled' : 'Disabled',
      networkrate: want.networkrate ?? null,
      tags: want.tags ?? null,
      serviceoffering: await routerSize(room, want.serviceofferingid),
      segment,
      networkmode,
      capabilities: JSON.stringify(capabilities),
      details: detailsText(want.details),
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
  const foreign = services.find(({ provider }) => provider !== VPC_PROVIDER && provider !== OVN_PROVIDER);
  if (foreign !== undefined) {
    throw refuse(
      'parameter',
      `Provider of type ${foreign.provider} is not supported for network offerings that can be used in VPC: name ${VPC_PROVIDER}`,
    );
  }
}

/** A router node is in a network to be its gateway: services beside one would be nobody's. */
function refuseHalfRouter(services: readonly OfferedService[]): void {
  const ours = services.filter(({ provider }) => provider === LINUX_ROUTER).map(({ name }) => name);
  if (ours.length === 0 || ours.includes('Gateway') || ours.includes('SourceNat')) return;
  throw refuse(
    'parameter',
    `${LINUX_ROUTER} gives ${ours.join(', ')} as the gateway of a network only: add the service Gateway, or SourceNat, with the same provider`,
  );
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

interface SegmentWant {
  readonly segment?: string | undefined;
  readonly specifyvlan?: boolean | undefined;
}

/** A network nobody routes for, or a machine does, is a VLAN that switches can carry; one that OVN routes for needs none. */
function segmentOf(
  { segment: text, specifyvlan = false }: SegmentWant,
  guesttype: string,
  services: readonly OfferedService[],
  forvpc: boolean,
): 'vlan' | 'overlay' {
  const byMachine = services.some(({ provider }) => provider === LINUX_ROUTER);
  if (text === undefined) {
    const routed = services.length > 0 || forvpc;
    return routed && !byMachine && guesttype === 'Isolated' && !specifyvlan ? 'overlay' : 'vlan';
  }
  const segment = (['vlan', 'overlay'] as const).find((name) => name === text.toLowerCase());
  if (segment === undefined) throw refuse('parameter', `Invalid segment ${text}. Supported are: vlan, overlay`);
  if (segment === 'overlay' && specifyvlan) {
    throw refuse(
      'parameter',
      'A network on an overlay has no VLAN to choose: specifyvlan=true goes with segment=vlan only',
    );
  }
  if (segment === 'overlay' && byMachine) {
    throw refuse(
      'parameter',
      `A router node is on the wire, and an overlay is not: services by ${LINUX_ROUTER} go with segment=vlan only`,
    );
  }
  return segment;
}

/** Services that translate addresses. */
const TRANSLATING = ['SourceNat', 'StaticNat', 'PortForwarding', 'Lb'];

function networkModeOf(text: string | undefined, services: readonly OfferedService[]): 'NATTED' | 'ROUTED' {
  if (text === undefined) return 'NATTED';
  const mode = (['NATTED', 'ROUTED'] as const).find((name) => name === text.toUpperCase());
  if (mode === undefined)
    throw refuse('parameter', `Invalid networkmode ${text}. Supported network modes: NATTED, ROUTED`);
  if (mode === 'NATTED') return mode;
  const translating = services.filter(({ name }) => TRANSLATING.includes(name));
  if (translating.length > 0) {
    throw refuse(
      'parameter',
      `${translating.map(({ name }) => name).join(', ')} service is not supported in ROUTED mode: it translates addresses, and ROUTED means that nobody does`,
    );
  }
  if (routedBy(services) === 'None') {
    throw refuse(
      'parameter',
      `networkmode ROUTED needs somebody who routes: add the service Gateway with the provider ${LINUX_ROUTER} or ${OVN_PROVIDER}. Where nobody of ours is to route, leave networkmode out`,
    );
  }
  return mode;
}

function bit(value: boolean): 0 | 1 {
  return value ? 1 : 0;
}
