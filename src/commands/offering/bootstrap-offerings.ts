// The offerings and templates a new cloud has: what clients look for by name. Data only; bootstrap.ts writes it.
import { derivedId } from '../../lib/id.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { LINUX_ROUTER, type NetworkService, ROUTER_PROVIDER, VPC_PROVIDER } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { OTHER_OS } from '../instance/os-type.ts';

const TIER: readonly NetworkService[] = [
  'Dhcp',
  'Dns',
  'UserData',
  'NetworkACL',
  'PortForwarding',
  'Lb',
  'SourceNat',
  'StaticNat',
  'Gateway',
  'Vpn',
];
const ISOLATED: readonly NetworkService[] = TIER.map((name) => (name === 'NetworkACL' ? 'Firewall' : name));
/** What instances are told where somebody else routes. */
const TOLD: readonly NetworkService[] = ['Dhcp', 'Dns', 'UserData'];
const BY_ROUTER_NODE: readonly NetworkService[] = ISOLATED.filter((name) => name !== 'UserData' && name !== 'Vpn');

function servicesText(names: readonly NetworkService[], provider: string): string {
  return JSON.stringify(names.map((name) => ({ name, provider })));
}

type Tier = Tables['networkoffering'];

/** What all network offerings of ours have in common; `text` is the description. */
function networkOffering(name: string, displaytext: string, more: Partial<Tier>, created: string): Tier {
  return {
    id: derivedId(`builtin/networkoffering/${name}`),
    name,
    displaytext,
    guesttype: 'Isolated',
    services: '[]',
    specifyvlan: 0,
    specifyipranges: 0,
    conservemode: 1,
    ispersistent: 0,
    isdefault: 1,
    forvpc: 0,
    egressdefaultpolicy: 0,
    availability: 'Optional',
    state: 'Enabled',
    networkrate: null,
    tags: null,
    serviceoffering: null,
    internetprotocol: 'ipv4',
    segment: 'overlay',
    networkmode: 'NATTED',
    capabilities: '{}',
    details: null,
    sort: 0,
    created,
    ...more,
  };
}

const ALL_TIER = servicesText(TIER, VPC_PROVIDER);
const ALL_ISOLATED = servicesText(ISOLATED, ROUTER_PROVIDER);
const ALL_NODE = servicesText(BY_ROUTER_NODE, LINUX_ROUTER);
const FOR_VPC: Partial<Tier> = { forvpc: 1, conservemode: 0 };
const PRIVATE: Partial<Tier> = { guesttype: 'Private', ispersistent: 1, segment: 'vlan' };
const WIRE: Partial<Tier> = { segment: 'vlan' };
const SHARED: Partial<Tier> = { ...WIRE, guesttype: 'Shared', specifyvlan: 1, specifyipranges: 1 };
const PAIR = JSON.stringify({ SourceNat: { RedundantRouter: 'true' } });

/** By name: the description, and what differs from an isolated network without services on an overlay. */
const NETWORK_OFFERINGS: readonly (readonly [name: string, displaytext: string, more: Partial<Tier>])[] = [
  [
    'DefaultIsolatedNetworkOfferingForVpcNetworks',
    'Tier of a VPC with all services',
    { ...FOR_VPC, services: ALL_TIER },
  ],
  [
    'DefaultIsolatedNetworkOfferingForVpcNetworksNoLB',
    'Tier of a VPC without load balancing',
    { ...FOR_VPC, services: servicesText(without(TIER, 'Lb'), VPC_PROVIDER) },
  ],
  [
    'DefaultIsolatedNetworkOfferingWithSourceNatService',
    'Network outside a VPC with a router of its own',
    { services: ALL_ISOLATED, availability: 'Required' },
  ],
  ['DefaultPrivateGatewayNetworkOffering', 'Private network between VPCs, on a VLAN from the pool', PRIVATE],
  [
    'DefaultPrivateGatewayNetworkOfferingSpecifyVlan',
    'Private network between VPCs, on a VLAN chosen by hand',
    { ...PRIVATE, specifyvlan: 1 },
  ],
  [
    'DefaultPrivateGatewayNetworkOfferingOverlay',
    'Private network between VPCs, on an overlay between the hosts',
    { ...PRIVATE, segment: 'overlay' },
  ],
  [
    'DefaultIsolatedNetworkOfferingForVpcNetworksWithoutSourceNat',
    'Tier of a VPC without translation of addresses',
    {
      ...FOR_VPC,
      services: servicesText(without(TIER, 'SourceNat', 'StaticNat', 'PortForwarding', 'Lb'), VPC_PROVIDER),
    },
  ],
  [
    'DefaultIsolatedNetworkOfferingWithEgress',
    'Network outside a VPC with a router of its own; traffic out is free without a rule',
    { services: ALL_ISOLATED, egressdefaultpolicy: 1 },
  ],
  [
    'DefaultRedundantIsolatedNetworkOffering',
    'Network outside a VPC with two routers of its own',
    { services: ALL_ISOLATED, capabilities: PAIR },
  ],
  [
    'DefaultRedundantIsolatedNetworkOfferingWithEgress',
    'Network outside a VPC with two routers of its own; traffic out is free without a rule',
    { services: ALL_ISOLATED, capabilities: PAIR, egressdefaultpolicy: 1 },
  ],
  [
    'DefaultIsolatedNetworkOffering',
    'Network whose gateway is somebody else; instances are told by DHCP; VLAN and range by hand',
    { ...WIRE, services: servicesText(TOLD, ROUTER_PROVIDER), specifyvlan: 1, specifyipranges: 1 },
  ],
  [
    'DefaultSharedNetworkOffering',
    'Network of many accounts whose gateway is somebody else; instances are told by DHCP; VLAN and range by hand',
    { ...SHARED, services: servicesText(TOLD, ROUTER_PROVIDER) },
  ],
  ['DefaultL2NetworkOffering', 'Wire without addresses, on a VLAN from the pool', { ...WIRE, guesttype: 'L2' }],
  [
    'DefaultL2NetworkOfferingVlan',
    'Wire without addresses, on a VLAN chosen by hand',
    { ...WIRE, guesttype: 'L2', specifyvlan: 1 },
  ],
  ['NoServices', 'Network without a router, on a VLAN from the pool', WIRE],
  ['NoServicesSpecifyVlan', 'Network without a router, on a VLAN chosen by hand', { ...WIRE, specifyvlan: 1 }],
  ['LinuxRouter', 'Network behind a Linux router, which has all its services', { ...WIRE, services: ALL_NODE }],
  [
    'LinuxRouterRedundant',
    'Network behind a pair of Linux routers, which have all its services',
    { ...WIRE, services: ALL_NODE, capabilities: PAIR },
  ],
  [
    'LinuxRouterRouted',
    'Network of routable addresses behind a Linux router that translates nothing',
    { ...WIRE, services: servicesText(['Dhcp', 'Dns', 'Gateway'], LINUX_ROUTER), networkmode: 'ROUTED' },
  ],
];

