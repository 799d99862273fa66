// How a lab that runs is told what is to happen to a node: one JSON line there, one back, over a unix socket of the lab's folder. Both ends,
// so that they agree.
import { connect, createServer } from 'node:net';
import { rmSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Log } from '../lib/log.ts';
import type { Conditions } from './condition.ts';
import { labPaths, NODE_ACTIONS, type NodeAction } from './layout.ts';
import { noLabIn, runningSandbox } from './running.ts';

interface Order {
  readonly action: NodeAction;
  readonly node: string;
}

interface Answer {
  /** Why it was not done; absent: it is. */
  readonly error?: string;
}

/** How long an order may take: a power cut waits for every process to be gone, a start for the daemons' sockets. */
const ORDER_MS = 30_000;

/** Has a node's power, processes or cables changed. Throws a sentence when that cannot be, or when no lab runs in `state`. */
export async function labPerform(state: string, action: NodeAction, node: string): Promise<void> {
  if (runningSandbox(state) === undefined) throw noLabIn(state);
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const socket = connect(labPaths(state).control);
  socket.setTimeout(ORDER_MS, () => socket.destroy(new Error(`not within ${ORDER_MS / 1000} s`)));
  socket.on('error', (error) => reject(new Error(`${action} ${node}: the lab does not answer: ${error.message}`)));
  socket.on('close', () => reject(new Error(`${action} ${node}: the lab ended meanwhile`)));
  createInterface(socket)
    .on('line', (line) => resolve(JSON.parse(line) as Answer))
    .on('error', () => undefined); // told by the socket
  socket.write(`${JSON.stringify({ action, node } satisfies Order)}\n`);
  try {
    const { error } = await promise;
    if (error !== undefined) throw new Error(error);
  } finally {
    socket.destroy();
  }
}

/** Takes orders at `path` for as long as the process lives. */
export async function listenForOrders(path: string, conditions: Conditions, log: Log): Promise<void> {
  rmSync(path, { force: true });
  const server = createServer((socket) => {
    socket.on('error', () => undefined); // who asked has gone
    createInterface(socket)
      .on(
        'line',
        (line) => void obey(line, conditions, log).then((answer) => socket.write(`${JSON.stringify(answer)}\n`)),
      )
      .on('error', () => undefined);
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', reject);
  server.listen(path, resolve);
  await promise;
}

async function obey(line: string, conditions: Conditions, log: Log): Promise<Answer> {
  try {
    const { action, node } = JSON.parse(line) as Partial<Order>;
    if (typeof node !== 'string' || !NODE_ACTIONS.some((known) => known === action))
      throw new Error(`the lab can ${NODE_ACTIONS.join(', ')} a node, not ${String(action)}`);
    await conditions.perform(action as NodeAction, node);
    log.info({ node, action }, 'done');
    return {};
  } catch (error) {
    return { error: (error as Error).message };
  }
}
