// Passwords of instances: made up by the API where the template lets it, else the one that the template's image has.
import { randomInt } from 'node:crypto';
import { refuse } from '../../api/error.ts';
import { sha512Crypt } from '../../lib/sha512-crypt.ts';
import { seal } from '../../store/seal.ts';
import type { Tables } from '../../store/schema.ts';

const SALT = 'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789./';
/** Without the letters and digits that people confuse. */
const READABLE = 'abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789';

/** What an instance's row keeps of a password. */
export interface GuestPassword {
  /** crypt(3) hash, for the guest. */
  readonly passwordhash: string;
  /** Sealed; null where the API did not make it up. */
  readonly password: string | null;
  /** The same, until the guest has fetched it. */
  readonly onetimepassword: string | null;
  /** 0 where the API never made one up. */
  readonly passwordturn: number;
}

/** A new random password of 12 characters, or the one given: the instance's `turn`th. */
export function newGuestPassword(sealKey: Buffer, turn: number, given?: string): GuestPassword {
  const password = given ?? random(12, READABLE);
  return {
    passwordhash: sha512Crypt(password, random(16, SALT)),
    password: seal(sealKey, password),
    onetimepassword: seal(sealKey, password),
    passwordturn: turn,
  };
}

// An image's password is no secret and the same for thousands of instances: hashed once.
const known = new Map<string, string>();

/** The password an instance starts with: a new one if the template is password enabled, else its image's, else none (locked). */
export function firstPassword(
  sealKey: Buffer,
  template: Pick<Tables['template'], 'passwordenabled' | 'rootpassword'>,
): GuestPassword {
  if (template.passwordenabled === 1) return newGuestPassword(sealKey, 1);
  const none = { password: null, onetimepassword: null, passwordturn: 0 };
  if (template.rootpassword === null) return { passwordhash: '!', ...none };
  let passwordhash = known.get(template.rootpassword);
  if (passwordhash === undefined) {
    passwordhash = sha512Crypt(template.rootpassword, random(16, SALT));
    known.set(template.rootpassword, passwordhash);
  }
  return { passwordhash, ...none };
}

/** Refuses a password that a guest cannot be told in one word. */
export function checkGuestPassword(password: string): void {
  if (/^[!-~]{6,64}$/.test(password) && !['saved_password', 'bad_request'].includes(password)) return;
  throw refuse(
    'parameter',
    'The password is to be 6 to 64 letters, digits and signs of ASCII, without blanks: guests are told it as one word',
  );
}

function random(length: number, alphabet: string): string {
  return Array.from({ length }, () => alphabet[randomInt(alphabet.length)]).join('');
}
