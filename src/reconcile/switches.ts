// The second loop: physical switches. Each is looked at on its own, when what it must carry changed and by the clock, with its own
// back-off, so that one that does not answer holds up nobody. What came of it is written down and told to whoever waits.
import { isDeepStrictEqual } from 'node:util';
import { createBackoff, type Backoff } from '../lib/backoff.ts';
import { type Bell, createBell } from '../lib/bell.ts';
import type { Log } from '../lib/log.ts';
import { sleep } from '../lib/sleep.ts';
import type { Intent } from '../model/intent.ts';
import type { Switch } from '../model/switch.ts';
import { settingValue } from '../model/setting.ts';
import type { SwitchActual, SwitchDocument, SwitchReport, SwitchStep } from '../protocol/switch.ts';
import type { Store } from '../store/open.ts';
import { unseal } from '../store/seal.ts';
import { readNumber } from '../store/setting.ts';
import { keepCarried, keepDocument, readSwitchMemory, recordSighting } from '../store/switches.ts';
import type { WaitsFor } from './waiting.ts';
import {
  type Carried,
  type PortStanding,
  changedPorts,
  claimed,
  digestOf,
  documentOf,
  portStandings,
  released,
  worthTelling,
} from './switch-document.ts';

/** Looks at a switch and, if `apply`, makes it as the document says. A switch's faults are in the report, never thrown. */
export type ReviewSwitch = (
  document: SwitchDocument,
  options: { readonly apply: boolean; readonly log: Log; readonly signal?: AbortSignal },
) => Promise<{ readonly report: SwitchReport; readonly steps: readonly SwitchStep[] }>;

export interface SwitchesOptions {
  readonly store: Store;
  readonly review: ReviewSwitch;
  readonly log: Log;
  /** Called with each step that was run, also where something went wrong then, for the log an engineer reads. */
  readonly onStep?: (step: { readonly argv: readonly string[]; readonly reason: string }) => void;
  /** Milliseconds between looks; default: the setting switch.review.interval. */
  readonly intervalMs?: number;
}

/** Setting: seconds between two looks at a switch of which nothing new is wanted. */
const REVIEW_SETTING = 'switch.review.interval';

/** What a change waits for at a switch: that this document was looked at, and that these ports are as it says. */
export interface SwitchTarget {
  readonly id: string;
  readonly name: string;
  readonly generation: number;
  readonly ports: ReadonlySet<string>;
}

/** How a switch stands, for who waits for it. */
export interface SwitchStanding {
  /** Generation of the document last looked at; -1 for none. */
  readonly reviewed: number;
  /** Why the last look failed. */
  readonly error?: string;
  /** Since when (ISO) it is as it is. */
  readonly since: string;
  readonly ports: ReadonlyMap<string, PortStanding>;
}

export interface Switches {
  /** Takes the newest intent; gives the names of the switches of which something new is asked. */
  update(intent: Intent): Promise<string[]>;
  /** What a change of generation `since` that touched the switch waits for; undefined when it asked nothing new of it. */
  target(id: string, since: number): SwitchTarget | undefined;
  standing(id: string): SwitchStanding | undefined;
  /** Called after each look that was written down. */
  onSeen(listener: () => void): void;
  close(): Promise<void>;
}

interface Watched {
  wanted: Switch;
  /** Generation of the intent that `wanted` is of. */
  asOf: number;
  generation: number;
  digest: string;
  reached: number;
  carried: Map<string, readonly number[]>;
  actual: SwitchActual | undefined;
  standing: SwitchStanding;
  /** Ports of which something new was asked, by generation. */
  asked: { readonly generation: number; readonly ports: readonly string[] }[];
  readonly bell: Bell;
  readonly backoff: Backoff;
  readonly stop: AbortController;
  running: Promise<void>;
}

