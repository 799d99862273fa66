// Addresses that moved: announced as part of making the document true, then asked for at the upstream. What came of it is a receipt;
// an upstream that does not learn holds up nothing, but is said and asked again.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Bell, createBell } from '../../lib/bell.ts';
import type { Log } from '../../lib/log.ts';
import { createMutex } from '../../lib/mutex.ts';
import { run, tryRun } from '../../lib/run.ts';
import { sleep } from '../../lib/sleep.ts';
import type { InstanceSpec, NicSpec, NodeDocument, ReceiptReport } from '../../protocol/document.ts';
import type { OvsConfig } from '../config.ts';
import type { Driver, Plan, Step } from '../driver.ts';
import type { OvsClient, OvsPort } from '../ovsdb.ts';
import { controlSocket } from '../tunnels.ts';
import { announceRequest } from './frame.ts';
import { announceGateways } from './gateway.ts';
import type { Holdings } from './holdings.ts';
import {
  type AnnounceContext,
  type Card,
  announceArgv,
  cardsHere,
  dueOf,
  planAnnouncements,
  sendArgv,
} from './plan.ts';
import { keepReceipts, MOST_RECEIPTS, readReceipts, receiptKey } from './receipts.ts';
import { type Announced, readRecord, recordFolder } from './record.ts';
import { type Finding, verify } from './verify.ts';

/** What the driver needs of the rest of the agent. */
export interface Surroundings {
  /** Whether an instance was running at the last look. */
  runs(instanceId: string): boolean;
  /** Rung when there is a new receipt. */
  readonly bell: Bell;
  /** Aborted when the agent ends: nobody is asked any more. */
  readonly signal: AbortSignal;
  readonly log: Log;
  /** Told which router ports this node carries. */
  readonly holdings: Pick<Holdings, 'set'>;
}

/** Announced again after these, in milliseconds: a frame may be lost, a receiver may be busy. */
const AGAIN_MS = [100, 900];
/** How long OVN's rules are waited for where an address came to a card that is in use: where nobody is there to hear, all is dropped. */
const RULES_MS = 2000;
/** An upstream that has not learnt is told and asked again after these. */
const LATER_MS = [2_000, 10_000, 40_000, 120_000];
/** For how long a receipt is reported, and an announcement without one is worth asking for. */
const FRESH_MS = 5 * 60_000;
/** Watching costs a process each. */
const AT_ONCE = 3;

interface Moved {
  readonly instance: InstanceSpec;
  readonly nic: NicSpec;
  readonly port: { readonly name: string; readonly ofport: number };
  readonly entries: readonly Announced[];
  /** Address -> when this node took note of the move, where the old place was on this node, too. */
  readonly left: ReadonlyMap<string, number>;
}

