// Password hashes of users: scrypt with its parameters and salt beside it, so that the cost can grow without breaking old rows.
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto';

// RFC 7914: 16 MiB and some 30 ms a try. More would make a few logins at once a load on the server.
const COST = { N: 16384, r: 8, p: 1 };
const KEY_BYTES = 32;
/** Longer ones are refused before they are hashed: a hash of a megabyte is work an attacker gets for free. */
export const MAX_PASSWORD = 255;

/** Hashes a password: `scrypt$N$r$p$salt$hash`, base64. Takes some 30 ms, off the main thread. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const hash = await derive(password, salt, COST);
  return ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64'), hash.toString('base64')].join('$');
}

/** Whether the password is the one hashed. An empty password never is. Takes as long for a wrong one as for the right one. */
export async function verifyPassword(password: string, stored: string): Promise<boolean> {
  const [scheme, N, r, p, salt, hash] = stored.split('$');
  if (scheme !== 'scrypt' || salt === undefined || hash === undefined)
    throw new Error('a stored password of an unknown form');
  const wanted = Buffer.from(hash, 'base64');
  const found = await derive(password.slice(0, MAX_PASSWORD + 1), Buffer.from(salt, 'base64'), {
    N: Number(N),
    r: Number(r),
    p: Number(p),
  });
  return timingSafeEqual(wanted, found) && password !== '';
}

function derive(password: string, salt: Buffer, cost: typeof COST): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  scrypt(password, salt, KEY_BYTES, cost, (error, key) => (error === null ? resolve(key) : reject(error)));
  return promise;
}
