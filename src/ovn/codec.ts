// Between OVSDB's notation (RFC 7047 §5.1) and natural values: a set is an array, a map an object, a uuid its text.
// Which notation a column takes is known from the schema only; nothing is guessed from the value.
import type { Value } from '../compile/desired.ts';
import type { Atom, ColumnType } from './schema.ts';

/** A column's value on the wire. */
export type Wire = string | number | boolean | readonly unknown[];

/** A value that has not the form its column takes: the compiler's mistake. */
export class FormError extends Error {}

export const NO_UUID = '00000000-0000-0000-0000-000000000000';

/** Whether the column is a plain value, neither set nor map nor optional. */
export function isScalar(type: ColumnType): boolean {
  return type.max === 1 && type.min === 1 && type.value === undefined;
}

/** The value a column has when an insert does not mention it (RFC 7047 §5.2.1). */
export function defaultOf(type: ColumnType): Value {
  if (type.value !== undefined) return {};
  if (isScalar(type)) return atomDefault(type.key);
  return type.min === 0 ? [] : [atomDefault(type.key)];
}

export function isDefault(type: ColumnType, value: Value): boolean {
  return sameValue(value, defaultOf(type));
}

function atomDefault(atom: Atom): Value {
  if (atom === 'string') return '';
  if (atom === 'boolean') return false;
  return atom === 'uuid' ? NO_UUID : 0;
}

/** Reads a column's value as the server sent it. */
export function decode(type: ColumnType, wire: unknown): Value {
  if (isScalar(type)) return atomFromWire(wire);
  const listed = Array.isArray(wire) && (wire[0] === 'set' || wire[0] === 'map');
  const elements = listed ? (wire[1] as readonly unknown[]) : [wire];
  if (type.value === undefined) return elements.map(atomFromWire);
  // fromEntries defines properties: a key named __proto__ in a foreign row is a key like any other.
  return Object.fromEntries(
    elements.map((pair) => {
      const [key, value] = pair as readonly [unknown, unknown];
      return [String(atomFromWire(key)), String(atomFromWire(value))];
    }),
  );
}

function atomFromWire(wire: unknown): string | number | boolean {
  if (Array.isArray(wire)) return String(wire[1]); // ["uuid", "…"]
  return wire as string | number | boolean;
}

/** Writes a column's value for the server. Throws, naming `where`, when the value has not the column's form. */
export function encode(type: ColumnType, value: Value, where: string): Wire {
  if (isScalar(type)) return atomToWire(type.key, value, where);
  if (type.value !== undefined) {
    if (typeof value !== 'object' || Array.isArray(value)) throw wrongForm(where, 'a map', value);
    const { key, value: atom } = type;
    return ['map', Object.entries(value).map(([k, v]) => [fromText(key, k, where), fromText(atom, String(v), where)])];
  }
  if (!Array.isArray(value)) throw wrongForm(where, type.max === 1 ? 'an array of none or one' : 'an array', value);
  return ['set', (value as readonly Value[]).map((element) => atomToWire(type.key, element, where))];
}

function atomToWire(atom: Atom, value: Value, where: string): Wire {
  if (atom === 'uuid' && typeof value === 'string') return ['uuid', value];
  if (atom === 'string' && typeof value === 'string') return value;
  if (atom === 'boolean' && typeof value === 'boolean') return value;
  if (atom === 'integer' && Number.isSafeInteger(value)) return value as number;
  if (atom === 'real' && typeof value === 'number' && Number.isFinite(value)) return value;
  throw wrongForm(where, `${atom === 'integer' ? 'an' : 'a'} ${atom}`, value);
}

function fromText(atom: Atom, text: string, where: string): Wire {
  if (atom === 'boolean') return atomToWire(atom, text === 'true' ? true : text === 'false' ? false : text, where);
  return atomToWire(atom, atom === 'integer' || atom === 'real' ? Number(text) : text, where);
}

function wrongForm(where: string, wanted: string, value: Value): FormError {
  return new FormError(`${where} takes ${wanted}, not ${JSON.stringify(value)}`);
}

/** Whether two natural values mean the same. The order of a set says nothing. */
export function sameValue(a: Value, b: Value): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object') return false;
  if (isSet(a) || isSet(b)) return isSet(a) && isSet(b) && sameSet(a, b);
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  return keys.every((key) => Object.hasOwn(b, key) && a[key] === b[key]);
}

function isSet(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

function sameSet(a: readonly Value[], b: readonly Value[]): boolean {
  if (a.length !== b.length) return false;
  if (a.every((element, at) => element === b[at])) return true; // the usual case: the server keeps sets sorted
  const elements = new Set(a);
  return elements.size === b.length && b.every((element) => elements.has(element));
}

/**
 * The value after a `modify` of monitor_cond_since (ovsdb-server(7), "Update2"): columns of at most one element are sent
 * whole; of a set, the elements that come or go; of a map, new pairs, changed pairs, and the unchanged pairs that go.
 */
export function applyDiff(type: ColumnType, before: Value, diff: Value): Value {
  if (type.max === 1) return diff;
  if (type.value === undefined) {
    const elements = new Set(before as readonly Value[]);
    for (const element of diff as readonly Value[]) if (!elements.delete(element)) elements.add(element);
    return [...elements].toSorted(byOrder);
  }
  const old = before as Readonly<Record<string, string>>;
  const changes = Object.entries(diff as Readonly<Record<string, string>>);
  const gone = new Set(
    changes.filter(([key, value]) => Object.hasOwn(old, key) && old[key] === value).map(([key]) => key),
  );
  return Object.fromEntries([...Object.entries(old), ...changes].filter(([key]) => !gone.has(key)));
}

function byOrder(a: Value, b: Value): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
