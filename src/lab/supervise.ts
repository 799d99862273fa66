// The program that runs inside the sandbox: builds the lab, keeps its daemons alive, and ends when its standard input does,
// so that a lab never outlives whoever started it.
import { createLog } from '../lib/log.ts';
import { buildLab, configure } from './build.ts';
import { createConditions } from './condition.ts';
import { listenForOrders } from './control.ts';
import { type LabFile, labPaths, readJson, writeJson } from './layout.ts';
import { nodeNetworks } from './network.ts';
import { createSupervisor } from './supervisor.ts';
import { readTopology } from './topology.ts';

/** What the supervisor tells on standard output, one JSON text a line. */
export type LabEvent =
  | { readonly event: 'started' }
  | { readonly event: 'step'; readonly text: string }
  | { readonly event: 'ready' }
  | { readonly event: 'failed'; readonly text: string };

/** Runs the lab that `file` ({@link LabFile}) describes, until standard input ends. Exit status 1 when it cannot be built. */
export async function labSupervise(file: string): Promise<never> {
  const tell = (event: LabEvent): void => {
    process.stdout.write(`${JSON.stringify(event)}\n`);
  };
  process.stdin.on('end', () => process.exit(0)).resume();
  tell({ event: 'started' });
  const lab = readJson<LabFile>(file);
  if (lab === undefined) throw new Error(`${file} is no lab file`);
  const paths = labPaths(lab.state);
  const log = createLog('lab', 'info', paths.log);
  const supervisor = createSupervisor(log, () => writeJson(paths.processes, supervisor.statuses()));
  try {
    const topology = readTopology(lab.topologyFile);
    await buildLab(lab, topology, supervisor, (text) => tell({ event: 'step', text }));
    const networks = new Map(nodeNetworks(topology).map((network) => [network.node, network]));
    const conditions = createConditions(lab.state, topology, supervisor, (node) => configure(networks.get(node)!));
    await listenForOrders(paths.control, conditions, log);
    tell({ event: 'ready' });
  } catch (error) {
    log.error({ err: error }, 'the lab cannot be built');
    tell({ event: 'failed', text: (error as Error).message });
    process.exit(1);
  }
  return new Promise(() => undefined); // what ends it is the end of standard input
}
