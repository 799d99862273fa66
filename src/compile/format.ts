// Desired as text a person reads, in the manner of `ovn-nbctl show`: for golden files, plans and reviews. Row ids are left out;
// a row that another one refers to stands below it.
import type { Desired, DesiredRow, DesiredUnit, Value } from './desired.ts';

/** Columns whose values are rows of the same unit, printed in place. */
const CHILDREN = ['ports', 'gateway_chassis', 'static_routes', 'policies', 'acls', 'dhcpv4_options'];
/** Columns that say nothing to a reader. */
const HIDDEN = new Set(['external_ids', ...CHILDREN]);

/** `names` says by what name a reader knows an id; everywhere the id is part of a name it is replaced by it. */
export function formatDesired(desired: Desired, names: ReadonlyMap<string, string> = new Map()): string {
  return [...desired.units.values()].map((unit) => formatUnit(unit, names)).join('\n');
}

export function formatUnit(unit: DesiredUnit, names: ReadonlyMap<string, string> = new Map()): string {
  const byId = new Map(unit.rows.map((row) => [row.uuid, row]));
  const referred = new Set(unit.rows.flatMap((row) => (row.table === 'Port_Group' ? [] : childrenOf(row, byId))));
  const roots = unit.rows.filter((row) => !referred.has(row) && !isAcl(row));
  const lines = roots.flatMap((row) => formatRow(row, byId, '  '));
  const findings = unit.findings.map(({ kind, id, text }) => `  ! ${kind} ${id}: ${text}`);
  const where = unit.chassis.length === 0 ? 'no chassis' : unit.chassis.join(', ');
  return renamed([`${unit.key} (on ${where})`, ...lines, ...findings, ''].join('\n'), names);
}

/** Ids appear with dashes, and in port group names with underscores. */
function renamed(text: string, names: ReadonlyMap<string, string>): string {
  return text.replaceAll(/[0-9a-f]{8}([-_])[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{4}\1[0-9a-f]{12}/g, (id) => {
    return names.get(id.replaceAll('_', '-')) ?? id;
  });
}

function formatRow(row: DesiredRow, byId: ReadonlyMap<string, DesiredRow>, indent: string): readonly string[] {
  const { name } = row.columns;
  const columns = Object.entries(row.columns).filter(
    ([column, value]) => column !== 'name' && !HIDDEN.has(column) && !isEmpty(value),
  );
  const head = typeof name === 'string' ? `${row.table} ${name}` : row.table;
  const children = row.table === 'Port_Group' ? childrenOf(row, byId).filter(isAcl) : childrenOf(row, byId);
  if (columns.length <= 6 && children.length === 0) {
    return [`${indent}${head}${columns.map(([column, value]) => ` ${column}=${formatValue(value)}`).join('')}`];
  }
  const deeper = `${indent}  `;
  return [
    `${indent}${head}`,
    ...columns.map(([column, value]) => `${deeper}${column}=${formatValue(value)}`),
    ...children.flatMap((child) => formatRow(child, byId, deeper)),
  ];
}

function childrenOf(row: DesiredRow, byId: ReadonlyMap<string, DesiredRow>): readonly DesiredRow[] {
  return CHILDREN.flatMap((column) => row.columns[column] ?? [])
    .map((uuid) => byId.get(uuid as string))
    .filter((child) => child !== undefined);
}

function isAcl(row: DesiredRow): boolean {
  return row.table === 'ACL';
}

function isEmpty(value: Value): boolean {
  return typeof value === 'object' && Object.keys(value).length === 0;
}

function formatValue(value: Value): string {
  if (Array.isArray(value)) return `[${value.map((item: Value) => formatValue(item)).join(', ')}]`;
  if (typeof value === 'object') {
    return `{${Object.entries(value as Readonly<Record<string, string>>)
      .map(([key, item]) => `${key}=${item}`)
      .join(', ')}}`;
  }
  return String(value);
}
