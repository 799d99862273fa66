// The helper's VPNs as parts, and the steps to them. Rule: they run where the router's public side is and nowhere else: two ends with one
// key would take each other's sessions. Another node that may take over has their keys in its kept document alone. Pure.
import type { HelperSpec, VpnJob } from '../../protocol/helper.ts';
import type { Step, Wait } from '../driver.ts';
import { type HelperContext, keyOf } from './names.ts';
import { abilityOf } from './vpn-ability.ts';
import { filterPart } from './vpn-filter.ts';
import { beginArgvs, connectionsOf, dropStandIn, endArgv, type IpsecJob, ipsecPart, standInsOf } from './vpn-ipsec.ts';
import { IPSEC, partFolder } from './vpn-names.ts';
import { openVpnPart } from './vpn-openvpn.ts';
import type { VpnsRead } from './vpn-read.ts';
import { type FoundVpns, planPart, removePart, type VpnPart } from './vpn-part.ts';
import { removeDevice, wireGuardPart, wireGuardSitesPart } from './vpn-wireguard.ts';

/** Everything in the order it is done: the filter first. */
export function partsOf(spec: HelperSpec, context: HelperContext): readonly VpnPart[] {
  const vpns = servable(spec, context);
  const at = { key: keyOf(spec.id), mtu: spec.mtu, address: spec.address, gateway: spec.gateway };
  const parts = [
    filterPart(vpns, at, context),
    ipsecPart(ipsecJobs(spec, context), at, context),
    wireGuardSitesPart(
      vpns.flatMap(({ spec: one }) => (one.kind === 'wireguard-site' ? [one] : [])),
      at,
      context,
    ),
    ...vpns.map(({ address, spec: one }) => {
      if (one.kind === 'openvpn') return openVpnPart(one, address, at, context);
      return one.kind === 'wireguard' ? wireGuardPart(one, address, at, context) : undefined;
    }),
  ];
  return parts.filter((part) => part !== undefined);
}

/** Those this node has the programs for. */
function servable(spec: HelperSpec, context: HelperContext): readonly VpnJob[] {
  return (spec.jobs.vpns ?? []).filter(({ spec: one }) => context.vpnLacks[abilityOf(one)] === undefined);
}

function ipsecJobs(spec: HelperSpec, context: HelperContext): readonly IpsecJob[] {
  return servable(spec, context).flatMap(({ address, spec: one }): IpsecJob[] =>
    one.kind === 'ikev2' || one.kind === 'ipsec' ? [{ address, spec: one }] : [],
  );
}

/** What is found, as far as it decides what to do. */
type Seen = FoundVpns & Partial<Pick<VpnsRead, 'connections' | 'standIns' | 'swollen'>>;

/** `active`: whether the router's public side is here. `netns`: number of the helper's namespace. */
export function planVpns(
  spec: HelperSpec,
  found: Seen,
  active: boolean,
  netns: number,
  context: HelperContext,
  now = 0,
): { readonly steps: readonly Step[]; readonly waits: readonly Wait[] } {
  const key = keyOf(spec.id);
  const parts = active ? partsOf(spec, context) : [];
  const plans = parts.map((part) => planPart(part, found, partFolder(key, part.name, context), spec.id, netns));
  const wanted = new Set(parts.map(({ name }) => name));
  const known = new Set([...found.parts, ...found.processes.map(({ part }) => part)]);
  const gone = [...known]
    .filter((name) => !wanted.has(name))
    .flatMap((name) => {
      const reason = active ? 'this VPN is no more' : 'the VPN is elsewhere';
      return [
        ...removeDevice(name, found, key, reason, context),
        ...removePart(name, found, partFolder(key, name, context), reason),
      ];
    });
  const names = new Set(
    (spec.jobs.vpns ?? []).flatMap(({ spec: one }) =>
      one.kind === 'ikev2' || one.kind === 'ipsec' ? connectionsOf(one).map(({ name }) => name) : [],
    ),
  );
  const ended = wanted.has(IPSEC) ? (found.connections ?? []).filter((name) => !names.has(name)) : [];
  const cut = ended.map((name): Step => ({
    kind: 'run',
    argv: endArgv(name, key, context),
    reason: 'who was connected here is no more',
  }));
  const needed = new Set(wanted.has(IPSEC) && !context.kernelIpsec ? standInsOf(ipsecJobs(spec, context)) : []);
  const idle = (found.standIns ?? [])
    .filter((one) => !needed.has(one))
    .flatMap((one) => dropStandIn(one, key, context))
    .map((argv): Step => ({ kind: 'run', argv, reason: 'no tunnel needs this address any more' }));
  const emptied = (found.swollen ?? []).map((path): Step => ({
    kind: 'run',
    argv: ['truncate', '--no-create', '--size=0', path],
    reason: 'this log takes too much memory',
    routine: true,
  }));
  const lacking = active
    ? (spec.jobs.vpns ?? []).flatMap(({ spec: one }) => context.vpnLacks[abilityOf(one)] ?? [])
    : [];
  const again = wanted.has(IPSEC) && plans.every(({ steps, waits }) => steps.length + waits.length === 0);
  const begun = again ? beginAgain(spec, found, now, context) : [];
  return {
    steps: [...emptied, ...begun, ...gone, ...plans.flatMap(({ steps }) => steps), ...cut, ...idle],
    // The others go on; this one waits for whoever installs things.
    waits: [
      ...plans.flatMap(({ waits }) => waits),
      ...[...new Set(lacking)].map((what) => ({ target: spec.id, what })),
    ],
  };
}

/** Milliseconds between attempts to begin with a peer that refused. */
const AGAIN_MS = 10_000;

/** Sites that are to begin and have nothing under way. */
function beginAgain(
  { id, jobs: { vpns = [] } }: HelperSpec,
  found: Seen,
  now: number,
  context: HelperContext,
): readonly Step[] {
  const key = keyOf(id);
  return vpns.flatMap(({ spec }): Step[] => {
    if (spec.kind !== 'ipsec' || spec.passive) return [];
    if (connectionsOf(spec).some(({ name }) => found.connections?.includes(name))) return [];
    const mark = `${partFolder(key, IPSEC, context)}/begun-${spec.id}`;
    if (now - Number(found.files.get(mark) ?? 0) < AGAIN_MS) return [];
    const reason = `${spec.peer} refused or did not answer`;
    return [
      { kind: 'write', path: mark, content: String(now), mode: 0o600, reason, routine: true },
      ...beginArgvs(spec, key, context).map((argv): Step => ({ kind: 'run', argv, reason, routine: true })),
    ];
  });
}
