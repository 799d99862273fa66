// The tunnels' neighbours: asks for the MAC address of every peer's tunnel endpoint before it is needed, because Open vSwitch drops
// the first packet to an endpoint it does not know yet. With the kernel's datapath the kernel asks; in user space we ask for it.
import { access, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ip, type Ip4 } from '../lib/ip.ts';
import type { Log } from '../lib/log.ts';
import { run, tryRun } from '../lib/run.ts';
import type { NodeDocument } from '../protocol/document.ts';
import type { OvsConfig } from './config.ts';
import type { Driver, Plan, Step } from './driver.ts';
import type { OvsClient } from './ovsdb.ts';

/** How long an answer may take; a peer that needs longer is down for now, which keeps nobody waiting. */
const ANSWER_MS = 300;
const AGAIN_MS = 2000;
/** OVS forgets a neighbour after 900 s; a peer that came back with another MAC is known by then. */
const REFRESH_MS = 60_000;
/** Peers asked for with one command. */
const TOGETHER = 32;

export interface Neighbours {
  /** Endpoints whose MAC is known. */
  readonly known: ReadonlySet<string>;
  readonly asked: ReadonlyMap<string, Asked>;
  /** MAC of our own endpoint; undefined while the underlay device is not there. */
  readonly mac: string | undefined;
}

export interface Asked {
  /** When it was asked for last, in milliseconds. */
  readonly last: number;
  /** Since when it has not answered; undefined when it has. */
  readonly silentSince: number | undefined;
}

/** Pure: whom to ask, and whom to wait for. */
export function planTunnels(
  document: NodeDocument,
  actual: Neighbours,
  now: number,
  config: OvsConfig,
): Plan & { readonly asking: readonly string[] } {
  const { device, ip: own } = config.underlay;
  const peers = document.peers.filter((peer) => peer.underlayIp !== own);
  if (actual.mac === undefined && peers.length > 0) {
    return {
      work: [],
      waits: [{ target: 'tunnels', what: `${config.node} waits for its underlay device ${device}` }],
      instances: [],
      asking: [],
    };
  }
  const due = peers.filter(({ underlayIp }) => {
    const asked = actual.asked.get(underlayIp);
    return asked === undefined || now - asked.last >= (actual.known.has(underlayIp) ? REFRESH_MS : AGAIN_MS);
  });
  const steps: Step[] = [];
  for (let at = 0; at < due.length; at += TOGETHER) {
    const some = due.slice(at, at + TOGETHER);
    const routine = some.every(({ underlayIp }) => actual.asked.has(underlayIp));
    const reason = `tunnel endpoints of ${some.map((peer) => peer.name).join(', ')}`;
    if (config.datapath === 'system') {
      for (const peer of some)
        steps.push({
          kind: 'run',
          argv: ['ip', 'neigh', 'replace', peer.underlayIp, 'dev', device, 'use'],
          reason,
          routine,
        });
    } else {
      const frames = some.map((peer) => arpRequest(actual.mac!, ip(own), ip(peer.underlayIp)));
      steps.push({
        kind: 'run',
        argv: [
          'ovs-ofctl',
          'packet-out',
          `unix:${join(config.ovs.rundir, `${device}.mgmt`)}`,
          'LOCAL',
          'NORMAL',
          ...frames,
        ],
        reason,
        routine,
      });
    }
  }
  const unknown = peers.filter(({ underlayIp }) => {
    if (actual.known.has(underlayIp)) return false;
    const since = actual.asked.get(underlayIp)?.silentSince;
    return since === undefined || now - since < ANSWER_MS;
  });
  return {
    work: steps.length === 0 ? [] : [{ target: 'tunnels', label: 'tunnels', steps }],
    waits: unknown.map((peer) => ({
      target: 'tunnels',
      what: `${config.node} waits for the tunnel endpoint of ${peer.name}, ${peer.underlayIp}`,
    })),
    instances: [],
    asking: due.map((peer) => peer.underlayIp),
  };
}

