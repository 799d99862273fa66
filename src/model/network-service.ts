// The services an offering can promise, who provides them, and therefore who routes. Names are CloudStack's, and so are the
// providers that its clients name; two of ours stand beside them.

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

/** CloudStack's word for the router of a VPC and its tiers: OVN. */
export const VPC_PROVIDER = 'VpcVirtualRouter';
/** CloudStack's word for the router of a network outside a VPC: OVN. */
export const ROUTER_PROVIDER = 'VirtualRouter';
/** Spread over all hypervisors, without a machine. */
export const OVN_PROVIDER = 'Ovn';
/** A Linux machine of the operator's, or a pair of them, that is a member of the network. */
export const LINUX_ROUTER = 'LinuxRouter';
/** A disk that each instance starts with: user data where nobody routes. CloudStack's word. */
export const CONFIG_DRIVE = 'ConfigDrive';
/** Said of a service that nobody of ours is to give: it is left out of the offering. Never stored. */
export const NO_PROVIDER = 'None';

export const SERVICE_PROVIDERS = [ROUTER_PROVIDER, VPC_PROVIDER, OVN_PROVIDER, LINUX_ROUTER, CONFIG_DRIVE] as const;

export type ServiceProvider = (typeof SERVICE_PROVIDERS)[number];

/** A service of an offering and who is named as its provider: what the column `services` holds, as JSON. */
export interface OfferedService {
  readonly name: string;
  readonly provider: string;
}

/** The services each provider can be named for: a VPC's router has ACLs where another has a firewall. */
export const PROVIDED: Readonly<Record<ServiceProvider, readonly NetworkService[]>> = {
  [ROUTER_PROVIDER]: NETWORK_SERVICES.filter((name) => name !== 'NetworkACL'),
  [VPC_PROVIDER]: NETWORK_SERVICES.filter((name) => name !== 'Firewall'),
  [OVN_PROVIDER]: NETWORK_SERVICES,
  [LINUX_ROUTER]: NETWORK_SERVICES.filter((name) => name !== 'NetworkACL' && name !== 'UserData' && name !== 'Vpn'),
  [CONFIG_DRIVE]: ['UserData'],
};

/** Services that take a router: one router makes all of them. DHCP, DNS and user data can be had without. */
export const ROUTER_SERVICES: ReadonlySet<string> = new Set<NetworkService>([
  'Firewall',
  'NetworkACL',
  'PortForwarding',
  'Lb',
  'SourceNat',
  'StaticNat',
  'Gateway',
  'Vpn',
]);

/** Whether the hypervisors themselves serve it, at an address of the network's that is theirs. */
export function isServedByNodes({ name, provider }: OfferedService): boolean {
  return (name === 'Dns' || name === 'UserData') && provider !== LINUX_ROUTER && provider !== CONFIG_DRIVE;
}

/** Who routes for the networks of an offering: OVN on every hypervisor, router nodes, or nobody of ours. */
export type RoutedBy = 'Ovn' | 'LinuxRouter' | 'None';

export function routedBy(services: Iterable<OfferedService>): RoutedBy {
  for (const { name, provider } of services)
    if (ROUTER_SERVICES.has(name)) return provider === LINUX_ROUTER ? 'LinuxRouter' : 'Ovn';
  return 'None';
}

/** Whether router nodes have anything to do for the networks of an offering: they route, or give DHCP or DNS. */
export function needsLinuxRouter(offering: { readonly services: string }): boolean {
  return servicesOf(offering).some(({ provider }) => provider === LINUX_ROUTER);
}

/** The column's text as a list. */
export function servicesOf(offering: { readonly services: string }): OfferedService[] {
  return JSON.parse(offering.services) as OfferedService[];
}

export function offers(offering: { readonly services: string }, service: NetworkService): boolean {
  return servicesOf(offering).some(({ name }) => name === service);
}

/** What each service is asked to be able to, by service: the column `capabilities`. */
export type Capabilities = Readonly<Partial<Record<NetworkService, Readonly<Record<string, string>>>>>;

export function capabilitiesOf(offering: { readonly capabilities: string }): Capabilities {
  return JSON.parse(offering.capabilities) as Capabilities;
}

/** Whether two routers are to stand for one. */
export function isRedundant(offering: { readonly capabilities: string }): boolean {
  return asksRedundancy(capabilitiesOf(offering));
}

export function asksRedundancy({ SourceNat, Gateway }: Capabilities): boolean {
  return SourceNat?.['RedundantRouter'] === 'true' || Gateway?.['RedundantRouter'] === 'true';
}