export function createSwitches(options: SwitchesOptions): Switches {
  const { store, review, log } = options;
  const watched = new Map<string, Watched>();
  const listeners: (() => void)[] = [];
  const ended: Promise<void>[] = [];

  async function begin(wanted: Switch, asOf: number): Promise<boolean> {
    const memory = await readSwitchMemory(store, wanted.id);
    if (memory === undefined) return false;
    const digest = digestOf(wanted);
    const known = memory.digest === digest;
    const generation = known ? memory.documented : asOf;
    if (!known) await keepDocument(store, wanted.id, digest, asOf);
    const entry: Watched = {
      wanted,
      asOf,
      generation,
      digest,
      reached: memory.reached,
      carried: new Map(memory.carried),
      actual: memory.actual === null ? undefined : (JSON.parse(memory.actual) as SwitchActual),
      standing: { reviewed: -1, since: new Date().toISOString(), ports: new Map() },
      asked: memory.reached >= generation ? [] : [{ generation, ports: wanted.ports.map(({ name }) => name) }],
      bell: createBell(),
      backoff: createBackoff(500, 30_000),
      stop: new AbortController(),
      running: Promise.resolve(),
    };
    watched.set(wanted.id, entry);
    entry.running = watch(entry);
    return !known;
  }

  async function follow(entry: Watched, wanted: Switch, asOf: number): Promise<boolean> {
    const digest = digestOf(wanted);
    const asksAnew = digest !== entry.digest;
    if (asksAnew) {
      await keepDocument(store, wanted.id, digest, asOf);
      entry.asked.push({ generation: asOf, ports: changedPorts(entry.wanted, wanted) });
      // What was asked long ago and reached is nobody's business any more.
      entry.asked = entry.asked.filter(({ generation }) => generation > entry.reached || generation > asOf - 1000);
      entry.digest = digest;
      entry.generation = asOf;
    }
    const other = !isDeepStrictEqual(entry.wanted, wanted);
    entry.wanted = wanted;
    entry.asOf = asOf;
    if (other) entry.bell.ring();
    return asksAnew;
  }

  function end(id: string, entry: Watched): void {
    watched.delete(id);
    entry.stop.abort();
    ended.push(entry.running);
  }

  async function watch(entry: Watched): Promise<void> {
    const { signal } = entry.stop;
    while (!signal.aborted) {
      let fine = false;
      try {
        fine = await look(entry, signal);
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        log.error(
          { err: error, switch: entry.wanted.name },
          'could not look at a switch, or not write down what was seen',
        );
        entry.standing = { ...entry.standing, error: why };
      }
      if (fine) entry.backoff.reset();
      // After a failure a bell is heard early, but not in a tight circle.
      else await sleep(100, signal);
      const interval = options.intervalMs ?? (await intervalMs());
      await entry.bell.wait(fine ? interval : Math.min(entry.backoff.next(), Math.max(interval, 1_000)), signal);
    }
  }

  async function intervalMs(): Promise<number> {
    const seconds = await readNumber(store.db, REVIEW_SETTING).catch(() => settingValue(REVIEW_SETTING, undefined));
    return Number(seconds) * 1000;
  }

  /** One look. Whether nothing was wrong that another look soon would change. */
  async function look(entry: Watched, signal: AbortSignal): Promise<boolean> {
    const { wanted, asOf, generation } = entry;
    const secret = secretOf(store, wanted);
    const ask = (carried: Carried): SwitchDocument => documentOf(wanted, generation, carried, secret);
    const cables = wanted.ports.some(({ trunk, mode }) => trunk && mode === 'set');
    // What is on a trunk before we touch it is not ours to take off later: that must be known first.
    if (cables && entry.actual === undefined && wanted.driver !== 'instructions') {
      entry.actual = (await review(ask(entry.carried), { apply: false, log, signal })).report.actual;
    }
    if (entry.actual !== undefined) await keep(entry, claimed(wanted, entry.carried, entry.actual));
    const document = ask(entry.carried);
    const apply = wanted.apply && !signal.aborted;
    const settled = entry.reached >= generation;
    const { report, steps } = await review(document, { apply, log, signal });
    const told = document.driver === 'instructions' || !apply;
    if (!told) for (const step of steps) options.onStep?.(step);
    if (signal.aborted) return true;
    if (report.actual !== undefined) {
      entry.actual = report.actual;
      if (apply) await keep(entry, released(wanted, entry.carried, report.actual));
    }
    const lines = steps.map(lineOf);
    const ports = portStandings(document, report, apply);
    entry.reached = Math.max(entry.reached, report.generation);
    const { actual, error } = report;
    await recordSighting(store, {
      id: wanted.id,
      asOf,
      state: actual !== undefined || document.driver === 'instructions' ? 'Up' : 'Down',
      reached: entry.reached,
      ...(error === undefined ? {} : { error }),
      ...(actual === undefined ? {} : { actual }),
      findings: worthTelling(document, report.findings, settled),
      planned: report.lines ?? (told ? lines : []),
      ports: new Map([...ports].map(([name, { fares }]) => [name, fares])),
    });
    // Only now: who waits for the port finds its member attached when he is told.
    stand(entry, document, report, ports);
    for (const listener of listeners) listener();
    if (error !== undefined) log.warn({ switch: wanted.name, generation, error }, 'a switch is not as wanted');
    return error === undefined;
  }

  async function keep(entry: Watched, next: ReadonlyMap<string, readonly number[]>): Promise<void> {
    await keepCarried(store, entry.wanted.id, next);
    for (const [port, vlans] of next) {
      if (vlans.length === 0) entry.carried.delete(port);
      else entry.carried.set(port, vlans);
    }
  }

  return {
    async update(intent) {
      const changed: string[] = [];
      for (const wanted of intent.switches.values()) {
        const entry = watched.get(wanted.id);
        const anew =
          entry === undefined ? await begin(wanted, intent.generation) : await follow(entry, wanted, intent.generation);
        if (anew) changed.push(wanted.name);
      }
      for (const [id, entry] of watched) if (!intent.switches.has(id)) end(id, entry);
      return changed;
    },
    target(id, since) {
      const entry = watched.get(id);
      if (entry === undefined || entry.generation < since) return undefined;
      const asked = entry.asked.filter(({ generation }) => generation >= since).flatMap((each) => each.ports);
      const awaited = awaitedPorts(entry.wanted);
      const ports = new Set(asked.filter((port) => awaited.has(port)));
      return ports.size === 0 ? undefined : { id, name: entry.wanted.name, generation: entry.generation, ports };
    },
    standing: (id) => watched.get(id)?.standing,
    onSeen: (listener) => void listeners.push(listener),
    async close() {
      for (const [id, entry] of watched) end(id, entry);
      await Promise.all(ended);
    },
  };
}

