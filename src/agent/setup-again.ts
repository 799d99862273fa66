// `agent join` on a machine that was set up before: what is named is changed, the rest stays as the file has it, and so does what somebody
// added to it by hand. Pure: apart from setup.ts, which looks at the machine and writes.
import { isDeepStrictEqual } from 'node:util';
import type { Setup, SetupOptions } from './setup.ts';

type Tree = Readonly<Record<string, unknown>>;

/** The configuration as it is, whatever is wrong with it; undefined where it cannot be read at all. */
export function readTree(text: string): Tree | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isTree(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

const isTree = (value: unknown): value is Tree => typeof value === 'object' && value !== null && !Array.isArray(value);
const part = (tree: Tree, key: string): Tree => (isTree(tree[key]) ? tree[key] : {});
const textAt = (tree: Tree, key: string): string | undefined => (typeof tree[key] === 'string' ? tree[key] : undefined);

/** What was typed, and for the rest what the file says. `typed` are the names of the options that were named. */
export function optionsAgain(
  before: Tree,
  options: Partial<SetupOptions>,
  typed: ReadonlySet<string>,
): Partial<SetupOptions> {
  const [underlay, router, ovs, instances] = ['underlay', 'router', 'ovs', 'instances'].map((key) => part(before, key));
  const known: Partial<Record<keyof SetupOptions, string | undefined>> = {
    server: textAt(before, 'server'),
    state: textAt(before, 'state'),
    underlayDevice: textAt(underlay!, 'device'),
    // The address of another card is another one.
    underlayIp: typed.has('underlayDevice') ? undefined : textAt(underlay!, 'ip'),
    ovsRundir: textAt(ovs!, 'rundir'),
    instances: textAt(instances!, 'driver'),
    role: isTree(before['router']) ? 'router' : undefined,
    inside: textAt(router!, 'inside'),
    outside: textAt(router!, 'outside'),
  };
  const kept = Object.entries(known).filter(([key, value]) => value !== undefined && !typed.has(key));
  return { ...options, ...Object.fromEntries(kept) };
}

/** The new configuration: what was found out now, with what the file says beside that. */
export function configAgain(before: Tree, now: Tree, typed: ReadonlySet<string>): Tree {
  const moved = typed.has('state');
  const merged = Object.entries(now).map(([key, value]): [string, unknown] => {
    const was = before[key];
    if (key === 'tokenFile' && !moved && typeof was === 'string') return [key, was];
    if (!isTree(value) || !isTree(was)) return [key, value];
    if (key === 'ovs' && !typed.has('ovsRundir')) return [key, { ...value, ...was }];
    // Machines and namespaces have nothing in common but the folder.
    if (key === 'instances' && was['driver'] !== value['driver']) return [key, value];
    const folder = textAt(was, 'directory');
    return [key, { ...was, ...value, ...(moved || folder === undefined ? {} : { directory: folder }) }];
  });
  return Object.fromEntries(merged);
}

/** What differs, a line each: `underlay.device: eth0 -> br-ex`. */
export function differences(before: Tree, now: Tree, path = ''): string[] {
  return [...new Set([...Object.keys(before), ...Object.keys(now)])].flatMap((key) => {
    const [was, is] = [before[key], now[key]];
    if (isDeepStrictEqual(was, is)) return [];
    if (isTree(was) && isTree(is)) return differences(was, is, `${path}${key}.`);
    const word = (value: unknown): string => (value === undefined ? '(none)' : JSON.stringify(value));
    return [`${path}${key}: ${word(was)} -> ${word(is)}`];
  });
}

/** Settings of Open vSwitch to be changed, and sentences on those that are not as wanted and not ours to change. */
export function settingsAgain(
  before: Tree,
  { wanted }: Setup,
  there: Readonly<Record<string, string>>,
  typed: ReadonlySet<string>,
): { readonly change: Readonly<Record<string, string>>; readonly told: readonly string[] } {
  const server = /^https:\/\/(.+):[0-9]+$/.exec(textAt(before, 'server') ?? '')?.[1];
  const encap = textAt(part(before, 'underlay'), 'ip');
  const ours: Readonly<Record<string, boolean>> = {
    'ovn-remote': typed.has('ovnRemote') || there['ovn-remote'] === `tcp:${server ?? ''}:6642`,
    'ovn-encap-ip': typed.has('underlayIp') || there['ovn-encap-ip'] === encap,
    'ovn-bridge-mappings': typed.has('mapping'),
  };
  const change: Record<string, string> = {};
  const told: string[] = [];
  for (const [key, value] of Object.entries(wanted)) {
    const is = there[key];
    if (is === undefined || is === value || (key === 'ovn-bridge-mappings' && is.split(',').includes(value))) continue;
    if (ours[key] === true) change[key] = value;
    else
      told.push(
        `Open vSwitch: external_ids:${key} is ${is} and stays so; ${value} is what follows from the options: ovs-vsctl set Open_vSwitch . external_ids:${key}="${value}"`,
      );
  }
  return { change, told };
}
