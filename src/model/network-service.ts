// The services an offering can promise, and the providers a client may name for them. Names are CloudStack's; who provides is
// a word for clients only: every service is made by OVN and the agents, whatever router is named.

/** Every service that an offering of ours can hold, in the order they are shown. */
export const NETWORK_SERVICES = [
  'Dhcp',
  'Dns',
  'UserData',
  'Firewall',
  'NetworkACL',
  'PortForwarding',
  'Lb',
  'SourceNat',
  'StaticNat',
  'Gateway',
  'Vpn',
] as const;

export type NetworkService = (typeof NETWORK_SERVICES)[number];

/** Of VPCs and their tiers. */
export const VPC_PROVIDER = 'VpcVirtualRouter';
/** Of networks outside a VPC. */
export const ROUTER_PROVIDER = 'VirtualRouter';

export const SERVICE_PROVIDERS = [ROUTER_PROVIDER, VPC_PROVIDER] as const;

/** A service of an offering and who is named as its provider: what the column `services` holds, as JSON. */
export interface OfferedService {
  readonly name: string;
  readonly provider: string;
}

/** The services each provider can be named for: a VPC's router has ACLs where another has a firewall. */
export const PROVIDED: Readonly<Record<(typeof SERVICE_PROVIDERS)[number], readonly NetworkService[]>> = {
  [ROUTER_PROVIDER]: NETWORK_SERVICES.filter((name) => name !== 'NetworkACL'),
  [VPC_PROVIDER]: NETWORK_SERVICES.filter((name) => name !== 'Firewall'),
};

/** The column's text as a list. */
export function servicesOf(offering: { readonly services: string }): OfferedService[] {
  return JSON.parse(offering.services) as OfferedService[];
}

export function offers(offering: { readonly services: string }, service: NetworkService): boolean {
  return servicesOf(offering).some(({ name }) => name === service);
}
