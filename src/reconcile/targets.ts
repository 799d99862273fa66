// Whom a change concerns: the chassis that carry what it touched, the nodes whose documents say it, the switches of which it asks something.
// Apart from the loop, because it only reads: what was compiled, what is in the documents, what the switches were asked.
import type { Desired } from '../compile/desired.ts';
import type { Intent, UnitKey } from '../model/intent.ts';
import type { Documents } from './documents.ts';
import { helperNodes } from './helper-documents.ts';
import { homesOf } from './homes.ts';
import { standIns } from './stand-in.ts';
import type { SwitchTarget, Switches } from './switches.ts';
import type { Targets } from './waiting.ts';

/** Where a change is looked for. */
export interface Places {
  readonly intent: Intent;
  /** The intent before the change; undefined for none. */
  readonly was?: Intent | undefined;
  readonly now: Desired;
  readonly before?: Desired | undefined;
  readonly documents: Pick<Documents, 'get'>;
  readonly switches?: Pick<Switches, 'target'> | undefined;
}

/**
 * Whom a change of these units at this generation concerns: where they are, where they were, the nodes whose documents changed,
 * and the switches of which it asked something (others may be broken for long; that holds up nobody).
 */
export function targetsOf(units: Iterable<UnitKey>, generation: number, places: Places): Targets {
  const { intent, was, now, before, documents } = places;
  const chassis = new Set<string>();
  const homes = new Set<string>();
  const nodes = new Map<string, number>();
  const others = new Map<string, readonly (readonly string[])[]>();
  const switches: SwitchTarget[] = [];
  for (const key of units) {
    if (key.startsWith('switch:')) {
      const target = places.switches?.target(key.slice('switch:'.length), generation);
      if (target !== undefined) switches.push(target);
    }
    for (const unit of [now.units.get(key), before?.units.get(key)])
      for (const name of unit?.chassis ?? []) chassis.add(name);
    for (const name of homesOf(key, intent)) homes.add(name);
    const group = helperNodes(key, intent);
    for (const name of group) {
      const document = documents.get(name);
      if (document === undefined) continue;
      nodes.set(name, document.generation);
      // Whoever of the group has it can carry it: a gateway that is Down takes it when it is back.
      others.set(name, [...(others.get(name) ?? []), group.filter((other) => other !== name)]);
    }
    const host = key.startsWith('host:') ? intent.hosts.get(key.slice('host:'.length)) : undefined;
    const document = host === undefined ? undefined : documents.get(host.name);
    if (host === undefined || document === undefined) continue;
    nodes.set(document.node, document.generation);
    const networks = standIns(host, was?.hosts.get(host.id));
    if (networks !== undefined) others.set(document.node, [...(others.get(document.node) ?? []), ...networks]);
  }
  const joined = new Set(intent.fabric.chassis.map(({ name }) => name));
  return { chassis: chassis.intersection(joined), homes, nodes, standIns: others, switches };
}

/** From before a restart: whom it concerned is not known any more, so it waits for everybody. */
export function everybody(places: Omit<Places, 'was' | 'before'>): Targets {
  const { intent, now } = places;
  const hosts = [...intent.hosts.keys()].map((id) => `host:${id}`);
  const switches = [...intent.switches.keys()].map((id) => `switch:${id}`);
  return targetsOf([...now.units.keys(), ...hosts, ...switches], 0, { ...places, was: intent });
}

/** Keeps of targets those that are still there: a host that was deleted owes nobody anything. */
export function stillThere({ fabric, hosts }: Intent): (targets: Targets) => Targets {
  const joined = new Set(fabric.chassis.map(({ name }) => name));
  const known = new Set([...hosts.values()].map(({ name }) => name));
  return (targets) => {
    const chassis = targets.chassis.intersection(joined);
    const nodes = new Map([...targets.nodes].filter(([node]) => known.has(node)));
    return chassis.size === targets.chassis.size && nodes.size === targets.nodes.size
      ? targets
      : { ...targets, chassis, nodes };
  };
}
