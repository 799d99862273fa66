// Checks a command's parameters by its declaration and says what is wrong in CloudStack's words: clients read these texts.
import { z } from 'zod';
import type { Command } from './command.ts';
import { type Wire, printable } from './decode.ts';
import { type Refusal, refuse } from './error.ts';
import { type ParamMeta, isOptional, paramMeta } from './param.ts';

export interface Checked {
  readonly want: Record<string, unknown>;
  /** Names that were sent, lower case. */
  readonly given: ReadonlySet<string>;
}

/** The parameters a command declares, checked and typed. Others are ignored: clients send many that mean nothing. */
export function checkParameters(command: Command, wire: Wire): Checked {
  const input: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(command.params.shape)) {
    const about = paramMeta(schema as z.ZodType);
    const value = wire.values.get(name.toLowerCase());
    if (about === undefined || value === undefined) continue;
    if (typeof value === 'string' ? about.type === 'map' && value !== '' : about.type !== 'map') {
      throw refuse(
        'malformed',
        about.type === 'map'
          ? `Parameter ${name} is a map: write ${name}[0].key=…&${name}[0].value=…`
          : `Parameter ${name} is no map: write ${name}=… without an index`,
      );
    }
    if (isAbsent(value, about, isOptional(schema as z.ZodType))) continue;
    input[name] = typeof value === 'string' || about.free === true ? value : value.map(lowerKeys);
  }
  const result = command.params.safeParse(input);
  if (!result.success) throw issueRefusal(command, result.error.issues[0]!, input);
  return { want: result.data, given: new Set(wire.values.keys()) };
}

/**
 * An empty value of anything but free text means that the parameter was left out; empty required text is missing. So does
 * the word None there: libcloud sends what Python prints for "not given" (`forced=None`).
 */
function isAbsent(value: unknown, about: ParamMeta, optional: boolean): boolean {
  const free = about.type === 'string' || about.type === 'list';
  return (value === '' && (!optional || !free)) || (value === 'None' && optional && !free);
}

/** Field names of maps are ours (key, value, networkid), unless the map is free: then they are the client's own words. */
function lowerKeys(record: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key.toLowerCase(), value]));
}

function issueRefusal(command: Command, issue: z.core.$ZodIssue, input: Readonly<Record<string, unknown>>): Refusal {
  const name = String(issue.path[0] ?? '');
  const unable = `Unable to execute API command ${command.name.toLowerCase()}`;
  const value = input[name];
  if (value === undefined) return refuse('parameter', `${unable} due to missing parameter ${name}`);
  const shown = shownValue(name, value);
  if (issue.message === 'not-an-id')
    return refuse('parameter', `${unable} due to invalid value. ${unknownEntity(name, shown)}`);
  if (issue.message.startsWith('Value greater than')) return refuse('parameter', issue.message);
  return refuse('parameter', `${unable} due to invalid value ${shown} for parameter ${name}: ${issue.message}`);
}

/** The sentence by which clients tell that an object is gone. */
function unknownEntity(name: string, value: string): string {
  return `Invalid parameter ${name} value=${value} due to incorrect long value format, or entity does not exist or due to incorrect parameter annotation for the field in api cmd class.`;
}

const SECRET = /password|secret|privatekey|userdata/;

function shownValue(name: string, value: unknown): string {
  if (SECRET.test(name)) return '(hidden)';
  return printable(typeof value === 'string' ? value : JSON.stringify(value));
}
