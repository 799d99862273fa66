// Starts a machine under QEMU whose network cards are cables of the lab: each card's tap is moved into a namespace and is the NIC there.
// Always emulated (TCG): it works on every machine, and what /dev/kvm promises is not always kept.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { macOf } from '../../lib/id.ts';
import { run, tryRun } from '../../lib/run.ts';
import { sleep } from '../../lib/sleep.ts';
import { signalTree } from '../proc.ts';
import { sandboxEnv } from '../sandbox.ts';
import type { GuestKernel } from './kernel.ts';
import { connectQmp, type Qmp } from './qmp.ts';

/** Puts an argv where the namespaces are: `(argv) => enter(lab.sandbox, argv)` for a lab; absent: here. */
export type Place = (argv: readonly string[]) => readonly string[];

/** Where a card's cable ends: interface `device` of the named namespace. The first tap is eth0 in the guest, and so on. */
export interface Tap {
  readonly netns: string;
  readonly device: string;
  /** The card's MAC address in the guest; one that follows from the guest's name when absent. */
  readonly mac?: string;
  /** Addresses with prefix length for the namespace's end; none when absent. */
  readonly addresses?: readonly string[];
}

export interface GuestOptions {
  /** Unique where it runs; at most 13 letters, digits, dashes. */
  readonly name: string;
  readonly kernel: GuestKernel;
  /** Path of its initramfs. */
  readonly initrd: string;
  readonly memoryMb: number;
  readonly taps: readonly Tap[];
  /** A folder of its own with a short path: console.log, qemu.log and the control socket are put there. */
  readonly directory: string;
  /** Raw images, read-only: /dev/vda, /dev/vdb … */
  readonly disks?: readonly string[];
  /** More words for the kernel. */
  readonly append?: string;
  readonly place?: Place;
  /** A line of the console that says it is up (default: one that begins with READY), and how long that may take. */
  readonly ready?: RegExp;
  readonly readyMs?: number;
}

export interface Guest {
  readonly name: string;
  /** From the start of QEMU to the line that says the guest is up. */
  readonly bootMs: number;
  /** All the guest has said on its console so far. */
  console(): string;
  /** Waits for a line of the console. Throws with the console's end when it does not come within `ms`. */
  says(pattern: RegExp, ms?: number): Promise<RegExpExecArray>;
  readonly qmp: Qmp;
  /** Ends it, and waits until it has; its cables go with it. */
  stop(): Promise<void>;
}

/** QEMU's userspace-friendly cards: Open vSwitch in user space passes frames on as they are, so nothing may be left to a card. */
const NO_OFFLOAD =
  'csum=off,gso=off,host_tso4=off,host_tso6=off,host_ecn=off,host_ufo=off,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ecn=off,guest_ufo=off';
const START_MS = 20_000;
const STOP_MS = 3_000;

