// The kinds of parameters a command can take. Each is a zod schema over the text that came in, and carries what listApis says of it.
import { z } from 'zod';
import { lengthOfNetmask, parseCidr, parseIp } from '../lib/ip.ts';
import { isUuid } from '../lib/id.ts';

/** What listApis says of a parameter beside its name and whether it is required. */
export interface ParamMeta {
  readonly type: 'string' | 'uuid' | 'boolean' | 'integer' | 'long' | 'short' | 'list' | 'map' | 'date';
  readonly description: string;
  readonly length?: number;
  /** For uuid and list: kind of the object it names (`vpc`); listApis derives `related` from it. */
  readonly kind?: string;
  /** For maps: the field names are the client's own words and keep their case. */
  readonly free?: true;
}

const metas = z.registry<ParamMeta>();

/** The meta of a parameter's schema, looking through `optional`. Undefined for a schema that none of these functions made. */
export function paramMeta(schema: z.ZodType): ParamMeta | undefined {
  return metas.get(unwrap(schema));
}

/** Whether the parameter may be left out. */
export function isOptional(schema: z.ZodType): boolean {
  return schema instanceof z.ZodOptional;
}

function unwrap(schema: z.ZodType): z.ZodType {
  return schema instanceof z.ZodOptional ? unwrap(schema.unwrap() as z.ZodType) : schema;
}

function meta<S extends z.ZodType>(schema: S, about: ParamMeta): S {
  metas.add(schema, about);
  return schema;
}

const control = /\p{Cc}/u;

/** Free text, at most `length` characters, without control characters. */
export function text(description: string, length = 255): z.ZodString {
  const schema = z
    .string()
    .max(length, {
      error: (issue) => `Value greater than max allowed length ${length} for param: ${String(issue.path?.[0] ?? '')}`,
    })
    .refine((value) => !control.test(value), { error: 'control characters are not allowed' });
  return meta(schema, { type: 'string', description, length });
}

/**
 * A parameter that clients know and that nothing here could follow. Rule: whoever gives it a value is refused with `why`, half a sentence with
 * what would help; what is not said at all would be taken for done.
 */
export function notOffered(why: string): z.ZodString {
  const schema = z.string().refine((value) => value === '', { error: `it is not offered: ${why}` });
  return meta(schema, { type: 'string', description: `Not offered: ${why}`, length: 255 });
}

/** The id of an object of a kind. Whether it exists for the caller is the command's to ask (commands/access.ts). */
export function ref(kind: string, description: string): z.ZodString {
  return meta(z.string().refine(isUuid, { error: 'not-an-id' }), { type: 'uuid', description, kind });
}

export function flag(description: string): z.ZodPipe<z.ZodString, z.ZodTransform<boolean, string>> {
  const schema = z.string().transform((value, context) => {
    const lower = value.toLowerCase();
    if (lower === 'true' || lower === 'false') return lower === 'true';
    context.addIssue({ code: 'custom', message: 'must be true or false' });
    return z.NEVER;
  });
  return meta(schema, { type: 'boolean', description });
}

/** A whole number between `min` and `max`. */
export function integer(
  description: string,
  { min = -2147483648, max = 2147483647, type = 'integer' as 'integer' | 'long' | 'short' } = {},
): z.ZodPipe<z.ZodString, z.ZodTransform<number, string>> {
  const schema = z.string().transform((value, context) => {
    const number = /^-?[0-9]{1,15}$/.test(value) ? Number(value) : NaN;
    if (number >= min && number <= max) return number;
    context.addIssue({ code: 'custom', message: `must be a whole number from ${min} to ${max}` });
    return z.NEVER;
  });
  return meta(schema, { type, description });
}

/** Comma-joined values. An empty text is an empty list. */
export function list(description: string, kind?: string): z.ZodPipe<z.ZodString, z.ZodTransform<string[], string>> {
  const schema = z.string().transform((value, context) => {
    const items = value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '');
    if (kind !== undefined && !items.every(isUuid)) {
      context.addIssue({ code: 'custom', message: 'not-an-id' });
      return z.NEVER;
    }
    return items;
  });
  return meta(schema, kind === undefined ? { type: 'list', description } : { type: 'list', description, kind });
}

/** `name[0].key=…&name[0].value=…`: an array of small records, in order of index, their field names in lower case. */
export function map(description: string): z.ZodArray<z.ZodRecord<z.ZodString, z.ZodString>> {
  return meta(records(), { type: 'map', description });
}

/** `details[0].cpuNumber=2`: the same, for fields that are the client's own words and keep their case. */
export function freeMap(description: string): z.ZodArray<z.ZodRecord<z.ZodString, z.ZodString>> {
  return meta(records(), { type: 'map', description, free: true });
}

function records(): z.ZodArray<z.ZodRecord<z.ZodString, z.ZodString>> {
  return z.array(z.record(z.string().max(255), z.string().max(4096)));
}

/** An IPv4 address, kept as text. */
export function address(description: string): z.ZodString {
  return meta(
    z.string().refine((value) => parseIp(value) !== undefined, { error: 'must be an IPv4 address' }),
    { type: 'string', description },
  );
}

/** An IPv4 prefix such as 10.1.0.0/16, kept as typed. */
export function prefix(description: string): z.ZodString {
  return meta(
    z.string().refine((value) => parseCidr(value) !== undefined, { error: 'must be an IPv4 CIDR such as 10.1.0.0/16' }),
    {
      type: 'string',
      description,
    },
  );
}

export function netmask(description: string): z.ZodString {
  return meta(
    z
      .string()
      .refine((value) => lengthOfNetmask(value) !== undefined, { error: 'must be a netmask such as 255.255.255.0' }),
    {
      type: 'string',
      description,
    },
  );
}

/** yyyy-MM-dd or ISO 8601 with time; the instant as ISO text. */
export function date(description: string): z.ZodPipe<z.ZodString, z.ZodTransform<string, string>> {
  const schema = z.string().transform((value, context) => {
    const time = Date.parse(
      /^\d{4}-\d{2}-\d{2}$/.test(value) ? `${value}T00:00:00Z` : value.replace(/([+-]\d{2})(\d{2})$/, '$1:$2'),
    );
    if (!Number.isNaN(time)) return new Date(time).toISOString();
    context.addIssue({ code: 'custom', message: 'must be a date such as 2026-11-22' });
    return z.NEVER;
  });
  return meta(schema, { type: 'date', description });
}
