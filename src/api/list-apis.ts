// The API describes itself: what listApis answers, drawn from the registry alone. Command lines, consoles and generators live on it.
import { z } from 'zod';
import { type Answer, type Command, EVERYBODY, type Registry, type Role } from './command.ts';
import * as field from './field.ts';
import { refuse } from './error.ts';
import { isOptional, paramMeta, text } from './param.ts';

interface ApiField {
  readonly name: string;
  readonly description: string;
  readonly type: string;
  readonly response?: readonly ApiField[];
}

interface ApiParam {
  readonly name: string;
  readonly description: string;
  readonly type: string;
  readonly required: boolean;
  readonly length?: number;
  readonly related?: string;
}

export interface ApiEntry {
  readonly name: string;
  readonly description: string;
  readonly isasync: boolean;
  readonly related: string;
  readonly since?: string;
  readonly params: readonly ApiParam[];
  readonly response: readonly ApiField[];
}

const paramView = z.object({
  name: field.string('name of the parameter'),
  description: field.string('what it means'),
  type: field.string('its type'),
  required: field.boolean('whether it must be given'),
  length: field.integer('greatest length of its text'),
  related: field.string('commands that list what it may name'),
});

const responseView = z.object({
  name: field.string('name of the field'),
  description: field.string('what it means'),
  type: field.string('its type'),
});

const apiView = z.object({
  name: field.string('name of the command'),
  description: field.string('what it does'),
  isasync: field.boolean('whether it answers with a job'),
  related: field.string('commands that show the same kind of object'),
  since: field.string('version that brought it'),
  params: field.list('its parameters', paramView),
  response: field.list('fields of its answer', responseView),
});

/**
 * The command listApis over all commands, itself included. `keyOfKind` says by which key an object of a kind stands in
 * answers where that is not the kind's own name.
 */
export function listApisCommand(all: () => Registry, keyOfKind: Readonly<Record<string, string>>): Command {
  // Made at the first call and kept: the registry never changes while the program runs.
  let described: readonly (readonly [Command, ApiEntry])[] | undefined;
  return {
    name: 'listApis',
    summary: 'Lists the commands the caller may use, with their parameters and the fields of their answers',
    roles: EVERYBODY,
    params: z.object({ name: text('Name of one command').optional() }),
    answer: { kind: 'list', key: 'api', view: apiView },
    async: false,
    run(call, want) {
      described ??= describe(all(), keyOfKind);
      const name = want['name'];
      const usable = described.filter(
        ([command]) => mayUse(command, call.caller.role) && (name === undefined || command.name === name),
      );
      if (usable.length === 0) return Promise.reject(refuse('unsupported', unavailable(String(name))));
      return Promise.resolve({ count: usable.length, api: usable.map(([, entry]) => entry) });
    },
  };
}

/** Whether a role may give a command. A command that names no roles is refused to everybody. */
export function mayUse(command: Command, role: Role): boolean {
  return command.roles.includes(role);
}

/** The same sentence for a command that does not exist and for one that is not the caller's to use. */
export function unavailable(name: string): string {
  return `The given command '${name}' either does not exist, is not available for user.`;
}

/** Every command as listApis shows it, in order of name. */
export function describe(all: Registry, keyOfKind: Readonly<Record<string, string>>): (readonly [Command, ApiEntry])[] {
  const commands = [...all.values()].toSorted((a, b) => (a.name < b.name ? -1 : 1));
  const byKey = Map.groupBy(
    commands.filter((command) => 'key' in command.answer),
    (command) => (command.answer as { key: string }).key,
  );
  const showing = (key: string, but?: string): string =>
    (byKey.get(key) ?? [])
      .map((command) => command.name)
      .filter((name) => name !== but)
      .join(',');
  return commands.map((command) => [
    command,
    {
      name: command.name,
      description: command.summary,
      isasync: command.async,
      related: 'key' in command.answer ? showing(command.answer.key, command.name) : '',
      ...(command.since === undefined ? {} : { since: command.since }),
      params: Object.entries(command.params.shape).flatMap(([name, schema]) =>
        describeParam(name, schema as z.ZodType, (kind) => showing(keyOfKind[kind] ?? kind)),
      ),
      response: describeAnswer(command.answer),
    },
  ]);
}

function describeParam(name: string, schema: z.ZodType, related: (kind: string) => string): ApiParam[] {
  const about = paramMeta(schema);
  if (about === undefined) return [];
  const { type, description, kind } = about;
  const length = about.length ?? (type === 'string' || type === 'uuid' || type === 'list' ? 255 : undefined);
  return [
    {
      name,
      description,
      type,
      required: !isOptional(schema),
      ...(length === undefined ? {} : { length }),
      ...(kind === undefined ? {} : { related: related(kind) }),
    },
  ];
}

const JOB_FIELDS: readonly ApiField[] = [
  { name: 'jobid', description: 'the UUID of the latest async job acting on this object', type: 'string' },
  {
    name: 'jobstatus',
    description: 'the current status of the latest async job acting on this object',
    type: 'integer',
  },
];

function describeAnswer(answer: Answer): readonly ApiField[] {
  if (answer.kind === 'success') {
    return [
      { name: 'success', description: 'true if operation is executed successfully', type: 'boolean' },
      { name: 'displaytext', description: 'any text associated with the success or failure', type: 'string' },
      ...JOB_FIELDS,
    ];
  }
  const fields = describeView(answer.view);
  const names = new Set(fields.map((one) => one.name));
  return answer.kind === 'flat' ? fields : [...fields, ...JOB_FIELDS.filter((one) => !names.has(one.name))];
}

function describeView(view: z.ZodObject): ApiField[] {
  return Object.entries(view.shape).flatMap(([name, schema]) => {
    const about = field.fieldMeta(schema as z.ZodType);
    if (about === undefined) return [];
    const inner = innerView(schema as z.ZodType);
    const nested = inner === undefined ? {} : { response: describeView(inner) };
    return [
      {
        name,
        description: about.description,
        type: about.type,
        ...(about.type === 'list' || about.type === 'map' ? { response: [] } : {}),
        ...nested,
      },
    ];
  });
}

/** The object a list is made of, or that a field holds. */
function innerView(schema: z.ZodType): z.ZodObject | undefined {
  if (schema instanceof z.ZodOptional) return innerView(schema.unwrap() as z.ZodType);
  if (schema instanceof z.ZodArray) return innerView(schema.element as z.ZodType);
  return schema instanceof z.ZodObject ? schema : undefined;
}
