// What the services of an offering are asked to be able to (CloudStack's servicecapabilitylist): which capabilities there are,
// what each may be set to, and how they are kept. Apart from the services because most offerings say nothing of it.
import { refuse } from '../../api/error.ts';
import type { Capabilities, NetworkService, OfferedService } from '../../model/network-service.ts';
import { type ServiceWant, serviceNamed } from './offering-services.ts';

interface Capability {
  readonly name: string;
  readonly services: readonly NetworkService[];
  readonly values: readonly string[];
}

const CAPABILITIES: readonly Capability[] = [
  { name: 'SupportedLBIsolation', services: ['Lb'], values: ['dedicated', 'shared'] },
  { name: 'ElasticLb', services: ['Lb'], values: ['false'] },
  { name: 'RedundantRouter', services: ['SourceNat', 'Gateway'], values: ['true', 'false'] },
  { name: 'SupportedSourceNatTypes', services: ['SourceNat'], values: ['peraccount', 'perzone'] },
  { name: 'ElasticIp', services: ['StaticNat'], values: ['false'] },
  { name: 'DistributedRouter', services: ['Gateway'], values: ['true', 'false'] },
];

/** What only a VPC's router can be asked: to read the lists of its private gateways as they say, not as CloudStack does. */
const OF_VPCS: readonly Capability[] = [{ name: 'Strict', services: ['NetworkACL'], values: ['true', 'false'] }];

/** As CloudStack's refusals call them. */
const TITLES: Partial<Record<NetworkService, string>> = { Lb: 'LB', SourceNat: 'source NAT', StaticNat: 'static NAT' };

/** The capabilities asked for, by service; each must be one of a service that is offered. */
export function wantedCapabilities(
  want: ServiceWant,
  services: readonly OfferedService[],
  of: 'network' | 'vpc' = 'network',
): Capabilities {
  const known = of === 'vpc' ? [...CAPABILITIES, ...OF_VPCS] : CAPABILITIES;
  const wanted: Partial<Record<NetworkService, Record<string, string>>> = {};
  for (const entry of want.servicecapabilitylist ?? []) {
    const type = entry['capabilitytype'] ?? '';
    const value = (entry['capabilityvalue'] ?? '').toLowerCase();
    const service = serviceNamed(entry['service'] ?? '');
    const supported = known.filter((one) => one.services.includes(service));
    const capability = supported.find(({ name }) => name.toLowerCase() === type.toLowerCase());
    if (capability === undefined) {
      throw refuse(
        'parameter',
        `Capability ${type} is not supported for service ${service}. Supported are: ${supported.map(({ name }) => name).join(', ') || 'none'}`,
      );
    }
    if (!services.some(({ name }) => name === service)) {
      const title = TITLES[service] ?? service;
      throw refuse(
        'parameter',
        `Capabilities for ${title} service can be specifed only when ${title} service is enabled for network offering.`,
      );
    }
    if (!capability.values.includes(value)) {
      throw refuse(
        'parameter',
        `Unknown specified value for ${capability.name}: ${value}. Supported are: ${capability.values.join(', ')}`,
      );
    }
    wanted[service] = { ...wanted[service], [capability.name]: value };
  }
  return wanted;
}
