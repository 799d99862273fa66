// How many logins may go wrong: for one user from one address, and from one address in all. Counted apart from signatures, which
// cost nothing to get wrong: thousands of them would make a throttle forget the logins.
import { parseIp6 } from '../lib/ip6.ts';
import { type LoginWant, pathOfDomain } from './accounts.ts';
import { createThrottle } from './throttle.ts';

export interface LoginLimit {
  /**
   * Counts a login as a failure before its password is looked at, because a password takes its time and others come meanwhile.
   * Refuses with 429 when there were too many. What it gives back is to be called when the password was right.
   */
  begin(want: Pick<LoginWant, 'username' | 'domain' | 'domainid'>, address: string): () => void;
}

const WINDOW_MS = 60_000;
/** Failures for one user from one address. */
const PER_USER = 10;
/** Failures from one address, whoever they name: offices share an address, and each try costs some 30 ms of a processor. */
const PER_ADDRESS = 100;

export function createLoginLimit(now: () => number = Date.now): LoginLimit {
  const users = createThrottle(PER_USER, WINDOW_MS, now);
  const addresses = createThrottle(PER_ADDRESS, WINDOW_MS, now);
  return {
    begin({ username, domain, domainid }, address) {
      const source = sourceOf(address);
      // A domain can be written in many ways, and each would have failures of its own.
      const where = domainid === undefined || domainid === '' ? pathOfDomain(domain ?? '') : domainid;
      const user = `${username.toLowerCase()} ${where} ${source}`;
      // One who has to wait costs nothing, so that he does not make his whole office wait.
      users.check(user);
      addresses.check(source);
      users.fail(user);
      addresses.fail(source);
      return () => {
        users.succeed(user);
        // Only this one: else a user of the cloud could clear what he guesses of others.
        addresses.excuse(source);
      };
    },
  };
}

/** An address as one who sends has it: of IPv6 the first 64 bits, because everybody has the others to choose from. */
function sourceOf(address: string): string {
  const value = address.includes(':') && !address.startsWith('::ffff:') ? parseIp6(address.split('%')[0]!) : undefined;
  return value === undefined ? address : `${(value >> 64n).toString(16)}::/64`;
}
