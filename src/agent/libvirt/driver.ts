// Instances as virtual machines under libvirt, plugged into Open vSwitch by their logical port's id. Asks and tells libvirt through
// virsh; everything made is libvirt's and outlives the agent.
import { join } from 'node:path';
import type { MachinesConfig, OvsConfig } from '../config.ts';
import { type Driver, driver } from '../driver.ts';
import { removeHalfWritten } from '../file.ts';
import type { OvsClient } from '../ovsdb.ts';
import { planMachines } from './plan.ts';
import { probeKvm } from './probe.ts';
import { readActual } from './read.ts';
import type { MachineContext } from './xml.ts';

/** What the driver needs of the agent's configuration. */
export function machineContext(config: OvsConfig, machines: MachinesConfig): MachineContext {
  const { uri, directory, kernel, initrd, migration } = machines;
  return {
    node: config.node,
    database: config.ovs.database,
    uri,
    directory,
    boot:
      kernel !== undefined && initrd !== undefined
        ? { kernel, initrd }
        : { image: machines.image ?? join(directory, 'image.qcow2') },
    userspace: config.datapath !== 'system',
    ...(migration === undefined ? {} : { migration }),
  };
}

/** Whether guests run on the node's CPU, and what the node says of that: the ability `kvm`. */
export async function accelerationOf(
  { accelerate, kernel }: MachinesConfig,
  state: string,
): Promise<{ readonly accelerated: boolean; readonly kvm: true | string }> {
  if (accelerate === 'tcg')
    return { accelerated: false, kvm: 'switched off in the agent\'s configuration ("accelerate": "tcg")' };
  const kvm = await probeKvm(state, kernel);
  return { accelerated: accelerate === 'kvm' || kvm === true, kvm };
}

/** `accelerated`: whether new guests run on the node's CPU (KVM). */
export function createLibvirtDriver(context: MachineContext, accelerated: boolean, ovs: OvsClient): Driver {
  let tidy: Promise<void> | undefined;
  return driver(
    'instances',
    async (document) => {
      await (tidy ??= removeHalfWritten(context.directory));
      return readActual(document, ovs.read(), accelerated, context);
    },
    (document, actual, now) => planMachines(document, actual, now, context),
  );
}
