// The password hash that guests keep in /etc/shadow: crypt(3)'s SHA-512, after Ulrich Drepper's description
// (https://www.akkadia.org/drepper/SHA-crypt.txt). Here because Node has no crypt(3) and a process per password is slow.
import { hash } from 'node:crypto';

const ALPHABET = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * `$6$rounds=…$salt$hash`. The salt: at most 16 characters of `./0-9A-Za-z`. 1,000 rounds, the least the scheme allows,
 * take about 2 ms: enough for random passwords, which cannot be guessed one by one anyway.
 */
export function sha512Crypt(password: string, salt: string, rounds = 1000): string {
  if (!/^[./0-9A-Za-z]{1,16}$/.test(salt)) throw new Error('salt: 1 to 16 characters of ./0-9A-Za-z');
  if (rounds < 1000) throw new Error('rounds: at least 1000');
  const key = Buffer.from(password);
  const saltBytes = Buffer.from(salt);
  let digest = start(key, saltBytes);
  const keys = stretch(sha512(...Array<Buffer>(key.length).fill(key)), key.length);
  const salts = stretch(sha512(...Array<Buffer>(16 + digest[0]!).fill(saltBytes)), saltBytes.length);
  for (let round = 0; round < rounds; round++) {
    const odd = round % 2 === 1;
    const parts = [odd ? keys : digest];
    if (round % 3 !== 0) parts.push(salts);
    if (round % 7 !== 0) parts.push(keys);
    parts.push(odd ? digest : keys);
    digest = sha512(...parts);
  }
  return `$6$rounds=${rounds}$${salt}$${encode(digest)}`;
}

/** The first digest: password and salt, mixed by the bits of the password's length. */
function start(key: Buffer, salt: Buffer): Buffer {
  const other = sha512(key, salt, key);
  const parts = [key, salt, stretch(other, key.length)];
  for (let bits = key.length; bits > 0; bits >>= 1) parts.push(bits % 2 === 1 ? other : key);
  return sha512(...parts);
}

function sha512(...parts: readonly Buffer[]): Buffer {
  return hash('sha512', Buffer.concat(parts), 'buffer');
}

/** The bytes repeated until there are `length` of them. */
function stretch(bytes: Buffer, length: number): Buffer {
  return Buffer.alloc(length, bytes);
}

/** Base 64 of its own kind: three bytes at a time, taken from the three thirds of the digest in turn. */
function encode(digest: Buffer): string {
  let text = '';
  const write = (value: number, characters: number): void => {
    for (let rest = value, count = characters; count > 0; count--, rest >>>= 6) text += ALPHABET[rest & 63]!;
  };
  for (let third = 0; third < 21; third++) {
    const [a, b, c] = [digest[third]!, digest[third + 21]!, digest[third + 42]!];
    const order = (
      [
        [a, b, c],
        [b, c, a],
        [c, a, b],
      ] as const
    )[third % 3]!;
    write((order[0] << 16) | (order[1] << 8) | order[2], 4);
  }
  write(digest[63]!, 2);
  return text;
}
