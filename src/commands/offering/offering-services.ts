// Which services an offering promises: read from the list and the two maps clients send, checked with CloudStack's sentences,
// and shown again. Shared by network and VPC offerings.
import { z } from 'zod';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import {
  NETWORK_SERVICES,
  type NetworkService,
  type OfferedService,
  PROVIDED,
  SERVICE_PROVIDERS,
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
  serviceproviderlist: param.map('Who makes which: serviceproviderlist[0].service and .provider').optional(),
  servicecapabilitylist: param.map('servicecapabilitylist[0].service, .capabilitytype and .capabilityvalue').optional(),
};

export interface ServiceWant {
  readonly supportedservices?: readonly string[] | undefined;
  readonly serviceproviderlist?: readonly Readonly<Record<string, string>>[] | undefined;
  readonly servicecapabilitylist?: readonly Readonly<Record<string, string>>[] | undefined;
}

/** The services asked for, each with its provider: the one named for it, else `standard`. In the order they are always shown. */
export function wantedServices(want: ServiceWant, standard: (typeof SERVICE_PROVIDERS)[number]): OfferedService[] {
  const names = new Set((want.supportedservices ?? []).map(serviceNamed));
  const providers = new Map<NetworkService, (typeof SERVICE_PROVIDERS)[number]>();
  for (const entry of want.serviceproviderlist ?? []) {
    const service = serviceNamed(entry['service'] ?? '');
    const text = entry['provider'] ?? '';
    const provider = SERVICE_PROVIDERS.find((name) => name.toLowerCase() === text.toLowerCase());
    if (provider === undefined)
      throw refuse('parameter', `Invalid service provider: ${text}. Supported are: ${SERVICE_PROVIDERS.join(', ')}`);
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
  const services = NETWORK_SERVICES.filter((name) => names.has(name)).map((name) => ({
    name,
    provider: providers.get(name) ?? standard,
  }));
  for (const { name, provider } of services) {
    if (!PROVIDED[provider].includes(name)) {
      throw refuse(
        'parameter',
        `Provider ${provider} doesn't support the service ${name}; it supports ${PROVIDED[provider].join(', ')}`,
      );
    }
  }
  const mixed = new Set(services.map(({ provider }) => provider));
  if (mixed.size > 1) {
    throw refuse(
      'parameter',
      `One router makes all services of a network: ${[...mixed].join(' and ')} cannot share an offering. Name one of them for all`,
    );
  }
  if (names.has('UserData') && !names.has('Dhcp')) {
    throw refuse(
      'parameter',
      "Without VR as dhcp provider, User data can't selected for VR. Please select VR as DHCP provider : add Dhcp to supportedservices",
    );
  }
  return services;
}

/** What each capability may be set to. */
const CAPABILITIES: Readonly<
  Record<string, { readonly service: NetworkService; readonly title: string; readonly values: readonly string[] }>
> = {
  supportedlbisolation: { service: 'Lb', title: 'LB', values: ['dedicated', 'shared'] },
  redundantrouter: { service: 'SourceNat', title: 'source NAT', values: ['true', 'false'] },
  supportedsourcenattypes: { service: 'SourceNat', title: 'source NAT', values: ['peraccount', 'perzone'] },
  elasticip: { service: 'StaticNat', title: 'static NAT', values: ['false'] },
  elasticlb: { service: 'Lb', title: 'LB', values: ['false'] },
  distributedrouter: { service: 'Gateway', title: 'Gateway', values: ['true', 'false'] },
};

/** Checks the capabilities asked for, and answers whether a redundant router is among them. */
export function wantsRedundancy(want: ServiceWant, services: readonly OfferedService[]): boolean {
  let redundant = false;
  for (const entry of want.servicecapabilitylist ?? []) {
    const type = entry['capabilitytype'] ?? '';
    const value = (entry['capabilityvalue'] ?? '').toLowerCase();
    const known = CAPABILITIES[type.toLowerCase()];
    const service = serviceNamed(entry['service'] ?? '');
    if (known === undefined || known.service !== service) {
      throw refuse(
        'parameter',
        `Capability ${type} is not supported for service ${service}. Supported are: ${capabilitiesOf(service)}`,
      );
    }
    if (!services.some(({ name }) => name === service)) {
      throw refuse(
        'parameter',
        `Capabilities for ${known.title} service can be specifed only when ${known.title} service is enabled for network offering.`,
      );
    }
    if (!known.values.includes(value)) {
      throw refuse(
        'parameter',
        `Unknown specified value for ${type}: ${value}. Supported are: ${known.values.join(', ')}`,
      );
    }
    redundant ||= type.toLowerCase() === 'redundantrouter' && value === 'true';
  }
  return redundant;
}

function capabilitiesOf(service: NetworkService): string {
  const names = Object.entries(CAPABILITIES).filter(([, known]) => known.service === service);
  return names.length === 0 ? 'none' : names.map(([name]) => name).join(', ');
}

/** A service by its name in any case. */
export function serviceNamed(text: string): NetworkService {
  const service = NETWORK_SERVICES.find((name) => name.toLowerCase() === text.toLowerCase());
  if (service === undefined)
    throw refuse('parameter', `Invalid service ${text}. Supported are: ${NETWORK_SERVICES.join(', ')}`);
  return service;
}
