// The offerings and templates a new cloud has: what clients look for by name. Data only; bootstrap.ts writes it.
import { derivedId } from '../../lib/id.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { type NetworkService, ROUTER_PROVIDER, VPC_PROVIDER } from '../../model/network-service.ts';
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
const ISOLATED: readonly NetworkService[] = [
  'Dhcp',
  'Dns',
  'UserData',
  'Firewall',
  'PortForwarding',
  'Lb',
  'SourceNat',
  'StaticNat',
  'Gateway',
  'Vpn',
];

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
    segment: 'overlay',
    networkmode: 'NATTED',
    capabilities: '{}',
    sort: 0,
    created,
    ...more,
  };
}

export function networkOfferings(created: string): Tier[] {
  const tier = { forvpc: 1, conservemode: 0 } as const;
  const priv = { guesttype: 'Private', ispersistent: 1, segment: 'vlan' } as const;
  const rows = [
    networkOffering(
      'DefaultIsolatedNetworkOfferingForVpcNetworks',
      'Tier of a VPC with all services',
      { ...tier, services: servicesText(TIER, VPC_PROVIDER) },
      created,
    ),
    networkOffering(
      'DefaultIsolatedNetworkOfferingForVpcNetworksNoLB',
      'Tier of a VPC without load balancing',
      {
        ...tier,
        services: servicesText(
          TIER.filter((name) => name !== 'Lb'),
          VPC_PROVIDER,
        ),
      },
      created,
    ),
    networkOffering(
      'DefaultIsolatedNetworkOfferingWithSourceNatService',
      'Network outside a VPC with a router of its own',
      { services: servicesText(ISOLATED, ROUTER_PROVIDER), availability: 'Required' },
      created,
    ),
    networkOffering(
      'DefaultPrivateGatewayNetworkOffering',
      'Private network between VPCs, on a VLAN from the pool',
      priv,
      created,
    ),
    networkOffering(
      'DefaultPrivateGatewayNetworkOfferingSpecifyVlan',
      'Private network between VPCs, on a VLAN chosen by hand',
      { ...priv, specifyvlan: 1 },
      created,
    ),
    networkOffering(
      'DefaultPrivateGatewayNetworkOfferingOverlay',
      'Private network between VPCs, on an overlay between the hosts',
      { ...priv, segment: 'overlay' },
      created,
    ),
  ];
  return rows.map((row, sort) => ({ ...row, sort }));
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
