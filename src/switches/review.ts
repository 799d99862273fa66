// The door of this layer: looks at a switch, sets what differs, and looks again, because a switch that says "done" may not have
// done it. Whatever goes wrong with the switch is in the report; nothing is thrown.
import type { Log } from '../lib/log.ts';
import type { SwitchActual, SwitchDocument, SwitchFinding, SwitchReport, SwitchStep } from '../protocol/switch.ts';
import { checkDocument } from './check.ts';
import { type SwitchDriver, SwitchFault, type SwitchSession } from './driver.ts';
import { putRight } from './finding.ts';
import { reviewInstructions } from './instructions.ts';
import { linuxDriver } from './linux.ts';
import { netconfDriver } from './netconf.ts';
import { ovsdbDriver } from './ovsdb.ts';
import { type PortChange, planSwitch, type SwitchPlan } from './plan.ts';
import { carriesText, clean, portText } from './wording.ts';

export interface ReviewOptions {
  /** False: nothing is written, the steps are what would be. */
  readonly apply: boolean;
  readonly log: Log;
  readonly signal?: AbortSignal;
}

export interface Review {
  readonly report: SwitchReport;
  /** Those that were run, or may have been where the switch was lost; with `apply: false` those that would be. */
  readonly steps: readonly SwitchStep[];
}

/** The longest a whole review takes, in milliseconds; each single question has its own, shorter limit. */
const REVIEW_MS = 60_000;

const DRIVERS = { ovsdb: ovsdbDriver, linux: linuxDriver, netconf: netconfDriver };

/** Reads, plans, runs, reads again and compares. Never throws for a fault of the switch: that is in `report.error`. */
export async function reviewSwitch(document: SwitchDocument, options: ReviewOptions): Promise<Review> {
  try {
    if (document.driver === 'instructions') return reviewInstructions(document);
    const driver = DRIVERS[document.driver];
    checkDocument(document, driver);
    const limit = AbortSignal.timeout(REVIEW_MS);
    const signal = options.signal === undefined ? limit : AbortSignal.any([options.signal, limit]);
    const session = await doing('connecting', driver.open(document, signal));
    try {
      return await review(document, options, driver, session);
    } finally {
      await session
        .close()
        .catch((error: unknown) => options.log.debug({ switch: document.name, error }, 'not closed'));
    }
  } catch (error) {
    return { report: reportOf(document, { error: sentence(document, error) }), steps: [] };
  }
}

async function review(
  document: SwitchDocument,
  { apply, log }: ReviewOptions,
  driver: SwitchDriver,
  session: SwitchSession,
): Promise<Review> {
  const before = await doing('reading', session.read());
  const plan = planSwitch(document, before);
  const steps = plan.changes.flatMap((change) => driver.commandsFor(document, change));
  if (plan.changes.length === 0 || !apply) return { report: settled(document, before, plan), steps };
  let ran = steps;
  try {
    await doing('setting ports', session.run(plan.changes)).catch((error: unknown) => {
      ran = steps.slice(0, error instanceof SwitchFault ? error.ran : undefined);
      throw error;
    });
    log.info({ switch: document.name, ports: plan.changes.map((change) => change.spec.name) }, 'ports set');
    const after = await doing('reading back', session.read());
    const rest = planSwitch(document, after);
    const lies = rest.changes.map((change) => lie(change));
    if (lies.length > 0) {
      const error = sentence(document, new SwitchFault(lies.join('; ')));
      return { report: reportOf(document, { error, findings: rest.findings, actual: after }), steps };
    }
    await doing('keeping the change', session.keep?.() ?? Promise.resolve());
    const told = [...plan.changes.map(({ spec, from, to }) => putRight(document, spec, from, to)), ...rest.findings];
    return { report: settled(document, after, rest, told), steps };
  } catch (error) {
    const { findings } = plan;
    return { report: reportOf(document, { error: sentence(document, error), findings, actual: before }), steps: ran };
  }
}

function lie({ spec, from, to }: PortChange): string {
  return `it said yes and did not do it: ${portText(spec)}: wanted ${carriesText(to)}; found ${carriesText(from)}`;
}

/** A switch as it was last read: its document is true there when nothing is left to change. */
function settled(
  document: SwitchDocument,
  actual: SwitchActual,
  plan: SwitchPlan,
  findings: readonly SwitchFinding[] = plan.findings,
): SwitchReport {
  const [error] = plan.unmet;
  const done = plan.changes.length === 0 && error === undefined;
  return reportOf(document, {
    actual,
    findings,
    ...(error === undefined ? {} : { error }),
    ...(done ? { generation: document.generation } : {}),
  });
}

function reportOf(document: SwitchDocument, rest: Partial<SwitchReport>): SwitchReport {
  return { id: document.id, name: document.name, generation: 0, findings: [], ...rest };
}

async function doing<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new SwitchFault(`${what}: ${why}`, {
      cause: error,
      ran: error instanceof SwitchFault ? error.ran : undefined,
    });
  }
}

/** `switch core1 (linux, 10.9.9.2): reading: …`, without anything secret. */
function sentence(document: SwitchDocument, error: unknown): string {
  const why = error instanceof Error ? error.message : String(error);
  const text = `switch ${clean(document.name)} (${document.driver}, ${clean(document.address)}): ${why}`;
  const secrets = Object.values(document.secret ?? {}).flatMap((value) => [value, ...value.split('\n')]);
  return secrets.filter((value) => value.length >= 4).reduce((said, value) => said.replaceAll(value, '(hidden)'), text);
}
