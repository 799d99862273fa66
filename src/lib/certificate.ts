// Small certificate authorities: one for each VPN that needs certificates. Keys are made here, and signed with the openssl program,
// because node:crypto reads X.509 and cannot write it. Files exist only while openssl runs, in a folder of ours.
import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './run.ts';

/** A key and what certifies it, both PEM. */
export interface Certified {
  readonly key: string;
  readonly certificate: string;
  /** Upper-case hexadecimal. */
  readonly serial: string;
  /** When it ends; ISO instant. */
  readonly ends: string;
}

/** What a certificate is for. `names` of a server are what it is called by: addresses and host names. */
export type Use =
  | { readonly kind: 'client'; readonly name: string }
  | { readonly kind: 'server'; readonly name: string; readonly addresses: readonly string[] };

/** A common name of ours: nothing a tenant typed, and nothing that openssl could read otherwise. */
const NAME = /^[A-Za-z0-9.:-]{1,64}$/;

/** A new authority. It certifies nothing but ends: no authority below it. EC P-256. */
export async function makeAuthority(name: string, days: number): Promise<Certified> {
  const { key } = makeKey();
  const config = `[req]
distinguished_name = name
prompt = no
[name]
CN = ${checked(name)}
[authority]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
`;
  const serial = newSerial();
  const certificate = await withFiles({ 'ca.key': key, 'openssl.cnf': config }, (file) =>
    openssl([
      'req',
      '-x509',
      '-new',
      '-sha256',
      '-key',
      file('ca.key'),
      '-config',
      file('openssl.cnf'),
      '-extensions',
      'authority',
      '-set_serial',
      `0x${serial}`,
      '-days',
      String(days),
    ]),
  );
  return { key, certificate, serial, ends: endOf(certificate) };
}

/** A new key, certified by an authority for `days`, and never for longer than that lasts. */
export async function makeCertified(
  authority: Pick<Certified, 'key' | 'certificate'>,
  use: Use,
  days: number,
): Promise<Certified> {
  const { key, publicKey } = makeKey();
  const left = Math.floor((Date.parse(endOf(authority.certificate)) - Date.now()) / 86_400_000);
  if (left < 1) throw new Error('the certificate authority of this VPN has ended: make the VPN anew');
  const serial = newSerial();
  const files = { 'ca.key': authority.key, 'ca.pem': authority.certificate, 'public.pem': publicKey };
  const certificate = await withFiles({ ...files, 'openssl.cnf': extensionsOf(use) }, (file) =>
    openssl([
      'x509',
      '-new',
      '-sha256',
      '-force_pubkey',
      file('public.pem'),
      '-subj',
      `/CN=${checked(use.name)}`,
      '-CA',
      file('ca.pem'),
      '-CAkey',
      file('ca.key'),
      '-set_serial',
      `0x${serial}`,
      '-days',
      String(Math.min(days, left)),
      '-extfile',
      file('openssl.cnf'),
      '-extensions',
      'end',
    ]),
  );
  return { key, certificate, serial, ends: endOf(certificate) };
}

/** When a certificate ends; ISO instant. */
export function endOf(certificate: string): string {
  return new Date(new X509Certificate(certificate).validTo).toISOString();
}

function extensionsOf(use: Use): string {
  const names =
    use.kind === 'client'
      ? ''
      : `subjectAltName = ${use.addresses.map((address) => `IP:${checked(address)},DNS:${checked(address)}`).join(',')}\n`;
  return `[end]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = ${use.kind === 'client' ? 'clientAuth' : 'serverAuth'}
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
${names}`;
}

function checked(name: string): string {
  if (!NAME.test(name)) throw new Error(`not a name for a certificate: ${JSON.stringify(name)}`);
  return name;
}

function makeKey(): { readonly key: string; readonly publicKey: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  });
  return { key: privateKey, publicKey };
}

/** 128 bits; positive, and never a leading zero that somebody might drop. */
function newSerial(): string {
  const bytes = randomBytes(16);
  bytes[0] = (bytes[0]! & 0x3f) | 0x40;
  return bytes.toString('hex').toUpperCase();
}

async function openssl(args: readonly string[]): Promise<string> {
  return (await run(['openssl', ...args], { timeoutMs: 10_000 })).stdout;
}

async function withFiles<T>(
  files: Readonly<Record<string, string>>,
  use: (file: (name: string) => string) => Promise<T>,
): Promise<T> {
  // mkdtemp makes it for us alone (0700).
  const folder = await mkdtemp(join(tmpdir(), 'trunkline-ca-'));
  try {
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o600 });
    return await use((name) => join(folder, name));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
