// From what a router node's networks should be and what is there to the steps between: pure, and right from any half-done state. Rules
// first, so that no device of a network ever passes packets without them; then devices and addresses; then the daemons on them.
import type { NodeDocument, RouterSpec, RouterStatus } from '../../protocol/document.ts';
import type { Plan, Step, Work } from '../driver.ts';
import { accept } from './accept.ts';
import { digest, planDaemon, type Daemon } from './daemon.ts';
import { daemonsOf } from './daemons.ts';
import { itemsOf } from './item.ts';
import { planKernel, type Found, type LetGo, type Memory } from './kernel.ts';
import { leftovers, linkSteps, removeLink, wantedLinks, type WantedLink } from './link.ts';
import { aliasOf, insideDevice, isPair, outsideDevice, outsideVlans, spoken, type RouterContext } from './names.ts';
import { notesOf, removeNotes, writeNotes } from './note.ts';
import type { Actual } from './read.ts';
import { ruleset, TABLE } from './ruleset.ts';
import { lasting, stateOf, type State } from './state.ts';

export interface RouterPlan extends Plan {
  readonly routers: readonly RouterStatus[];
  /** What of the wanted is there. */
  readonly holds: ReadonlySet<string>;
  readonly letGo: readonly LetGo[];
  /** What was found wrong and is put right by these steps: sentences. */
  readonly found: readonly Found[];
}

/** What concerns no network alone. */
const NODE_TARGET = 'router';

/** One look's plan while it grows. */
interface Draft {
  readonly work: Work[];
  readonly holds: Set<string>;
  readonly found: Found[];
  readonly letGo: LetGo[];
}

interface Room {
  readonly good: readonly RouterSpec[];
  readonly states: ReadonlyMap<string, State>;
  readonly closing: readonly string[];
  readonly actual: Actual;
  readonly memory: Memory;
  readonly context: RouterContext;
}

export function planRouters(
  document: NodeDocument,
  actual: Actual,
  memory: Memory,
  context: RouterContext,
): RouterPlan {
  const specs = document.routers ?? [];
  const { good, refused } = accept(specs, actual, context);
  const links = wantedLinks(good, context);
  const states = new Map(good.map((spec) => [spec.id, stateOf(spec, actual, context)]));
  const room: Room = { good, states, closing: leftovers(links, actual), actual, memory, context };
  const draft: Draft = { work: [], holds: new Set(), found: [], letGo: [] };
  planRules(draft, room);
  if (draft.work.length === 0) {
    planNetworks(draft, links, room);
    if (draft.work.length === 0 || !memory.patient) planDaemons(draft, room);
    // What is gone must not wait for a network that never comes right: its VLAN may be somebody else's next.
    if (draft.work.length === 0 || !memory.patient) planRemovals(draft, room);
  }
  return {
    work: draft.work,
    waits: draft.letGo
      .filter(({ words, sure }) => sure || memory.letGo.get(words) !== true)
      .map(({ words }) => ({
        target: NODE_TARGET,
        what: `${context.node} waits for keepalived to take "${words}" away`,
      })),
    instances: [],
    routers: specs.map((spec) => statusOf(spec, refused.get(spec.id), room)),
    holds: draft.holds,
    letGo: draft.letGo,
    found: draft.found.map(({ owner, text }) => ({ owner, text: `${context.node}: ${text}` })),
  };
}

function statusOf(spec: RouterSpec, error: string | undefined, { states, actual, context }: Room): RouterStatus {
  if (error !== undefined) return { id: spec.id, state: 'FAULT', error, findings: [error] };
  return { id: spec.id, state: states.get(spec.id) ?? 'FAULT', findings: lasting(spec, actual, context) };
}

function add(draft: Draft, target: string, label: string, steps: readonly Step[]): void {
  if (steps.length > 0) draft.work.push({ target, label, steps });
}

/** The rules, and the scripts that later steps call. */
function planRules(draft: Draft, { good, closing, actual, memory, context }: Room): void {
  const text = ruleset(good, closing, context);
  const hash = digest(text);
  const key = `rules ${hash}`;
  const wanted = good.length + closing.length > 0;
  const right = wanted ? actual.rules?.loaded === hash && memory.intact : actual.rules === undefined;
  if (right) draft.holds.add(key);
  else if (memory.held.has(key))
    draft.found.push({ owner: undefined, text: 'the rules of the packet filter were changed; loaded again' });
  add(draft, NODE_TARGET, `router ${context.node}: rules`, [
    ...writeNotes(notesOf(good, actual, context), actual, context),
    ...(right ? [] : wanted ? loadRules(text, hash, actual, context) : [dropRules()]),
  ]);
}

