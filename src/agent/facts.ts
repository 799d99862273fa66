// What the node is, for the report: read once at start, but for what OVS says of itself.
import { readFileSync } from 'node:fs';
import { availableParallelism, hostname, release, totalmem } from 'node:os';
import { tryRun } from '../lib/run.ts';
import type { NodeFacts } from '../protocol/document.ts';
import type { Abilities } from './ability.ts';
import type { AgentConfig } from './config.ts';
import type { Ovs } from './ovsdb.ts';

/** Version of this program, from its package. */
export function version(): string {
  const value: unknown = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
  return typeof value === 'object' && value !== null && 'version' in value ? String(value.version) : 'unknown';
}

/** Reads the node's facts. Versions that cannot be found out are `unknown`. */
export async function readFacts(
  config: AgentConfig,
  abilities: Abilities,
): Promise<(ovs: Ovs | undefined) => NodeFacts> {
  const said = await tryRun(['ovn-controller', '--version'], { timeoutMs: 5000 }).catch(() => undefined);
  const ovn = /([0-9]+\.[0-9]+\.[0-9]+)/.exec(said?.stdout ?? '')?.[1] ?? 'unknown';
  const fixed = {
    underlayIp: config.underlay.ip,
    cpus: availableParallelism(),
    memoryMb: Math.round(totalmem() / 1024 / 1024),
    ovn,
    kernel: release(),
    version: version(),
    abilities,
  };
  let wires: readonly string[] | undefined;
  return (ovs) => {
    // While Open vSwitch does not answer the node is where it was.
    wires = ovs?.wires ?? wires;
    return {
      ...fixed,
      hostname: ovs?.hostname ?? hostname(),
      ovs: ovs?.version ?? 'unknown',
      ...(wires === undefined ? {} : { wires }),
    };
  };
}
