// What the wire needs of users and sessions: a narrow port, so that it knows no SQL and no resource. The commands implement it.
import type { Caller } from './command.ts';

export interface Accounts {
  /** Who has this API key, and the secret to check the signature with; undefined unless user, account and domain are enabled. */
  byApiKey(apikey: string): Promise<{ readonly caller: Caller; readonly secretkey: string } | undefined>;
  /** Checks a password and opens a session. Throws the refusal a client gets. */
  login(want: LoginWant): Promise<Login>;
  /** Whose session this is; undefined when there is none, it ran out, the key is another's, or the user was disabled meanwhile. */
  session(cookie: string, sessionkey: string): Promise<Caller | undefined>;
  /** Ends the session of this cookie. */
  logout(cookie: string): Promise<void>;
}

export interface LoginWant {
  readonly username: string;
  readonly password: string;
  /** As typed: empty, `/`, `/acme`, `acme/west`, `ROOT/acme`. */
  readonly domain: string | undefined;
  readonly domainid: string | undefined;
}

/** `/`, empty, `/acme/west`, `acme/west` and `ROOT/acme/west` as the path of a domain, in lower case. */
export function pathOfDomain(typed: string): string {
  const parts = typed
    .toLowerCase()
    .split('/')
    .filter((part) => part !== '');
  return (parts[0] === 'root' ? parts : ['root', ...parts]).join('/');
}

export interface Login {
  readonly caller: Caller;
  /** Value of the cookie JSESSIONID. */
  readonly cookie: string;
  readonly sessionkey: string;
  /** The answer's fields, without the session key. */
  readonly fields: Readonly<Record<string, string>>;
}
