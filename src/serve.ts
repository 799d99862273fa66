// The server: opens the state, starts the loop, the nodes' channel, the API and the metrics, in the order in which each can
// already be useful. The API answers before OVN does; what is accepted meanwhile is realized when OVN comes.
import { appendFileSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createApp } from './api/app.ts';
import { serveApi } from './api/serve.ts';
import { bootstrap } from './commands/server/bootstrap.ts';
import { createRegistry } from './commands/index.ts';
import { expungeOverdue } from './commands/instance/instance-destroy.ts';
import { createAccounts } from './commands/account/session.ts';
import { createEvacuation } from './commands/zone/host-evacuation.ts';
import { createLog } from './lib/log.ts';
import { serveMetrics } from './metrics.ts';
import { createNorthbound } from './ovn/northbound.ts';
import { createChannel } from './reconcile/channel.ts';
import { createReconciler } from './reconcile/loop.ts';
import { openPki } from './reconcile/pki.ts';
import { createReturning } from './reconcile/returning.ts';
import { createSwitches } from './reconcile/switches.ts';
import { createVpnWatch } from './reconcile/vpn-watch.ts';
import { recordAll } from './record-report.ts';
import { type Credential, type ServerState, openServerState } from './server-state.ts';
import { recordClaims } from './store/gateway-claims.ts';
import { tellGatewayFindings } from './store/gateway-findings.ts';
import { SILENT_MS, acceptJoin, isCurrent, markDown } from './store/hosts.ts';
import { createIntentCache } from './store/load.ts';
import { type Store, openStore } from './store/open.ts';
import { readNumber } from './store/setting.ts';
import { renewVpns } from './vpn-renewal.ts';
import { reviewSwitch } from './switches/review.ts';

export interface ServeOptions {
  /** State folder; the server keeps its own in `server/` below it. */
  readonly state: string;
  /** Address the API listens on (default 127.0.0.1). */
  readonly host?: string;
  /** 0: any free one, the same again after a restart. */
  readonly port: number;
  /** PEM files: with them the API speaks TLS. */
  readonly tls?: { readonly certificate: string; readonly key: string };
  readonly metricsPort: number;
  /** Northbound and southbound database: unix:PATH, tcp:HOST:PORT. */
  readonly nb: string;
  readonly sb: string;
  /** Where agents reach us: unix:PATH or HOST:PORT. */
  readonly agents: string;
  /** postgres://… ; by default a file in the state folder. */
  readonly database?: string;
  /** Make the demo's domains and accounts, and write access.json. */
  readonly demoAccounts: boolean;
}

/** How long commands without a job wait for their change: less than clients wait for an answer. */
const PATIENCE_MS = 10_000;
const EXPUNGE_EVERY_MS = 60_000;
const EMPTY_EVERY_MS = 500;
const FINDINGS_EVERY_MS = 15_000;
/** The steps' log starts anew at this size, keeping one older part. */
const STEPS_BYTES = 4 * 1024 * 1024;

