// The cables between a guest and the integration bridge, and their ports: the steps that are missing, whatever half of them is there.
import type { InstanceSpec, NicSpec } from '../../protocol/document.ts';
import type { Step } from '../driver.ts';
import { removePort } from '../ovs-port.ts';
import { netnsOf, OWNER, portOf, type PlanContext } from './names.ts';
import type { Actual, Guest } from './read.ts';
import type { InstanceRecord } from './record.ts';

/** The steps to the cables and ports the spec asks for: what to take away before the new note is written, and what to make after. */
export function planCables(
  spec: InstanceSpec,
  record: InstanceRecord | undefined,
  actual: Actual,
  here: boolean,
  guest: Guest | undefined,
  context: PlanContext,
): { clear: Step[]; make: Step[]; rewired: boolean } {
  const clear: Step[] = [];
  const make: Step[] = [];
  for (const known of record?.nics ?? []) {
    const nic = spec.nics.find((one) => one.id === known.id);
    if (nic?.deviceId === known.deviceId) continue;
    const reason = `${spec.name} has no ${known.device} any more, or another one`;
    clear.push(...forget(known.device, guest, reason), ...unplug(known.port, actual, reason, context));
  }
  const pairs: Step[] = [];
  const moves: Step[] = [];
  const plugs: Step[] = [];
  for (const nic of spec.nics) {
    const port = portOf(nic.id);
    const known = record?.nics.find((one) => one.id === nic.id);
    const link = actual.links.get(port);
    const fits = known !== undefined && known.mac === nic.mac && known.deviceId === nic.deviceId;
    const whole = here && fits && link?.away === true;
    if (!whole) {
      const reason = `eth${nic.deviceId} of ${spec.name} is half made or not as wanted`;
      clear.push(...forget(`eth${nic.deviceId}`, guest, reason));
      if (known === undefined || known.deviceId === nic.deviceId) clear.push(...unplug(port, actual, reason, context));
      pairs.push(...makePair(spec, nic, port));
      moves.push(
        run(
          ['ip', 'link', 'set', peerOf(port), 'netns', netnsOf(spec.id), 'name', `eth${nic.deviceId}`],
          `the guest's end of eth${nic.deviceId} of ${spec.name}`,
        ),
      );
    } else if (link.mtu !== nic.mtu) {
      moves.push(
        run(
          ['ip', 'link', 'set', port, 'mtu', String(nic.mtu)],
          `eth${nic.deviceId} of ${spec.name} is to carry ${nic.mtu} bytes`,
        ),
      );
    }
    if (!whole || !link.up)
      moves.push(run(['ip', 'link', 'set', port, 'up'], `our end of eth${nic.deviceId} of ${spec.name}`));
    const plugged = whole ? actual.ovs.ports.get(port)?.externalIds : undefined;
    const ids = portIds(spec, nic, context);
    if (Object.entries(ids).some(([key, value]) => plugged?.[key] !== value))
      plugs.push(plug(port, ids, spec, nic, context));
  }
  make.push(...pairs, ...moves, ...plugs);
  return { clear, make, rewired: pairs.length > 0 || clear.length > 0 };
}

/** Both ends with their MAC before either is up (a link-local address would be made of another one), and without checksum offload. */
function makePair(spec: InstanceSpec, nic: NicSpec, port: string): Step[] {
  const what = `eth${nic.deviceId} of ${spec.name}`;
  const mtu = String(nic.mtu);
  return [
    run(
      [
        'ip',
        'link',
        'add',
        port,
        'mtu',
        mtu,
        'type',
        'veth',
        'peer',
        'name',
        peerOf(port),
        'address',
        nic.mac,
        'mtu',
        mtu,
      ],
      `the cable of ${what}`,
    ),
    run(['ethtool', '-K', port, 'tx', 'off'], `${what}: the userspace datapath needs real checksums`),
    run(['ethtool', '-K', peerOf(port), 'tx', 'off'], `${what}: the userspace datapath needs real checksums`),
    run(
      ['sysctl', '-eqw', ...deaf(port)],
      `${what}: our end says nothing by itself, and the node itself is not to be met on it`,
    ),
  ];
}

/**
 * On the userspace datapath the node's kernel, too, sees what a guest sends: it would answer ARP for the node's own addresses, and take a
 * guest's packets to them (measured). No answer (ip-sysctl: arp_ignore 8), and no source has its way back here (rp_filter 1, RFC 3704).
 */
function deaf(port: string): string[] {
  const v4 = `net.ipv4.conf.${port}`;
  return [`net.ipv6.conf.${port}.disable_ipv6=1`, `${v4}.arp_ignore=8`, `${v4}.rp_filter=1`];
}

function peerOf(port: string): string {
  return `p${port.slice(1)}`;
}

function portIds(spec: InstanceSpec, nic: NicSpec, context: PlanContext): Record<string, string> {
  return {
    'iface-id': nic.id,
    'attached-mac': nic.mac,
    'iface-status': 'active',
    'vm-id': spec.id,
    [OWNER]: context.node,
  };
}

function plug(port: string, ids: Record<string, string>, spec: InstanceSpec, nic: NicSpec, context: PlanContext): Step {
  const argv = [
    'ovs-vsctl',
    `--db=${context.database}`,
    '--no-wait',
    '--timeout=10',
    '--',
    '--may-exist',
    'add-port',
    'br-int',
    port,
  ];
  // A MAC is quoted: a colon would separate key and value.
  const set = Object.entries(ids).map(([key, value]) => `external_ids:${key}="${value}"`);
  return run(
    [...argv, '--', 'set', 'Interface', port, ...set],
    `eth${nic.deviceId} of ${spec.name} is logical port ${nic.id}`,
  );
}

/** Takes away the guest's mark that it has brought the card up: it does so again with the new cable. (/run is a mount of its own: no link of the guest's is followed.) */
export function forget(device: string, guest: Guest | undefined, reason: string): Step[] {
  const marks = [...(guest?.run ?? [])].filter(
    (mark) =>
      mark === `card.${device}` ||
      mark === `lease.${device}` ||
      mark.startsWith(`leased.${device}.`) ||
      mark.startsWith(`slaac.${device}.`),
  );
  return marks.map((mark): Step => ({
    kind: 'remove',
    path: `/proc/${guest!.pid}/root/run/${mark}`,
    reason,
    routine: true,
  }));
}

export function unplug(port: string, actual: Actual, reason: string, context: PlanContext): Step[] {
  const steps: Step[] = [];
  if (actual.ovs.ports.has(port)) steps.push(removePort(context.database, port, reason));
  if (actual.links.has(port)) steps.push(run(['ip', 'link', 'del', port], reason));
  return steps;
}

function run(argv: readonly string[], reason: string): Step {
  return { kind: 'run', argv, reason };
}
