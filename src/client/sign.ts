// Signs a request of the query API: the client's half, on its own because the server checks it in a form of its own.
import { createHmac } from 'node:crypto';

/** What a parameter may be: lists are joined by commas, lists of objects become `name[0].key=…`. Undefined ones are left out. */
export type Param =
  | string
  | number
  | boolean
  | undefined
  | readonly (string | number)[]
  | readonly Readonly<Record<string, string | number | boolean>>[];

/** Flattens parameters into names and texts. */
export function flatten(params: Readonly<Record<string, Param>>): [name: string, value: string][] {
  return Object.entries(params).flatMap(([name, value]): [string, string][] => {
    if (value === undefined) return [];
    if (!Array.isArray(value)) return [[name, String(value)]];
    const items = value as readonly unknown[];
    if (items.every((item) => typeof item !== 'object')) return [[name, items.join(',')]];
    return items.flatMap((item, index) =>
      Object.entries(item as Record<string, unknown>).map(([key, one]): [string, string] => [
        `${name}[${index}].${key}`,
        String(one),
      ]),
    );
  });
}

/** The form body of a signed request: names and values encoded, with the signature (version 3) as its last parameter. */
export function signedBody(
  params: readonly (readonly [string, string])[],
  keys: { readonly apikey: string; readonly secretkey: string },
  expires: Date,
): string {
  const all: (readonly [string, string])[] = [
    ...params,
    ['apikey', keys.apikey],
    ['response', 'json'],
    ['signatureVersion', '3'],
    ['expires', `${expires.toISOString().slice(0, 19)}+0000`],
  ];
  const encoded = all.map(([name, value]) => [encodeURIComponent(name), encode(value)] as const);
  const body = encoded.map((pair) => pair.join('='));
  const text = [...encoded]
    .toSorted(([a], [b]) => (decodeURIComponent(a) < decodeURIComponent(b) ? -1 : 1))
    .map((pair) => pair.join('='))
    .join('&');
  const signature = createHmac('sha1', keys.secretkey).update(text.toLowerCase()).digest('base64');
  return [...body, `signature=${encodeURIComponent(signature)}`].join('&');
}

/** As the API's own rule has it: all but letters, digits and `-_.~*`. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll(
    /[!'()]/g,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
