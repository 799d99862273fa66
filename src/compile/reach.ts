// Which hypervisors a unit concerns. A packet crosses the flows of every router on its way on the sender's own hypervisor, so
// a change to one VPC concerns those of all VPCs linked to it through Private networks, in as many steps as it takes.
import type { Part } from './kind.ts';

/** For each unit, by key: the names of the chassis that must have it, sorted. Linked units share one list. */
export function reachOf(parts: readonly Part[]): ReadonlyMap<string, readonly string[]> {
  const leaders = new Map<string, string>();
  const leaderOf = (key: string): string => {
    let leader = key;
    for (let next = leaders.get(leader); next !== undefined && next !== leader; next = leaders.get(leader))
      leader = next;
    leaders.set(key, leader);
    return leader;
  };
  for (const { key, shares } of parts) for (const other of shares) leaders.set(leaderOf(key), leaderOf(other));
  const chassis = new Map<string, Set<string>>();
  for (const part of parts) {
    const leader = leaderOf(part.key);
    const known = chassis.get(leader) ?? new Set();
    for (const name of part.chassis) known.add(name);
    chassis.set(leader, known);
  }
  const sorted = new Map([...chassis].map(([leader, names]) => [leader, [...names].toSorted()]));
  return new Map(parts.map(({ key }) => [key, sorted.get(leaderOf(key))!]));
}
