// The small files of the driver's folder: scripts and the lists they act on. Written before anything that calls them, removed after. Pure.
import type { RouterSpec } from '../../protocol/document.ts';
import type { Step } from '../driver.ts';
import { instanceOf, isPair, type RouterContext } from './names.ts';
import type { Actual } from './read.ts';
import { ANNOUNCE, dropFile, FORGET, GUARD, NOTIFY, proxyFiles } from './script.ts';

/** The scripts and lists that a takeover, a removal and an announcement work with. */
export function notesOf(specs: readonly RouterSpec[], actual: Actual, context: RouterContext): Map<string, string> {
  const wanted = new Map<string, string>();
  if (specs.length > 0 || actual.words.size > 0) wanted.set('announce', ANNOUNCE).set('forget', FORGET);
  if (specs.some(isPair)) wanted.set('notify', NOTIFY);
  if (specs.some(isPair) || (context.ipvs && specs.length > 0))
    wanted.set('guard', GUARD).set('drops', dropFile(specs, context));
  for (const [name, content] of proxyFiles(specs, context)) wanted.set(name, content);
  return wanted;
}

export function writeNotes(wanted: ReadonlyMap<string, string>, actual: Actual, context: RouterContext): Step[] {
  return [...wanted]
    .filter(([name, content]) => actual.notes.get(name) !== content)
    .map(([name, content]) => ({
      kind: 'write',
      path: `${context.directory}/${name}`,
      content,
      mode: 0o755,
      reason: 'what is done without the agent, or at once',
      routine: true,
    }));
}

/** Last of all: until then somebody may still call them. */
export function removeNotes(
  wanted: ReadonlyMap<string, string>,
  specs: readonly RouterSpec[],
  actual: Actual,
  context: RouterContext,
): Step[] {
  const states = new Set(specs.filter(isPair).map((spec) => `state.${instanceOf(spec)}`));
  return [...actual.notes.keys()]
    .filter((name) => !wanted.has(name) && !states.has(name) && (specs.length === 0 || name !== 'rules.nft'))
    .map((name) => ({
      kind: 'remove',
      path: `${context.directory}/${name}`,
      reason: 'left by a network that is gone',
      routine: true,
    }));
}
