// Where an OVSDB server listens, in the notation of ovsdb(7) "Connection methods", and opening a stream to it.
import { readFile } from 'node:fs/promises';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

/** Files in PEM form that an `ssl:` remote needs. */
export interface TlsFiles {
  readonly key: string;
  readonly certificate: string;
  readonly ca: string;
}

export type Remote =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp' | 'ssl'; readonly host: string; readonly port: number };

const HOST_PORT = /^(tcp|ssl):(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/;

/** Reads `unix:PATH`, `tcp:HOST:PORT`, `ssl:HOST:PORT` ([…] around an IPv6 address). Throws on anything else. */
export function parseRemote(text: string): Remote {
  if (text.startsWith('unix:') && text.length > 5) return { kind: 'unix', path: text.slice(5) };
  const match = HOST_PORT.exec(text);
  const host = match?.[2] ?? match?.[3];
  const port = Number(match?.[4]);
  if (host === undefined || port < 1 || port > 65_535) {
    throw new Error(`"${text}" is not the address of an OVSDB server; use unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT`);
  }
  return { kind: match![1] as 'tcp' | 'ssl', host, port };
}

/** Opens a stream. Rejects when the server is not there, or does not answer within `timeoutMs`. */
export async function openStream(remote: Remote, tls: TlsFiles | undefined, timeoutMs: number): Promise<Socket> {
  const socket = await dial(remote, tls);
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const timer = setTimeout(() => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)), timeoutMs);
  socket.once('error', reject);
  socket.once(remote.kind === 'ssl' ? 'secureConnect' : 'connect', () => {
    socket.off('error', reject);
    socket.setNoDelay(true);
    resolve(socket);
  });
  return promise.finally(() => clearTimeout(timer));
}

async function dial(remote: Remote, tls: TlsFiles | undefined): Promise<Socket> {
  if (remote.kind === 'unix') return connectPlain({ path: remote.path });
  const { host, port } = remote;
  if (remote.kind === 'tcp') return connectPlain({ host, port });
  if (tls === undefined) throw new Error('an ssl: remote needs a key, a certificate and a CA certificate');
  const [key, cert, ca] = await Promise.all([tls.key, tls.certificate, tls.ca].map((path) => readFile(path)));
  // ovs-pki certificates carry no host names: as every program of OVS does, the chain is checked and the name is not.
  return connectTls({
    host,
    port,
    key: key!,
    cert: cert!,
    ca: ca!,
    minVersion: 'TLSv1.2',
    checkServerIdentity: () => undefined,
  });
}
