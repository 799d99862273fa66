// What is known of the commands clients call, as data: read from cloudstack.json, where one line is one command.
import { readFileSync } from 'node:fs';

export interface CommandFacts {
  readonly isasync: boolean;
  /** Name -> type and whether it is required; undefined where only the SDKs know the command. */
  readonly params: ReadonlyMap<string, { readonly type: string; readonly required: boolean }> | undefined;
  /** Field -> string, number, boolean, list, map or contradicted. */
  readonly fields: ReadonlyMap<string, string>;
}

interface Line {
  readonly isasync: boolean;
  readonly params?: string;
  readonly fields?: string;
}

const pairs = (text = ''): [string, string][] =>
  text
    .split(' ')
    .filter((item) => item !== '')
    .map((item) => item.split(':') as [string, string]);

function load(): ReadonlyMap<string, CommandFacts> {
  const lines = JSON.parse(readFileSync(new URL('./cloudstack.json', import.meta.url), 'utf8')) as Record<string, Line>;
  return new Map(
    Object.entries(lines).map(([name, { isasync, params, fields }]) => [
      name,
      {
        isasync,
        params:
          params === undefined
            ? undefined
            : new Map(
                pairs(params).map(([param, type]) => [
                  param.toLowerCase(),
                  { type: type.replace('!', ''), required: type.endsWith('!') },
                ]),
              ),
        fields: new Map(pairs(fields)),
      },
    ]),
  );
}

export const FACTS = load();
