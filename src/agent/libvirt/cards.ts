// A running instance's cards: those that are missing are plugged in, those too many pulled out, and what they wait for is said.
import type { InstanceSpec } from '../../protocol/document.ts';
import type { Step, Wait } from '../driver.ts';
import { portOf } from '../netns/names.ts';
import type { Domain } from './domain.ts';
import { waitOf } from './one.ts';
import type { Actual } from './read.ts';
import { virsh } from './virsh.ts';
import { folderOf, interfaceXml, type MachineContext } from './xml.ts';

/** How long a guest may take to boot and to have an address on each card before that is said. */
const BOOT_MS = { emulated: 45_000, accelerated: 15_000 };

export function planCards(spec: InstanceSpec, domain: Domain, context: MachineContext): Step[] {
  const extra = domain.nics.filter((nic) => !spec.nics.some(({ id, mac }) => id === nic.id && mac === nic.mac));
  // A card lets go of its slot and its tap when the guest agrees: what takes its place is plugged in after that.
  if (extra.length > 0)
    return extra.map(({ mac }): Step => ({
      kind: 'run',
      argv: virsh(context.uri, 'detach-interface', spec.id, 'bridge', '--mac', mac, '--live'),
      reason: `${spec.name} has no card ${mac} any more`,
    }));
  const missing = spec.nics.filter(({ id }) => !domain.nics.some((nic) => nic.id === id));
  return missing.flatMap((nic): Step[] => {
    const path = `${folderOf(spec.id, context)}/eth${nic.deviceId}.xml`;
    const reason = `eth${nic.deviceId} of ${spec.name} is logical port ${nic.id}`;
    return [
      { kind: 'write', path, content: interfaceXml(nic, context), mode: 0o600, reason, routine: true },
      { kind: 'run', argv: virsh(context.uri, 'attach-device', spec.id, path, '--live'), reason },
    ];
  });
}

/** OVN has to install each port; a small guest says itself when a card has its address, which nobody can see from outside. */
export function waitsOfCards(
  spec: InstanceSpec,
  actual: Actual,
  now: number,
  context: MachineContext,
): { readonly waits: readonly Wait[]; readonly error?: string } {
  const waits = spec.nics
    .map(({ id }) => portOf(id))
    .filter((port) => actual.ovs.ports.get(port)?.externalIds['ovn-installed'] !== 'true')
    .map((port) => waitOf(spec, `waits for OVN to install port ${port} on ${context.node}`));
  const record = actual.records.get(spec.id);
  if (!('kernel' in context.boot) || record === undefined || record.arrived) return { waits };
  const said = (actual.consoles.get(spec.id) ?? '').replaceAll('\r', '');
  const silent = spec.nics.filter(({ mac, dhcp }) => dhcp !== false && !said.includes(`guest: card ${mac} has `));
  const booting = !/^guest: \S+ is up /m.test(said);
  const patience = actual.accelerated ? BOOT_MS.accelerated : BOOT_MS.emulated;
  if (now - Math.max(record.started, record.wired) >= patience) {
    const seconds = patience / 1000;
    if (booting)
      return {
        waits,
        error: `${spec.name} has not come up within ${seconds} s: see ${folderOf(spec.id, context)}/console.log`,
      };
    const [late] = silent;
    return late === undefined
      ? { waits }
      : { waits, error: `eth${late.deviceId} has got no address by DHCP within ${seconds} s` };
  }
  return {
    waits: [
      ...waits,
      ...(booting ? [waitOf(spec, 'boots')] : []),
      ...silent.map(({ deviceId }) => waitOf(spec, `waits for the address of eth${deviceId}`)),
    ],
  };
}
