// The router driver: makes this node the gateway of the networks its document names. What it makes outlives it; it looks again when
// keepalived changes state or dies, at once and not at the next round.
import { mkdir } from 'node:fs/promises';
import { watch, type FSWatcher } from 'node:fs';
import type { Bell } from '../../lib/bell.ts';
import type { NodeDocument, RouterStatus } from '../../protocol/document.ts';
import type { Abilities } from '../ability.ts';
import type { AgentConfig, RouterConfig } from '../config.ts';
import type { Driver, Plan } from '../driver.ts';
import { removeHalfWritten } from '../file.ts';
import { isOpen, isPrivileged } from '../privilege.ts';
import { createArrivals, heldBy } from './arrival.ts';
import { itemsOf } from './item.ts';
import type { RouterContext } from './names.ts';
import { planRouters, type RouterPlan } from './plan.ts';
import { runs } from './process.ts';
import { readActual, type Actual } from './read.ts';

/** How long what was put right is told: long enough for a report to arrive, and for somebody to look. */
const TELL_MS = 60_000;
const WATCH_MS = 100;
/** How long daemons wait for devices that cannot be made, so that one broken network does not take all of them down. */
const PATIENCE_MS = 3000;
/** What keepalived and its script need at most to take addresses and proxied neighbours away. */
const LINGER_MS = 1500;

export interface RouterRoom {
  readonly abilities: Abilities;
  readonly bell: Bell;
  readonly signal: AbortSignal;
}

export function routerContext(
  config: AgentConfig,
  router: RouterConfig,
  room: Pick<RouterRoom, 'abilities'>,
): RouterContext {
  const { inside, outside, vlans, bridge, directory, gateway } = router;
  const privileged = isPrivileged();
  return {
    node: config.node,
    inside,
    outside,
    vlans:
      vlans === 'openvswitch' && bridge !== undefined && config.ovs !== undefined
        ? { by: 'openvswitch', bridge, database: config.ovs.database }
        : { by: 'kernel' },
    directory,
    underlay: config.underlay,
    ...(gateway === undefined ? {} : { gateway }),
    ipvs: room.abilities['ipvs'] === true,
    privileged,
    canDropRoot: privileged && isOpen(directory),
  };
}

export function createRouterDriver(context: RouterContext, room: Pick<RouterRoom, 'bell' | 'signal'>): Driver {
  const arrivals = createArrivals(room.bell);
  let held = new Set<string>();
  let baseline: Actual['rules'];
  let open: number | undefined;
  let letGo = new Map<string, number>();
  let watched: readonly number[] = [];
  let watcher: FSWatcher | undefined;
  /** Sentences with the time until which they are told, by network; under '' those of the whole node. */
  const told = new Map<string, Map<string, number>>();

  /** Dead or stopped: its addresses are still here, and the peer takes them over just now. */
  async function watchKeepalived(): Promise<void> {
    const alive = await Promise.all(watched.map(runs));
    if (alive.includes(false)) {
      watched = [];
      room.bell.ring();
    }
  }
  const timer = setInterval(() => void watchKeepalived(), WATCH_MS);
  timer.unref();
  room.signal.addEventListener('abort', () => {
    clearInterval(timer);
    watcher?.close();
  });

  return {
    name: 'router',
    async look(document, now): Promise<Plan> {
      if (watcher === undefined && !room.signal.aborted) {
        await mkdir(context.directory, { recursive: true });
        await removeHalfWritten(context.directory);
        watcher = watch(context.directory, { persistent: false }, (_event, name) => {
          if (name?.startsWith('state.') === true) room.bell.ring();
        });
        watcher.on('error', () => undefined); // the clock looks, too
      }
      const actual = await readActual(settingsOf(document, context), context);
      watched = actual.daemons.get('keepalived')?.pids ?? [];
      if (actual.rules !== undefined && baseline?.loaded !== actual.rules.loaded) baseline = actual.rules;
      const plan = planRouters(
        document,
        actual,
        {
          letGo: new Map([...letGo].map(([words, since]) => [words, now - since > LINGER_MS])),
          intact: baseline?.listing === actual.rules?.listing,
          held,
          patient: open === undefined || now - open < PATIENCE_MS,
        },
        context,
      );
      if (plan.work.some(({ label }) => label.endsWith(': rules'))) baseline = undefined;
      open = plan.work.length === 0 ? undefined : (open ?? now);
      held = new Set([...held, ...plan.holds].filter((key) => plan.work.length > 0 || plan.holds.has(key)));
      letGo = new Map(plan.letGo.map(({ words, sure }) => [words, sure ? now : (letGo.get(words) ?? now)]));
      remember(plan, now);
      const receipts = arrivals.look(heldBy(document.routers ?? [], actual, context), now);
      return { ...plan, receipts, routers: plan.routers.map((status) => withTold(status)) };
    },
  };

  function remember(plan: RouterPlan, now: number): void {
    for (const { owner = '', text } of plan.found) {
      const sentences = told.get(owner) ?? new Map<string, number>();
      told.set(owner, sentences.set(text, now + TELL_MS));
    }
    const ids = new Set(plan.routers.map(({ id }) => id));
    for (const [owner, sentences] of told) {
      for (const [text, until] of sentences) if (until < now) sentences.delete(text);
      if (sentences.size === 0 || (owner !== '' && !ids.has(owner))) told.delete(owner);
    }
  }

  function withTold(status: RouterStatus): RouterStatus {
    const texts = ['', status.id].flatMap((owner) => [...(told.get(owner)?.keys() ?? [])]);
    return { ...status, findings: [...status.findings, ...texts] };
  }
}

/** Keys of all settings the document asks for. */
function settingsOf(document: NodeDocument, context: RouterContext): string[] {
  const items = itemsOf(document.routers ?? [], new Set(), context);
  return items.filter(({ kind }) => kind === 'sysctl').map(({ words }) => words.split('=')[0]!);
}
