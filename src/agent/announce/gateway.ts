// Announces the gateways that this node takes over, and addresses that it answers for from now on, at once: into the bridge of their wire, from where OVN's frames come, so that the
// bridge and the switches behind it learn the way.
import { join } from 'node:path';
import type { Bell } from '../../lib/bell.ts';
import type { Log } from '../../lib/log.ts';
import { tryRun } from '../../lib/run.ts';
import { sleep } from '../../lib/sleep.ts';
import type { OvsConfig } from '../config.ts';
import type { OvsClient, OvsLayout } from '../ovsdb.ts';
import { announceNeighbour } from './frame6.ts';
import { announceReply, announceRequest, tagged } from './frame.ts';
import { type Claim, watchClaims } from './southbound.ts';

/**
 * Announced again after these, in milliseconds: OVN's own rules for the gateway are in place some tens of milliseconds after the claim, and on
 * a hypervisor that has not met the wire before, the way to it is.
 */
const AGAIN_MS = [0, 30, 70, 200];

/** The command that announces a gateway; undefined while OVN has not made the patch port of its wire here. */
export function gatewayArgv(claim: Claim, layout: OvsLayout, rundir: string): string[] | undefined {
  // ovn-controller(8) names it so: the end in the bridge that the physical network is mapped to.
  const patch = `patch-${claim.localnet}-to-br-int`;
  for (const [bridge, interfaces] of layout.bridges) {
    const port = interfaces.find(({ name }) => name === patch)?.ofport;
    if (bridge === 'br-int' || port === undefined) continue;
    const { mac, vlan } = claim;
    const four = claim.addresses.flatMap((address) => [announceRequest(mac, address), announceReply(mac, address)]);
    const six = (claim.addresses6 ?? []).map((address) => announceNeighbour(mac, address));
    const frames = [...four, ...six].map((frame) => (vlan === undefined ? frame : tagged(frame, vlan)));
    return ['ovs-ofctl', 'packet-out', `unix:${join(rundir, `${bridge}.mgmt`)}`, String(port), 'NORMAL', ...frames];
  }
  return undefined;
}

/**
 * Watches and announces until aborted; `holds` is told of all router ports that are here ({@link watchClaims}), and `plugged` rung when an
 * instance's port may have come or gone.
 */
export async function announceGateways(
  config: OvsConfig,
  ovs: OvsClient,
  { holds, plugged }: { holds(ports: ReadonlySet<string>): void; readonly plugged: Bell },
  signal: AbortSignal,
  log: Log,
): Promise<void> {
  const remotes = (): string | undefined => {
    try {
      return ovs.layout().externalIds['ovn-remote'];
    } catch {
      return undefined; // Open vSwitch is away; so is the gateway
    }
  };
  const announce = async (claim: Claim): Promise<void> => {
    if (claim.addresses.length === 0 && claim.addresses6 === undefined) return;
    for (const pause of AGAIN_MS) {
      await sleep(pause, signal);
      if (signal.aborted) return;
      const argv = gatewayArgv(claim, ovs.layout(), config.ovs.rundir);
      if (argv === undefined) continue;
      await tryRun(argv, { timeoutMs: 5000 });
    }
    log.info(
      {
        port: claim.port,
        mac: claim.mac,
        addresses: [...claim.addresses, ...(claim.addresses6 ?? [])],
        vlan: claim.vlan,
      },
      'addresses announced that this node answers for now',
    );
  };
  const claimed = (claim: Claim): void =>
    void announce(claim).catch((error: unknown) =>
      log.error(
        { port: claim.port, err: (error as Error).message },
        'a gateway or an address of it came here and was not announced',
      ),
    );
  await watchClaims(remotes, config.node, { claimed, holds, ready: () => readyPorts(ovs), plugged }, signal, log);
}

/** Logical ports that OVN has made ready here; none while Open vSwitch is away. */
function readyPorts(ovs: OvsClient): ReadonlySet<string> {
  try {
    const ports = [...ovs.read().ports.values()].map(({ externalIds }) => externalIds);
    return new Set(ports.flatMap((ids) => (ids['ovn-installed'] === 'true' ? (ids['iface-id'] ?? []) : [])));
  } catch {
    return new Set();
  }
}
