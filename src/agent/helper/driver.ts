// Gateway helpers: namespaces beside OVN's routers, for what OVN cannot do. What they are outlives the agent; where they are plugged
// follows the router's public side at the moment OVN moves it, with the server away as well.
import type { OvsConfig } from '../config.ts';
import type { Holdings } from '../announce/holdings.ts';
import type { Driver } from '../driver.ts';
import type { OvsClient } from '../ovsdb.ts';
import { isOpen, isPrivileged } from '../privilege.ts';
import { readVpnLacks } from './vpn-ability.ts';
import { probeKernel } from './vpn-kernel.ts';
import type { HelperContext } from './names.ts';
import { planHelpers } from './plan.ts';
import { readHelpers } from './read.ts';

/** Milliseconds after which somebody may have installed what VPNs lack. */
const AGAIN_MS = 10_000;

export function createHelperDriver(config: OvsConfig, ovs: OvsClient, holdings: Pick<Holdings, 'read'>): Driver {
  let context: HelperContext | undefined;
  let looked = 0;
  return {
    name: 'helpers',
    async look(document, now) {
      context ??= { ...contextOf(config), ...(await probeKernel()), vpnLacks: {} };
      const served = document.helpers?.some(({ jobs: { vpns = [] } }) => vpns.length > 0) === true;
      if (served && now - looked >= AGAIN_MS) {
        context = { ...context, vpnLacks: await readVpnLacks(context) };
        looked = now;
      }
      const ids = (document.helpers ?? []).map(({ id }) => id);
      return planHelpers(document, await readHelpers(ids, ovs.read(), context), holdings.read(), context, now);
    },
  };
}

/** Their files are made anew after a reboot like themselves, in a folder that daemons can read who are not root any more. */
function contextOf(config: OvsConfig): Omit<HelperContext, 'kernelWireGuard' | 'kernelIpsec' | 'vpnLacks'> {
  const directory = `/run/trunkline/${config.node}/helpers`;
  return {
    node: config.node,
    database: config.ovs.database,
    directory,
    userspace: config.datapath !== 'system',
    canDropRoot: isPrivileged() && isOpen(directory),
  };
}
