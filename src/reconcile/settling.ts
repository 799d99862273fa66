// Ends what waits: after each pass it judges every generation on its way by what chassis, nodes and switches have said since, settles
// those that are realized, asks for one barrier more where that is needed, and fails the jobs whose targets stay silent.
import type { Log } from '../lib/log.ts';
import type { Intent, UnitKey } from '../model/intent.ts';
import type { NodeReport } from '../protocol/document.ts';
import { maintenanceOf } from '../store/maintenance.ts';
import type { Store } from '../store/open.ts';
import { readNumber } from '../store/setting.ts';
import { type Pending, type RouteState, failJobs, pending, settle } from '../store/settle.ts';
import { helperErrors } from './helper-documents.ts';
import { routerErrors } from './router-errors.ts';
import type { Switches } from './switches.ts';
import { stillThere } from './targets.ts';
import { type Awaited, type Targets, type WaitsFor, type World, judge } from './waiting.ts';

export interface SettlingOptions {
  readonly store: Store;
  readonly log: Log;
  /** The nb_cfg a chassis has reported. */
  readonly realizedAt: (chassis: string) => number;
  /** Sends a barrier through OVN; gives its nb_cfg. */
  readonly newBarrier: () => Promise<number>;
  readonly switches?: Pick<Switches, 'standing'> | undefined;
  /** Milliseconds until a job whose target stays silent fails. */
  readonly jobLimitMs: number;
}

/** What a pass has made, by which is judged what waits for it. */
export interface Made {
  readonly intent: Intent;
  /** The nb_cfg by which all of it is written. */
  readonly barrier: number;
  /** Units OVN refused, and what it said. */
  readonly refused: ReadonlyMap<UnitKey, string>;
  /** What is not in a node's document as it was meant, by what it is about. */
  readonly faults: ReadonlyMap<string, string>;
  /** Whom a generation concerns of which nothing is known any more. */
  readonly everybody: () => Targets;
  /** How routes fare; asked once it is known what is realized, and told with it. */
  readonly routes: () => Promise<readonly RouteState[]>;
}

export interface Settling {
  /** The last thing a node said. */
  report(report: NodeReport): void;
  /** A generation is written: what it touched, whom it concerns, and by which barrier. */
  expect(generation: number, awaited: Awaited): void;
  /** Whether anything is on its way. */
  waits(): boolean;
  /** Judges and ends; gives how many generations are still waited for, and up to which nothing is. */
  settle(made: Made): Promise<{ readonly waiting: number; readonly realized: number }>;
  /** While no pass succeeds, nothing else would end the jobs that wait. */
  failLate(): Promise<void>;
}

/** The command whose job waits for a host to be empty; many instances on their way one after the other take their time. */
const EMPTY_HOST = 'prepareHostForMaintenance';
const NOTHING: ReadonlyMap<string, string> = new Map();

