// A kind of unit the compiler knows. Each kind is one file; the table of them in compile.ts is the only place that lists them.
import type { Fabric, Intent } from '../model/intent.ts';
import type { DesiredRow, Finding } from './desired.ts';

/** What one unit gives by itself, without looking at other units. */
export interface Part {
  readonly key: string;
  readonly rows: readonly DesiredRow[];
  readonly findings: readonly Finding[];
  /** Chassis that carry ports of it. */
  readonly chassis: readonly string[];
  /** Keys of the networks it shares with other units: their packets cross its flows, and its packets theirs. */
  readonly shares: readonly string[];
}

export interface Kind<Unit extends object> {
  readonly kind: string;
  /** The units of this kind. */
  owns(intent: Intent): Iterable<Unit>;
  /** Pure: the same unit and fabric give the same part. */
  compile(unit: Unit, fabric: Fabric): Part;
}

/** Names of the hypervisors the NICs are placed on, or on their way from. */
export function hostsOf(nics: readonly { readonly host?: string; readonly movingFrom?: string }[]): readonly string[] {
  return nics.flatMap(({ host, movingFrom }) => [host, movingFrom].filter((name) => name !== undefined));
}
