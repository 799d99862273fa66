// Instances as namespaces: the driver for labs. A guest is a small BusyBox machine with an SSH server, real enough for everything
// that is about networks; it is not a boundary against a hostile guest, for which virtual machines are.
import { type Driver, driver } from '../driver.ts';
import { removeHalfWritten } from '../file.ts';
import type { OvsClient } from '../ovsdb.ts';
import { ensureBase, type Base } from './base.ts';
import type { PlanContext } from './names.ts';
import { planInstances } from './plan.ts';
import { readActual } from './read.ts';

export function createNetnsDriver(context: PlanContext, ovs: OvsClient): Driver {
  let base: Promise<Base> | undefined;
  let tidy: Promise<void> | undefined;
  return driver(
    'instances',
    async (document) => {
      await (tidy ??= removeHalfWritten(context.directory));
      // Without instances no programs are needed: a gateway node need not have BusyBox.
      base ??= document.instances.length === 0 ? undefined : ensureBase(context.directory);
      try {
        return await readActual(context.directory, ovs.read(), (await base) ?? { path: '' });
      } catch (error) {
        base = undefined; // what was missing may be there at the next look
        throw error;
      }
    },
    (document, actual, now) => planInstances(document, actual, now, context),
  );
}
