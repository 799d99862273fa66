// Questions to the wire: each scan of the document is made once, and its answer reported until the document drops it. A scan holds
// up nothing else: it takes seconds. So does a probe of what is behind a member, which is one, too.
import type { Bell } from '../../lib/bell.ts';
import type { Log } from '../../lib/log.ts';
import { run } from '../../lib/run.ts';
import type { NodeDocument, ProbeSpec, ScanReport, ScanSpec } from '../../protocol/document.ts';
import { type AnnounceContext, sendArgv } from '../announce/plan.ts';
import type { OvsConfig } from '../config.ts';
import type { Driver } from '../driver.ts';
import { mappings, type OvsClient, type OvsLayout } from '../ovsdb.ts';
import { fitting, handArgv, readHosts, scanArgv, scanMs } from './argv.ts';
import { probe } from './probe.ts';

/** The bridge that leads to a physical network, by ovn-bridge-mappings (`physnet1:br-ex,…`); undefined where the node has none. */
export function bridgeOf(layout: OvsLayout, physicalNetwork: string | undefined): string | undefined {
  const pairs = mappings(layout.externalIds);
  const found = physicalNetwork === undefined ? pairs[0] : pairs.find(([name]) => name === physicalNetwork);
  return found?.[1];
}

export interface Surroundings {
  /** Rung when an answer is there. */
  readonly bell: Bell;
  readonly signal: AbortSignal;
  readonly log: Log;
}

export function createScanner(config: OvsConfig, ovs: OvsClient, { bell, signal, log }: Surroundings): Driver {
  const answers = new Map<string, ScanReport>();
  const asked = new Set<string>();
  /** One after the other: together they would be as fast as they may not be. */
  let turn: Promise<void> = Promise.resolve();

  async function scan(spec: ScanSpec): Promise<ScanReport> {
    try {
      const bridge = bridgeOf(ovs.layout(), spec.physicalNetwork);
      if (bridge === undefined) {
        const error = `${config.node} has no bridge to physical network ${spec.physicalNetwork ?? '(any)'}: ovn-bridge-mappings names none`;
        return { id: spec.id, error, hosts: [] };
      }
      const { stdout } = await run(scanArgv(spec, bridge), { timeoutMs: scanMs(spec) * 2 + 5000, signal });
      return { id: spec.id, hosts: readHosts(stdout, spec.vlan) };
    } catch (error) {
      const { message } = error as Error;
      const why = /ENOENT/.test(message) ? 'arp-scan is not installed: install the package arp-scan' : message;
      return { id: spec.id, error: `${config.node} cannot scan VLAN ${spec.vlan}: ${why}`.slice(0, 2000), hosts: [] };
    }
  }

  async function probeOnce(id: string, spec: ProbeSpec): Promise<ScanReport> {
    try {
      const found = [...ovs.read().ports].find(([, { externalIds }]) => externalIds['iface-id'] === spec.nicId);
      const [device, port] = found ?? [];
      if (device === undefined || port?.ofport === undefined || port.externalIds['ovn-installed'] !== 'true') {
        const error = `${config.node} cannot ask in the name of ${spec.from}: its card is not plugged in there (yet). Ask again when its instance runs`;
        return { id, error, hosts: [] };
      }
      const { ofport } = port;
      const context: Pick<AnnounceContext, 'rundir'> = config.ovs;
      const send = async (argv: readonly string[]): Promise<void> => void (await run(argv, { timeoutMs: 5000 }));
      const ways = {
        port: device,
        asCard: (frames: readonly string[]) => send(sendArgv(ofport, frames, context)),
        toCard: (frames: readonly string[]) => send(handArgv(ofport, frames, context)),
      };
      return { id, hosts: [], probe: await probe(spec, ways, signal) };
    } catch (error) {
      const { message } = error as Error;
      return {
        id,
        error: `${config.node} cannot ask in the name of ${spec.from}: ${message}`.slice(0, 2000),
        hosts: [],
      };
    }
  }

  async function answer(spec: ScanSpec, what: (spec: ScanSpec) => Promise<ScanReport>): Promise<void> {
    if (signal.aborted || !asked.has(spec.id)) return;
    const found = await what(spec);
    if (signal.aborted) return;
    answers.set(spec.id, found);
    log.info(
      { scan: spec.id, vlan: spec.vlan, hosts: found.hosts.length, probe: found.probe, err: found.error },
      spec.probe === undefined ? 'scanned' : 'probed',
    );
    bell.ring();
  }

  return {
    name: 'scans',
    async look(document: NodeDocument) {
      const wanted = document.scans ?? [];
      const ids = new Set(wanted.map(({ id }) => id));
      for (const id of answers.keys()) if (!ids.has(id)) answers.delete(id);
      for (const id of asked) if (!ids.has(id)) asked.delete(id);
      for (const spec of wanted) {
        if (asked.has(spec.id)) continue;
        asked.add(spec.id);
        const { probe: asking } = spec;
        if (asking === undefined) turn = turn.then(() => answer(spec, scan));
        else void answer(spec, () => probeOnce(spec.id, asking)); // a handful of frames need not wait for their turn
      }
      return { work: [], waits: [], instances: [], scans: fitting(answers.values()) };
    },
  };
}
