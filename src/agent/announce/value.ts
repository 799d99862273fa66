// Values as OVSDB sends them (RFC 7047 section 5.1), as far as the announcements read them.

export type Row = Readonly<Record<string, unknown>>;

/** Updates of a monitor (ovsdb-server(7), `update2`): by table and row id. */
export type Updates = Readonly<Record<string, Readonly<Record<string, Readonly<Record<string, Row>>>>>>;

export function uuidOf(value: unknown): string | undefined {
  return Array.isArray(value) && value[0] === 'uuid' ? String(value[1]) : undefined;
}

export function setOf(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) && value[0] === 'set' ? (value[1] as string[]) : [];
}

export function mapOf(value: unknown): Readonly<Record<string, string>> {
  return Array.isArray(value) && value[0] === 'map' ? Object.fromEntries(value[1] as [string, string][]) : {};
}
