// The gate of one OpenVPN server: a small program of its own that outlives the agent. OpenVPN waits for it before it takes anybody; by its
// management socket the gate lets clients in, tells each its address and routes, and cuts those who are on the list no more.
// Started as `node openvpn-gate.ts FILE`; the file (vpn-openvpn.ts) is read again whenever it changes.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import { sleep } from '../../lib/sleep.ts';
import type { VpnClientStatus } from '../../protocol/vpn.ts';
import { type Caller, createDoor } from './openvpn-door.ts';
import type { GateClient, GateFile } from './vpn-openvpn.ts';

const LOOK_MS = 500;

/** Serves until the socket closes. The commands and notifications are those of OpenVPN's management-notes.txt. */
export async function serveGate(path: string): Promise<void> {
  let text = await readFile(path, 'utf8');
  let file = JSON.parse(text) as GateFile;
  /** Who is in, by OpenVPN's number of the connection, as it was when he came. */
  const sessions = new Map<string, GateClient>();
  /** `CID,KID` of questions that are not answered yet. */
  const asking = new Set<string>();
  /** Numbers of all who asked: OpenVPN tells some seconds later what we answered. */
  const known = new Set<string>();
  /** Numbers of those whose question nobody heard, at the last look. */
  let unheard = new Set<string>();
  const socket = await connected(file.socket);
  const say = (line: string): boolean => socket.write(`${line}\n`);
  const door = createDoor(async (id) => {
    await reread();
    return file.clients.find((one) => one.id === id);
  });

  async function reread(): Promise<void> {
    // It is replaced as a whole; where there is none, the VPN is on its way out.
    const now = await readFile(path, 'utf8').catch(() => text);
    if (now === text) return;
    file = JSON.parse(now) as GateFile;
    text = now;
    for (const [cid, before] of sessions) {
      const client = file.clients.find((one) => one.id === before.id);
      if (isDeepStrictEqual(client, before)) continue;
      // OpenVPN tells a connected client no more routes: who has changed begins anew, which takes a moment and asks for the password again.
      say(`client-kill ${cid} ${client === undefined ? 'HALT' : 'RESTART'}`);
      sessions.delete(cid);
    }
  }

  /** Who was there before this program was: let in by the one before it, or left without an answer when that one ended. */
  function adopt({ cid, id, ip }: ListedClient, stuck: Set<string>): void {
    if (known.has(cid)) return;
    const client = file.clients.find((one) => one.id === id);
    if (ip === '') {
      // Twice in a row: somebody who has just shown a certificate has not asked yet.
      if (unheard.has(cid)) say(`client-kill ${cid} RESTART`);
      else if (client !== undefined) stuck.add(cid);
    } else if (client === undefined) say(`client-kill ${cid} HALT`);
    else {
      known.add(cid);
      sessions.set(cid, client);
    }
  }

  async function answer(cid: string, kid: string, caller: Caller): Promise<void> {
    const question = `${cid},${kid}`;
    asking.add(question);
    known.add(cid);
    const verdict = await door.ask(caller);
    // He may have gone in the meantime.
    if (!asking.delete(question)) return;
    if ('refused' in verdict) {
      say(`client-deny ${cid} ${kid} "${verdict.refused.replaceAll(/[^A-Za-z0-9 .]/g, '')}"`);
      return;
    }
    sessions.set(cid, verdict.client);
    say(`client-auth ${cid} ${kid}\n${verdict.client.config.join('\n')}\nEND`);
  }

  function left(cid: string): void {
    sessions.delete(cid);
    known.delete(cid);
    for (const one of asking) if (one.startsWith(`${cid},`)) asking.delete(one);
  }

  let heard: { cid: string; kid: string; asks: boolean; env: Record<string, string> } | undefined;
  let table: VpnClientStatus[] = [];
  let stuck = new Set<string>();
  let written = '';
  for await (const line of linesOf(socket)) {
    const event = /^>CLIENT:(CONNECT|REAUTH|ESTABLISHED|DISCONNECT),([0-9]+)(?:,([0-9]+))?/.exec(line);
    if (event !== null) {
      const [, kind, cid = '', kid = ''] = event;
      if (kind === 'DISCONNECT') left(cid);
      heard = { cid, kid, asks: kind === 'CONNECT' || kind === 'REAUTH', env: {} };
    } else if (line === '>CLIENT:ENV,END') {
      if (heard?.asks === true) void answer(heard.cid, heard.kid, heard.env);
      heard = undefined;
    } else if (line.startsWith('>CLIENT:ENV,')) {
      const [, name = '', value = ''] = /^>CLIENT:ENV,([^=]*)=?(.*)$/.exec(line) ?? [];
      if (heard !== undefined) heard.env[name] = value;
    } else if (line.startsWith('>HOLD:')) {
      // At its start, and whenever it begins anew: now somebody is here to be asked.
      sessions.clear();
      asking.clear();
      known.clear();
      say('hold release');
    } else if (line.startsWith('CLIENT_LIST\t')) {
      const client = listedClient(line);
      adopt(client, stuck);
      if (client.ip !== '') table.push(client.status);
    } else if (line === 'END') {
      const now = JSON.stringify(table);
      table = [];
      unheard = stuck;
      stuck = new Set();
      if (now === written) continue;
      await writeFile(`${file.status}.new`, now, { mode: 0o600 });
      await rename(`${file.status}.new`, file.status);
      written = now;
    } else if (line === ':look') {
      await reread();
      say('status 3');
    }
  }
}

