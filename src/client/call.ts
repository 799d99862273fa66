// `trunkline call`: one request from the command line, signed with the keys in a state folder's access.json.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ApiError, createClient } from './client.ts';

export interface CallOptions {
  readonly command: string;
  /** `key=value` each. */
  readonly parameters: readonly string[];
  /** Name in access.json. */
  readonly account: string;
  /** Whether to wait for the job and print its result. */
  readonly wait: boolean;
  readonly state: string;
}

interface Access {
  readonly endpoint: string;
  readonly accounts: Readonly<Record<string, { readonly apikey: string; readonly secretkey: string }>>;
}

/** Prints the answer as JSON and gives the exit status: 0, or 1 with the refusal on standard error. */
export async function call({ command, parameters, account, wait, state }: CallOptions): Promise<number> {
  const file = join(state, 'access.json');
  if (!existsSync(file)) {
    throw new Error(
      `${file} is not there: nothing runs with this state folder. Start ./demo, or name the folder with --state`,
    );
  }
  const { endpoint, accounts } = JSON.parse(readFileSync(file, 'utf8')) as Access;
  const keys = accounts[account];
  if (keys === undefined)
    throw new Error(`there is no account ${account} in ${file}; there are ${Object.keys(accounts).join(', ')}`);
  const client = createClient({ endpoint, apikey: keys.apikey, secretkey: keys.secretkey });
  const given = Object.fromEntries(parameters.map(split));
  try {
    const answer = wait ? await client.call(command, given) : await client.raw(command, given);
    process.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
    return 0;
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    process.stderr.write(`${told(error, file)}\n`);
    return 1;
  }
}

/** A refusal with its code; where no answer came, what to look at. */
function told({ command, message, errorcode }: ApiError, file: string): string {
  if (errorcode !== 0) return `${command}: ${message} (${errorcode})`;
  return `${message}. The address is from ${file}: does that server still run? ./demo --keep goes on from a kept state folder`;
}

function split(parameter: string): [string, string] {
  const equals = parameter.indexOf('=');
  if (equals < 1) throw new Error(`${parameter} is no parameter: write key=value`);
  return [parameter.slice(0, equals), parameter.slice(equals + 1)];
}
