// Who calls: proven by a signature (API key and secret) or by a session (cookie and session key). Never by a parameter alone.
import type { Accounts } from './accounts.ts';
import type { Caller } from './command.ts';
import type { Wire } from './decode.ts';
import { refuse } from './error.ts';
import { expired, signed } from './signature.ts';
import type { Throttle } from './throttle.ts';

export interface Evidence {
  readonly wire: Wire;
  /** Value of the cookie JSESSIONID. */
  readonly cookie: string | undefined;
  readonly address: string;
}

const UNVERIFIED = 'unable to verify user credentials and/or request signature';

/** The caller, or a 401 that does not say which half was wrong. */
export async function authenticate(
  accounts: Accounts,
  throttle: Throttle,
  { wire, cookie, address }: Evidence,
): Promise<Caller> {
  const text = (name: string): string | undefined => {
    const value = wire.values.get(name);
    return typeof value === 'string' ? value : undefined;
  };
  const apikey = text('apikey');
  if (apikey !== undefined) {
    // Cut: what is remembered of a failure must not be as long as a client likes.
    const key = `${apikey.slice(0, 100)} ${address}`;
    throttle.check(key);
    const signature = text('signature');
    const known =
      apikey === '' || signature === undefined || signature === '' ? undefined : await accounts.byApiKey(apikey);
    if (known === undefined || !signed(wire.sent, signature!, known.secretkey)) {
      throttle.fail(key);
      throw refuse('unauthenticated', UNVERIFIED);
    }
    // Only the holder of the secret is told that his clock is wrong.
    const late = expired(text('signatureversion'), text('expires'), Date.now());
    if (late !== undefined) throw refuse('unauthenticated', `${UNVERIFIED}: ${late}`);
    throttle.succeed(key);
    return known.caller;
  }
  const sessionkey = text('sessionkey');
  // The cookie alone is not enough: a browser would send it along from any page.
  if (cookie === undefined || sessionkey === undefined) throw refuse('unauthenticated', UNVERIFIED);
  const caller = await accounts.session(cookie, sessionkey);
  if (caller !== undefined) return caller;
  throw refuse('unauthenticated', UNVERIFIED);
}
