// From a switch of the intent to the document its driver follows, and from what the driver reports to how each port fares. Pure:
// apart from switches.ts, which does the looking.
import { hash } from 'node:crypto';
import type { PortVlan, Switch, SwitchPort } from '../model/switch.ts';
import { carries, wrongWith } from '../protocol/port-state.ts';
import type { PortSpec, SwitchActual, SwitchDocument, SwitchFinding, SwitchReport } from '../protocol/switch.ts';

/** Port -> VLANs that we put on it. */
export type Carried = ReadonlyMap<string, readonly number[]>;

/** What a port must carry, as a text that is the same as long as that is. */
function askOf({ name, mode, trunk, untagged, tagged }: SwitchPort): string {
  return JSON.stringify([name, mode, trunk, untagged?.vlan ?? 0, tagged.map(({ vlan }) => vlan)]);
}

/** What a switch must make true, without names and reasons: as long as this stays, nobody has to do anything anew. */
export function digestOf(wanted: Switch): string {
  const { driver, address, nativeVlan, ports } = wanted;
  return hash('sha256', JSON.stringify([driver, address, nativeVlan, ports.map(askOf).toSorted()]));
}

/** Names of the ports of which something else is asked than before. */
export function changedPorts(before: Switch, now: Switch): string[] {
  const asks = (wanted: Switch): Map<string, string> => new Map(wanted.ports.map((port) => [port.name, askOf(port)]));
  const [was, is] = [asks(before), asks(now)];
  const whole = before.nativeVlan !== now.nativeVlan || before.address !== now.address || before.driver !== now.driver;
  const names = new Set([...was.keys(), ...is.keys()]);
  return [...names].filter((name) => whole || was.get(name) !== is.get(name)).toSorted();
}

/** The VLANs on trunks that become ours with this document: those a trunk lacks until we put them there. */
export function claimed(wanted: Switch, carried: Carried, actual: SwitchActual): Map<string, number[]> {
  const next = new Map<string, number[]>();
  for (const port of wanted.ports) {
    if (!port.trunk || port.mode !== 'set') continue;
    const there = actual.ports.find(({ name }) => name === port.name);
    const own = carried.get(port.name) ?? [];
    const fresh = port.tagged
      .map(({ vlan }) => vlan)
      .filter((vlan) => !own.includes(vlan) && there !== undefined && !carries(there, vlan, 'tagged'));
    if (fresh.length > 0)
      next.set(
        port.name,
        [...own, ...fresh].toSorted((a, b) => a - b),
      );
  }
  return next;
}

/** What is ours on trunks no longer: nobody needs it, and it is gone there. */
export function released(wanted: Switch, carried: Carried, actual: SwitchActual): Map<string, number[]> {
  const next = new Map<string, number[]>();
  for (const [name, own] of carried) {
    const port = wanted.ports.find((each) => each.name === name);
    const there = actual.ports.find((each) => each.name === name);
    const kept = own.filter(
      (vlan) =>
        port?.tagged.some((each) => each.vlan === vlan) === true ||
        (there !== undefined && carries(there, vlan, 'tagged')),
    );
    if (kept.length < own.length) next.set(name, kept);
  }
  return next;
}

/** The document: `secret` is unsealed. */
export function documentOf(
  wanted: Switch,
  generation: number,
  carried: Carried,
  secret: Readonly<Record<string, string>> | undefined,
): SwitchDocument {
  return {
    id: wanted.id,
    name: wanted.name,
    generation,
    driver: wanted.driver,
    address: wanted.address,
    options: JSON.parse(wanted.options) as Record<string, unknown>,
    ...(secret === undefined ? {} : { secret }),
    nativeVlan: wanted.nativeVlan,
    confirmed: wanted.confirmed,
    ports: wanted.ports.map((port) => specOf(port, carried.get(port.name) ?? [])),
  };
}

function specOf({ name, mode, behind, trunk, untagged, tagged }: SwitchPort, own: readonly number[]): PortSpec {
  const vlans: readonly PortVlan[] = untagged === undefined ? tagged : [untagged, ...tagged];
  const needed = tagged.map(({ vlan }) => vlan);
  return {
    name,
    mode,
    behind,
    ...(untagged === undefined ? {} : { untagged: untagged.vlan }),
    tagged: needed,
    ...(trunk ? { trunk: { retired: own.filter((vlan) => !needed.includes(vlan)) } } : {}),
    because: Object.fromEntries(vlans.map(({ vlan, networks }) => [vlan, networks.join(', ')])),
  };
}

export type Faring = 'right' | 'wrong' | 'people';

export interface PortStanding {
  readonly fares: Faring;
  /** What is wrong, as half a sentence. */
  readonly wrong?: string;
}

/** How each port of the document fares by the report. `people`: it is not as wanted, and somebody else must set it. */
export function portStandings(
  document: SwitchDocument,
  report: SwitchReport,
  apply: boolean,
): Map<string, PortStanding> {
  const standings = new Map<string, PortStanding>();
  if (document.driver === 'instructions') {
    const fares = report.generation >= document.generation ? 'right' : 'people';
    for (const { name } of document.ports) standings.set(name, { fares });
    return standings;
  }
  const { actual } = report;
  if (actual === undefined) return standings;
  const there = new Map(actual.ports.map((port) => [port.name, port]));
  for (const spec of document.ports) {
    const wrong = wrongWith(spec, document.nativeVlan, there.get(spec.name));
    if (wrong === undefined) standings.set(spec.name, { fares: 'right' });
    else standings.set(spec.name, { fares: apply && spec.mode === 'set' ? 'wrong' : 'people', wrong });
  }
  return standings;
}

/**
 * The findings worth telling. A port that we are changing is not one that somebody changed: what differs there is kept only while
 * nothing new was asked since the document was last true (`settled`). Ports that are only compared are always told of.
 */
export function worthTelling(
  document: SwitchDocument,
  findings: readonly SwitchFinding[],
  settled: boolean,
): SwitchFinding[] {
  const compared = new Set(document.ports.filter(({ mode }) => mode === 'check').map(({ name }) => name));
  return findings.filter(({ port, kind }) => settled || compared.has(port) || kind === 'unknown-port');
}