/** An ARP request as a frame in hexadecimal (RFC 826): who has `target`, tell `own`. */
export function arpRequest(mac: string, own: Ip4, target: Ip4): string {
  const hex = mac.replaceAll(':', '');
  const word = (value: Ip4): string => value.toString(16).padStart(8, '0');
  return `ffffffffffff${hex}0806${'0001080006040001'}${hex}${word(own)}000000000000${word(target)}`;
}

export function createTunnelDriver(config: OvsConfig, ovs: OvsClient, log: Log): Driver {
  const asked = new Map<string, Asked>();
  let known = new Set<string>();
  const silent = new Set<string>();

  return {
    name: 'tunnels',
    async look(document, now) {
      const peers = document.peers.filter((peer) => peer.underlayIp !== config.underlay.ip);
      if (peers.length === 0) return { work: [], waits: [], instances: [] };
      const restless = peers.some(
        ({ underlayIp }) => !known.has(underlayIp) || now - (asked.get(underlayIp)?.last ?? 0) >= REFRESH_MS,
      );
      if (restless) known = config.datapath === 'system' ? await kernelNeighbours(config) : await ovsNeighbours(config);
      for (const { name, underlayIp } of peers) {
        const entry = asked.get(underlayIp);
        if (known.has(underlayIp)) {
          if (entry?.silentSince !== undefined) asked.set(underlayIp, { last: entry.last, silentSince: undefined });
          if (silent.delete(underlayIp)) log.info({ peer: name, ip: underlayIp }, 'tunnel endpoint answers again');
        } else if (
          entry?.silentSince !== undefined &&
          now - entry.silentSince >= ANSWER_MS &&
          !silent.has(underlayIp)
        ) {
          silent.add(underlayIp);
          log.warn({ peer: name, ip: underlayIp }, 'tunnel endpoint does not answer; going on without it');
        }
      }
      const mac = config.datapath === 'system' ? 'kernel' : ovs.read().macs.get(config.underlay.device);
      const plan = planTunnels(document, { known, asked, mac }, now, config);
      for (const address of plan.asking) {
        asked.set(address, {
          last: now,
          silentSince: known.has(address) ? undefined : (asked.get(address)?.silentSince ?? now),
        });
      }
      return plan;
    },
  };
}

async function ovsNeighbours(config: OvsConfig): Promise<Set<string>> {
  const { stdout } = await run(['ovs-appctl', '-t', await controlSocket(config.ovs.rundir), 'tnl/neigh/show'], {
    timeoutMs: 5000,
  });
  const known = new Set<string>();
  for (const line of stdout.split('\n')) {
    const [address, mac, bridge] = line.trim().split(/\s+/);
    if (address !== undefined && mac?.includes(':') === true && bridge === config.underlay.device) known.add(address);
  }
  return known;
}

async function kernelNeighbours(config: OvsConfig): Promise<Set<string>> {
  const { stdout } = await tryRun(['ip', '-json', 'neigh', 'show', 'dev', config.underlay.device]);
  const list = JSON.parse(stdout === '' ? '[]' : stdout) as { dst?: string; lladdr?: string; state?: string[] }[];
  return new Set(
    list
      .filter((one) => one.lladdr !== undefined && one.state?.includes('FAILED') !== true)
      .map((one) => one.dst ?? ''),
  );
}

/** ovs-vswitchd's control socket: where the lab puts it, or where Open vSwitch does by itself. */
export async function controlSocket(rundir: string): Promise<string> {
  const own = join(rundir, 'vs.ctl');
  if (
    await access(own).then(
      () => true,
      () => false,
    )
  )
    return own;
  const pid = await readFile(join(rundir, 'ovs-vswitchd.pid'), 'utf8').catch(() => {
    throw new Error(`ovs-vswitchd does not run: neither vs.ctl nor ovs-vswitchd.pid is in ${rundir}`);
  });
  return join(rundir, `ovs-vswitchd.${pid.trim()}.ctl`);
}
