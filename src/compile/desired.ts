// Desired: what follows from the intent. Rows of OVN's northbound database (by ids of our choosing), and which hypervisors
// each unit concerns. The compiler's output and the planner's input; nothing else is said between the two.

/** A column's value in its natural form; the OVSDB client encodes it by the schema. */
export type Value = string | number | boolean | readonly Value[] | { readonly [key: string]: string };

/**
 * A row of the northbound database. `uuid` is derived from the owner's id, references are such uuids.
 *
 * Every table we write has `external_ids` (we put `id` and `unit` there) but one: Static_MAC_Binding. Such a row is ours
 * when its `logical_port` is the name of a router port that is ours, and also when that port is gone but its uuid is
 * `derivedId('Static_MAC_Binding/' + logical_port + '/' + ip)`: northd 23.03 stops working altogether while such a row names a
 * port of a deleted router (measured), so it must be found, and deleted in the same transaction as its router.
 */
export interface DesiredRow {
  readonly table: string;
  readonly uuid: string;
  /** Columns we own. A set is an array, a map an object, an optional column is absent or an array of one. */
  readonly columns: Readonly<Record<string, Value>>;
}

/** What one unit of the intent (a VPC, a network) asks of the engine. Same unit object in, same DesiredUnit object out. */
export interface DesiredUnit {
  /** UnitKey of the model: `vpc:ID`, `network:ID`; `public:ID` is a public wire, which follows from all of them. */
  readonly key: string;
  readonly rows: readonly DesiredRow[];
  /** Names of the chassis that must have it before it counts as realized. */
  readonly chassis: readonly string[];
  readonly findings: readonly Finding[];
}

/** Something wanted that cannot work as it stands: shown at the resource, told by an event, healed without being asked. */
export interface Finding {
  /** Kind and id of the resource it is about. */
  readonly kind: 'static-route';
  readonly id: string;
  /** What is wrong, why, and what would help: a sentence for the tenant. */
  readonly text: string;
}

export interface Desired {
  readonly generation: number;
  /** By unit key; units that did not change are the same objects as in the Desired before. */
  readonly units: ReadonlyMap<string, DesiredUnit>;
}
