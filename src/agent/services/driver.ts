// Names, metadata and passwords for the instances of a node: a namespace with OVN's local port for each network, one process for all.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { OvsConfig } from '../config.ts';
import type { Driver } from '../driver.ts';
import { removeHalfWritten } from '../file.ts';
import type { OvsClient } from '../ovsdb.ts';
import type { ServiceContext } from './names.ts';
import { planServices } from './plan.ts';
import { type Actual, digestOf, readActual } from './read.ts';

const FOLDER = fileURLToPath(new URL('responder', import.meta.url));

/** What the driver needs of the agent's configuration. */
export function serviceContext(config: OvsConfig): ServiceContext {
  const directory = `${config.state}/services`;
  return {
    node: config.node,
    directory,
    database: config.ovs.database,
    userspace: config.datapath !== 'system',
    responder: [process.execPath, `${FOLDER}/main.ts`, directory, versionOf()],
  };
}

/** Changes with the program: another one takes over from a responder that was started before an upgrade. */
function versionOf(): string {
  const hash = createHash('sha256').update(process.version);
  const files = readdirSync(FOLDER).filter((name) => !name.includes('.test'));
  for (const name of files.toSorted()) hash.update(readFileSync(`${FOLDER}/${name}`));
  return hash.digest('hex').slice(0, 12);
}

export function createServiceDriver(context: ServiceContext, ovs: OvsClient): Driver {
  let tidy: Promise<void> | undefined;
  let signalled: Actual['signalled'];
  return {
    name: 'services',
    async look(document, now) {
      await (tidy ??= removeHalfWritten(context.directory));
      const actual = await readActual(ovs.read(), context, signalled);
      const plan = planServices(document, actual, now, context);
      for (const { steps } of plan.work)
        for (const step of steps)
          if (step.kind === 'run' && step.argv[1] === '-HUP' && actual.config !== undefined)
            signalled = { pid: Number(step.argv[2]), config: digestOf(actual.config), at: now };
      return plan;
    },
  };
}
