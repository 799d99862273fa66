// Keeps the lab's daemons running: each a child in its node's namespace, started again soon after it dies, unless its node is off.
// Apart from what is started, since healing must not depend on what any of them does.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { type Backoff, createBackoff } from '../lib/backoff.ts';
import type { Log } from '../lib/log.ts';
import { run } from '../lib/run.ts';
import type { Daemon } from './daemon.ts';
import type { ProcessStatus } from './layout.ts';

export interface Supervisor {
  /**
   * Starts a daemon and keeps it running. `afterStart` brings back what was lost with the process, such as the
   * addresses of a switch's interfaces; the returned promise is that of its first run.
   */
  start(daemon: Daemon, afterStart?: (pid: number) => Promise<void>): Promise<void>;
  /** From now on no daemon of this node is started again. Those that run are the caller's to end. */
  hold(node: string): void;
  /** Starts all daemons of a node that was held, in the order of their first start. */
  release(node: string): Promise<void>;
  statuses(): ProcessStatus[];
}

interface Kept {
  readonly daemon: Daemon;
  readonly afterStart: (pid: number) => Promise<void>;
  readonly backoff: Backoff;
  child?: ChildProcess;
  restarts: number;
  since: Date;
}

// A daemon that lived this long is not in a loop of dying: it is started again at once.
const STEADY_MS = 3_000;

/**
 * Real-time scheduling for a switch, where this machine gives it (sched(7)). Each node of a real network has processors of its own; here
 * all share a few, and a switch that gets none for 0.3 s is dead to its BFD neighbours. Niceness does not help across sessions.
 */
async function preferred(pid: number): Promise<void> {
  await run(['chrt', '--all-tasks', '--rr', '--pid', '1', `${pid}`]).catch(() => undefined);
}

/** `changed` is called after each start and death. */
export function createSupervisor(log: Log, changed: () => void): Supervisor {
  const all: Kept[] = [];
  const held = new Set<string>();

  const launch = async (kept: Kept): Promise<void> => {
    const { daemon } = kept;
    const out = openSync(daemon.log, 'a');
    const child = spawn('nsenter', [`--net=/run/netns/${daemon.node}`, '--', ...daemon.argv], {
      stdio: ['ignore', out, out],
      env: { ...process.env, ...daemon.env },
    });
    closeSync(out);
    kept.child = child;
    kept.since = new Date();
    child.on('error', (error) =>
      log.error({ node: daemon.node, process: daemon.name, err: error }, 'cannot be started'),
    );
    child.on('exit', (code, signal) => {
      const lived = Date.now() - kept.since.getTime();
      if (lived >= STEADY_MS) kept.backoff.reset();
      delete kept.child;
      kept.since = new Date();
      changed();
      if (held.has(daemon.node)) return;
      const wait = kept.backoff.next();
      log.warn({ node: daemon.node, process: daemon.name, code, signal, lived, wait }, 'ended; starting it again');
      setTimeout(() => {
        if (held.has(daemon.node) || kept.child !== undefined) return; // its node went off, or off and on, meanwhile
        kept.restarts += 1;
        launch(kept).catch((error: unknown) =>
          log.error({ node: daemon.node, process: daemon.name, err: error }, 'not restored after its start'),
        );
      }, wait);
    });
    changed();
    if (child.pid === undefined) return;
    if (daemon.name === 'ovs-vswitchd') await preferred(child.pid);
    await kept.afterStart(child.pid);
  };

  return {
    async start(daemon, afterStart = () => Promise.resolve()) {
      const kept: Kept = { daemon, afterStart, backoff: createBackoff(80, 2_000), restarts: 0, since: new Date() };
      all.push(kept);
      await launch(kept);
    },
    hold(node) {
      held.add(node);
    },
    async release(node) {
      held.delete(node);
      for (const kept of all.filter(({ daemon }) => daemon.node === node)) {
        kept.backoff.reset();
        await launch(kept);
      }
    },
    statuses: () =>
      all.map(({ daemon, child, restarts, since }) => ({
        node: daemon.node,
        name: daemon.name,
        ...(child?.pid === undefined ? {} : { pid: child.pid }),
        restarts,
        since: since.toISOString(),
      })),
  };
}
