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
import { maintenanceOf } from '../store/maintenance.ts';
import type { Store } from '../store/open.ts';
import { type Pending, failJobs, pending, settle, sweep } from '../store/settle.ts';
import { unseal } from '../store/seal.ts';
import { createDocuments, type Documents } from './documents.ts';
import { helperErrors, helperNodes } from './helper-documents.ts';
import { createLeaves } from './helper-leave.ts';
import { homesOf } from './homes.ts';
import { routerErrors } from './router-errors.ts';
import { createPace } from './pace.ts';
import { createRouteWatch } from './routes.ts';
import type { SwitchTarget, Switches } from './switches.ts';
import { standIns } from './stand-in.ts';
import { createVpnRouteWatch } from './vpn-routes.ts';
import { toldVpns } from './vpn-watch.ts';
import { type Awaited, type Targets, type World, judge } from './waiting.ts';

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
  /** Milliseconds a settled job can be asked for (default one day). */
  readonly jobKeepMs?: number;
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

/** The command whose job waits for a host to be empty; many instances on their way one after the other take their time. */
const EMPTY_HOST = 'prepareHostForMaintenance';
const EMPTY_HOST_MS = 3_600_000;
const NOTHING: ReadonlyMap<string, string> = new Map();

/** The loop over one store and one OVN. Never runs twice at once; a ring during a pass means one pass more. */
export function createReconciler(options: ReconcileOptions): Reconciler {
  const { store, cache, northbound, log } = options;
  const jobLimitMs = options.jobLimitMs ?? 60_000;
  const fullPassMs = options.fullPassMs ?? 60_000;
  const jobKeepMs = options.jobKeepMs ?? 86_400_000;
  const bell = createBell();
  const stop = new AbortController();
  const backoff = createBackoff(200, 5_000);
  const pace = createPace();
  const documents = createDocuments((sealed) => unseal(store.sealKey, sealed));
  const leaves = createLeaves();
  const routes = createRouteWatch();
  const vpnRoutes = createVpnRouteWatch();
  const reports = new Map<string, NodeReport>();
  const awaited = new Map<number, Awaited>();
  /** Units touched by generations that are not written yet: kept when a pass fails. */
  const touched = new Map<number, ReadonlySet<UnitKey>>();
  /** Barrier at which a unit was last written. */
  const written = new Map<UnitKey, number>();
  /** Scans that have not been answered, and what their jobs wait for. */
  let questions: ReadonlyMap<string, string> = new Map();
  /** Hosts that jobs want empty, and what is left on them. */
  let emptying: ReadonlyMap<string, string> = new Map();
  /** What router nodes could not make true, by what it is about. */
  let routing: ReadonlyMap<string, string> = new Map();
  /** What nodes would refuse, and was therefore not sent to them: each is logged once. */
  let withheld: ReadonlySet<string> = new Set();
  /** Units OVN refused, and what it said. */
  let refused = new Map<UnitKey, string>();
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
  /** Nodes that count as Down. */
  let down: ReadonlySet<string> = new Set();
  let barrier = 0;
  let lastFull = 0;
  let running: Promise<void> | undefined;

  const world: World = {
    realizedAt: (chassis) => northbound.realizedAt(chassis),
    reportedBy: (node) => reports.get(node)?.generation ?? -1,
    errorOf: (node) => reports.get(node)?.error,
    isDown: (node) => down.has(node),
    switchStanding: (id) => options.switches?.standing(id),
    errorOfInstance(id) {
      for (const report of reports.values()) {
        const error = report.instances.find((instance) => instance.id === id)?.error;
        if (error !== undefined) return error;
      }
      return undefined;
    },
    openQuestion: (id) => questions.get(id) ?? emptying.get(id),
    errorOfRouter: (id) => routing.get(id),
    refusalOf: (unit) => refused.get(unit),
  };

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
    questions = questionsOf(intent);
    routing = new Map([...routerErrors(intent, reports), ...helperErrors(intent, reports), ...faults]);
    down = new Set([...intent.hosts.values()].filter((host) => host.down === true).map(({ name }) => name));
    const asked = (await options.switches?.update(intent)) ?? [];
    const applied = await northbound.apply(now, { full });
    desired = now;
    barrier = Math.max(barrier, applied.nbCfg ?? 0);
    refused = new Map(
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
    for (const [generation, units] of touched) {
      awaited.set(generation, { units, targets: targetsOf(units, generation, intent, now, before), nbCfg: barrier });
    }
    touched.clear();
    compiled = intent;
    if (full) {
      lastFull = Date.now();
      if (before !== undefined && applied.writes > 0 && applied.drift.length === 0 && fresh.dirty.size === 0)
        status.surprises++;
      await sweep(store, jobKeepMs, intent.generation);
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
    await settleRealized(intent, now);
    return fresh.dirty.size > 0;
  }

  /**
   * Whom a change of these units at this generation concerns: where they are, where they were, the nodes whose documents changed,
   * and the switches of which it asked something (others may be broken for long; that holds up nobody).
   */
  function targetsOf(
    units: Iterable<UnitKey>,
    generation: number,
    intent: Intent,
    now: Desired,
    before?: Desired,
  ): Targets {
    const chassis = new Set<string>();
    const homes = new Set<string>();
    const nodes = new Map<string, number>();
    const others = new Map<string, readonly (readonly string[])[]>();
    const switches: SwitchTarget[] = [];
    for (const key of units) {
      if (key.startsWith('switch:')) {
        const target = options.switches?.target(key.slice('switch:'.length), generation);
        if (target !== undefined) switches.push(target);
      }
      for (const unit of [now.units.get(key), before?.units.get(key)])
        for (const name of unit?.chassis ?? []) chassis.add(name);
      for (const name of homesOf(key, intent)) homes.add(name);
      const group = helperNodes(key, intent);
      for (const name of group) {
        const document = documents.get(name);
        if (document === undefined) continue;
        nodes.set(name, document.generation);
        // Whoever of the group has it can carry it: a gateway that is Down takes it when it is back.
        others.set(name, [...(others.get(name) ?? []), group.filter((other) => other !== name)]);
      }
      const host = key.startsWith('host:') ? intent.hosts.get(key.slice('host:'.length)) : undefined;
      const document = host === undefined ? undefined : documents.get(host.name);
      if (host === undefined || document === undefined) continue;
      nodes.set(document.node, document.generation);
      const networks = standIns(host, compiled?.hosts.get(host.id));
      if (networks !== undefined) others.set(document.node, [...(others.get(document.node) ?? []), ...networks]);
    }
    const joined = new Set(intent.fabric.chassis.map(({ name }) => name));
    return { chassis: chassis.intersection(joined), homes, nodes, standIns: others, switches };
  }

  /** From before a restart: whom it concerned is not known any more, so it waits for everybody. */
  function everybody(intent: Intent, now: Desired): Targets {
    const hosts = [...intent.hosts.keys()].map((id) => `host:${id}`);
    const switches = [...intent.switches.keys()].map((id) => `switch:${id}`);
    return targetsOf([...now.units.keys(), ...hosts, ...switches], 0, intent, now);
  }

  async function settleRealized(intent: Intent, now: Desired): Promise<void> {
    const waiting = (await pending(store)).filter(({ generation }) => generation <= intent.generation);
    const toEmpty = waiting.some(({ jobs }) => jobs.some(({ cmd }) => cmd === EMPTY_HOST));
    emptying = toEmpty ? await maintenanceOf(store.db) : NOTHING;
    const realized: Pending[] = [];
    const without = new Map<number, readonly string[]>();
    const confirm: number[] = [];
    for (const entry of waiting) {
      const { generation } = entry;
      const target = awaited.get(generation) ?? { units: new Set(), targets: everybody(intent, now), nbCfg: barrier };
      awaited.set(generation, target);
      const about = entry.jobs.flatMap(({ about: id }) => (id === null ? [] : [id]));
      const verdict = judge(target, world, about);
      if (verdict.kind === 'realized') {
        realized.push(entry);
        if (verdict.without !== undefined) without.set(generation, verdict.without);
      } else if (verdict.kind === 'confirm') confirm.push(generation);
      else await failLate(entry, verdict.for);
    }
    if (confirm.length > 0) {
      barrier = Math.max(barrier, await northbound.barrier());
      for (const generation of confirm) awaited.set(generation, { ...awaited.get(generation)!, confirmAt: barrier });
    }
    const has = (key: UnitKey): boolean =>
      (now.units.get(key)?.chassis ?? []).every((name) => northbound.realizedAt(name) >= (written.get(key) ?? 0));
    const states = routes.due(intent, now, (vpcId) => has(`vpc:${vpcId}`));
    await vpnRoutes.tell(store, intent, now, (key) => !refused.has(key) && has(key));
    await settle(
      store,
      realized.map(({ generation }) => generation),
      states,
    );
    routes.told(states);
    for (const { generation, jobs } of realized) {
      const targets = [...(awaited.get(generation)?.targets.chassis ?? [])];
      const silent = without.get(generation);
      awaited.delete(generation);
      for (const job of jobs) {
        const fields = { request: job.request, job: job.id, command: job.cmd, generation, targets };
        if (silent === undefined) log.info(fields, 'realized');
        else
          log.warn(
            { ...fields, down: silent },
            `realized without ${silent.join(', ')}, which is Down: the other router node of each network has the change`,
          );
      }
    }
    const open = waiting.filter((entry) => !realized.includes(entry));
    const stillOpen = new Set(open.map(({ generation }) => generation));
    for (const generation of awaited.keys()) if (!stillOpen.has(generation)) awaited.delete(generation);
    status.waiting = open.length;
    status.realized = open[0] === undefined ? intent.generation : open[0].generation - 1;
  }

  const limitOf = (cmd: string): number => (cmd === EMPTY_HOST ? EMPTY_HOST_MS : jobLimitMs);

  async function failLate({ generation, jobs }: Pending, waitsFor: string): Promise<void> {
    const late = jobs.filter(({ cmd, created }) => Date.now() - Date.parse(created) > limitOf(cmd));
    if (late.length === 0) return;
    for (const job of late)
      log.error({ request: job.request, job: job.id, generation, waitsFor }, 'job failed: a target stays silent');
    const text = `not realized within ${Math.round(limitOf(late[0]!.cmd) / 1000)} s: waiting for ${waitsFor}. The change is kept and will be made as soon as the target answers`;
    await failJobs(
      store,
      late.map(({ id }) => id),
      text,
    );
  }

  /** While no pass succeeds, nothing else would end the jobs that wait. */
  async function failAllLate(): Promise<void> {
    try {
      for (const entry of await pending(store))
        await failLate(entry, 'the network engine, which takes no changes now; the log and /readyz say why');
    } catch (error) {
      log.error({ err: error }, 'could not look for jobs that wait too long');
    }
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
        await failAllLate();
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
        if (awaited.size > 0 || status.waiting > 0) bell.ring();
      });
      northbound.onForeignChange(() => bell.ring());
      options.switches?.onSeen(() => {
        if (awaited.size > 0 || status.waiting > 0) bell.ring();
      });
      running = run();
    },
    report(report) {
      reports.set(report.node, report);
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

function questionsOf(intent: Intent): ReadonlyMap<string, string> {
  const open = [...intent.hosts.values()].flatMap(({ name, scans }) =>
    scans.map(({ id, cidr }) => [id, `node ${name} to scan ${cidr}`] as const),
  );
  return new Map(open);
}