function stand(
  entry: Watched,
  document: SwitchDocument,
  report: SwitchReport,
  ports: ReadonlyMap<string, PortStanding>,
): void {
  const seen = report.actual !== undefined || document.driver === 'instructions';
  const was = entry.standing;
  const same = was.error === report.error && was.reviewed === document.generation;
  entry.standing = {
    reviewed: seen ? document.generation : was.reviewed,
    since: same ? was.since : new Date().toISOString(),
    ...(report.error === undefined ? {} : { error: report.error }),
    ports: seen ? ports : was.ports,
  };
}

/**
 * Names of the ports that a change may wait for: those we set, and those of devices, of which a look must say whether people have to.
 * A cable that is only compared holds nobody up.
 */
function awaitedPorts({ apply, driver, ports }: Switch): Set<string> {
  const ours = apply || driver === 'instructions';
  return new Set(ports.filter(({ mode, trunk }) => (ours && mode === 'set') || !trunk).map(({ name }) => name));
}

/** What a switch still owes a change, as what somebody waits for; undefined when nothing, or when it is for people to do. */
export function owedBy(target: SwitchTarget, standing: SwitchStanding | undefined): WaitsFor | undefined {
  const { name, generation, ports } = target;
  if (standing === undefined) return undefined;
  const { reviewed, error, since } = standing;
  if (reviewed < generation)
    // Tenants read this, too: where a switch is managed is not their business.
    return {
      for:
        error === undefined
          ? `switch ${name} to be looked at`
          : `switch ${name}, which could not be looked at since ${since}; the operator finds the reason in listSwitches`,
    };
  for (const port of ports) {
    const at = standing.ports.get(port);
    // A port may carry many tenants' networks, and what is wrong with it may be any of them.
    if (at?.fares === 'wrong')
      return {
        for: `switch ${name}, port ${port}, since ${since}: ${at.wrong}`,
        told: `switch ${name}, a port of which is not as wanted since ${since}; the operator finds the reason in listSwitches`,
      };
  }
  return undefined;
}

/** A step as one line: what would be typed, and why. */
function lineOf({ argv, reason }: SwitchStep): string {
  return `${argv.join(' ')}     # ${reason}`;
}

function secretOf({ sealKey }: Store, { secret }: Switch): Record<string, string> | undefined {
  return secret === undefined ? undefined : (JSON.parse(unseal(sealKey, secret)) as Record<string, string>);
}
