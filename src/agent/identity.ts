// Who the node is to the server: its key, its certificate and the authority it trusts, kept in the state folder. Joining makes
// them: the node proves itself by the token's secret, the server by the fingerprint in the token.
import { createHash, X509Certificate } from 'node:crypto';
import { chmod, mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type PeerCertificate } from 'node:tls';
import { run } from '../lib/run.ts';
import { decodeToken, PATHS, SERVER_NAME, type JoinRequest, type JoinToken } from '../protocol/document.ts';
import { joinAnswer } from '../protocol/schema.ts';
import type { AgentConfig } from './config.ts';
import { writeWhole } from './file.ts';
import { request, where } from './request.ts';

export interface Identity {
  /** PEM, all three. */
  readonly key: string;
  readonly certificate: string;
  readonly ca: string;
}

/** The kept identity; undefined when the node has not joined yet, or with another token than the one that lies there now. */
export async function readIdentity(config: AgentConfig): Promise<Identity | undefined> {
  return identityOf(config, await readToken(config.tokenFile));
}

/** The kept identity; undefined when there is none, or it was got by another token than this. */
export async function identityOf(config: AgentConfig, token: string | undefined): Promise<Identity | undefined> {
  try {
    const [key, certificate, ca, joined] = await Promise.all(
      ['key.pem', 'certificate.pem', 'ca.pem', 'joined'].map((file) => readFile(join(config.state, file), 'utf8')),
    );
    if (token !== undefined && digest(token) !== joined) return undefined;
    return { key: key!, certificate: certificate!, ca: ca! };
  } catch {
    return undefined;
  }
}

/** The token file's text; undefined while there is none. */
export async function readToken(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '');
  return text.trim() === '' ? undefined : text.trim();
}

/**
 * Joins with a token: makes a key, asks the server to sign it, keeps the answer. Repeating it with the same token after a crash is
 * safe: the key is kept first. Throws a sentence when the token is none, is another node's, or the server refuses or is not the one the token names.
 */
export async function joinServer(config: AgentConfig, text: string): Promise<Identity> {
  const token = decodeToken(text);
  if (token === undefined) throw new Error('the join token is damaged: it is to be the text the server printed, whole');
  if (token.node !== config.node)
    throw new Error(`the join token is for node ${token.node}, and this is ${config.node}`);
  const { key, csr } = await makeRequest(config, token, digest(text));
  const ca = await proveServer(config.server, token);
  const body: JoinRequest = { node: config.node, secret: token.secret, csr };
  const response = await request(config.server, { ca }, 'POST', PATHS.join, { body, timeoutMs: 15_000 });
  const answer = joinAnswer.parse(response);
  const before = await readFile(join(config.state, 'ca.pem'), 'utf8').catch(() => answer.ca);
  // Another authority is another control plane, whose generations start anew.
  if (before !== answer.ca) await rm(join(config.state, 'document.json'), { force: true });
  await writeWhole(join(config.state, 'ca.pem'), answer.ca);
  await writeWhole(join(config.state, 'certificate.pem'), answer.certificate);
  await writeWhole(join(config.state, 'key.pem'), key, 0o600);
  await writeWhole(join(config.state, 'joined'), digest(text));
  return { key, certificate: answer.certificate, ca: answer.ca };
}

function digest(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}

/** The key this token is used with, made the first time, and a signing request for it. */
async function makeRequest(config: AgentConfig, token: JoinToken, name: string): Promise<{ key: string; csr: string }> {
  await mkdir(config.state, { recursive: true });
  await chmod(config.state, 0o700);
  const file = join(config.state, `key-${name.slice(0, 16)}.pem`);
  const kept = await readFile(file, 'utf8').catch(() => undefined);
  if (kept === undefined) {
    const made = await run(['openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256']);
    await writeWhole(file, made.stdout, 0o600);
  }
  const csr = await run(['openssl', 'req', '-new', '-key', file, '-subj', `/CN=${token.node}`]);
  return { key: await readFile(file, 'utf8'), csr: csr.stdout };
}

/**
 * Looks at the server's certificates before anything secret is sent: the authority in the chain must have the token's fingerprint. Returns
 * it, so that the request that follows trusts it and nothing else.
 */
async function proveServer(server: string, token: JoinToken): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<PeerCertificate[]>();
  const socket = connect(
    { ...where(server), servername: SERVER_NAME, rejectUnauthorized: false, timeout: 10_000 },
    () => {
      const chain: PeerCertificate[] = [];
      for (let next = socket.getPeerCertificate(true); next?.raw !== undefined; next = next.issuerCertificate) {
        if (chain.some((seen) => seen.raw.equals(next.raw))) break;
        chain.push(next);
      }
      resolve(chain);
    },
  );
  socket.on('error', reject).on('timeout', () => socket.destroy(new Error('no answer in 10 s')));
  try {
    const chain = await promise.catch((error: Error) => {
      throw new Error(`the server at ${server} does not answer: ${error.message}`, { cause: error });
    });
    const authority = chain.find((one) => createHash('sha256').update(one.raw).digest('hex') === token.ca);
    if (authority === undefined)
      throw new Error(
        `the server at ${server} is not the one the join token is for: its authority has another fingerprint`,
      );
    return new X509Certificate(authority.raw).toString();
  } finally {
    socket.destroy();
  }
}
