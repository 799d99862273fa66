// The node program: takes the node's document from the server, makes it true, reports. It goes on without the server, and all it
// makes outlives it.
import { createServer } from 'node:net';
import { readlink } from 'node:fs/promises';
import { createBackoff } from '../lib/backoff.ts';
import { createBell, type Bell } from '../lib/bell.ts';
import { createLog, type Log } from '../lib/log.ts';
import { sleep } from '../lib/sleep.ts';
import {
  mayTake,
  PATHS,
  type InstanceStatus,
  type NodeDocument,
  type NodeReport,
  type RouterStatus,
} from '../protocol/document.ts';
import type { HelperStatus } from '../protocol/helper.ts';
import { nodeDocument, whatIsWrong } from '../protocol/schema.ts';
import { readAbilities, type Abilities } from './ability.ts';
import { hasOvs, readConfig, type AgentConfig, type OvsConfig } from './config.ts';
import { createAnnouncer } from './announce/driver.ts';
import { createHoldings, type Holdings } from './announce/holdings.ts';
import type { Driver } from './driver.ts';
import { readFacts } from './facts.ts';
import { writeWhole } from './file.ts';
import { createGuardDriver } from './guard/driver.ts';
import { createHelperDriver } from './helper/driver.ts';
import { identityOf, joinServer, readIdentity, readToken, type Identity } from './identity.ts';
import { keep, readKept } from './kept.ts';
import { accelerationOf, createLibvirtDriver, machineContext } from './libvirt/driver.ts';
import { createLoop, type Outcome } from './loop.ts';
import { createNetnsDriver } from './netns/driver.ts';
import { createOvsClient, type OvsClient } from './ovsdb.ts';
import { AnswerError, createPool, request } from './request.ts';
import { createRouterDriver, routerContext } from './router/driver.ts';
import { createScanner } from './scan/driver.ts';
import { createServiceDriver, serviceContext } from './services/driver.ts';
import { createStepLog } from './step.ts';
import { createTunnelDriver } from './tunnels.ts';

const WAIT_SECONDS = 25;
const REPORT_MS = 10_000;
const TOKEN_MS = 200;

export interface Agent {
  /** Stops looking and asking; everything made stays. */
  close(): Promise<void>;
}

/** The drivers, by what the configuration asks for. */
function driversOf(config: AgentConfig, ovs: OvsClient | undefined, room: Room, log: Log): Driver[] {
  const drivers: Driver[] = [];
  if (hasOvs(config) && ovs !== undefined && config.instances !== undefined) {
    drivers.push(createTunnelDriver(config, ovs, log), instanceDriver(config, config.instances, ovs, room));
    drivers.push(createAnnouncer(config, ovs, room), createScanner(config, ovs, room));
    drivers.push(createGuardDriver());
    drivers.push(createHelperDriver(config, ovs, room.holdings));
    drivers.push(createServiceDriver(serviceContext(config), ovs));
  }
  if (config.router !== undefined) drivers.push(createRouterDriver(routerContext(config, config.router, room), room));
  return drivers;
}

function instanceDriver(
  config: OvsConfig,
  instances: NonNullable<AgentConfig['instances']>,
  ovs: OvsClient,
  { accelerated }: Room,
): Driver {
  if (instances.driver === 'libvirt') return createLibvirtDriver(machineContext(config, instances), accelerated, ovs);
  return createNetnsDriver({ node: config.node, directory: instances.directory, database: config.ovs.database }, ovs);
}

/** What drivers are given besides the configuration. */
interface Room {
  /** Whether virtual machines run on the node's CPU and not emulated. */
  readonly accelerated: boolean;
  readonly abilities: Abilities;
  /** Rung by a driver that saw something change. */
  readonly bell: Bell;
  readonly signal: AbortSignal;
  /** Whether an instance was running at the last look. */
  readonly runs: (instanceId: string) => boolean;
  /** Which router ports are here. */
  readonly holdings: Holdings;
  readonly log: Log;
}

