// The server's configuration file: JSON, checked strictly, so that a mistyped key is refused at start with the name it is near to,
// and not discovered by its having no effect. The command line says the same things and wins.
import { readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { z } from 'zod';
import type { ServeOptions } from './serve.ts';

const path = z.string().refine(isAbsolute, 'is to be an absolute path');
const database = z
  .string()
  .regex(/^(unix:\/.+|(tcp|ssl):.+:[0-9]{1,5})$/, 'is to be unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT');
const listen = z
  .string()
  .regex(/^(\[[0-9A-Fa-f:]+\]|[^:[\]]+):[0-9]{1,5}$/, 'is to be ADDRESS:PORT, such as 127.0.0.1:8080');

export const serverConfig = z.strictObject({
  state: path.meta({ description: "the server's folder: database, keys, certificates, access.json" }),
  api: z
    .strictObject({
      listen: listen.meta({ description: 'address and port of the API; loopback unless clients come from elsewhere' }),
      certificate: path.optional().meta({ description: 'PEM file: with it the API speaks TLS' }),
      key: path.optional().meta({ description: 'PEM file: key of the certificate' }),
    })
    .optional(),
  metrics: z
    .strictObject({ port: z.int().min(0).max(65535).meta({ description: 'port of health and metrics on 127.0.0.1' }) })
    .optional(),
  ovn: z.strictObject({
    nb: database.meta({ description: 'northbound database of OVN' }),
    sb: database.meta({ description: 'southbound database of OVN' }),
  }),
  agents: z.strictObject({
    listen: z
      .string()
      .regex(/^(unix:\/.+|[^/]+:[0-9]{1,5})$/, 'is to be unix:PATH or ADDRESS:PORT')
      .meta({ description: 'where agents reach the server; TLS with certificates of its own authority' }),
  }),
  database: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'is to be postgres://…')
    .optional()
    .meta({ description: 'PostgreSQL instead of a SQLite file in the state folder' }),
});

/** Reads and checks the file. Throws a sentence that names the file, the key, and what it might have meant. */
export function readServerConfig(file: string): ServeOptions {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(file, 'utf8'));
  } catch (cause) {
    throw new Error(`the configuration ${file} cannot be read: ${(cause as Error).message}`, { cause });
  }
  return parseServerConfig(value, file);
}

export function parseServerConfig(value: unknown, file: string): ServeOptions {
  const parsed = serverConfig.safeParse(value);
  if (!parsed.success) throw new Error(`the configuration ${file} is wrong: ${sentenceOf(parsed.error.issues[0]!)}`);
  const { state, api, metrics, ovn, agents, database: url } = parsed.data;
  if ((api?.certificate === undefined) !== (api?.key === undefined))
    throw new Error(`the configuration ${file} is wrong: api.certificate and api.key belong together`);
  const at = api?.listen.lastIndexOf(':') ?? -1;
  return {
    state,
    port: api === undefined ? 8080 : Number(api.listen.slice(at + 1)),
    ...(api === undefined ? {} : { host: api.listen.slice(0, at).replace(/^\[(.*)\]$/, '$1') }),
    ...(api?.certificate === undefined ? {} : { tls: { certificate: api.certificate, key: api.key! } }),
    metricsPort: metrics?.port ?? 0,
    nb: ovn.nb,
    sb: ovn.sb,
    agents: agents.listen,
    ...(url === undefined ? {} : { database: url }),
    demoAccounts: false,
  };
}

function sentenceOf(issue: z.core.$ZodIssue): string {
  const at = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const unknown = issue.keys[0]!;
    const near = nearest(unknown, keysAt(issue.path));
    const whole = at === '' ? unknown : `${at}.${unknown}`;
    return `there is no key "${whole}"${near === undefined ? '' : ` (did you mean "${near}"?)`}`;
  }
  return at === '' ? issue.message : `${at}: ${issue.message}`;
}

/** The keys that may stand at a place of the configuration. */
function keysAt(place: readonly PropertyKey[]): string[] {
  let schema: z.ZodType = serverConfig;
  for (const key of place) {
    const shape = objectOf(schema)?.shape as Record<string, z.ZodType> | undefined;
    const next = shape?.[String(key)];
    if (next === undefined) return [];
    schema = next;
  }
  return Object.keys(objectOf(schema)?.shape ?? {});
}

function objectOf(schema: z.ZodType): z.ZodObject | undefined {
  const inner = schema instanceof z.ZodOptional ? (schema.unwrap() as z.ZodType) : schema;
  return inner instanceof z.ZodObject ? inner : undefined;
}

/** The word that differs in at most two letters (Levenshtein). */
function nearest(word: string, known: readonly string[]): string | undefined {
  const best = known
    .map((one) => ({ one, far: distance(word.toLowerCase(), one.toLowerCase()) }))
    .toSorted((a, b) => a.far - b.far)[0];
  return best !== undefined && best.far <= 2 ? best.one : undefined;
}

function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}
