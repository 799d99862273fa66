// The keys of VPNs, made by node:crypto: WireGuard's, OpenVPN's static one, hashes of passwords. Apart, so that no other file of the
// VPN commands makes anything secret.
import { generateKeyPairSync, randomBytes, scrypt } from 'node:crypto';
import { refuse } from '../../api/error.ts';

/** WireGuard's: base64 of 32 bytes each. */
export interface WireGuardKeys {
  readonly privateKey: string;
  readonly publicKey: string;
}

export function newWireGuardKeys(): WireGuardKeys {
  const { privateKey } = generateKeyPairSync('x25519');
  const { d, x } = privateKey.export({ format: 'jwk' });
  return { privateKey: base64(d!), publicKey: base64(x!) };
}

/** WireGuard's additional key between two ends: base64 of 32 bytes. */
export function newPresharedKey(): string {
  return randomBytes(32).toString('base64');
}

/** A WireGuard key as somebody typed it, in its one form. Refuses what is none: 32 bytes, and not all zero. */
export function readKey(text: string, param: string): string {
  const bytes = /^[A-Za-z0-9+/]{43}=$/.test(text) ? Buffer.from(text, 'base64') : undefined;
  if (bytes?.length === 32 && bytes.some((byte) => byte !== 0)) return bytes.toString('base64');
  throw refuse(
    'parameter',
    `Invalid ${param}: a WireGuard key is 44 characters of base64, as "wg genkey" and "wg pubkey" print it`,
  );
}

/** OpenVPN's static key file (2048 bits), for tls-crypt: 16 lines of 16 bytes. */
export function newStaticKey(): string {
  const lines = randomBytes(256).toString('hex').match(/.{32}/g)!;
  return ['-----BEGIN OpenVPN Static key V1-----', ...lines, '-----END OpenVPN Static key V1-----', ''].join('\n');
}

const [N, R, P] = [16_384, 8, 1];

/** `scrypt$N$r$p$salt$hash` (base64url), as protocol/vpn.ts says. */
export function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(16);
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  scrypt(password, salt, 32, { N, r: R, p: P }, (error, hash) => {
    if (error !== null) reject(error);
    else resolve(`scrypt$${N}$${R}$${P}$${salt.toString('base64url')}$${hash.toString('base64url')}`);
  });
  return promise;
}

function base64(base64url: string): string {
  return Buffer.from(base64url, 'base64url').toString('base64');
}
