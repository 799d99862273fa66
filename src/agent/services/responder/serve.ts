// Answers on the sockets of one network: names on 53, metadata on 80, passwords on 8080. Everything that comes is a tenant's: who is not
// of the network gets no answer, and nobody can hold more than his share.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Server, Socket } from 'node:net';
import { cidr, contains, parseIp } from '../../../lib/ip.ts';
import type { GuestSpec, ServedNetwork } from './config.ts';
import { type Forwarder, framed, framesOf } from './forward.ts';
import { createSharedLimit, createSlots, type SharedLimit } from './limit.ts';
import { formatAnswer, parseQuestion, type Question, RCODE } from './message.ts';
import { metadata, passwordRequest, type Told } from './metadata.ts';
import type { Names } from './names.ts';
import type { Passwords } from './passwords.ts';
import { closeSockets, type Sockets } from './sockets.ts';

/** What a network is answered from: looked at anew for each question. */
export interface Knowledge {
  readonly network: ServedNetwork;
  readonly names: Names | undefined;
  guestAt(address: string): GuestSpec | undefined;
}

export interface Serving {
  close(): void;
}

/** Questions a second, and at once: of the network, and of one address in it. */
const NAMES = { all: [200, 400], each: [50, 150] } as const;
/** The same of what is asked by HTTP; a first boot asks some forty times. */
const TOLD = { all: [200, 400], each: [20, 100] } as const;
/** Questions that wait for a resolver, of the network and of one address in it: one that is silent takes seconds of each. */
const FORWARDED = 50;
const FORWARDED_EACH = 25;
/** Connections at once, of the network and of one address in it. */
const CONNECTIONS = 256;
const CONNECTIONS_EACH = 16;
const CONNECTION_MS = 15_000;
const COMPLAINT_MS = 60_000;

/**
 * Answers until closed. `knows`: the network as it is now; undefined once it is not served any more. `failed` hears what could not be
 * answered and why, once a minute at most.
 */
export function serve(
  sockets: Sockets,
  knows: () => Knowledge | undefined,
  forwarder: Forwarder,
  passwords: Passwords,
  failed: (what: string) => void = (what) => void process.stderr.write(`services: ${what}\n`),
): Serving {
  let complained = -Infinity;
  const fault = (what: string, error: unknown): void => {
    // Guests ask again and again.
    if (performance.now() - complained < COMPLAINT_MS) return;
    complained = performance.now();
    failed(`${what}: ${error instanceof Error ? error.message : String(error)}`);
  };
  const limit = createSharedLimit(NAMES.all, NAMES.each);
  const toldLimit = createSharedLimit(TOLD.all, TOLD.each);
  const slots = createSlots(FORWARDED, FORWARDED_EACH);
  let closed = false;

  async function answer(packet: Buffer, from: string, over: 'udp' | 'tcp'): Promise<Buffer | undefined> {
    const known = knows();
    const question = parseQuestion(packet);
    if (known === undefined || question === undefined || !isOf(known.network, from) || !limit.takes(from, Date.now()))
      return undefined;
    const room = over === 'tcp' ? 65_535 : question.room;
    if (!question.plain) return formatAnswer(question, RCODE.notImplemented, [], room);
    const verdict = known.names?.lookUp(known.network.id, question) ?? 'forward';
    if (verdict !== 'forward') return formatAnswer(question, verdict.rcode, verdict.answers, room);
    return (
      (await forwarded(packet, question, known.network, from, over)) ?? formatAnswer(question, RCODE.failure, [], room)
    );
  }

  async function forwarded(
    packet: Buffer,
    question: Question,
    { dns }: ServedNetwork,
    from: string,
    over: 'udp' | 'tcp',
  ): Promise<Buffer | undefined> {
    const resolvers = dns?.resolvers ?? [];
    if (resolvers.length === 0) return undefined;
    return slots.use(from, () => forwarder.ask(packet, question, resolvers, over));
  }

  sockets.names?.on('message', (packet, { address, port }) => {
    void answer(packet, address, 'udp')
      .catch((error: unknown) => fault('a name could not be answered', error))
      .then((reply) => {
        if (reply instanceof Buffer && !closed) sockets.names?.send(reply, port, address, () => undefined);
      });
  });
  sockets.names?.on('error', () => undefined);
  accept(sockets.namesTcp, (socket) => {
    const from = socket.remoteAddress ?? '';
    let [open, ended] = [0, false];
    const take = framesOf((packet) => {
      open++;
      void answer(packet, from, 'tcp')
        .catch((error: unknown) => fault('a name could not be answered', error))
        .then((reply) => {
          open--;
          if (!(reply instanceof Buffer)) socket.destroy();
          else if (socket.writable) socket.write(framed(reply));
          if (ended && open === 0) socket.end();
        });
    });
    socket.on('data', take);
    socket.on('end', () => {
      ended = true;
      if (open === 0) socket.end();
    });
    socket.resume();
  });
  const told = createServer({ keepAlive: false }, (request, response) => {
    tell(
      response,
      asked(request, knows(), toldLimit, (guest, address) => metadata(guest, address, request.url ?? '/')),
    );
  });
  accept(sockets.metadata, (socket) => told.emit('connection', socket));
  const secret = createServer({ keepAlive: false }, (request, response) => {
    void password(request)
      .catch((error: unknown): Told => {
        fault('a password could not be given, or not be noted as taken', error);
        // A word that no guest takes for its password, however careless its script.
        return { status: 500, body: 'bad_request' };
      })
      .then((reply) => tell(response, reply));
  });
  accept(sockets.passwords, (socket) => secret.emit('connection', socket));

  async function password(request: IncomingMessage): Promise<Told> {
    let guest: GuestSpec | undefined;
    const refused = asked(request, knows(), toldLimit, (found) => {
      guest = found;
      return { status: 200, body: 'bad_request' };
    });
    if (guest === undefined) return refused;
    switch (passwordRequest(request.headers['domu_request'])) {
      case 'give':
        return { status: 200, body: (await passwords.give(guest)) ?? 'saved_password' };
      case 'taken':
        await passwords.take(guest);
        return { status: 200, body: 'saved_password' };
      case 'unknown':
        return refused;
    }
  }

  return {
    close() {
      // Who asked late hears nothing; a socket that is closed cannot be written to.
      closed = true;
      closeSockets(sockets);
    },
  };
}