export function createAnnouncer(config: OvsConfig, ovs: OvsClient, around: Surroundings): Driver {
  const { runs, bell, signal, log, holdings } = around;
  const context: AnnounceContext = { node: config.node, state: config.state, rundir: config.ovs.rundir };
  const records = new Map<string, readonly Announced[] | undefined>();
  const receipts = new Map<string, ReceiptReport>();
  /** Announcements that are being, or have been, followed up. */
  const followed = new Set<string>();
  /** When an address of a card was first seen due. */
  const since = new Map<string, number>();
  let swept: number | undefined;
  let loaded = false;
  const turns = Array.from({ length: AT_ONCE }, createMutex);
  let next = 0;
  let noWatch: string | undefined;
  const plugged = createBell();

  async function look(document: NodeDocument, now: number): Promise<Plan> {
    plugged.ring();
    if (!loaded) {
      for (const receipt of await readReceipts(config.state)) receipts.set(receiptKey(receipt), receipt);
      loaded = true;
    }
    const here = cardsHere(document);
    const cards = new Map<string, Card>();
    if (here.length > 0) {
      const ports = new Map(
        [...ovs.read().ports].map(([name, port]) => [port.externalIds['iface-id'], { name, ...port }] as const),
      );
      for (const { instance, nic } of here) cards.set(nic.id, await readCard(instance, nic, ports.get(nic.id), now));
    }
    const plan = planAnnouncements(document, cards, now, context);
    for (const key of receipts.keys()) if (!isFresh(receipts.get(key)!.announced, now)) receipts.delete(key);
    const tidy = await sweep(document);
    return {
      ...plan,
      work:
        tidy.length === 0
          ? plan.work
          : [...plan.work, { target: 'announcements', label: 'announcements', steps: tidy }],
      receipts: [...receipts.values()].slice(-MOST_RECEIPTS),
    };
  }

  async function readCard(
    instance: InstanceSpec,
    nic: NicSpec,
    port: (OvsPort & { readonly name: string }) | undefined,
    now: number,
  ): Promise<Card> {
    // Read again only while something is due: nobody else writes these files.
    if (!records.has(nic.id) || dueOf(nic, records.get(nic.id)).length > 0)
      records.set(nic.id, await readRecord(config.state, nic.id));
    const record = records.get(nic.id);
    const due = dueOf(nic, record);
    const installed = port?.externalIds['ovn-installed'] === 'true' && port.ofport !== undefined;
    const plugged = installed ? { name: port.name, ofport: port.ofport } : undefined;
    if (plugged !== undefined) followUp(instance, nic, plugged, record ?? [], now);
    const shut = plugged === undefined ? new Set<string>() : await shutAddresses(nic, plugged.ofport, due, record, now);
    return { runs: runs(instance.id), record, shut, ...(plugged === undefined ? {} : { port: plugged }) };
  }

  /** The due addresses in whose name the card's frames are dropped still. A card that is new here came with its rules. */
  async function shutAddresses(
    nic: NicSpec,
    ofport: number,
    due: readonly { readonly ip: string; readonly moved: number }[],
    record: readonly Announced[] | undefined,
    now: number,
  ): Promise<Set<string>> {
    const shut = new Set<string>();
    if (record === undefined) return shut;
    for (const { ip, moved } of due) {
      const key = `${nic.id}/${ip}/${moved}`;
      const first = since.get(key) ?? now;
      since.set(key, first);
      if (now - first < RULES_MS && !(await passes(ofport, announceRequest(nic.mac, ip)))) shut.add(ip);
    }
    return shut;
  }

  /** Whether Open vSwitch would send the frame on, by its own tracer. */
  async function passes(ofport: number, frame: string): Promise<boolean> {
    const { stdout } = await tryRun(
      [
        'ovs-appctl',
        '-t',
        await controlSocket(config.ovs.rundir),
        'ofproto/trace',
        'br-int',
        `in_port=${ofport}`,
        frame,
      ],
      { timeoutMs: 5000 },
    );
    return !/^Datapath actions: drop$/m.test(stdout);
  }

  /** Repeats what was announced a moment ago and asks the upstream, once for each announcement. */
  function followUp(
    instance: InstanceSpec,
    nic: NicSpec,
    port: { readonly name: string; readonly ofport: number },
    record: readonly Announced[],
    now: number,
  ): void {
    const entries = record.filter(
      (entry) => !followed.has(`${nic.id}/${entry.ip}/${entry.moved}`) && isFresh(entry.announced, now),
    );
    for (const { ip, moved } of entries) followed.add(`${nic.id}/${ip}/${moved}`);
    const open = entries.filter(({ ip, moved }) => !receipts.has(receiptKey({ nicId: nic.id, ip, moved })));
    if (open.length === 0) return;
    const left = new Map<string, number>();
    for (const { ip, moved } of open) {
      const noted = since.get(`${nic.id}/${ip}/${moved}`);
      const elsewhere = [...records].some(([id, known]) => id !== nic.id && known?.some((one) => one.ip === ip));
      if (noted !== undefined && elsewhere) left.set(ip, noted);
      since.delete(`${nic.id}/${ip}/${moved}`);
    }
    follow({ instance, nic, port, entries: open, left }).catch((error: unknown) =>
      log.error({ nic: nic.id, err: (error as Error).message }, 'announcement not followed up'),
    );
  }

  async function follow(moved: Moved): Promise<void> {
    const { nic, port, entries } = moved;
    const addresses = entries.map(({ ip }) => ip);
    const repeat = async (): Promise<void> => {
      for (const pause of AGAIN_MS) {
        await sleep(pause, signal);
        if (!signal.aborted) await tryRun(announceArgv(port.ofport, nic, addresses, context), { timeoutMs: 5000 });
      }
    };
    const repeated = repeat();
    const { upstream } = nic;
    const asked = upstream !== undefined && noWatch === undefined;
    let left = asked ? addresses.filter((ip) => ip !== upstream) : [];
    await tell(moved, left.length === 0 ? new Map() : await inquire(moved, left));
    await repeated;
    for (const pause of LATER_MS) {
      left = left.filter((ip) => receipts.get(keyOf(moved, ip))?.verdict !== 'learnt');
      if (left.length === 0 || noWatch !== undefined) return;
      await sleep(pause, signal);
      if (signal.aborted || !stillHere(moved)) return;
      await tryRun(announceArgv(port.ofport, nic, left, context), { timeoutMs: 5000 });
      await tell(moved, await inquire(moved, left));
    }
  }

  function inquire(moved: Moved, addresses: readonly string[]): Promise<ReadonlyMap<string, Finding>> {
    return turns[next++ % turns.length]!.run(() => inquireNow(moved, addresses));
  }

  async function inquireNow(
    { nic, port, entries }: Moved,
    addresses: readonly string[],
  ): Promise<ReadonlyMap<string, Finding>> {
    try {
      const control = (nic.addresses ?? []).map(({ ip }) => ip).find((ip) => !entries.some((entry) => entry.ip === ip));
      const question = {
        mac: nic.mac,
        upstream: nic.upstream!,
        addresses,
        port: port.name,
        uplinks: uplinks(ovs),
        ...(control === undefined ? {} : { control }),
      };
      const send = async (frames: readonly string[]): Promise<void> =>
        void (await run(sendArgv(port.ofport, frames, context), { timeoutMs: 5000 }));
      return await verify(question, send, signal);
    } catch (error) {
      // A card may be unplugged meanwhile; a tcpdump that is not there stays away.
      if (/cannot be run/.test((error as Error).message)) noWatch = (error as Error).message;
      log.warn({ nic: nic.id, err: (error as Error).message }, 'the upstream cannot be asked whether it learnt');
      return new Map();
    }
  }

  async function tell(moved: Moved, findings: ReadonlyMap<string, Finding>): Promise<void> {
    if (signal.aborted) return;
    for (const entry of moved.entries) {
      const receipt = receiptOf(moved, entry, findings.get(entry.ip));
      const key = receiptKey(receipt);
      // A later look that found nothing out takes nothing back.
      if (receipts.has(key) && receipt.verdict === undefined) continue;
      receipts.set(key, receipt);
      const { verdict, upstream, answeredBy, afterMs } = receipt;
      const level = verdict === 'stale' ? 'warn' : 'info';
      log[level](
        { ip: entry.ip, mac: moved.nic.mac, cause: entry.cause, upstream, verdict, answeredBy, afterMs },
        'address announced',
      );
    }
    await keepReceipts(config.state, [...receipts.values()]);
    bell.ring();
  }

  function stillHere({ nic, entries }: Moved): boolean {
    const record = records.get(nic.id);
    return entries.some((entry) => record?.some((known) => known.ip === entry.ip && known.moved === entry.moved));
  }

  /** Records of cards that have left this node: they would hide their coming back. */
  async function sweep(document: NodeDocument): Promise<Step[]> {
    if (swept === document.generation) return [];
    swept = document.generation;
    const cards = new Set(document.instances.flatMap(({ nics }) => nics.map(({ id }) => `${id}.json`)));
    const files = await readdir(recordFolder(config.state)).catch(() => [] as string[]);
    const gone = files.filter((file) => !cards.has(file));
    for (const file of gone) records.delete(file.slice(0, -'.json'.length));
    return gone.map((file): Step => ({
      kind: 'remove',
      path: join(recordFolder(config.state), file),
      reason: 'the card is no longer here',
      routine: true,
    }));
  }

  announceGateways(config, ovs, { holds: (ports) => holdings.set(ports), plugged }, signal, log).catch(
    (error: unknown) => log.error({ err: (error as Error).message }, 'gateways are announced by OVN alone'),
  );
  return { name: 'announcements', look };
}

