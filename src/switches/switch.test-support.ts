// For tests of this layer: documents and actual states, made by hand or by chance.
import fc from 'fast-check';
import type { PortActual, PortSpec, SwitchActual, SwitchDocument } from '../protocol/switch.ts';
import type { PortChange } from './plan.ts';
import { vlanList } from './vlans.ts';

export function documentOf(ports: readonly PortSpec[], rest: Partial<SwitchDocument> = {}): SwitchDocument {
  return {
    id: '5b1e8a52-0000-4000-8000-000000000001',
    name: 'sw1',
    generation: 7,
    driver: 'ovsdb',
    address: 'unix:/nowhere',
    options: {},
    nativeVlan: 1,
    confirmed: 0,
    ports,
    ...rest,
  };
}

/** A port of a device, or of nobody. */
export function access(name: string, untagged?: number, tagged: readonly number[] = []): PortSpec {
  const behind = untagged === undefined && tagged.length === 0 ? 'nobody' : `device ${name}-box`;
  return {
    name,
    mode: 'set',
    behind,
    tagged,
    because: because([...tagged, ...(untagged ? [untagged] : [])]),
    ...(untagged === undefined ? {} : { untagged }),
  };
}

/** The cable of a hypervisor. */
export function trunk(name: string, tagged: readonly number[], retired: readonly number[] = []): PortSpec {
  return { name, mode: 'set', behind: `hypervisor ${name}-host`, tagged, trunk: { retired }, because: because(tagged) };
}

function because(vlans: readonly number[]): Record<number, string> {
  return Object.fromEntries(vlans.map((vlan) => [vlan, `net${vlan}`]));
}

export function actualOf(...ports: readonly PortActual[]): SwitchActual {
  return { ports, neighbours: [], macs: [] };
}

/** A switch that does what it is told. */
export function obey(actual: SwitchActual, changes: readonly PortChange[]): SwitchActual {
  const to = new Map(changes.map((change) => [change.spec.name, change.to]));
  return {
    ...actual,
    ports: actual.ports.map((port) => (to.has(port.name) ? { name: port.name, ...to.get(port.name)! } : port)),
  };
}

// Few VLANs, so that wanted, found and retired ones often meet.
const vlan = fc.integer({ min: 1, max: 9 });
const vlans = fc.array(vlan, { maxLength: 5 }).map(vlanList);
const name = fc.constantFrom('p1', 'p2', 'p3', 'p4');

const spec: fc.Arbitrary<PortSpec> = fc
  .record({
    name,
    mode: fc.constantFrom('set' as const, 'check' as const),
    tagged: vlans,
    untagged: fc.option(vlan, { nil: undefined }),
    retired: fc.option(vlans, { nil: undefined }),
  })
  .map(({ untagged, retired, tagged, ...rest }) => ({
    ...rest,
    tagged,
    behind: retired === undefined ? 'device box' : 'hypervisor h1',
    because: because(tagged),
    ...(untagged === undefined || retired !== undefined ? {} : { untagged }),
    ...(retired === undefined ? {} : { trunk: { retired: retired.filter((each) => !tagged.includes(each)) } }),
  }));

const port: fc.Arbitrary<PortActual> = fc
  .record({
    name: fc.oneof(name, fc.constantFrom('uplink', 'management')),
    untagged: fc.option(fc.integer({ min: 0, max: 9 }), { nil: undefined }),
    tagged: fc.oneof({ weight: 5, arbitrary: vlans }, fc.constant('all' as const)),
    mixed: vlans,
  })
  .map(({ untagged, mixed, tagged, ...rest }) => {
    const free = (each: number): boolean => each !== untagged && (tagged === 'all' || !tagged.includes(each));
    return {
      ...rest,
      tagged: tagged === 'all' ? tagged : tagged.filter((each) => each !== untagged),
      ...(untagged === undefined ? {} : { untagged }),
      ...(mixed.some(free) ? { mixed: mixed.filter(free) } : {}),
    };
  });

export const anyDocument = fc.uniqueArray(spec, { selector: (each) => each.name }).map((ports) => documentOf(ports));
export const anyActual = fc.uniqueArray(port, { selector: (each) => each.name }).map((ports) => actualOf(...ports));
