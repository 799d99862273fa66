// The VLAN sub-interfaces of a router node: wanted ones that are missing or wrong, and ours that nobody wants any more. The kernel's
// own 802.1Q where it has it, else access ports of Open vSwitch under the same names.
import type { RouterSpec } from '../../protocol/document.ts';
import type { Step } from '../driver.ts';
import { aliasOf, insideDevice, outsideDevice, outsideVlans, spoken, type RouterContext } from './names.ts';

/** A device as it is. */
export interface Link {
  readonly up: boolean;
  /** Whether it has a carrier: a cable, a switch. */
  readonly carrier: boolean;
  readonly alias?: string;
  /** VLAN and device below, of a sub-interface the kernel made (/proc/net/vlan). */
  readonly vlan?: number;
  readonly below?: string;
}

/** A port of Open vSwitch that we made. */
export interface Port {
  readonly tag: number | undefined;
  readonly owner: string;
}

export interface WantedLink {
  readonly device: string;
  readonly below: string;
  readonly vlan: number;
  /** Network it is for, or `outside`: shared by all that have public addresses in that VLAN. */
  readonly owner: string;
  readonly label: string;
}

export interface LinkState {
  readonly links: ReadonlyMap<string, Link>;
  readonly ports: ReadonlyMap<string, Port>;
}

/** Owner of devices that several networks share. */
export const SHARED = 'outside';

/** The sub-interfaces that are to be there. */
export function wantedLinks(specs: readonly RouterSpec[], context: RouterContext): WantedLink[] {
  const wanted = new Map<string, WantedLink>();
  for (const spec of specs) {
    const device = insideDevice(spec.vlan, context);
    wanted.set(device, { device, below: context.inside, vlan: spec.vlan, owner: spec.id, label: spoken(spec.name) });
    for (const vlan of outsideVlans(spec)) {
      const outside = outsideDevice(vlan, context);
      if (vlan !== undefined)
        wanted.set(outside, {
          device: outside,
          below: context.outside,
          vlan,
          owner: SHARED,
          label: 'public addresses',
        });
    }
  }
  return [...wanted.values()];
}

/** Why a sub-interface cannot be made: something of that name is there and is not ours. */
export function foreign(
  { device, owner, vlan, below }: WantedLink,
  state: LinkState,
  context: RouterContext,
): string | undefined {
  const link = state.links.get(device);
  if (link === undefined || link.alias === aliasOf(owner) || state.ports.has(device)) return undefined;
  // Killed between making it and naming it: what is exactly as we would have made it is taken over.
  if (link.alias === undefined && !link.up && link.vlan === vlan && link.below === below) return undefined;
  return `${context.node}: ${device} is there already and was not made by trunkline: remove it (ip link del ${device}), or give the network another VLAN`;
}

/** Steps to one wanted sub-interface, and what was found wrong with it. Settings and addresses come after it. */
export function linkSteps(
  wanted: WantedLink,
  state: LinkState,
  context: RouterContext,
): { readonly steps: Step[]; readonly found: string[] } {
  const { device, below, vlan, label } = wanted;
  const link = state.links.get(device);
  const steps: Step[] = [];
  const found: string[] = [];
  const run = (reason: string, ...argv: string[]): void => {
    steps.push({ kind: 'run', argv, reason });
  };
  let there = link !== undefined;
  if (context.vlans.by === 'openvswitch') {
    const { bridge, database } = context.vlans;
    const port = state.ports.get(device);
    const ovs = (reason: string, ...argv: string[]): void =>
      run(reason, 'ovs-vsctl', `--db=${database}`, '--timeout=8', '--', ...argv);
    if (port === undefined || link === undefined) {
      const settings = ['type=internal', `external_ids:trunkline-router=${wanted.owner}`];
      ovs(
        `VLAN ${vlan} (${label}) is not on ${context.node} yet`,
        ...(port === undefined ? [] : ['--if-exists', 'del-port', bridge, device, '--']),
        '--may-exist',
        'add-port',
        bridge,
        device,
        `tag=${vlan}`,
        '--',
        'set',
        'interface',
        device,
        ...settings,
      );
      if (port !== undefined) found.push(`${device} was gone; made anew`);
      there = false;
    } else if (port.tag !== vlan) {
      ovs(`${device} carries VLAN ${port.tag ?? 'none'}`, 'set', 'port', device, `tag=${vlan}`);
      found.push(`${device} carried VLAN ${port.tag ?? 'none'} instead of ${vlan}; set again`);
    }
  } else {
    if (link !== undefined && (link.vlan !== vlan || link.below !== below)) {
      const what = `VLAN ${link.vlan ?? 'none'} of ${link.below ?? 'no device'}`;
      run(`${device} is ${what}, not VLAN ${vlan} of ${below}`, 'ip', 'link', 'del', device);
      found.push(`${device} was ${what} (see /proc/net/vlan/${device}), not VLAN ${vlan} of ${below}; made anew`);
      there = false;
    }
    if (!there)
      run(
        `VLAN ${vlan} (${label}) is not on ${below} yet`,
        ...`ip link add link ${below} name ${device} type vlan id ${vlan}`.split(' '),
      );
  }
  if (!there || link?.alias !== aliasOf(wanted.owner))
    run(`${device} is ours`, 'ip', 'link', 'set', device, 'alias', aliasOf(wanted.owner));
  if (!there || link?.up !== true) {
    run(`${device} is down`, 'ip', 'link', 'set', device, 'up');
    if (there && link?.alias === aliasOf(wanted.owner)) found.push(`${device} was set down; set up again`);
  }
  return { steps, found };
}

/** Devices that are ours and unwanted; until they are gone, nothing passes through them. */
export function leftovers(wanted: readonly WantedLink[], state: LinkState): string[] {
  const names = new Set(wanted.map(({ device }) => device));
  const ours = [...state.links]
    .filter(([, link]) => link.alias?.startsWith(aliasOf('')) === true)
    .map(([device]) => device);
  return [...new Set([...ours, ...state.ports.keys()])].filter((device) => !names.has(device));
}

export function removeLink(device: string, state: LinkState, context: RouterContext): Step[] {
  const reason = `${device} is no longer wanted on ${context.node}`;
  if (context.vlans.by === 'openvswitch' && state.ports.has(device)) {
    const { bridge, database } = context.vlans;
    const argv = ['ovs-vsctl', `--db=${database}`, '--timeout=8', '--', '--if-exists', 'del-port', bridge, device];
    return [{ kind: 'run', argv, reason }];
  }
  return [{ kind: 'run', argv: ['ip', 'link', 'del', device], reason }];
}
