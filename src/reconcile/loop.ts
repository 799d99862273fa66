// The loop that makes the world follow the intent: load, compile, write what differs, settle what was waited for.
// Level-triggered: a bell says only "look again"; a full pass by the clock finds what no bell told.
import { createBackoff } from '../lib/backoff.ts';
import { createBell } from '../lib/bell.ts';
import type { Log } from '../lib/log.ts';
import { sleep } from '../lib/sleep.ts';
import { assertSound } from '../compile/check.ts';
import { compile } from '../compile/compile.ts';
import type { Desired } from '../compile/desired.ts';
import { ownersOn } from '../compile/public-wire.ts';
import type { Intent, UnitKey } from '../model/intent.ts';
import type { Northbound } from '../ovn/northbound.ts';
import type { NodeReport } from '../protocol/document.ts';
import type { VpnStatus } from '../protocol/vpn.ts';
import type { IntentCache } from '../store/load.ts';
import type { Store } from '../store/open.ts';
import type { RouteState } from '../store/settle.ts';
import { sweep } from '../store/sweep.ts';
import { unseal } from '../store/seal.ts';
import { createDocuments, type Documents } from './documents.ts';
import { createLeaves } from './helper-leave.ts';
import { createPace } from './pace.ts';
import { createRouteWatch } from './routes.ts';
import { createSettling } from './settling.ts';
import type { Switches } from './switches.ts';
import { everybody, targetsOf } from './targets.ts';
import { createVpnRouteWatch } from './vpn-routes.ts';
import { toldVpns } from './vpn-watch.ts';

export interface ReconcileOptions {
  readonly store: Store;
  readonly cache: IntentCache;
  readonly northbound: Northbound;
  /** The loop over physical switches; without one they are not looked at. */
  readonly switches?: Switches;
  readonly log: Log;
  /** Called with each step that was applied, for the log an engineer reads. */
  readonly onStep?: (step: { readonly argv: readonly string[]; readonly reason: string }) => void;
  /** Milliseconds until a job whose target stays silent fails (default 60,000). */
  readonly jobLimitMs?: number;
  /** Milliseconds between full passes (default 60,000). */
  readonly fullPassMs?: number;
}

/** What anyone may read of the loop: the fifth line of the reconcile contract. */
export interface ReconcileStatus {
  /** ISO instant of the last pass that ended, successful or not. */
  lastRun: string | undefined;
  lastDurationMs: number;
  /** Generation last compiled and written. */
  desired: number;
  /** Generation up to which nothing is waited for any more. */
  realized: number;
  /** Why the last pass failed; undefined when it did not. */
  firstError: string | undefined;
  passes: number;
  writes: number;
  drift: number;
  /** Full passes that found something no bell had told: each is a bug of ours. */
  surprises: number;
  waiting: number;
}

export interface Reconciler {
  readonly documents: Documents;
  start(): void;
  /** A node reported: look again. */
  report(report: NodeReport): void;
  /** What of a report the node may tell of VPNs. */
  vpnsOf(report: NodeReport): readonly VpnStatus[];
  status(): Readonly<ReconcileStatus>;
  close(): Promise<void>;
}