interface ListedClient {
  readonly cid: string;
  readonly id: string;
  /** Its address in the range; empty until it is let in. */
  readonly ip: string;
  readonly status: VpnClientStatus;
}

/** Of `status 3`: name, its address, its place in the range, received, sent, ..., since (seconds), user name, number. */
function listedClient(line: string): ListedClient {
  const [, id = '', from = '', ip = '', , received, sent, , since, , cid = ''] = line.split('\t');
  const status = {
    id,
    from: from.replace(/^udp4?:/, ''),
    since: new Date(Number(since) * 1000).toISOString(),
    received: Number(received),
    sent: Number(sent),
  };
  return { cid, id, ip, status };
}

/** OpenVPN makes its socket when it starts, which may be later than we do. */
async function connected(path: string): Promise<Socket> {
  for (let left = 100; ; left--) {
    const socket = connect(path);
    const { promise, resolve } = Promise.withResolvers<Error | undefined>();
    socket.once('connect', () => resolve(undefined)).once('error', resolve);
    const error = await promise;
    if (error === undefined) return socket;
    if (left === 0) throw error;
    await sleep(100);
  }
}

/** Lines of the socket, with `:look` between them twice a second. */
async function* linesOf(socket: Socket): AsyncGenerator<string> {
  const waiting: string[] = [':look'];
  let rest = '';
  const state = { ended: false };
  let wake = Promise.withResolvers<void>();
  const ring = (...lines: readonly string[]): void => {
    waiting.push(...lines);
    wake.resolve();
  };
  const timer = setInterval(() => ring(':look'), LOOK_MS);
  socket.on('data', (chunk: Buffer) => {
    const lines = (rest + chunk.toString()).split(/\r?\n/);
    rest = lines.pop() ?? '';
    ring(...lines);
  });
  const end = (): void => {
    state.ended = true;
    ring();
  };
  socket.on('error', end).on('close', end);
  while (!state.ended || waiting.length > 0) {
    const line = waiting.shift();
    if (line !== undefined) yield line;
    else {
      await wake.promise;
      wake = Promise.withResolvers();
    }
  }
  clearInterval(timer);
}

if (import.meta.main) {
  // Started anew, by whoever looks after us, when OpenVPN was.
  await serveGate(process.argv[2]!);
  process.exit(0);
}
