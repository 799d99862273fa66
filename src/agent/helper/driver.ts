// Gateway helpers: namespaces beside OVN's routers, for what OVN cannot do. What they are outlives the agent; where they are plugged
// follows the router's public side at the moment OVN moves it, with the server away as well.
import type { OvsConfig } from '../config.ts';
import type { Holdings } from '../announce/holdings.ts';
import type { Driver } from '../driver.ts';
import type { OvsClient } from '../ovsdb.ts';
import { isOpen, isPrivileged } from '../privilege.ts';
import type { HelperContext } from './names.ts';
import { planHelpers } from './plan.ts';
import { readHelpers } from './read.ts';

export function createHelperDriver(config: OvsConfig, ovs: OvsClient, holdings: Pick<Holdings, 'read'>): Driver {
  let context: HelperContext | undefined;
  return {
    name: 'helpers',
    async look(document) {
      context ??= contextOf(config);
      const ids = (document.helpers ?? []).map(({ id }) => id);
      return planHelpers(document, await readHelpers(ids, ovs.read(), context), holdings.read(), context);
    },
  };
}

/** Their files are made anew after a reboot like themselves, in a folder that daemons can read who are not root any more. */
function contextOf(config: OvsConfig): HelperContext {
  const directory = `/run/trunkline/${config.node}/helpers`;
  return {
    node: config.node,
    database: config.ovs.database,
    directory,
    userspace: config.datapath !== 'system',
    canDropRoot: isPrivileged() && isOpen(directory),
  };
}
