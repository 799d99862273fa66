// What `ip -j` and `bridge -j` print on a Linux switch, as ports and addresses (iproute2's JSON). Pure.
import { z } from 'zod';
import type { PortActual, SwitchActual } from '../protocol/switch.ts';
import { SwitchFault } from './driver.ts';
import { vlanList } from './vlans.ts';

const BRIDGE = z.array(
  z.object({
    linkinfo: z
      .object({ info_kind: z.string(), info_data: z.object({ vlan_filtering: z.number().optional() }).optional() })
      .optional(),
  }),
);
const LINKS = z.array(z.object({ ifname: z.string(), operstate: z.string().optional() }));
const VLANS = z.array(
  z.object({
    ifname: z.string(),
    vlans: z.array(
      z.object({ vlan: z.number(), vlanEnd: z.number().optional(), flags: z.array(z.string()).optional() }),
    ),
  }),
);
const ADDRESSES = z.array(
  z.object({
    mac: z.string(),
    ifname: z.string(),
    vlan: z.number().optional(),
    state: z.string().optional(),
    flags: z.array(z.string()).optional(),
  }),
);

/** Throws unless the interface is a bridge that keeps VLANs apart. */
export function checkFilters(text: string, bridge: string): void {
  const info = read(BRIDGE, 'ip link', text)[0]?.linkinfo;
  if (info?.info_kind !== 'bridge') throw new SwitchFault(`option bridge: ${bridge} is no bridge there`);
  if (info.info_data?.vlan_filtering !== 1)
    throw new SwitchFault(
      `its bridge ${bridge} does not look at VLANs at all: run "ip link set dev ${bridge} type bridge vlan_filtering 1" there`,
    );
}

/** The bridge's ports with their VLANs: the one with PVID is that of untagged frames. */
export function portsOf(links: string, vlans: string): readonly PortActual[] {
  const byPort = new Map(read(VLANS, 'bridge vlan', vlans).map((each) => [each.ifname, each.vlans]));
  return read(LINKS, 'ip link', links).map(({ ifname, operstate }) => {
    const all = (byPort.get(ifname) ?? []).flatMap(({ vlan, vlanEnd = vlan, flags = [] }) =>
      Array.from({ length: vlanEnd - vlan + 1 }, (_, index) => ({
        vlan: vlan + index,
        enters: flags.includes('PVID'),
        leaves: flags.includes('Egress Untagged'),
      })),
    );
    const untagged = all.find(({ enters, leaves }) => enters && leaves)?.vlan;
    const mixed = vlanList(all.filter(({ enters, leaves }) => enters !== leaves).map(({ vlan }) => vlan));
    return {
      name: ifname,
      ...(operstate === 'UP' || operstate === 'DOWN' ? { up: operstate === 'UP' } : {}),
      ...(untagged === undefined ? {} : { untagged }),
      tagged: vlanList(all.filter(({ enters, leaves }) => !enters && !leaves).map(({ vlan }) => vlan)),
      ...(mixed.length === 0 ? {} : { mixed }),
    };
  });
}

/** Learnt addresses: those of the switch itself are not of interest. */
export function addressesOf(text: string): SwitchActual['macs'] {
  return read(ADDRESSES, 'bridge fdb', text)
    .filter(({ state = '', flags = [] }) => state !== 'permanent' && !flags.includes('self'))
    .flatMap(({ mac, ifname, vlan }) => (vlan === undefined ? [] : [{ port: ifname, vlan, mac }]));
}

/** Checks what a program printed. No text at all is an empty list: iproute2 prints nothing where there is nothing. */
function read<T>(schema: z.ZodType<T>, program: string, text: string): T {
  try {
    return schema.parse(text.trim() === '' ? [] : JSON.parse(text));
  } catch (error) {
    throw new SwitchFault(`"${program}" printed something else than expected there: ${text.trim().slice(0, 200)}`, {
      cause: error,
    });
  }
}
