// The compiler: intent in, desired out, whole snapshots both. Pure; what it remembers is only to be fast.
import type { Fabric, Intent } from '../model/intent.ts';
import type { Desired, DesiredUnit } from './desired.ts';
import { fabricKind } from './fabric.ts';
import { guestNetworkKind } from './guest-network.ts';
import type { Kind, Part } from './kind.ts';
import { privateNetworkKind } from './private-network.ts';
import { publicWires } from './public-wire.ts';
import { reachOf } from './reach.ts';
import { same } from './same.ts';
import { vpcKind } from './vpc.ts';

/** Every kind of unit there is: nothing else asks what kind a unit has. */
const KINDS = [
  remembered(fabricKind),
  remembered(vpcKind),
  remembered(privateNetworkKind),
  remembered(guestNetworkKind),
  // What all routers bring together: it remembers by itself.
  publicWires(),
];

/**
 * Compiles the whole intent. A unit that means the same as in `previous` is the same object as there. Throws, naming the unit,
 * when the intent cannot be compiled: addresses were checked before they were stored, so that is a bug.
 */
export function compile(intent: Intent, previous?: Desired): Desired {
  const parts = KINDS.flatMap((partsOf) => partsOf(intent));
  const reach = reachOf(parts);
  const units = new Map<string, DesiredUnit>();
  for (const { key, rows, findings } of parts) {
    const unit: DesiredUnit = { key, rows, findings, chassis: reach.get(key)! };
    const before = previous?.units.get(key);
    units.set(key, before !== undefined && sameUnit(before, unit) ? before : unit);
  }
  return { generation: intent.generation, units };
}

function sameUnit(a: DesiredUnit, b: DesiredUnit): boolean {
  return same(a.chassis, b.chassis) && same(a.findings, b.findings) && same(a.rows, b.rows);
}

/** The parts of one kind; a part is compiled again only when its unit or the fabric is another object. */
function remembered<Unit extends object>(kind: Kind<Unit>): (intent: Intent) => readonly Part[] {
  const known = new WeakMap<Unit, { readonly fabric: Fabric; readonly part: Part }>();
  return (intent) => {
    const { fabric } = intent;
    const parts: Part[] = [];
    for (const unit of kind.owns(intent)) {
      const memo = known.get(unit);
      if (memo?.fabric === fabric) {
        parts.push(memo.part);
        continue;
      }
      const part = named(kind, unit, () => kind.compile(unit, fabric));
      known.set(unit, { fabric, part });
      parts.push(part);
    }
    return parts;
  };
}

function named<Unit extends object>({ kind }: Kind<Unit>, unit: Unit, work: () => Part): Part {
  try {
    return work();
  } catch (cause) {
    const id = 'id' in unit ? ` ${String(unit.id)}` : '';
    throw new Error(`the ${kind}${id} cannot be compiled: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}