function receiptOf({ nic, left }: Moved, entry: Announced, finding: Finding | undefined): ReceiptReport {
  const began = Date.parse(entry.announced);
  const noted = left.get(entry.ip);
  const learnt = finding?.verdict === 'learnt' ? finding.at : undefined;
  return {
    nicId: nic.id,
    ip: entry.ip,
    mac: nic.mac,
    moved: entry.moved,
    cause: entry.cause,
    announced: entry.announced,
    ...(nic.upstream === undefined ? {} : { upstream: nic.upstream }),
    ...(finding === undefined ? {} : { verdict: finding.verdict }),
    ...(finding?.answeredBy === undefined ? {} : { answeredBy: finding.answeredBy }),
    ...(finding?.at === undefined ? {} : { afterMs: Math.max(0, Math.round(finding.at - began)) }),
    ...(learnt === undefined || noted === undefined ? {} : { outageMs: Math.max(0, Math.round(learnt - noted)) }),
  };
}

function keyOf({ nic, entries }: Moved, ip: string): string {
  return receiptKey({ nicId: nic.id, ip, moved: entries.find((entry) => entry.ip === ip)!.moved });
}

function isFresh(announced: string, now: number): boolean {
  return now - Date.parse(announced) < FRESH_MS;
}

/** The devices by which bridges other than the integration bridge reach the world. */
function uplinks(ovs: OvsClient): string[] {
  return [...ovs.layout().bridges]
    .filter(([bridge]) => bridge !== 'br-int')
    .flatMap(([, interfaces]) =>
      interfaces.filter(({ type }) => type === '' || type === 'system').map(({ name }) => name),
    );
}
