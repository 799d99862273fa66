// Where the instances of a unit are. A hypervisor that is Down with instances on it holds up a job about them; a node that would only
// carry router ports of the unit does not, since another one does.
import { hostsOf } from '../compile/kind.ts';
import type { Intent, UnitKey } from '../model/intent.ts';

/** Names of the chassis that instances of a VPC's tiers or of a network are on, or on their way from. */
export function homesOf(unit: UnitKey, intent: Intent): readonly string[] {
  const id = unit.slice(unit.indexOf(':') + 1);
  if (unit.startsWith('vpc:')) return hostsOf(intent.vpcs.get(id)?.tiers.flatMap(({ nics }) => nics) ?? []);
  return unit.startsWith('network:') ? hostsOf(intent.networks.get(id)?.nics ?? []) : [];
}
