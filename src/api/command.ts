// What a command is: its name, who may give it, what it takes and answers. The registry of all commands is data; listApis,
// the reference, the command line's help and the role matrix are drawn from it and from nothing else.
import { z } from 'zod';

/** The account types of CloudStack as roles: 1, 2, 4 and 0. A command that names none is refused to everybody. */
export type Role = 'admin' | 'domain-admin' | 'readonly' | 'user';

export const EVERYBODY: readonly Role[] = ['admin', 'domain-admin', 'readonly', 'user'];
/** Everybody who may change anything. */
export const WRITERS: readonly Role[] = ['admin', 'domain-admin', 'user'];
/** Root and domain admins. */
export const ADMINS: readonly Role[] = ['admin', 'domain-admin'];
/** Admins, and admins who may only look. */
export const WATCHERS: readonly Role[] = ['admin', 'domain-admin', 'readonly'];
export const ROOT: readonly Role[] = ['admin'];

/** Who calls. Comes from the signature or the session, never from a parameter. */
export interface Caller {
  readonly userId: string;
  readonly username: string;
  readonly accountId: string;
  readonly accountName: string;
  /** 0 user, 1 root admin, 2 domain admin, 4 read-only admin. */
  readonly accountType: number;
  readonly role: Role;
  readonly domainId: string;
  /** ROOT/acme. */
  readonly domainPath: string;
}

/** One call, as the wire hands it over. */
export interface Call {
  readonly caller: Caller;
  /** Follows the call through logs, job and generation. */
  readonly request: string;
  /** The command's name, for texts that must name it. */
  readonly command: string;
  /** Parameter names as sent, lower case: to tell "absent" from "empty". */
  readonly given: ReadonlySet<string>;
}

export interface Command {
  readonly name: string;
  readonly summary: string;
  readonly roles: readonly Role[];
  readonly params: z.ZodObject;
  /** Key of the object in the answer, and its view; `success` for the bare yes. */
  readonly answer: Answer;
  readonly async: boolean;
  /** Event type; commands without one leave no event. */
  readonly event?: string;
  readonly since?: string;
  /** Response name where it is not the command in lower case + `response`. */
  readonly envelope?: string;
  /** Gives the inner body: {"vpc": {…}}, {"count": 2, "vpc": […]}, {}, {"success": "true"}, {"id", "jobid"}, … */
  run(call: Call, want: Record<string, unknown>): Promise<Record<string, unknown>>;
}

export type Answer =
  | { readonly kind: 'success' }
  | { readonly kind: 'object'; readonly key: string; readonly view: z.ZodObject }
  | { readonly kind: 'list'; readonly key: string; readonly view: z.ZodObject }
  /** Fields stand directly in the envelope (queryAsyncJobResult, login). */
  | { readonly kind: 'flat'; readonly view: z.ZodObject };

/** All commands by name. */
export type Registry = ReadonlyMap<string, Command>;

/** Builds the registry; two commands of one name are a bug. */
export function registry(commands: readonly Command[]): Registry {
  const byName = new Map<string, Command>();
  for (const command of commands) {
    if (byName.has(command.name)) throw new Error(`two commands are called ${command.name}`);
    byName.set(command.name, command);
  }
  return byName;
}

/** The name of the one top-level key of an answer. */
export function envelopeOf(command: Pick<Command, 'name' | 'envelope'>): string {
  return command.envelope ?? `${command.name.toLowerCase()}response`;
}
