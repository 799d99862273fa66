// Asks a resolver in an instance's stead, from the node's own network. Each question has a socket of its own: a random port and a
// random number, and the kernel takes answers from nobody but who was asked, so that nobody can guess one. Nothing is remembered:
// what is not kept cannot be poisoned.
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect } from 'node:net';
import { isAnswerTo, type Question, withId } from './message.ts';

export interface Forwarder {
  /** The answer as it is to be sent, or undefined when nobody answered in time, or too much is asked already. */
  ask(
    packet: Buffer,
    question: Question,
    resolvers: readonly string[],
    over: 'udp' | 'tcp',
  ): Promise<Buffer | undefined>;
}

/** One try; each resolver is asked twice. */
const TRY_MS = 1500;
const TRIES = 2;
/** Questions on their way at once, of everybody. */
const AT_ONCE = 500;
const LARGEST = 65_535;

/** `port`: where resolvers answer. */
export function createForwarder(port = 53): Forwarder {
  let open = 0;
  return {
    async ask(packet, question, resolvers, over) {
      if (open >= AT_ONCE) return undefined;
      open++;
      try {
        for (let turn = 0; turn < TRIES * resolvers.length; turn++) {
          const id = randomInt(65_536);
          const way = over === 'udp' ? byUdp : byTcp;
          const answer = await way(withId(packet, id), resolvers[turn % resolvers.length]!, port, (reply) =>
            isAnswerTo(reply, id, question.raw),
          );
          if (answer !== undefined) return withId(answer, question.id);
        }
        return undefined;
      } finally {
        open--;
      }
    },
  };
}

type Way = (
  packet: Buffer,
  resolver: string,
  port: number,
  fits: (reply: Buffer) => boolean,
) => Promise<Buffer | undefined>;

const byUdp: Way = async (packet, resolver, port, fits) => {
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
  const socket = createSocket('udp4');
  const timer = setTimeout(() => resolve(undefined), TRY_MS);
  socket.on('error', () => resolve(undefined));
  socket.on('message', (reply) => {
    if (fits(reply)) resolve(reply);
  });
  socket.connect(port, resolver, () => socket.send(packet));
  const answer = await promise;
  clearTimeout(timer);
  socket.close();
  return answer;
};

const byTcp: Way = async (packet, resolver, port, fits) => {
  const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
  const socket = connect({ host: resolver, port });
  const timer = setTimeout(() => resolve(undefined), TRY_MS);
  const take = framesOf((reply) => resolve(fits(reply) ? reply : undefined));
  socket.on('error', () => resolve(undefined));
  socket.on('close', () => resolve(undefined));
  socket.on('connect', () => socket.write(framed(packet)));
  socket.on('data', take);
  const answer = await promise;
  clearTimeout(timer);
  socket.destroy();
  return answer;
};

/** Over TCP each packet comes with its length (RFC 1035 4.2.2). */
export function framed(packet: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(packet.length);
  return Buffer.concat([length, packet]);
}

/** Cuts a stream into packets. */
export function framesOf(take: (packet: Buffer) => void): (chunk: Buffer) => void {
  let rest: Buffer = Buffer.alloc(0);
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
      const end = 2 + rest.readUInt16BE(0);
      const packet = rest.subarray(2, end);
      rest = rest.subarray(end);
      take(packet);
    }
    if (rest.length > LARGEST + 2) rest = Buffer.alloc(0);
  };
}