export function createSettling(options: SettlingOptions): Settling {
  const { store, log, jobLimitMs } = options;
  const reports = new Map<string, NodeReport>();
  const awaited = new Map<number, Awaited>();

  /** `emptying`: hosts that jobs want empty, and what is left on them. */
  function worldOf({ intent, refused, faults }: Made, emptying: ReadonlyMap<string, string>): World {
    const routing = new Map([...routerErrors(intent, reports), ...helperErrors(intent, reports), ...faults]);
    const down = new Map(
      [...intent.hosts.values()].filter((host) => host.down === true).map((host) => [host.name, host]),
    );
    const questions = questionsOf(intent);
    return {
      realizedAt: options.realizedAt,
      reportedBy: (node) => reports.get(node)?.generation ?? -1,
      errorOf: (node) => reports.get(node)?.error,
      isDown: (node) => down.has(node),
      switchStanding: (id) => options.switches?.standing(id),
      errorOfInstance(id) {
        for (const { node, instances } of reports.values()) {
          // What a silent node said last of one that has left it is not how it is.
          if (down.get(node)?.instances.some((instance) => instance.id === id) === false) continue;
          const error = instances.find((instance) => instance.id === id)?.error;
          if (error !== undefined) return error;
        }
        return undefined;
      },
      openQuestion: (id) => faults.get(id) ?? questions.get(id) ?? emptying.get(id),
      errorOfRouter: (id) => routing.get(id),
      refusalOf: (unit) => refused.get(unit),
    };
  }

  /** A host that was deleted says nothing any more, and one that joins under its name has said nothing yet. */
  function forgetDeleted({ hosts }: Intent): void {
    const names = new Set([...hosts.values()].map(({ name }) => name));
    for (const node of reports.keys()) if (!names.has(node)) reports.delete(node);
  }

  async function judgeAll(made: Made): Promise<{ waiting: Pending[]; realized: Pending[]; without: Without }> {
    const waiting = (await pending(store)).filter(({ generation }) => generation <= made.intent.generation);
    const toEmpty = waiting.some(({ jobs }) => jobs.some(({ cmd }) => cmd === EMPTY_HOST));
    forgetDeleted(made.intent);
    const world = worldOf(made, toEmpty ? await maintenanceOf(store.db) : NOTHING);
    const realized: Pending[] = [];
    const without = new Map<number, readonly string[]>();
    const confirm: number[] = [];
    const left = stillThere(made.intent);
    for (const entry of waiting) {
      const { generation } = entry;
      const known = awaited.get(generation) ?? { units: new Set(), targets: made.everybody(), nbCfg: made.barrier };
      const target = { ...known, targets: left(known.targets) };
      awaited.set(generation, target);
      const about = entry.jobs.flatMap(({ about: id }) => (id === null ? [] : [id]));
      const verdict = judge(target, world, about);
      if (verdict.kind === 'realized') {
        realized.push(entry);
        if (verdict.without !== undefined) without.set(generation, verdict.without);
      } else if (verdict.kind === 'confirm') confirm.push(generation);
      else await failIfLate(entry, verdict);
    }
    if (confirm.length > 0) {
      const confirmAt = await options.newBarrier();
      for (const generation of confirm) awaited.set(generation, { ...awaited.get(generation)!, confirmAt });
    }
    return { waiting, realized, without };
  }

  function tell({ generation, jobs }: Pending, silent: readonly string[] | undefined): void {
    const targets = [...(awaited.get(generation)?.targets.chassis ?? [])];
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

  async function failIfLate(
    { generation, jobs }: Pending,
    { for: waitsFor, told = waitsFor }: WaitsFor,
  ): Promise<void> {
    const emptyingMs = jobs.some(({ cmd }) => cmd === EMPTY_HOST)
      ? (await readNumber(store.db, 'job.cancel.threshold.minutes')) * 60_000
      : jobLimitMs;
    const limitOf = (cmd: string): number => (cmd === EMPTY_HOST ? emptyingMs : jobLimitMs);
    const late = jobs.filter(({ cmd, created }) => Date.now() - Date.parse(created) > limitOf(cmd));
    if (late.length === 0) return;
    for (const job of late)
      log.error({ request: job.request, job: job.id, generation, waitsFor }, 'job failed: a target stays silent');
    const within = `not realized within ${Math.round(limitOf(late[0]!.cmd) / 1000)} s`;
    const text = (what: string): string =>
      `${within}: waiting for ${what}. The change is kept and will be made as soon as the target answers`;
    for (const [root, what] of [[true, waitsFor] as const, [false, told] as const])
      await failJobs(
        store,
        late.filter((job) => job.root === root).map(({ id }) => id),
        text(what),
      );
  }

  return {
    report: (report) => void reports.set(report.node, report),
    expect: (generation, entry) => void awaited.set(generation, entry),
    waits: () => awaited.size > 0,
    async settle(made) {
      const { waiting, realized, without } = await judgeAll(made);
      const routes = await made.routes();
      await settle(
        store,
        realized.map(({ generation }) => generation),
        routes,
      );
      for (const entry of realized) tell(entry, without.get(entry.generation));
      const open = waiting.filter((entry) => !realized.includes(entry));
      const stillOpen = new Set(open.map(({ generation }) => generation));
      for (const generation of awaited.keys()) if (!stillOpen.has(generation)) awaited.delete(generation);
      return {
        waiting: open.length,
        realized: open[0] === undefined ? made.intent.generation : open[0].generation - 1,
      };
    },
    async failLate() {
      try {
        for (const entry of await pending(store))
          await failIfLate(entry, {
            for: 'the network engine, which takes no changes now; the log and /readyz say why',
          });
      } catch (error) {
        log.error({ err: error }, 'could not look for jobs that wait too long');
      }
    },
  };
}

/** By generation: nodes that are Down, and that it was realized without. */
type Without = ReadonlyMap<number, readonly string[]>;

/** Scans that have not been answered, and what their jobs wait for. */
function questionsOf(intent: Intent): ReadonlyMap<string, string> {
  const open = [...intent.hosts.values()].flatMap(({ name, scans }) =>
    scans.map(({ id, cidr }) => [id, `node ${name} to scan ${cidr}`] as const),
  );
  return new Map(open);
}