/** Starts an agent in this process. Joins when a token comes, works from the kept document until then. */
export async function createAgent(config: AgentConfig, log: Log): Promise<Agent> {
  const lock = await lockState(config.state);
  const stop = new AbortController();
  const { signal } = stop;
  const work = createBell();
  const news = createBell();
  const pool = createPool();
  const ovs = hasOvs(config) ? createOvsClient(config.ovs.database, work, log) : undefined;
  const { instances } = config;
  const machines = instances?.driver === 'libvirt' ? await accelerationOf(instances, config.state) : undefined;
  const abilities = { ...(await readAbilities()), ...(machines === undefined ? {} : { kvm: machines.kvm }) };
  const facts = await readFacts(config, abilities);
  const runs = (id: string): boolean =>
    outcome?.instances.some((instance) => instance.id === id && instance.power === 'running') === true;
  const drivers = driversOf(
    config,
    ovs,
    {
      accelerated: machines?.accelerated === true,
      abilities,
      bell: work,
      signal,
      runs,
      holdings: createHoldings(work),
      log,
    },
    log,
  );
  const loop = createLoop(drivers, work, createStepLog(config.state, config.node), log);

  let document = await readKept(config.state, log);
  if (document !== undefined && document.node !== config.node) document = undefined;
  let identity: Identity | undefined;
  let outcome: Outcome | undefined;
  let realized = 0;
  let refused: string | undefined;

  function tell(next: Outcome): void {
    const before = JSON.stringify(contentOf(outcome));
    outcome = next;
    const advanced = next.realized !== undefined && next.realized !== realized;
    if (next.realized !== undefined) realized = next.realized;
    if (advanced) log.info({ generation: realized }, 'document is true');
    if (advanced || before !== JSON.stringify(contentOf(next))) news.ring();
  }

  /** Identity, joining when need be. Undefined when stopped before a token came. */
  async function identify(): Promise<Identity | undefined> {
    const backoff = createBackoff(200, 5000);
    let said = '';
    while (!signal.aborted) {
      const kept = await readIdentity(config);
      if (kept !== undefined) return kept;
      const token = await readToken(config.tokenFile);
      if (token === undefined) {
        if (said === '') log.info({ file: config.tokenFile }, (said = 'waiting for a join token'));
        await sleep(TOKEN_MS, signal);
        continue;
      }
      try {
        const joined = await joinServer(config, token);
        log.info({ server: config.server }, 'joined');
        return joined;
      } catch (error) {
        const { message } = error as Error;
        if (message !== said) log.error({ err: message }, 'cannot join; trying again');
        said = message;
        await sleep(backoff.next(), signal);
      }
    }
    return undefined;
  }

  /** Fetches documents for ever. */
  async function fetchAll(): Promise<void> {
    const backoff = createBackoff(100, 2000);
    let said = '';
    while (!signal.aborted) {
      identity ??= await identify();
      if (identity === undefined) return;
      try {
        const path = `${PATHS.document}?have=${document?.generation ?? -1}&wait=${WAIT_SECONDS}`;
        const answer = await request(config.server, identity, 'GET', path, {
          timeoutMs: (WAIT_SECONDS + 10) * 1000,
          signal,
          agent: pool,
        });
        if (said !== '') log.info({ server: config.server }, 'the server answers again');
        said = '';
        if (answer === undefined || (await take(answer))) backoff.reset();
        else await sleep(backoff.next(), signal);
      } catch (error) {
        if (signal.aborted) return;
        const { message } = error as Error;
        if (message !== said)
          log.warn({ server: config.server, err: message }, 'no document; going on with the last one');
        said = message;
        // Not known there any more: with a new token the node joins anew.
        if (error instanceof AnswerError && (error.status === 401 || error.status === 403))
          identity = await readIdentity(config);
        await sleep(backoff.next(), signal);
      }
    }
  }

  /** Takes a document unless it is malformed, another node's or older than the one there is. */
  async function take(answer: unknown): Promise<boolean> {
    const parsed = nodeDocument.safeParse(answer);
    const have = document?.generation ?? -1;
    const wrong = !parsed.success
      ? `the server's document is not as agreed: ${whatIsWrong(parsed.error)}`
      : parsed.data.node !== config.node
        ? `the server sent the document of ${parsed.data.node} to ${config.node}`
        : mayTake(have, parsed.data.generation)
          ? undefined
          : `the server offers generation ${parsed.data.generation}, older than ${have}, which ${config.node} has`;
    if (wrong !== refused) {
      refused = wrong;
      news.ring();
    }
    if (!parsed.success || wrong !== undefined) {
      log.error({ reason: wrong }, 'document refused');
      return false;
    }
    const next: NodeDocument = parsed.data;
    await keep(config.state, next);
    document = next;
    log.info({ generation: next.generation, instances: next.instances.length }, 'document taken');
    work.ring();
    return true;
  }

  /** Reports whenever there is news, and every ten seconds. */
  async function reportAll(): Promise<void> {
    const backoff = createBackoff(100, 2000);
    while (!signal.aborted) {
      if (identity !== undefined && outcome !== undefined) {
        const error = refused ?? outcome.error;
        const report: NodeReport = {
          node: config.node,
          generation: realized,
          instances: outcome.instances.map(told),
          facts: facts(attemptRead(ovs)),
          ...(config.router === undefined ? {} : { routers: outcome.routers.map(shortened) }),
          ...(outcome.receipts.length === 0 ? {} : { receipts: outcome.receipts }),
          ...(outcome.scans.length === 0 ? {} : { scans: outcome.scans }),
          ...(outcome.taken.length === 0 ? {} : { taken: outcome.taken }),
          ...(outcome.helpers.length === 0 ? {} : { helpers: outcome.helpers.map(cut) }),
          ...(error === undefined ? {} : { error: error.slice(0, 2000) }),
        };
        try {
          await request(config.server, identity, 'POST', PATHS.report, {
            body: report,
            timeoutMs: 10_000,
            signal,
            agent: pool,
          });
          backoff.reset();
        } catch (reason) {
          log.debug({ err: (reason as Error).message }, 'report not delivered');
          await sleep(backoff.next(), signal);
          news.ring();
        }
      }
      await news.wait(outcome === undefined || identity === undefined ? 100 : REPORT_MS, signal);
    }
  }

  const running = Promise.all([fetchAll(), reportAll(), loop.run(() => document, tell, signal)]);
  return {
    async close() {
      stop.abort();
      await running;
      ovs?.close();
      pool.destroy();
      lock.close();
    },
  };
}