/** Takes a server's connections, so many and each for so long. */
function accept(server: Server | undefined, take: (socket: Socket) => void): void {
  if (server === undefined) return;
  const each = new Map<string, number>();
  server.maxConnections = CONNECTIONS;
  // Who has said all he has to say is answered yet (Node's own property; it is only read when a connection comes).
  Object.assign(server, { allowHalfOpen: true });
  server.on('error', () => undefined);
  server.on('connection', (socket) => {
    const from = socket.remoteAddress ?? '';
    const open = (each.get(from) ?? 0) + 1;
    socket.on('error', () => undefined);
    if (open > CONNECTIONS_EACH) {
      socket.destroy();
      return;
    }
    each.set(from, open);
    const timer = setTimeout(() => socket.destroy(), CONNECTION_MS);
    socket.on('close', () => {
      clearTimeout(timer);
      const left = (each.get(from) ?? 1) - 1;
      if (left === 0) each.delete(from);
      else each.set(from, left);
    });
    take(socket);
  });
}

/** The answer of an instance's own address; nobody else is told anything, nor is a proxy that speaks for others. */
function asked(
  request: IncomingMessage,
  known: Knowledge | undefined,
  limit: SharedLimit,
  answer: (guest: GuestSpec, address: string) => Told,
): Told {
  const address = request.socket.remoteAddress ?? '';
  const guest = known === undefined || !isOf(known.network, address) ? undefined : known.guestAt(address);
  if (guest === undefined || request.headers['x-forwarded-for'] !== undefined)
    return { status: 404, body: 'not found\n' };
  if (!limit.takes(address, Date.now())) return { status: 429, body: 'too many questions; ask again in a second\n' };
  if (request.method !== 'GET' && request.method !== 'HEAD') return { status: 405, body: 'only GET\n' };
  return answer(guest, address);
}

function tell(response: ServerResponse, { status, body }: Told): void {
  response.writeHead(status, {
    'content-type': typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/octet-stream',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    connection: 'close',
  });
  response.end(body);
}

function isOf(network: ServedNetwork, address: string): boolean {
  const ip = parseIp(address);
  return ip !== undefined && contains(cidr(network.cidr), ip);
}
