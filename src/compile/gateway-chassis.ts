// Which chassis carry a router port that meets a wire. Rule: a router port on a VLAN has its own gateway chassis group,
// on an overlay it stays distributed. Otherwise every hypervisor answers ARP with the same MAC, the physical switches move
// it from port to port, and after one flooded frame all packets are lost (measured on OVN 23.03: three replies, 100 % loss).
import type { Chassis, Fabric, Segment } from '../model/intent.ts';
import type { Carriers } from '../model/public-side.ts';
import type { DesiredRow } from './desired.ts';
import { gatewayChassisName, row, rowId, type Mark } from './names.ts';

/**
 * Members of a group, where there are as many chassis. With two, the survivor of a failure has no BFD peer left, believes
 * itself cut off and never takes over (measured).
 */
export const GROUP_SIZE = 3;

/** Nobody is preferred or avoided. */
const ANYBODY: Carriers = { turn: 0, avoid: [] };

/** The chassis of a router port, best first; none when the segment is an overlay. */
export function gatewayChassisOf(routerPort: string, segment: Segment, fabric: Fabric): readonly string[] {
  return segment.kind === 'overlay' ? [] : gatewayGroupOf(routerPort, fabric);
}

/**
 * The group for whatever `key` names, best first. Candidates are the gateway nodes, or the hypervisors where there are none. The
 * first is chosen by weight, so that a chassis that joins or leaves moves only its share; `turn` takes the ones after it. The others
 * follow in the ring of names, so that each chassis has four BFD peers at most, however many there are. Who is leaving, or to be
 * avoided, stays in the ring, where BFD runs already, but comes after the others. Too few candidates are filled up with
 * witnesses and then hypervisors, which come last.
 */
export function gatewayGroupOf(key: string, fabric: Fabric, { turn, avoid }: Carriers = ANYBODY): readonly string[] {
  const ring = ringOf(fabric);
  if (ring.length === 0) return [];
  const willing = ring.filter(({ name, leaving }) => leaving !== true && !avoid.includes(name));
  const pool = willing.length > 0 ? willing : ring;
  const weights = pool.map(({ name }) => weightOf(`${key}/${name}`));
  const best = weights.indexOf(Math.max(...weights));
  const first = pool[(best + turn) % pool.length]!;
  const group = windowFrom(ring.indexOf(first), ring);
  const last = new Set(group.filter((chassis) => !pool.includes(chassis)));
  return [...group.filter((chassis) => !last.has(chassis)), ...last, ...fillersOf(fabric, group.length)].map(
    ({ name }) => name,
  );
}

/** Whether a chassis is in groups to carry ports, and not to fill them up for the majority. */
export function isCandidate(chassis: string, fabric: Fabric): boolean {
  return ringOf(fabric).some(({ name }) => name === chassis);
}

/** Every group there can be, whatever its order. */
export function gatewayGroups(fabric: Fabric): readonly (readonly string[])[] {
  const ring = ringOf(fabric);
  const groups = Array.from({ length: ring.length > GROUP_SIZE ? ring.length : Math.min(1, ring.length) }, (_, first) =>
    [...windowFrom(first, ring), ...fillersOf(fabric, ring.length)].map(({ name }) => name),
  );
  return groups.filter(({ length }) => length > 1);
}

function ringOf({ chassis }: Fabric): readonly Chassis[] {
  const gateways = chassis.filter(({ kind }) => kind === 'gateway');
  return gateways.length > 0 ? gateways : chassis.filter(({ kind }) => kind === 'hypervisor');
}

function windowFrom(first: number, ring: readonly Chassis[]): readonly Chassis[] {
  const size = Math.min(GROUP_SIZE, ring.length);
  return Array.from({ length: size }, (_, turn) => ring[(first + turn) % ring.length]!);
}

/** Who makes a majority where there are fewer candidates than a group has members. */
function fillersOf(fabric: Fabric, candidates: number): readonly Chassis[] {
  const missing = Math.max(0, GROUP_SIZE - candidates);
  const ring = ringOf(fabric);
  const of = (kind: Chassis['kind']): readonly Chassis[] =>
    fabric.chassis.filter((chassis) => chassis.kind === kind && !ring.includes(chassis));
  return [...of('witness'), ...of('hypervisor')].slice(0, missing);
}

export function gatewayChassisRows(routerPort: string, chassis: readonly string[], mark: Mark): readonly DesiredRow[] {
  return chassis.map((chassisName, turn) => {
    const name = gatewayChassisName(routerPort, chassisName);
    const columns = { name, chassis_name: chassisName, priority: GROUP_SIZE * 10 - turn * 10 };
    return row('Gateway_Chassis', rowId('Gateway_Chassis', name), mark, columns);
  });
}

/** FNV-1a, with its high bits mixed down (MurmurHash3's last step): cheap, and even enough to spread ports. */
function weightOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
