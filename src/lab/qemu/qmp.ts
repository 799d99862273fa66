// QEMU's own control channel: JSON lines on a unix socket. Only what a lab needs: start, stop, ask.
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { sleep } from '../../lib/sleep.ts';

export interface Qmp {
  /** Runs a command and gives what it returns. Throws what QEMU says. */
  command(execute: string, args?: Readonly<Record<string, unknown>>): Promise<unknown>;
  close(): void;
}

interface Message {
  readonly QMP?: unknown;
  readonly event?: string;
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

/** Connects to a QEMU that is just starting. Throws when it has not greeted within `ms`, or when `gone` says why it never will. */
export async function connectQmp(path: string, ms: number, gone: () => string | undefined): Promise<Qmp> {
  const until = Date.now() + ms;
  for (;;) {
    const why = gone();
    if (why !== undefined) throw new Error(why);
    const socket = await open(path).catch(() => undefined);
    if (socket !== undefined) {
      const qmp = talk(socket);
      await qmp.command('qmp_capabilities');
      return qmp;
    }
    if (Date.now() > until) throw new Error(`QEMU has not opened ${path} within ${ms / 1000} s`);
    await sleep(10);
  }
}

function open(path: string): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>();
  const socket = connect(path, () => resolve(socket));
  socket.once('error', reject);
  return promise;
}

function talk(socket: Socket): Qmp {
  const waiting: PromiseWithResolvers<unknown>[] = [];
  const end = (error: Error): void => waiting.splice(0).forEach(({ reject }) => reject(error));
  socket.on('error', end);
  socket.on('close', () => end(new Error('QEMU has ended')));
  const lines = createInterface(socket);
  lines.on('error', () => undefined); // readline repeats the socket's
  lines.on('line', (line) => {
    const message = JSON.parse(line) as Message;
    if (message.QMP !== undefined || message.event !== undefined) return;
    const next = waiting.shift();
    if (message.error === undefined) next?.resolve(message.return);
    else next?.reject(new Error(`QEMU: ${message.error.desc}`));
  });
  return {
    command(execute, args) {
      const next = Promise.withResolvers<unknown>();
      waiting.push(next);
      socket.write(`${JSON.stringify({ execute, ...(args === undefined ? {} : { arguments: args }) })}\n`);
      return next.promise;
    },
    close: () => socket.destroy(),
  };
}
