// The agent channel's own small certificate authority, kept in a folder: its key, its certificate, the server's. Made once with
// the openssl program; apart from the channel because what is written here must survive every version of it.
import { createHash, createPrivateKey, X509Certificate } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { run } from '../lib/run.ts';
import { SERVER_NAME } from '../protocol/document.ts';

/** An opened authority. Serials are upper-case hexadecimal, as TLS shows them. */
export interface Pki {
  /** The authority's certificate, PEM. */
  readonly ca: string;
  /** SHA-256 of the authority's certificate (DER), lower-case hexadecimal: what a join token carries. */
  readonly fingerprint: string;
  /** PEM; the certificate is followed by the authority's, so that a joining node sees both. */
  readonly server: { readonly key: string; readonly certificate: string };
  /**
   * The serial number a request's key gets. It follows from the key, so a node that asks twice with one key (because the answer was
   * lost) gets the same certificate again. Throws when the request is malformed or not signed by its own key.
   */
  serialOf(csr: string): Promise<string>;
  /** Signs a request for a node. Name and use are decided here, whatever the request says. PEM. */
  sign(csr: string, node: string, serial: string): Promise<string>;
}

const FILES = ['ca.key', 'ca.pem', 'server.key', 'server.pem'] as const;
/** Rewritten at each start, so that it is this version's. */
const CONFIG_FILE = 'openssl.cnf';
const DAYS = '3650';

// Our own configuration: distributions' defaults add extensions of their own.
const CONFIG = `[req]
distinguished_name = name
prompt = no
[name]
CN = Trunkline
[authority]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:${SERVER_NAME}
authorityKeyIdentifier = keyid
[node]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
`;

/**
 * Opens the authority in `directory`, making it when the folder is missing or empty. Throws a sentence naming the folder when it is
 * incomplete, damaged, expired, or its parts do not belong together: it is never replaced silently, since every node trusts it.
 */
export async function openPki(directory: string): Promise<Pki> {
  const present = await readdir(directory).catch((): string[] => []);
  if (present.length === 0) await make(directory);
  const missing = present.length === 0 ? [] : FILES.filter((file) => !present.includes(file));
  if (missing.length > 0) throw broken(directory, `${missing.join(', ')} missing`);
  const [caKey, ca, key, certificate] = await Promise.all(
    FILES.map((file) =>
      readFile(join(directory, file), 'utf8').catch((error: Error) => {
        throw broken(directory, `${file} cannot be read: ${error.message}`);
      }),
    ),
  );
  const authority = check(directory, 'ca', ca!, caKey!);
  const server = check(directory, 'server', certificate!, key!);
  if (!server.verify(authority.publicKey)) throw broken(directory, 'server.pem was not signed by ca.pem');

  const signing = join(directory, CONFIG_FILE);
  await writeFile(signing, CONFIG);
  return {
    ca: ca!,
    fingerprint: createHash('sha256').update(authority.raw).digest('hex'),
    server: { key: key!, certificate: certificate! + ca! },
    async serialOf(csr) {
      const { stdout, stderr } = await run(['openssl', 'req', '-verify', '-noout', '-pubkey', '-config', signing], {
        input: csr,
        timeoutMs: 5000,
      });
      // openssl 3.0 exits with 0 either way: only its words tell.
      if (!stderr.includes('verify OK')) throw new Error('the signing request is not signed by its own key');
      if (!stdout.includes('BEGIN PUBLIC KEY')) throw new Error('the signing request holds no public key');
      const hash = createHash('sha256').update(stdout.trim()).digest();
      hash[0] = (hash[0]! & 0x3f) | 0x40; // positive, and never a leading zero that somebody might drop
      return hash.toString('hex', 0, 16).toUpperCase();
    },
    async sign(csr, node, serial) {
      const argv = [
        'openssl',
        'x509',
        '-req',
        '-CA',
        join(directory, 'ca.pem'),
        '-CAkey',
        join(directory, 'ca.key'),
        '-set_serial',
        `0x${serial}`,
      ];
      argv.push('-days', DAYS, '-subj', `/CN=${node}`, '-extfile', signing, '-extensions', 'node');
      return (await run(argv, { input: csr, timeoutMs: 5000 })).stdout;
    },
  };
}

function broken(directory: string, what: string): Error {
  return new Error(
    `the certificate folder ${directory} is damaged: ${what}. Put it back from a backup, or remove the folder: a new authority is made and every node has to join again`,
  );
}

function check(directory: string, name: 'ca' | 'server', pem: string, key: string): X509Certificate {
  let certificate: X509Certificate;
  try {
    certificate = new X509Certificate(pem);
  } catch {
    throw broken(directory, `${name}.pem is no certificate`);
  }
  let matches: boolean;
  try {
    matches = certificate.checkPrivateKey(createPrivateKey(key));
  } catch {
    throw broken(directory, `${name}.key is no private key`);
  }
  if (!matches) throw broken(directory, `${name}.key does not belong to ${name}.pem`);
  if (Date.parse(certificate.validTo) < Date.now())
    throw broken(directory, `${name}.pem expired on ${certificate.validTo}`);
  return certificate;
}

/** Makes a whole authority beside the folder and renames it into place: it is there completely or not at all. */
async function make(directory: string): Promise<void> {
  await mkdir(dirname(directory), { recursive: true });
  const work = await mkdtemp(`${directory}.new-`);
  try {
    const file = (name: string): string => join(work, name);
    await writeFile(file(CONFIG_FILE), CONFIG);
    const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const config = ['-config', file(CONFIG_FILE)];
    await run([
      'openssl',
      'req',
      '-x509',
      ...ec,
      '-keyout',
      file('ca.key'),
      '-out',
      file('ca.pem'),
      '-days',
      DAYS,
      '-subj',
      '/CN=Trunkline CA',
      ...config,
      '-extensions',
      'authority',
    ]);
    const request = await run([
      'openssl',
      'req',
      '-new',
      ...ec,
      '-keyout',
      file('server.key'),
      '-subj',
      `/CN=${SERVER_NAME}`,
      ...config,
    ]);
    const sign = [
      'openssl',
      'x509',
      '-req',
      '-CA',
      file('ca.pem'),
      '-CAkey',
      file('ca.key'),
      '-set_serial',
      '0x01',
      '-days',
      DAYS,
    ];
    await run([...sign, '-extfile', file(CONFIG_FILE), '-extensions', 'server', '-out', file('server.pem')], {
      input: request.stdout,
    });
    await chmod(work, 0o700);
    for (const key of ['ca.key', 'server.key']) await chmod(file(key), 0o600);
    await rename(work, directory);
  } catch (error) {
    await rm(work, { recursive: true, force: true });
    // Another server was faster: its authority is as good as ours.
    if ((error as NodeJS.ErrnoException).code !== 'ENOTEMPTY' && (error as NodeJS.ErrnoException).code !== 'EEXIST') {
      throw new Error(`cannot make a certificate authority in ${directory}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }
}
