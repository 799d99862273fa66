// Items and the kernel: which are there, the steps for those that are not, and what is ours and nobody wants. Pure.
import type { RouterSpec } from '../../protocol/document.ts';
import type { Step } from '../driver.ts';
import { ipArgv } from './ip-words.ts';
import type { Item } from './item.ts';
import { insideDevice, labelOf, tableOf, type RouterContext } from './names.ts';
import type { Actual } from './read.ts';
import { keptByKeepalived } from './script.ts';
import { keepalivedRuns } from './state.ts';

/** What the driver remembers between two looks; the world is right without it, only less is said. */
export interface Memory {
  /** Whether the packet filter's table holds what it held when it was loaded. */
  readonly intact: boolean;
  /** What was there once while it was wanted: when it is missing now, somebody took it. */
  readonly held: ReadonlySet<string>;
  /** What keepalived was to take away, and whether it has had its time for that. */
  readonly letGo: ReadonlyMap<string, boolean>;
  /** Whether daemons wait for devices that are being made. */
  readonly patient: boolean;
}

/** What was found wrong; undefined owner: it concerns all networks of the node. */
export interface Found {
  readonly owner: string | undefined;
  readonly text: string;
}

/** What nobody wants and is keepalived's to take away. */
export interface LetGo {
  readonly words: string;
  /** It will, at its next reload: its file still names it. What its script puts there nobody can be sure of. */
  readonly sure: boolean;
}

export interface KernelPlan {
  /** Steps for one network, or for the node. `making`: devices that are made just before them. */
  steps(owner: string | undefined, making: readonly string[]): Step[];
  /** Words of the items that are there. */
  readonly holds: readonly string[];
  readonly found: readonly Found[];
  readonly letGo: readonly LetGo[];
}

/** The switch that routes IPv6 on all devices. */
const ALL_SIX = 'net.ipv6.conf.all.forwarding';

export function planKernel(
  items: readonly Item[],
  specs: readonly RouterSpec[],
  closing: readonly string[],
  actual: Actual,
  memory: Memory,
  context: RouterContext,
): KernelPlan {
  const present = addressWords(actual);
  const missing = items.filter((item) => !isThere(item, actual, present));
  const unwanted = surplusWords(items, specs, closing, actual, present, context);
  const letGo = unwanted.flatMap(({ words }): LetGo[] => {
    const holds = keepalivedHolds(words, actual);
    return holds === 'no' && !memory.letGo.has(words) ? [] : [{ words, sure: holds === 'yes' }];
  });
  const waiting = new Set(
    letGo.filter((one) => one.sure || memory.letGo.get(one.words) !== true).map(({ words }) => words),
  );
  // Switching forwarding off switches it off everywhere: that is said once.
  const echo = ({ words }: Item): boolean =>
    words.includes('.forwarding=') &&
    words !== `${ALL_SIX}=1` &&
    actual.settings.get(words.startsWith('net.ipv6.') ? ALL_SIX : 'net.ipv4.ip_forward') === '0';
  return {
    steps: (owner, making) => [
      ...unwanted
        .filter((one) => one.owner === owner && !waiting.has(one.words))
        .flatMap(({ words }) => removeSteps(words, context)),
      ...addSteps(
        missing.filter((item) => item.owner === owner && hasDevice(item, actual, making)),
        context,
      ),
    ],
    holds: items.filter((item) => !missing.includes(item)).map(({ words }) => words),
    found: missing
      .filter((item) => memory.held.has(item.words) && !echo(item))
      .map(({ owner, lost }) => ({ owner, text: lost })),
    letGo: letGo.map((one) => ({ ...one })),
  };
}

function addSteps(items: readonly Item[], context: RouterContext): Step[] {
  const steps = items.map(({ kind, words, reason }): Step => ({
    kind: 'run',
    argv: kind === 'ip' ? ipArgv('add', words) : ['sysctl', '-w', words],
    reason,
  }));
  const news = new Map<string, string[]>();
  for (const { announce } of items)
    if (announce !== undefined) news.set(announce.device, [...(news.get(announce.device) ?? []), announce.address]);
  for (const [device, addresses] of news)
    steps.push({
      kind: 'run',
      argv: [`${context.directory}/announce`, device, ...addresses],
      reason: 'others learn at once where these addresses are now',
    });
  return steps;
}

