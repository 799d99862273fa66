// Which services an offering promises: read from the list and the two maps clients send, checked with CloudStack's sentences,
// and shown again. Shared by network and VPC offerings.
import { z } from 'zod';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import {
  CONFIG_DRIVE,
  LINUX_ROUTER,
  NETWORK_SERVICES,
  NO_PROVIDER,
  type NetworkService,
  OVN_PROVIDER,
  type OfferedService,
  PROVIDED,
  ROUTER_PROVIDER,
  ROUTER_SERVICES,
  SERVICE_PROVIDERS,
  type ServiceProvider,
  VPC_PROVIDER,
  servicesOf,
} from '../../model/network-service.ts';

export const serviceView = z.object({
  name: field.string('name of the service'),
  provider: field.list('who makes it', z.object({ name: field.string('name of the provider') })),
});

export function showServices(offering: { readonly services: string }): z.infer<typeof serviceView>[] {
  return servicesOf(offering).map(({ name, provider }) => ({ name, provider: [{ name: provider }] }));
}

export const serviceParams = {
  supportedservices: param.list(`Services, of ${NETWORK_SERVICES.join(', ')}; empty for none`).optional(),
  serviceproviderlist: param
    .map(
      `Who makes which: serviceproviderlist[0].service and .provider; one of ${SERVICE_PROVIDERS.join(', ')}, or ${NO_PROVIDER} for nobody`,
    )
    .optional(),
  servicecapabilitylist: param.map('servicecapabilitylist[0].service, .capabilitytype and .capabilityvalue').optional(),
};

export interface ServiceWant {
  readonly supportedservices?: readonly string[] | undefined;
  readonly serviceproviderlist?: readonly Readonly<Record<string, string>>[] | undefined;
  readonly servicecapabilitylist?: readonly Readonly<Record<string, string>>[] | undefined;
}

/**
 * The services asked for, in the order they are always shown. The provider of each is the one named for it, else the only one
 * named at all where it can give the service, else `standard`. A service whose provider is None is nobody's, so it is none.
 */
export function wantedServices(want: ServiceWant, standard: ServiceProvider): OfferedService[] {
  const names = new Set((want.supportedservices ?? []).map(serviceNamed));
  const providers = new Map<NetworkService, Provider>();
  for (const entry of want.serviceproviderlist ?? []) {
    const service = serviceNamed(entry['service'] ?? '');
    const provider = providerNamed(entry['provider'] ?? '');
    if (!names.has(service)) {
      throw refuse(
        'parameter',
        `Service ${service} is not enabled for the network offering, can't add a provider to it. Name it in supportedservices, too`,
      );
    }
    const before = providers.get(service);
    if (before !== undefined && before !== provider) {
      throw refuse(
        'parameter',
        `In the current release only one provider can be specified for the service if the service is not LB: ${service} has ${before} and ${provider}`,
      );
    }
    providers.set(service, provider);
  }
  const [only, another] = new Set([...providers.values()].filter((provider) => provider !== NO_PROVIDER));
  const services = NETWORK_SERVICES.filter((name) => names.has(name)).flatMap((name) => {
    const rest = only !== undefined && another === undefined && PROVIDED[only].includes(name) ? only : standard;
    const provider = providers.get(name) ?? rest;
    return provider === NO_PROVIDER ? [] : [{ name, provider }];
  });
  for (const { name, provider } of services) {
    // OVN gives what its old name in this place stands for: ACLs in a VPC, a firewall elsewhere.
    const provided = PROVIDED[provider === OVN_PROVIDER ? standard : provider];
    if (!provided.includes(name)) {
      throw refuse(
        'parameter',
        `Provider ${provider} doesn't support the service ${name}; it supports ${provided.join(', ')}`,
      );
    }
  }
  refuseMixedRouters(services);
  const dhcp = services.some(({ name, provider }) => name === 'Dhcp' && provider !== LINUX_ROUTER);
  if (services.some(({ name, provider }) => name === 'UserData' && provider !== CONFIG_DRIVE) && !dhcp) {
    throw refuse(
      'parameter',
      "Without VR as dhcp provider, User data can't selected for VR. Please select VR as DHCP provider : add Dhcp to supportedservices, by the provider that gives UserData",
    );
  }
  return services;
}

type Provider = ServiceProvider | typeof NO_PROVIDER;

const PROVIDERS = [...SERVICE_PROVIDERS, NO_PROVIDER] as const;

function providerNamed(text: string): Provider {
  const provider = PROVIDERS.find((name) => name.toLowerCase() === text.toLowerCase());
  if (provider === undefined)
    throw refuse('parameter', `Invalid service provider: ${text}. Supported are: ${PROVIDERS.join(', ')}`);
  return provider;
}

/** DHCP, DNS and user data may come from elsewhere; everything else is made by whoever routes, and that is one. */
function refuseMixedRouters(services: readonly OfferedService[]): void {
  const all = new Set(services.map(({ provider }) => provider));
  const routers = new Set(services.filter(({ name }) => ROUTER_SERVICES.has(name)).map(({ provider }) => provider));
  const twoWorlds = all.has(ROUTER_PROVIDER) && all.has(VPC_PROVIDER);
  if (routers.size <= 1 && !twoWorlds) return;
  throw refuse(
    'parameter',
    `One router makes all services of a network: ${[...(twoWorlds ? all : routers)].join(' and ')} cannot share an offering. Name one of them for all; only Dhcp, Dns and UserData may be ${OVN_PROVIDER}'s where ${LINUX_ROUTER} routes`,
  );
}

/** A service by its name in any case. */
export function serviceNamed(text: string): NetworkService {
  const service = NETWORK_SERVICES.find((name) => name.toLowerCase() === text.toLowerCase());
  if (service === undefined)
    throw refuse('parameter', `Invalid service ${text}. Supported are: ${NETWORK_SERVICES.join(', ')}`);
  return service;
}
