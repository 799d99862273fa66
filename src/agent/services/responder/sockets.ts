// Gets the sockets of a network from its namespace.
import { spawn } from 'node:child_process';
import { Socket as Datagrams } from 'node:dgram';
import { Server } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { ServedNetwork } from './config.ts';

export interface Sockets {
  readonly names?: Datagrams;
  readonly namesTcp?: Server;
  readonly metadata?: Server;
  readonly passwords?: Server;
}

const OPENER = fileURLToPath(new URL('opener.ts', import.meta.url));
const LIMIT_MS = 10_000;

/** Opens what the network needs. Throws what the opener said when it cannot. */
export async function openSockets(network: ServedNetwork): Promise<Sockets> {
  const wanted = [...(network.dns === undefined ? [] : ['dns']), ...(network.userData ? ['userdata'] : [])];
  const argv = [`--net=/run/netns/${network.netns}`, process.execPath, OPENER, network.ip, ...wanted];
  const child = spawn('nsenter', argv, { stdio: ['ignore', 'ignore', 'pipe', 'ipc'], timeout: LIMIT_MS });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const got = new Map<string, unknown>();
  let said = '';
  let done = false;
  child.stderr!.setEncoding('utf8').on('data', (chunk: string) => (said = (said + chunk).slice(-2000)));
  child.on('message', (name: string, handle: unknown) => {
    if (name === 'done') done = true;
    else got.set(name, handle);
  });
  child.on('error', reject);
  child.on('close', (code, signal) => {
    if (done) resolve();
    else reject(new Error(`cannot listen in ${network.netns}: ${reasonIn(said) ?? signal ?? `exit status ${code}`}`));
  });
  try {
    await promise;
  } catch (error) {
    for (const handle of got.values()) closeOne(handle);
    throw error;
  }
  return socketsOf(got);
}

function socketsOf(got: ReadonlyMap<string, unknown>): Sockets {
  const [names, namesTcp, metadata, passwords] = ['names', 'names-tcp', 'metadata', 'passwords'].map((name) =>
    got.get(name),
  );
  return {
    ...(names instanceof Datagrams ? { names } : {}),
    ...(namesTcp instanceof Server ? { namesTcp } : {}),
    ...(metadata instanceof Server ? { metadata } : {}),
    ...(passwords instanceof Server ? { passwords } : {}),
  };
}

export function closeSockets(sockets: Sockets): void {
  for (const handle of Object.values(sockets)) closeOne(handle);
}

function closeOne(handle: unknown): void {
  if (handle instanceof Datagrams || handle instanceof Server) handle.close();
}

/** The line that says why, in what Node or nsenter wrote. */
function reasonIn(said: string): string | undefined {
  const lines = said.split('\n').filter((line) => line.trim() !== '');
  return lines.find((line) => /^\w*Error|: .*E[A-Z]{4,}|^nsenter/.test(line)) ?? lines.at(-1);
}
