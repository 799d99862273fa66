// Desired as text a person reads, in the manner of `ovn-nbctl show`: for golden files, plans and reviews. Row ids are left out;
// a row that another one refers to stands below it.
import type { Desired, DesiredRow, DesiredUnit, Value } from './desired.ts';

/** Columns whose values are rows of the same unit, printed in place. */
const CHILDREN = ['ports', 'gateway_chassis', 'static_routes', 'policies', 'acls', 'dhcpv4_options'];
/** Columns that say nothing to a reader. */
const HIDDEN = new Set(['external_ids', ...CHILDREN]);

export function formatDesired(desired: Desired): string {
  return [...desired.units.values()].map(formatUnit).join('\n');
}

export function formatUnit(unit: DesiredUnit): string {
  const byId = new Map(unit.rows.map((row) => [row.uuid, row]));
  const referred = new Set(unit.rows.flatMap((row) => (row.table === 'Port_Group' ? [] : childrenOf(row, byId))));
  const roots = unit.rows.filter((row) => !referred.has(row) && !isAcl(row));
  const lines = roots.flatMap((row) => formatRow(row, byId, '  '));
  const findings = unit.findings.map(({ kind, id, text }) => `  ! ${kind} ${id}: ${text}`);
  const where = unit.chassis.length === 0 ? 'no chassis' : unit.chassis.join(', ');
  return [`${unit.key} (on ${where})`, ...lines, ...findings, ''].join('\n');
}

function formatRow(row: DesiredRow, byId: ReadonlyMap<string, DesiredRow>, indent: string): readonly string[] {
  const { name } = row.columns;
  const columns = Object.entries(row.columns).filter(([column, value]) => column !== 'name' && !HIDDEN.has(column) && !isEmpty(value));
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
    return `{${Object.entries(value as Readonly<Record<string, string>>).map(([key, item]) => `${key}=${item}`).join(', ')}}`;
  }
  return String(value);
}
