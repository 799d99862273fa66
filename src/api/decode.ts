// Reads a request's parameters off the wire: query string and form body, merged. Apart from everything that knows what the
// parameters mean, because the signature is over what was sent and not over what we understood.
import { refuse } from './error.ts';

/** One parameter as it was sent. `raw` is `name=value` still encoded: one way to check a signature needs it. */
export interface Sent {
  readonly name: string;
  readonly value: string;
  readonly raw: string;
}

/** `tags[0].key=a&tags[0].value=b` gathered: one record per index, in order of index. */
export type Records = readonly Readonly<Record<string, string>>[];

export interface Wire {
  readonly sent: readonly Sent[];
  /** By name in lower case. */
  readonly values: ReadonlyMap<string, string | Records>;
}

export const MAX_BODY = 1024 * 1024;
export const MAX_PARAMETERS = 500;
const MAX_NAME = 255;
const MAX_INDEX = 999;

// Nothing a client of this API sends has a reason to hold one, and logs, XML and files suffer from each.
const control = /\p{Cc}/u;

/** Decodes query string and form body. Refuses broken encoding, duplicates and control characters; knows no parameter by name. */
export function decode(query: string, body: string): Wire {
  const sent = [...pairs(query), ...pairs(body)];
  if (sent.length > MAX_PARAMETERS) {
    throw refuse('malformed', `The request has ${sent.length} parameters; at most ${MAX_PARAMETERS} are accepted`);
  }
  const values = new Map<string, string | Records>();
  const maps = new Map<string, Map<number, Record<string, string>>>();
  for (const { name, value } of sent) {
    const lower = name.toLowerCase();
    if (lower.length > MAX_NAME)
      throw refuse('malformed', `A parameter name is longer than ${MAX_NAME} characters: ${lower.slice(0, 40)}…`);
    if (control.test(name) || control.test(value)) {
      throw refuse(
        'parameter',
        `Received value for parameter ${printable(lower)} is invalid, contains illegal ASCII non-printable characters. Remove control characters such as line ends and NUL`,
      );
    }
    if (lower.includes('[')) gather(maps, name, value);
    else if (values.has(lower))
      throw refuse('malformed', `Parameter ${lower} is given more than once; give it once (lists are comma-separated)`);
    else values.set(lower, value);
  }
  for (const [name, byIndex] of maps) {
    if (values.has(name))
      throw refuse('malformed', `Parameter ${name} is given both as ${name}= and as ${name}[0].…; choose one`);
    values.set(
      name,
      [...byIndex].toSorted(([a], [b]) => a - b).map(([, record]) => record),
    );
  }
  return { sent, values };
}

function pairs(text: string): Sent[] {
  const found: Sent[] = [];
  for (const raw of text.split('&')) {
    if (raw === '') continue;
    const equals = raw.indexOf('=');
    const name = equals < 0 ? raw : raw.slice(0, equals);
    found.push({ name: unescape(name), value: equals < 0 ? '' : unescape(raw.slice(equals + 1)), raw });
  }
  return found;
}

function unescape(text: string): string {
  const spaced = text.replaceAll('+', ' ');
  if (!spaced.includes('%')) return spaced;
  try {
    return decodeURIComponent(spaced);
  } catch {
    throw refuse(
      'malformed',
      `Cannot decode "${printable(text.slice(0, 60))}": % must be followed by two hexadecimal digits that make up UTF-8 text`,
    );
  }
}

const SUBSCRIPT = /^([^[\]]+)\[([0-9]{1,3})\](?:\.(.+))?$/;

/** Files `name[index].field`; `name[index]` alone is the field `value`. The field keeps its case: it may be a name of the client's own. */
function gather(maps: Map<string, Map<number, Record<string, string>>>, name: string, value: string): void {
  const match = SUBSCRIPT.exec(name);
  const [, base, index, field = 'value'] = match ?? [];
  if (base === undefined || Number(index) > MAX_INDEX) {
    throw refuse(
      'malformed',
      `Malformed parameter ${printable(name)}: a map is written as name[0].key=…&name[0].value=…, with an index from 0 to ${MAX_INDEX}`,
    );
  }
  const lower = base.toLowerCase();
  const byIndex = maps.get(lower) ?? new Map<number, Record<string, string>>();
  maps.set(lower, byIndex);
  // Without a prototype: a field may be called __proto__.
  const record = byIndex.get(Number(index)) ?? (Object.create(null) as Record<string, string>);
  byIndex.set(Number(index), record);
  if (Object.hasOwn(record, field)) throw refuse('malformed', `Parameter ${printable(name)} is given more than once`);
  record[field] = value;
}

/** A text of the client's in a sentence of ours: cut, and without control characters. */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '?').slice(0, 100);
}
