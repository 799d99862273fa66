// Which hypervisors carry a router port that meets a wire. Rule: a router port on a VLAN has its own gateway chassis group,
// on an overlay it stays distributed. Otherwise every hypervisor answers ARP with the same MAC, the physical switches move
// it from port to port, and after one flooded frame all packets are lost (measured on OVN 23.03: three replies, 100 % loss).
import type { Fabric, Segment } from '../model/intent.ts';
import type { DesiredRow } from './desired.ts';
import { gatewayChassisName, row, rowId, type Mark } from './names.ts';

/**
 * Members of a group, where there are as many hypervisors. With two, the survivor of a failure has no BFD peer left, believes
 * itself cut off and never takes over (measured).
 */
export const GROUP_SIZE = 3;

/**
 * The chassis of a router port, best first; none when the segment is an overlay. The first is chosen by weight, so that a
 * hypervisor that joins or leaves moves only its share of the ports; the others follow in the ring of names, so that each
 * hypervisor has four BFD peers at most, however many there are.
 */
export function gatewayChassisOf(routerPort: string, segment: Segment, fabric: Fabric): readonly string[] {
  if (segment.kind === 'overlay' || fabric.chassis.length === 0) return [];
  const weights = fabric.chassis.map(({ name }) => weightOf(`${routerPort}/${name}`));
  return groupFrom(weights.indexOf(Math.max(...weights)), fabric);
}

/** Every group there can be, whatever its order. */
export function gatewayGroups(fabric: Fabric): readonly (readonly string[])[] {
  const { length } = fabric.chassis;
  if (length < 2) return [];
  return Array.from({ length: length > GROUP_SIZE ? length : 1 }, (_, first) => groupFrom(first, fabric));
}

function groupFrom(first: number, { chassis }: Fabric): readonly string[] {
  const size = Math.min(GROUP_SIZE, chassis.length);
  return Array.from({ length: size }, (_, turn) => chassis[(first + turn) % chassis.length]!.name);
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