/** The whole table in one transaction, after the program itself has said that it takes it. */
function loadRules(text: string, hash: string, actual: Actual, context: RouterContext): Step[] {
  const path = `${context.directory}/rules.nft`;
  const head = `table inet ${TABLE} {`;
  const content = `${head}\n}\ndelete table inet ${TABLE}\n${text.replace(head, `${head}\n  comment "trunkline ${hash}"`)}`;
  const reason =
    actual.rules === undefined ? 'the node has no rules yet' : 'the networks changed, or somebody changed the rules';
  return [
    { kind: 'write', path: `${path}.new`, content, mode: 0o644, reason },
    { kind: 'run', argv: ['nft', '-c', '-f', `${path}.new`], reason: 'nft itself says whether it takes the rules' },
    { kind: 'run', argv: ['nft', '-f', `${path}.new`], reason: 'all rules at once: no packet sees half of them' },
    { kind: 'run', argv: ['mv', `${path}.new`, path], reason: 'what is loaded, to read' },
  ];
}

function dropRules(): Step {
  return {
    kind: 'run',
    argv: ['nft', 'delete', 'table', 'inet', TABLE],
    reason: 'the node routes for nobody any more',
  };
}

/** Devices with their settings, addresses and routes, network by network. */
function planNetworks(
  draft: Draft,
  links: readonly WantedLink[],
  { good, states, closing, actual, memory, context }: Room,
): void {
  const master = new Set(good.filter((spec) => !isPair(spec) || states.get(spec.id) === 'MASTER').map(({ id }) => id));
  const kernel = planKernel(itemsOf(good, master, context), good, closing, actual, memory, context);
  for (const words of kernel.holds) draft.holds.add(words);
  draft.found.push(...kernel.found);
  draft.letGo.push(...kernel.letGo);
  add(draft, NODE_TARGET, `router ${context.node}`, kernel.steps(undefined, []));
  // A device that networks share is made with the first of them.
  const made = new Set<string>();
  for (const spec of good) {
    const own = new Set([
      insideDevice(spec.vlan, context),
      ...outsideVlans(spec).map((vlan) => outsideDevice(vlan, context)),
    ]);
    const its = links.filter(({ device }) => own.has(device) && !made.has(device));
    const steps = its.flatMap((link) => planLink(draft, link, spec.id, actual, memory, context));
    for (const { device } of its) made.add(device);
    const making = its.map(({ device }) => device);
    add(draft, spec.id, `network ${spoken(spec.name)} on router ${context.node}`, [
      ...steps,
      ...kernel.steps(spec.id, making),
    ]);
  }
}

function planLink(
  draft: Draft,
  link: WantedLink,
  owner: string,
  actual: Actual,
  memory: Memory,
  context: RouterContext,
): Step[] {
  const { steps, found } = linkSteps(link, actual, context);
  const key = `link ${link.device}`;
  if (steps.length === 0) draft.holds.add(key);
  const was = memory.held.has(key) || actual.links.get(link.device)?.alias === aliasOf(link.owner);
  if (was) draft.found.push(...found.map((text) => ({ owner, text })));
  return steps;
}

function planDaemons(draft: Draft, { good, actual, memory, context }: Room): void {
  for (const daemon of daemonsOf(good, context)) planOneDaemon(draft, daemon, actual, memory, context);
}

function planOneDaemon(draft: Draft, daemon: Daemon, actual: Actual, memory: Memory, context: RouterContext): void {
  const { name, files, purpose } = daemon;
  const state = actual.daemons.get(name) ?? { pids: [], files: new Map() };
  const work = planDaemon(daemon, state, context.directory, context.node);
  const key = `daemon ${name}`;
  if (work !== undefined) draft.work.push(work);
  else if (files !== undefined) draft.holds.add(key);
  if (files !== undefined && state.pids.length === 0 && memory.held.has(key))
    draft.found.push({
      owner: undefined,
      text: `${name} had died (${purpose}); what it left was cleaned up and it was started again`,
    });
}

/** Devices that nobody uses any more, and that the rules let nothing through; files that nobody calls any more. */
function planRemovals(draft: Draft, { good, closing, actual, context }: Room): void {
  for (const device of closing)
    add(draft, device, `router ${context.node}: ${device}`, removeLink(device, actual, context));
  if (draft.work.length === 0)
    add(
      draft,
      NODE_TARGET,
      `router ${context.node}: files`,
      removeNotes(notesOf(good, actual, context), good, actual, context),
    );
}
