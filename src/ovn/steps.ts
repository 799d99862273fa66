// Planned changes as an engineer would type them, each with its reason: an argv of ovn-nbctl(8) per row. For people only;
// what is sent to the database is made by operations.ts from the same changes.
import { createCommands, type Names } from './commands.ts';
import type { Change } from './change.ts';
import type { Actual, Row } from './replica.ts';
import { tellDifferences } from './tell.ts';

export interface Step {
  readonly argv: readonly string[];
  /** Why it is needed: what is not as wanted. */
  readonly reason: string;
}

/** Tables in the order an engineer would build them; others come last. Removal goes the other way round. */
const ORDER = [
  'DHCP_Options',
  'Address_Set',
  'Logical_Switch',
  'Logical_Router',
  'Logical_Router_Port',
  'Gateway_Chassis',
  'HA_Chassis_Group',
  'HA_Chassis',
  'Logical_Switch_Port',
  'Port_Group',
  'ACL',
  'Logical_Router_Policy',
  'Logical_Router_Static_Route',
];

/** The changes as steps: removals first (names must be free), then what is built and set. */
export function stepsOf(changes: readonly Change[], actual: Actual): readonly Step[] {
  const commands = createCommands(namesIn(changes, actual), actual.schema);
  const rank = ({ table, kind }: Change): number => {
    const at = ORDER.indexOf(table);
    const place = at < 0 ? ORDER.length : at;
    return kind === 'insert' ? 100 + place : kind === 'update' ? 200 + place : -place;
  };
  return changes
    .toSorted((a, b) => rank(a) - rank(b))
    .flatMap((change) => {
      const argv = commands.argvOf(change);
      return argv === undefined
        ? []
        : [{ argv: ['ovn-nbctl', ...argv], reason: reasonOf(change, commands.thing(change)) }];
    });
}

/** Who is whose child, and what a uuid is called, gathered from the changes themselves and from what is there. */
function namesIn(changes: readonly Change[], actual: Actual): Names {
  const parents = new Map<string, Row>();
  const rows = new Map<string, Row>();
  for (const { table, uuid, before, after } of changes) {
    const row = after ?? before;
    if (row === undefined) continue;
    rows.set(uuid, row);
    for (const [column, type] of Object.entries(actual.schema.tables[table]?.columns ?? {})) {
      if (type.refTable === undefined || type.weak) continue;
      for (const side of [before, after]) {
        for (const child of (side?.[column] ?? []) as readonly string[]) parents.set(child, row);
      }
    }
  }
  return {
    parent: (uuid) => parents.get(uuid),
    name(table, uuid) {
      const name = (rows.get(uuid) ?? actual.table(table).get(uuid))?.['name'];
      return typeof name === 'string' && name !== '' ? name : uuid;
    },
  };
}

function reasonOf(change: Change, thing: string): string {
  const { kind, drift } = change;
  if (kind === 'insert') return drift ? `somebody else deleted the ${thing}` : `there is no ${thing} yet`;
  if (kind !== 'update') return `nothing asks for the ${thing} any more`;
  return `${drift ? 'somebody else changed it: ' : ''}${tellDifferences(change)}`;
}