function without(services: readonly NetworkService[], ...names: readonly NetworkService[]): NetworkService[] {
  return services.filter((name) => !names.includes(name));
}

export function networkOfferings(created: string): Tier[] {
  return NETWORK_OFFERINGS.map(([name, displaytext, more], sort) => ({
    ...networkOffering(name, displaytext, more, created),
    sort,
  }));
}

export function vpcOfferings(created: string): Tables['vpcoffering'][] {
  const services = servicesText(TIER, VPC_PROVIDER);
  return (
    [
      ['Default VPC offering', 0],
      ['Redundant VPC offering', 1],
    ] as const
  ).map(([name, redundant], sort) => ({
    id: derivedId(`builtin/vpcoffering/${name}`),
    name,
    displaytext: name,
    services,
    isdefault: 1,
    redundant,
    state: 'Enabled',
    serviceoffering: null,
    internetprotocol: 'ipv4',
    capabilities: '{}',
    sort,
    created,
  }));
}

export function serviceOfferings(created: string): Tables['serviceoffering'][] {
  return (
    [
      ['Small Instance', 500, 512],
      ['Medium Instance', 1000, 1024],
    ] as const
  ).map(([name, cpuspeed, memory], sort) => ({
    id: derivedId(`builtin/serviceoffering/${name}`),
    name,
    displaytext: name,
    cpunumber: 1,
    cpuspeed,
    memory,
    tags: null,
    networkrate: null,
    offerha: 0,
    issystem: 0,
    removed: 0,
    sort,
    created,
  }));
}

export function diskOfferings(created: string): Tables['diskoffering'][] {
  return [
    {
      id: derivedId('builtin/diskoffering/Custom'),
      name: 'Custom',
      displaytext: 'Custom Disk',
      disksize: 0,
      iscustomized: 1,
      tags: null,
      removed: 0,
      sort: 0,
      created,
    },
  ];
}

export function templates(created: string): Tables['template'][] {
  return (
    [
      ['tiny linux kvm', 'Tiny Linux: root logs in with "password"', 'password'],
      ['tiny linux kvm with password', 'Tiny Linux: each instance gets a root password of its own', null],
    ] as const
  ).map(([name, displaytext, rootpassword]) => ({
    id: derivedId(`builtin/template/${name}`),
    name,
    displaytext,
    account: BUILT_IN.adminAccount,
    domain: BUILT_IN.rootDomain,
    zone: null,
    ostypename: OTHER_OS,
    format: 'QCOW2',
    hypervisor: 'KVM',
    size: 52_428_800,
    url: null,
    templatetype: 'BUILTIN',
    passwordenabled: rootpassword === null ? 1 : 0,
    sshkeyenabled: 0,
    ispublic: 1,
    isfeatured: 1,
    isextractable: 0,
    isdynamicallyscalable: 0,
    isready: 1,
    rootpassword,
    removed: 0,
    created,
  }));
}