/** The loop over one store and one OVN. Never runs twice at once; a ring during a pass means one pass more. */
export function createReconciler(options: ReconcileOptions): Reconciler {
  const { store, cache, northbound, log } = options;
  const jobLimitMs = options.jobLimitMs ?? 60_000;
  const fullPassMs = options.fullPassMs ?? 60_000;
  const bell = createBell();
  const stop = new AbortController();
  const backoff = createBackoff(200, 5_000);
  const pace = createPace();
  const documents = createDocuments((sealed) => unseal(store.sealKey, sealed));
  const leaves = createLeaves();
  const routes = createRouteWatch();
  const vpnRoutes = createVpnRouteWatch();
  /** Units touched by generations that are not written yet: kept when a pass fails. */
  const touched = new Map<number, ReadonlySet<UnitKey>>();
  /** Barrier at which a unit was last written. */
  const written = new Map<UnitKey, number>();
  /** What nodes would refuse, and was therefore not sent to them: each is logged once. */
  let withheld: ReadonlySet<string> = new Set();
  const status: ReconcileStatus = {
    lastRun: undefined,
    lastDurationMs: 0,
    desired: 0,
    realized: 0,
    firstError: undefined,
    passes: 0,
    writes: 0,
    drift: 0,
    surprises: 0,
    waiting: 0,
  };
  let desired: Desired | undefined;
  /** The intent that was compiled last. */
  let compiled: Intent | undefined;
  let barrier = 0;
  let lastFull = 0;
  let running: Promise<void> | undefined;

  const settling = createSettling({
    store,
    log,
    realizedAt: (chassis) => northbound.realizedAt(chassis),
    newBarrier: async () => (barrier = Math.max(barrier, await northbound.barrier())),
    switches: options.switches,
    jobLimitMs,
  });

  /** Whether there were changes to compile. */
  async function pass(): Promise<boolean> {
    const began = performance.now();
    const full = Date.now() - lastFull >= fullPassMs;
    // What changed is asked first: a full load cannot tell.
    const fresh = await cache.refresh();
    const { intent } = full && desired !== undefined ? await cache.reload() : fresh;
    for (const [generation, units] of fresh.dirty) touched.set(generation, units);
    const before = desired;
    // A full pass is to find nothing, so nobody's time ends in one.
    const now = compile(leaves.of(intent, full ? undefined : Date.now()), before);
    assertSound(now, intent.fabric, full ? undefined : before);
    const nodes = documents.update(intent);
    const faults = documents.faults();
    for (const text of new Set(faults.values()).difference(withheld))
      log.error({ fault: text }, 'not sent to its node');
    withheld = new Set(faults.values());
    const asked = (await options.switches?.update(intent)) ?? [];
    const applied = await northbound.apply(now, { full });
    desired = now;
    barrier = Math.max(barrier, applied.nbCfg ?? 0);
    /** Units OVN refused, and what it said. */
    const refused = new Map<UnitKey, string>(
      applied.failed.flatMap(({ unit, error }) => {
        const compiled = now.units.get(unit);
        return [unit, ...(compiled === undefined ? [] : ownersOn(compiled))].map((key) => [key, error] as const);
      }),
    );
    for (const { unit, error } of applied.failed)
      log.error({ unit, error }, 'OVN refused a unit; everything else was written');
    for (const step of applied.steps) options.onStep?.(step);
    for (const [key, unit] of now.units) {
      if (before?.units.get(key) === unit) continue;
      written.set(key, barrier);
      if (key.startsWith('vpc:')) routes.look([key.slice('vpc:'.length)]);
      vpnRoutes.look(key);
    }
    const places = { intent, now, documents, switches: options.switches };
    for (const [generation, units] of touched) {
      const targets = targetsOf(units, generation, { ...places, was: compiled, before });
      settling.expect(generation, { units, targets, nbCfg: barrier });
    }
    touched.clear();
    compiled = intent;
    if (full) {
      lastFull = Date.now();
      if (before !== undefined && applied.writes > 0 && applied.drift.length === 0 && fresh.dirty.size === 0)
        status.surprises++;
      await sweep(store, intent.generation);
    }
    status.writes += applied.writes;
    status.drift += applied.drift.length;
    status.desired = intent.generation;
    for (const entry of applied.drift)
      log.warn({ drift: entry }, 'drift: somebody else changed what is ours; it was put back');
    if (applied.writes > 0 || nodes.length > 0 || asked.length > 0) {
      const ms = Math.round(performance.now() - began);
      const { generation } = intent;
      log.info({ generation, nbCfg: applied.nbCfg, writes: applied.writes, nodes, switches: asked, ms }, 'applied');
    }
    const has = (key: UnitKey): boolean =>
      (now.units.get(key)?.chassis ?? []).every((name) => northbound.realizedAt(name) >= (written.get(key) ?? 0));
    let states: readonly RouteState[] = [];
    const settled = await settling.settle({
      intent,
      barrier,
      refused,
      faults,
      everybody: () => everybody(places),
      async routes() {
        states = routes.due(intent, now, (vpcId) => has(`vpc:${vpcId}`));
        await vpnRoutes.tell(store, intent, now, (key) => !refused.has(key) && has(key));
        return states;
      },
    });
    routes.told(states);
    Object.assign(status, settled);
    return fresh.dirty.size > 0;
  }

  async function run(): Promise<void> {
    // At the start OVN is usually there in a moment; its bell says when.
    if (!northbound.status().connected) await bell.wait(1_000, stop.signal);
    while (!stop.signal.aborted) {
      const began = performance.now();
      let pause: number | undefined;
      let found = false;
      try {
        found = await pass();
        status.firstError = undefined;
        backoff.reset();
      } catch (error) {
        status.firstError = error instanceof Error ? error.message : String(error);
        pause = backoff.next();
        log.error({ err: error, again: pause }, 'pass failed');
        await settling.failLate();
      }
      status.passes++;
      status.lastRun = new Date().toISOString();
      status.lastDurationMs = Math.round(performance.now() - began);
      // After a failure a bell (OVN is back) is heard early, but not in a tight circle.
      await sleep(pause === undefined ? pace.after(found) : 100, stop.signal);
      // While somebody waits, look often enough to end what takes too long.
      const idle = status.waiting > 0 ? 1_000 : Math.max(1_000, lastFull + fullPassMs - Date.now());
      await bell.wait(pause ?? Math.min(idle, leaves.due(Date.now()) ?? idle), stop.signal);
    }
  }

  return {
    documents,
    start() {
      store.write.onChange(() => bell.ring());
      northbound.onRealized(() => {
        if (settling.waits() || status.waiting > 0) bell.ring();
      });
      northbound.onForeignChange(() => bell.ring());
      options.switches?.onSeen(() => {
        if (settling.waits() || status.waiting > 0) bell.ring();
      });
      running = run();
    },
    report(report) {
      settling.report(report);
      bell.ring();
    },
    vpnsOf: (report) => (compiled === undefined ? [] : toldVpns(compiled, report)),
    status: () => status,
    async close() {
      stop.abort();
      await running;
      await options.switches?.close();
    },
  };
}
