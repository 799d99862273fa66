// Login and logout: the two commands the wire answers itself, because they set and take cookies. Declared like any other so
// that listApis and the reference know them.
import { z } from 'zod';
import type { Accounts, Login } from './accounts.ts';
import { type Command, EVERYBODY } from './command.ts';
import { refuse } from './error.ts';
import * as field from './field.ts';
import type { LoginLimit } from './login-limit.ts';
import { text } from './param.ts';

const loginView = z.object({
  username: field.string('name of the user'),
  userid: field.string('id of the user'),
  account: field.string('name of the account'),
  domainid: field.string('id of the domain'),
  domainname: field.string('name of the domain'),
  firstname: field.string('first name of the user'),
  lastname: field.string('last name of the user'),
  type: field.string('type of the account: 0 user, 1 root admin, 2 domain admin, 4 read-only admin'),
  timezone: field.string('time zone of the user'),
  timeout: field.string('seconds of silence after which the session ends'),
  registered: field.string('whether the user has an API key: true or false'),
  sessionkey: field.string('to be sent as a parameter with every later call, beside the cookie'),
});

/** Such commands have no handler of their own: whoever calls them another way than through the wire made a mistake. */
const answeredByTheWire = (): Promise<never> =>
  Promise.reject(refuse('unsupported', 'This command exists on the HTTP API only'));

export const login: Command = {
  name: 'login',
  summary: 'Opens a session: sets the cookies JSESSIONID and sessionkey. POST only',
  roles: EVERYBODY,
  params: z.object({
    username: text('Name of the user'),
    password: text('Password of the user'),
    domain: text('Path of the domain, such as /acme; empty for the root domain').optional(),
    domainid: text('Id of the domain, instead of its path').optional(),
  }),
  answer: { kind: 'flat', view: loginView },
  async: false,
  run: answeredByTheWire,
};

export const logout: Command = {
  name: 'logout',
  summary: 'Ends the session',
  roles: EVERYBODY,
  params: z.object({}),
  answer: { kind: 'flat', view: z.object({ description: field.string('success') }) },
  async: false,
  run: answeredByTheWire,
};

export interface SessionReply {
  readonly body: Readonly<Record<string, unknown>>;
  readonly cookies: readonly string[];
}

const FLAGS = 'Path=/client; HttpOnly; SameSite=Lax';

/** Opens a session, if not too many went wrong before. */
export async function openSession(
  accounts: Accounts,
  limit: LoginLimit,
  want: Readonly<Record<string, unknown>>,
  address: string,
): Promise<SessionReply & { readonly login: Login }> {
  const optional = (name: string): string | undefined => (want[name] === undefined ? undefined : String(want[name]));
  const asked = { username: String(want['username']), domain: optional('domain'), domainid: optional('domainid') };
  const succeed = limit.begin(asked, address);
  const opened = await accounts.login({ ...asked, password: String(want['password']) });
  succeed();
  return {
    login: opened,
    body: { ...opened.fields, sessionkey: opened.sessionkey },
    cookies: [`JSESSIONID=${opened.cookie}; ${FLAGS}`, `sessionkey=${encodeURIComponent(opened.sessionkey)}; ${FLAGS}`],
  };
}

/** Ends the session of a cookie, if there is one: logging out twice is no mistake. */
export async function closeSession(accounts: Accounts, cookie: string | undefined): Promise<SessionReply> {
  if (cookie !== undefined) await accounts.logout(cookie);
  return {
    body: { description: 'success' },
    cookies: [`JSESSIONID=; ${FLAGS}; Max-Age=0`, `sessionkey=; ${FLAGS}; Max-Age=0`],
  };
}

/** The value of a cookie in a Cookie header; undefined when it is not there. */
export function cookieOf(header: string | undefined, name: string): string | undefined {
  for (const part of (header ?? '').split(';')) {
    const [key, value] = part.trim().split('=', 2);
    if (key === name && value !== undefined && value !== '') return value;
  }
  return undefined;
}
