// Sealing of secrets at rest: what the database holds is useless without the key, and the key is kept outside it.
// For secrets that must be readable again (a signature is checked with the secret itself), where a hash would not do.
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';

const IV_BYTES = 12;
const TAG_BYTES = 16;

/** Seals a text with AES-256-GCM under a key of 32 bytes. The answer is base64: version, nonce, tag, ciphertext. */
export function seal(key: Buffer, text: string): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
  return `1.${Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64')}`;
}

/** Opens what {@link seal} made. Throws when the key is another one, or when a bit was changed. */
export function unseal(key: Buffer, sealed: string): string {
  if (!sealed.startsWith('1.'))
    throw new Error('a sealed value of an unknown form: was the database written by a newer version?');
  const bytes = Buffer.from(sealed.slice(2), 'base64');
  const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  decipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()]).toString('utf8');
  } catch (cause) {
    throw new Error('a sealed value cannot be opened: the seal key is not the one this state was written with', {
      cause,
    });
  }
}