/** Serves until SIGTERM or SIGINT. Throws a sentence when it cannot start. */
export async function serve(options: ServeOptions): Promise<void> {
  const log = createLog('server');
  const own = openServerState(options.state);
  const [pki, { store, credentials }] = await Promise.all([openPki(join(own.folder, 'pki')), openState(options, own)]);

  const northbound = createNorthbound({ nb: options.nb, sb: options.sb, log });
  const onStep = stepWriter(join(own.folder, 'steps.log'));
  const reconciler = createReconciler({
    store,
    cache: createIntentCache(store),
    northbound,
    switches: createSwitches({ store, review: reviewSwitch, log, onStep }),
    log,
    onStep,
  });
  const metrics = await serveMetrics({ port: options.metricsPort, reconciler, northbound });
  const vpns = createVpnWatch(store);
  const channel = await createChannel({
    listen: options.agents,
    pki,
    documents: reconciler.documents,
    hosts: {
      acceptJoin: (node, secret, serial) => acceptJoin(store, node, secret, serial),
      isCurrent: (node, serial) => isCurrent(store, node, serial),
      async report(report) {
        reconciler.report(report);
        await recordAll(store, vpns, report, reconciler.vpnsOf);
      },
    },
    log,
  });
  const house = { store, log, caFingerprint: pki.fingerprint, patienceMs: PATIENCE_MS };
  const app = createApp({
    registry: createRegistry(house),
    accounts: createAccounts(house),
    log,
    onRequest: metrics.request,
  });
  const api = await serveApi(app, {
    port: own.portFor(options.port),
    ...(options.host === undefined ? {} : { host: options.host }),
    ...(options.tls === undefined ? {} : { tls: options.tls }),
  });
  own.keepPort(api.port);
  own.keepMetrics(metrics.port);
  own.writeAccess(api.url, credentials);

  // An OVN that is too old will not get younger: the reason is the last thing we say. One that is away is waited for.
  reconciler.start();
  const notKept = (error: unknown): void => log.error({ err: error }, 'could not keep which node carries which router');
  northbound.onClaims((changed, gone) => void recordClaims(store, changed, { gone }).catch(notKept));
  const started = northbound.start();
  started.then(
    () => recordClaims(store, northbound.claims(), { whole: true }).catch(notKept),
    () => undefined,
  );
  started.catch((error: unknown) => {
    process.stderr.write(`trunkline: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exit(1);
  });
  const began = Date.now();
  const watch = setInterval(() => {
    // Whoever could not report while no server was here is not silent: gateways would be taken from nodes that are well.
    if (Date.now() - began < SILENT_MS) return;
    markDown(store, SILENT_MS).then(
      (names) => {
        for (const node of names)
          log.warn({ node }, `node ${node} has been silent for ${SILENT_MS / 1000} s: it counts as Down`);
      },
      (error: unknown) => log.error({ err: error }, 'could not look for silent nodes'),
    );
  }, 5_000);
  const listening = setInterval(() => {
    vpns.look().catch((error: unknown) => log.error({ err: error }, 'could not look for VPNs that nobody tells of'));
  }, 5_000);
  const renewing = (): void =>
    void renewVpns(store).catch((error: unknown) =>
      log.error({ err: error }, 'could not renew the certificates of VPNs: trying again in an hour'),
    );
  renewing();
  const renewal = setInterval(renewing, 3_600_000);
  const returning = createReturning(store, (node) => {
    const { sbCfg, chassis } = northbound.status();
    return chassis[node]?.registered === true && chassis[node].nbCfg >= sbCfg;
  });
  const back = setInterval(() => {
    returning.look().then(
      (names) => {
        for (const node of names) log.info({ node }, 'gateway node is well again: it gets back what it carried');
      },
      (error: unknown) => log.error({ err: error }, 'could not look for gateway nodes that are back'),
    );
  }, 1_000);
  const expunge = setInterval(() => {
    expungeInstances(store).then(
      (count) => {
        if (count > 0) log.info({ count }, 'destroyed instances expunged');
      },
      (error: unknown) => log.error({ err: error }, 'could not expunge destroyed instances'),
    );
  }, EXPUNGE_EVERY_MS);
  let told: ReadonlySet<string> = new Set();
  const findings = setInterval(() => {
    tellGatewayFindings(store, told).then(
      (found) => {
        for (const text of found.difference(told)) log.warn(text);
        told = found;
      },
      (error: unknown) => log.error({ err: error }, 'could not look for what is wrong with gateway nodes'),
    );
  }, FINDINGS_EVERY_MS);
  const evacuation = createEvacuation(store, log);
  const empty = setInterval(() => {
    evacuation.look().then(
      (names) => {
        for (const node of names) log.info({ node }, 'host is empty and in Maintenance');
      },
      (error: unknown) => log.error({ err: error }, 'could not empty hosts that are to go into maintenance'),
    );
  }, EMPTY_EVERY_MS);
  log.info({ endpoint: api.url, metrics: metrics.port, agents: channel.address }, 'serving');

  await new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
  clearInterval(watch);
  clearInterval(listening);
  clearInterval(renewal);
  clearInterval(expunge);
  clearInterval(back);
  clearInterval(empty);
  clearInterval(findings);
  metrics.close();
  await api.close();
  await channel.close();
  await reconciler.close();
  northbound.close();
  await store.close();
  log.info('ended');
}

async function openState(
  { database, demoAccounts }: ServeOptions,
  { folder, sealKey }: ServerState,
): Promise<{ store: Store; credentials: Readonly<Record<string, Credential>> }> {
  const store = await openStore(database ?? join(folder, 'trunkline.db'), sealKey);
  const { credentials } = await bootstrap(store, { demo: demoAccounts });
  return { store, credentials };
}

/** Expunges instances that were destroyed longer ago than the setting `expunge.delay` (seconds) says. */
async function expungeInstances(store: Store): Promise<number> {
  const seconds = await readNumber(store.db, 'expunge.delay');
  return expungeOverdue(store, new Date(Date.now() - seconds * 1000).toISOString());
}

/** Appends each applied step as one line an engineer can read and type. */
function stepWriter(file: string): (step: { readonly argv: readonly string[]; readonly reason: string }) => void {
  return ({ argv, reason }) => {
    if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) > STEPS_BYTES) renameSync(file, `${file}.1`);
    appendFileSync(file, `${argv.map(quoted).join(' ')}     # ${reason}\n`);
  };
}

function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