function isThere(item: Item, actual: Actual, addresses: ReadonlySet<string>): boolean {
  if (item.kind === 'ip')
    return item.words.startsWith('addr ') ? addresses.has(item.words) : actual.words.has(item.words);
  const [key, value] = item.words.split('=');
  const now = actual.settings.get(key!);
  if (now !== undefined) return now === value;
  // A setting this kernel does not have cannot be wrong; one of a device that is still to be made is not right yet.
  const device = deviceOf(item);
  return device === undefined || actual.links.has(device);
}

function deviceOf({ kind, words }: Item): string | undefined {
  if (kind === 'ip') return / dev (\S+)/.exec(words)?.[1];
  return /^net\.ipv[46]\.(?:conf|neigh)\.(?!all\.)([^.]+)\./.exec(words)?.[1]?.replaceAll('/', '.');
}

/** Whether its device is there or made just before it: one that another network makes meanwhile is there at the next look. */
function hasDevice(item: Item, actual: Actual, making: readonly string[]): boolean {
  const device = deviceOf(item);
  return device === undefined || actual.links.has(device) || making.includes(device);
}

/** Addresses as items' words: with a label where it is not just the device's name. */
function addressWords(actual: Actual): Set<string> {
  const labelled = (device: string, label: string): string =>
    label === device || label === '' ? '' : ` label ${label}`;
  return new Set(
    actual.addresses.map(({ device, address, label }) => `addr ${address} dev ${device}${labelled(device, label)}`),
  );
}

function removeSteps(words: string, context: RouterContext): Step[] {
  const remove: Step = {
    kind: 'run',
    argv: ipArgv('del', words),
    reason: `${words.split(' ').slice(0, 3).join(' ')} is not wanted here`,
  };
  const address = /^rule .* from (\S+) lookup \d/.exec(words)?.[1];
  if (address === undefined) return [remove];
  const reason = `whoever gets ${address} next does not get the sessions of before`;
  return [remove, { kind: 'run', argv: [`${context.directory}/forget`, address], reason }];
}

/** What is ours and nobody wants; what keepalived holds is its own business while it lives. */
function surplusWords(
  items: readonly Item[],
  specs: readonly RouterSpec[],
  closing: readonly string[],
  actual: Actual,
  addresses: ReadonlySet<string>,
  context: RouterContext,
): { words: string; owner: string | undefined }[] {
  const wanted = new Set(items.map(({ words }) => words));
  const kept = keepalivedRuns(actual) ? keptByKeepalived(specs, context) : new Set<string>();
  const gone = (words: string): boolean =>
    closing.some((device) => words.includes(` dev ${device} `) || words.endsWith(` dev ${device}`));
  const inside = new Map(specs.map((spec) => [insideDevice(spec.vlan, context), spec.id]));
  const ofTable = new Map(specs.map((spec) => [String(tableOf(spec.vlan)), spec.id]));
  const surplus: { words: string; owner: string | undefined }[] = [];
  for (const words of actual.words) {
    if (wanted.has(words) || gone(words)) continue;
    surplus.push({ words, owner: ofTable.get(/ (?:table|lookup) (\d+) /.exec(words)?.[1] ?? '') });
  }
  // Addresses after routes: with the last address of a device the kernel takes its routes away itself.
  for (const words of addresses) {
    const [, , , device = '', , label] = words.split(' ');
    const ours = inside.has(device) || label === labelOf(device);
    if (ours && !wanted.has(words) && !kept.has(words) && !gone(words))
      surplus.push({ words, owner: inside.get(device) });
  }
  return surplus;
}

/** Whether keepalived holds it by the file it has loaded; for what its script puts there nobody can be sure. */
function keepalivedHolds(words: string, actual: Actual): 'yes' | 'perhaps' | 'no' {
  const [object, second = '', third = ''] = words.split(' ');
  const keepalived = actual.daemons.get('keepalived');
  if (keepalived === undefined || keepalived.pids.length === 0) return 'no';
  const inFile = [...keepalived.files].some(
    ([path, text]) => path.endsWith('.conf') && text?.includes(` ${second} dev `) === true,
  );
  if (object === 'addr') return inFile ? 'yes' : 'no';
  const listed = [...actual.notes].some(
    ([name, text]) => name.startsWith('proxies.') && text.trim().split(' ').includes(third),
  );
  return object === 'neigh' && listed ? 'perhaps' : 'no';
}
