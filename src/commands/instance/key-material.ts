// SSH keys as text: making a pair, reading a public key, its fingerprint. Apart from the commands because nothing here knows a row.
import { createHash, createPublicKey, generateKeyPair, type JsonWebKey } from 'node:crypto';
import { promisify } from 'node:util';

export interface MadePair {
  /** PEM (PKCS #1), as every SSH client reads it. */
  readonly privatekey: string;
  /** A line of authorized_keys, without a comment. */
  readonly publickey: string;
}

const RSA_BITS = 2048;

/** A new RSA pair: CloudStack's clients write the private half to a file that `ssh -i` takes. */
export async function makePair(): Promise<MadePair> {
  const { privateKey, publicKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: RSA_BITS,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  const { n = '', e = '' } = createPublicKey(publicKey).export({ format: 'jwk' }) as JsonWebKey;
  const blob = Buffer.concat([
    field(Buffer.from('ssh-rsa')),
    field(positive(Buffer.from(e, 'base64url'))),
    field(positive(Buffer.from(n, 'base64url'))),
  ]);
  return { privatekey: privateKey, publickey: `ssh-rsa ${blob.toString('base64')}` };
}

/** A string or number on the wire: its length, then its bytes (RFC 4251, section 5). */
function field(bytes: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** The bytes of a number above zero, with a leading zero where the first bit would make it negative (mpint). */
function positive(bytes: Buffer): Buffer {
  return (bytes[0] ?? 0) >= 0x80 ? Buffer.concat([Buffer.from([0]), bytes]) : bytes;
}

/** Kinds of keys that OpenSSH of today lets in. */
const KINDS = /^(ssh-rsa|ssh-ed25519|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)$/;

/**
 * A public key as it goes into authorized_keys: kind, base64, comment, with single blanks. Undefined for what is none: options in front
 * of the key and a second line would be let into a guest's file, so neither is taken.
 */
export function readPublicKey(text: string): { readonly line: string; readonly blob: Buffer } | undefined {
  const [kind = '', base64 = '', ...comment] = text.trim().split(/[ \t]+/);
  // Only printable letters: this ends up as one line of a file.
  if (!KINDS.test(kind) || !/^[A-Za-z0-9+/]+={0,2}$/.test(base64) || !/^[\x20-\x7e]*$/.test(comment.join(' '))) {
    return undefined;
  }
  const blob = Buffer.from(base64, 'base64');
  const named = blob.subarray(0, 4 + kind.length);
  if (blob.length < 4 + kind.length + 32 || !named.equals(field(Buffer.from(kind)))) return undefined;
  return { line: [kind, base64, ...comment].join(' '), blob };
}

/** MD5 in hexadecimal with colons: the form in which CloudStack's clients compare keys (`ssh-keygen -l -E md5`). */
export function fingerprint(blob: Buffer): string {
  return createHash('md5')
    .update(blob)
    .digest('hex')
    .replaceAll(/(..)(?!$)/g, '$1:');
}
