// The fields of the objects an answer shows. A view is a zod object over them: its type checks the code that fills it,
// its meta is what listApis and the reference say.
import { z } from 'zod';

export interface FieldMeta {
  readonly type: 'string' | 'integer' | 'long' | 'boolean' | 'list' | 'map' | 'date' | 'responseobject';
  readonly description: string;
}

const metas = z.registry<FieldMeta>();

export function fieldMeta(schema: z.ZodType): FieldMeta | undefined {
  return metas.get(schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : schema);
}

/** All fields may be absent in an answer (absent, never null); whoever fills a view leaves out what it does not know. */
function field<S extends z.ZodType>(schema: S, about: FieldMeta): z.ZodOptional<S> {
  metas.add(schema, about);
  return schema.optional();
}

export const string = (description: string): z.ZodOptional<z.ZodString> =>
  field(z.string(), { type: 'string', description });
export const integer = (description: string): z.ZodOptional<z.ZodNumber> =>
  field(z.number(), { type: 'integer', description });
export const long = (description: string): z.ZodOptional<z.ZodNumber> =>
  field(z.number(), { type: 'long', description });
export const boolean = (description: string): z.ZodOptional<z.ZodBoolean> =>
  field(z.boolean(), { type: 'boolean', description });
/** An instant as clients read it: 2026-11-22T00:44:21+0000. */
export const date = (description: string): z.ZodOptional<z.ZodString> =>
  field(z.string(), { type: 'date', description });
/** A map of text to text. */
export const map = (description: string): z.ZodOptional<z.ZodRecord<z.ZodString, z.ZodString>> =>
  field(z.record(z.string(), z.string()), { type: 'map', description });
/** A list of smaller objects, or of plain texts. */
export const list = <S extends z.ZodType>(description: string, item: S): z.ZodOptional<z.ZodArray<S>> =>
  field(z.array(item), { type: 'list', description });

/** An object whose form depends on what it is about. */
export const object = (description: string): z.ZodOptional<z.ZodRecord<z.ZodString, z.ZodUnknown>> =>
  field(z.record(z.string(), z.unknown()), { type: 'responseobject', description });

/** Formats an ISO instant as clients expect it. */
export function clientDate(iso: string): string {
  return `${iso.slice(0, 19)}+0000`;
}

/** The object without its undefined and null members: absent fields are left out, never null. */
export function compact<T extends object>(object: { [K in keyof T]: T[K] | null | undefined }): T {
  const kept: Record<string, unknown> = {};
  // A plain loop: this runs for every object of every page.
  for (const key in object) {
    const value = object[key];
    if (value !== undefined && value !== null) kept[key] = value;
  }
  return kept as T;
}