/** Boots a guest and returns when it says it is up. Nothing is left of it when this throws. */
export async function startGuest(options: GuestOptions): Promise<Guest> {
  const { name, directory } = options;
  if (!/^[a-z0-9][a-z0-9-]{0,12}$/.test(name))
    throw new Error(`${name} is no name for a guest: at most 13 lower-case letters, digits, dashes`);
  const place = options.place ?? ((argv) => argv);
  const inside = (...argv: string[]): Promise<unknown> => run(place(argv), { env: sandboxEnv() });
  mkdirSync(directory, { recursive: true });
  const netns = `q-${name}`;
  const files = {
    console: join(directory, 'console.log'),
    qmp: join(directory, 'qmp.sock'),
    log: join(directory, 'qemu.log'),
  };
  for (const file of Object.values(files)) rmSync(file, { force: true });
  // A namespace of QEMU's own: taps of all guests have the same names, and none of them shows up on the machine.
  const left = await tryRun(place(['ip', 'netns', 'pids', netns]), { env: sandboxEnv() });
  if (left.stdout.trim() !== '') throw new Error(`a guest ${name} runs here already (process ${left.stdout.trim()})`);
  if (left.code === 0) await inside('ip', 'netns', 'del', netns); // its starter was killed
  await inside('ip', 'netns', 'add', netns);
  const started = Date.now();
  const log = openSync(files.log, 'w');
  const die = ['setpriv', '--pdeathsig', 'KILL', '--'];
  const argv = [...die, ...place([...die, 'nsenter', `--net=/run/netns/${netns}`, '--', ...qemuArgv(options, files)])];
  const child = spawn(argv[0]!, argv.slice(1), { stdio: ['ignore', log, log], env: sandboxEnv() });
  closeSync(log);
  let end: string | undefined;
  const ended = new Promise<void>((resolve) => {
    const over = (how: string): void => {
      end = `guest ${name}: QEMU ${how}: ${read(files.log).trim().slice(-1000)}`;
      resolve();
    };
    child.on('error', (error) => over(error.message));
    child.on('close', (code, signal) => over(`ended (${signal ?? `exit status ${code}`})`));
  });
  let qmp: Qmp | undefined;
  const stop = async (): Promise<void> => {
    await quit(child, qmp, ended);
    await tryRun(place(['ip', 'netns', 'del', netns]), { env: sandboxEnv() });
  };
  const said = (): string => read(files.console).replaceAll('\r', '');
  const says = async (pattern: RegExp, ms = 10_000): Promise<RegExpExecArray> => {
    const until = Date.now() + ms;
    for (;;) {
      const found = pattern.exec(said());
      if (found !== null) return found;
      if (end !== undefined) throw new Error(end);
      if (Date.now() > until)
        throw new Error(
          `guest ${name} has not said ${pattern} within ${ms / 1000} s; its console ends: ${said().slice(-1500)}`,
        );
      await sleep(20);
    }
  };
  try {
    qmp = await connectQmp(files.qmp, START_MS, () => end);
    // It waits, switched off, until its cables are where they belong.
    for (const [index, tap] of options.taps.entries()) {
      await inside('ip', '-n', netns, 'link', 'set', `tap${index}`, 'netns', tap.netns, 'name', tap.device);
      for (const address of tap.addresses ?? [])
        await inside('ip', '-n', tap.netns, 'address', 'add', address, 'dev', tap.device);
      await inside('ip', '-n', tap.netns, 'link', 'set', tap.device, 'up');
    }
    await qmp.command('cont');
    await says(options.ready ?? /^READY/m, options.readyMs ?? 60_000);
    return { name, bootMs: Date.now() - started, console: said, says, qmp, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function qemuArgv(options: GuestOptions, files: { readonly console: string; readonly qmp: string }): string[] {
  const cards = options.taps.flatMap(({ mac }, index) => [
    '-netdev',
    `tap,id=n${index},ifname=tap${index},script=no,downscript=no,vhost=off`,
    '-device',
    // A fixed slot each: cards are found in this order.
    `virtio-net-pci,netdev=n${index},addr=${slot(8 + index)},mac=${mac ?? macOf(`${options.name}/eth${index}`)},${NO_OFFLOAD}`,
  ]);
  const disks = (options.disks ?? []).flatMap((file, index) => [
    '-drive',
    `if=none,id=d${index},format=raw,readonly=on,file=${file.replaceAll(',', ',,')}`,
    '-device',
    `virtio-blk-pci,drive=d${index},addr=${slot(24 + index)}`,
  ]);
  return [
    'qemu-system-x86_64',
    ...'-machine pc -accel tcg -smp 1 -nodefaults -no-user-config -display none -no-reboot -S'.split(' '),
    // rdrand: its random numbers are there at once; an SSH server waits for them.
    '-cpu',
    'qemu64,+rdrand',
    '-m',
    String(options.memoryMb),
    '-serial',
    `file:${files.console}`,
    '-qmp',
    `unix:${files.qmp},server=on,wait=off`,
    '-kernel',
    options.kernel.image,
    '-initrd',
    options.initrd,
    '-append',
    `console=ttyS0 quiet panic=-1 mitigations=off net.ifnames=0 ${options.append ?? ''}`.trim(),
    ...cards,
    ...disks,
  ];
}

/** QEMU reads slots as hexadecimal. */
function slot(index: number): string {
  return index.toString(16);
}

async function quit(child: ChildProcess, qmp: Qmp | undefined, ended: Promise<void>): Promise<void> {
  await qmp?.command('quit').catch(() => undefined);
  qmp?.close();
  const timer = setTimeout(
    () => child.pid !== undefined && signalTree(child.pid, 'SIGKILL'),
    qmp === undefined ? 0 : STOP_MS,
  );
  await ended;
  clearTimeout(timer);
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // not there yet
  }
}
