// Who must have a generation before it counts as realized: chassis that must have reported a barrier, nodes that must have
// reported a document, and then, where machines were started or moved, one barrier more, because the other chassis learn of
// a new port only after its own hypervisor bound it.

import type { UnitKey } from '../model/intent.ts';
import { type SwitchStanding, type SwitchTarget, owedBy } from './switches.ts';

export interface Targets {
  /** Chassis that carry what was touched. */
  readonly chassis: ReadonlySet<string>;
  /** Node -> generation its document must have reached. */
  readonly nodes: ReadonlyMap<string, number>;
  /** Router node -> for each network concerned there, the other nodes that route for it. */
  readonly standIns?: ReadonlyMap<string, readonly (readonly string[])[]>;
  /** Physical switches of which the change asks something. */
  readonly switches?: readonly SwitchTarget[];
  /** Chassis with instances of what was touched. The others only carry router ports, which go elsewhere when one is Down; absent: all. */
  readonly homes?: ReadonlySet<string>;
}

/** What is known of the world when somebody asks whether a generation is realized. */
export interface World {
  /** nb_cfg the chassis has reported; -1 for one that never did. */
  realizedAt(chassis: string): number;
  /** Generation of the document the node last made true; -1 for one that never did. */
  reportedBy(node: string): number;
  /** The last thing the node said went wrong. */
  errorOf(node: string): string | undefined;
  /** Whether the node has been silent for so long that it counts as Down. */
  isDown?(node: string): boolean;
  /** How a physical switch stands. */
  switchStanding?(id: string): SwitchStanding | undefined;
  /** What its node says is wrong with an instance. */
  errorOfInstance(id: string): string | undefined;
  /** Whom an open question is asked of, such as a scan: a node, and what it is to find out. */
  openQuestion?(id: string): string | undefined;
  /** What a router node says is wrong with a network it routes for, or with a rule or address of it. */
  errorOfRouter?(id: string): string | undefined;
  /** Why OVN refused what the unit asks for; undefined when it did not. */
  refusalOf(unit: UnitKey): string | undefined;
}

/** What somebody waits for. Ports, nodes and wires are shared: the whole reason may name other tenants' networks and VLANs. */
export interface WaitsFor {
  /** As the operator reads it. */
  readonly for: string;
  /** As everybody else reads it; absent: the same. */
  readonly told?: string;
}

export type Verdict =
  /** `without`: router nodes that are Down and will take the change later; others carry their networks. */
  | { readonly kind: 'realized'; readonly without?: readonly string[] }
  /** The nodes are ready; the other chassis must confirm that they know. */
  | { readonly kind: 'confirm' }
  | ({ readonly kind: 'waiting' } & WaitsFor);

/** A generation on its way. `confirmAt` is set once the second barrier was asked for. */
export interface Awaited {
  /** What the change touched; empty where that is not known any more. */
  readonly units: ReadonlySet<UnitKey>;
  readonly targets: Targets;
  readonly nbCfg: number;
  readonly confirmAt?: number;
}

/** Whether a generation is realized for jobs about these objects, and if not, which target it waits for and for what. */
export function judge(awaited: Awaited, world: World, about: readonly string[] = []): Verdict {
  const { units, targets, nbCfg, confirmAt } = awaited;
  for (const unit of units) {
    const refusal = world.refusalOf(unit);
    if (refusal !== undefined)
      return {
        kind: 'waiting',
        for: `OVN's northbound database, which refused ${unit}: ${refusal}`,
        told: "OVN's northbound database, which refused the change; the operator finds the reason in the log",
      };
  }
  const behind = silentChassis(targets, nbCfg, world);
  if (behind !== undefined) return { kind: 'waiting', for: behind };
  const without: string[] = [];
  for (const [node, generation] of targets.nodes) {
    const reported = world.reportedBy(node);
    if (reported >= generation) continue;
    if (isStoodInFor(node, targets, world)) {
      without.push(node);
      continue;
    }
    const error = world.errorOf(node);
    return error === undefined
      ? {
          kind: 'waiting',
          for: `node ${node} to report document ${generation} (it has ${reported < 0 ? 'none' : reported})`,
        }
      : {
          kind: 'waiting',
          for: `node ${node}, which says: ${error}`,
          told: `node ${node}, which could not do all that was asked of it; the operator finds the reason in the log`,
        };
  }
  for (const target of targets.switches ?? []) {
    const owed = owedBy(target, world.switchStanding?.(target.id));
    if (owed !== undefined) return { kind: 'waiting', ...owed };
  }
  for (const id of about) {
    const question = world.openQuestion?.(id);
    if (question !== undefined) return { kind: 'waiting', for: question };
    const error = world.errorOfInstance(id);
    if (error !== undefined) return { kind: 'waiting', for: `instance ${id}: ${error}` };
    const routing = world.errorOfRouter?.(id);
    if (routing !== undefined) return { kind: 'waiting', for: routing };
  }
  const realized: Verdict = { kind: 'realized', ...(without.length === 0 ? {} : { without }) };
  if (targets.nodes.size === 0 || targets.chassis.size === 0) return realized;
  if (confirmAt === undefined) return { kind: 'confirm' };
  const unconfirmed = silentChassis(targets, confirmAt, world);
  return unconfirmed === undefined ? realized : { kind: 'waiting', for: unconfirmed };
}

/** Whether a silent router node is Down, and each network that the change concerns there has a node that has made it true. */
function isStoodInFor(node: string, { nodes, standIns }: Targets, world: World): boolean {
  const networks = standIns?.get(node);
  if (networks === undefined || world.isDown?.(node) !== true) return false;
  return networks.every((others) => others.some((other) => world.reportedBy(other) >= (nodes.get(other) ?? Infinity)));
}

function silentChassis({ chassis, homes }: Targets, nbCfg: number, world: World): string | undefined {
  for (const name of chassis) {
    if (homes?.has(name) === false && world.isDown?.(name) === true) continue;
    const at = world.realizedAt(name);
    if (at < nbCfg)
      return `chassis ${name} to install change ${nbCfg} (it has ${at < 0 ? 'never reported' : `reported ${at}`})`;
  }
  return undefined;
}