/** What is worth a report at once when it changes. */
function contentOf(outcome: Outcome | undefined): unknown {
  return [
    outcome?.error,
    outcome?.instances,
    outcome?.routers,
    outcome?.receipts,
    outcome?.scans,
    // Who is connected, and not how much came and went.
    outcome?.helpers.map(({ id, active, error, vpns = [] }) => [
      id,
      active,
      error,
      vpns.map((vpn) => [vpn.id, vpn.state, vpn.reason, vpn.clients?.map((client) => [client.id, client.from])]),
    ]),
    outcome?.taken,
  ];
}

/** Runs the node program until it is told to end (SIGTERM, SIGINT). Throws a sentence when it cannot start. */
export async function runAgent(configFile: string): Promise<never> {
  const config = readConfig(configFile);
  await checkMountNamespace();
  const log = createLog('agent').child({ node: config.node });
  const agent = await createAgent(config, log);
  const { promise, resolve } = Promise.withResolvers<void>();
  for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, () => resolve());
  await promise;
  await agent.close();
  process.exit(0);
}

/**
 * Joins by hand: the token as an argument instead of a file. The agent takes the certificate at its next start. A certificate that this
 * token got and the server still takes stays: the token works only once. Gives which of the two it was.
 */
export async function joinAgent(options: { readonly configFile: string; readonly token: string }): Promise<string> {
  const config = readConfig(options.configFile);
  const token = options.token.trim();
  // One of before that lies there would be tried instead.
  if ((await readToken(config.tokenFile)) !== undefined) await writeWhole(config.tokenFile, `${token}\n`, 0o600);
  const kept = await identityOf(config, token);
  if (kept !== undefined && (await isTaken(config, kept))) return 'joined already: the certificate is good and stays';
  await joinServer(config, token);
  return 'joined';
}

/** Whether the server takes this certificate. One that does not answer is for the caller to find. */
async function isTaken(config: AgentConfig, identity: Identity): Promise<boolean> {
  const asked = request(config.server, identity, 'GET', `${PATHS.document}?have=-1&wait=0`, { timeoutMs: 10_000 });
  return asked.then(
    () => true,
    () => false,
  );
}

/** One agent a state folder: an abstract unix socket is let go by the kernel, however the holder ends. */
async function lockState(state: string): Promise<{ close(): void }> {
  const server = createServer((socket) => socket.destroy());
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (error: NodeJS.ErrnoException) => {
    reject(error.code === 'EADDRINUSE' ? new Error(`another agent runs with the state folder ${state}`) : error);
  });
  server.listen(`\0trunkline-agent${state}`.slice(0, 100), resolve);
  await promise;
  server.unref();
  return server;
}

/** Namespaces of instances are mounts: made in a mount namespace of the agent's own, nobody else would see them, its successor included. */
async function checkMountNamespace(): Promise<void> {
  const [own, first] = await Promise.all([readlink('/proc/self/ns/mnt'), readlink('/proc/1/ns/mnt')]);
  if (own === first) return;
  throw new Error(
    'the agent runs in a mount namespace of its own (as under `ip netns exec`), where the instances it makes would be lost: start it with `nsenter --net=/run/netns/NAME`',
  );
}

/** What is wrong with an instance may quote a long command; a report with a text that is too long is refused as a whole. */
function told({ error, note, ...status }: InstanceStatus): InstanceStatus {
  return {
    ...status,
    ...(error === undefined ? {} : { error: error.slice(0, 2000) }),
    ...(note === undefined ? {} : { note: note.slice(0, 2000) }),
  };
}

function cut({ error, ...status }: HelperStatus): HelperStatus {
  return { ...status, ...(error === undefined ? {} : { error: error.slice(0, 2000) }) };
}

/** A report's texts have an end; a hundred findings say enough. */
function shortened(status: RouterStatus): RouterStatus {
  const findings = status.findings.slice(0, 100).map((text) => text.slice(0, 2000));
  const { error } = status;
  return { ...status, findings, ...(error === undefined ? {} : { error: error.slice(0, 2000) }) };
}

function attemptRead(ovs: OvsClient | undefined): ReturnType<OvsClient['read']> | undefined {
  try {
    return ovs?.read();
  } catch {
    return undefined;
  }
}
