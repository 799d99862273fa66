// An all-pairs negative probe that runs beside whatever else happens: everybody sends marked packets to everybody's address, and listens.
// Tenants have the same addresses, so each packet has somebody of its own tenant to go to, and others it must never reach. One that does is
// a failure, whatever went on at that moment.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Cloud } from '../../src/demo/cloud.ts';
import { enter, sandboxEnv } from '../../src/lab/sandbox.ts';
import { eventually } from './lab.ts';
import type { Guest } from './tenant-lab.ts';

const SCRIPT = new URL('leak-probe.py', import.meta.url).pathname;
const PORT = '7788';

/** Guests that are to hear each other, and nobody else. */
export interface Cell {
  /** Without blanks. */
  readonly name: string;
  readonly guests: readonly Guest[];
}

export interface ProbeOptions {
  /** Between two rounds of each guest: one packet to each address, one to each MAC of other cells (default: 100 ms). */
  readonly intervalMs?: number;
  /** How long it may take until everybody hears everybody of his cell, at the start and again at the end (default: 20 s). */
  readonly patienceMs?: number;
}

/** What was heard where it belongs: a proof that there was something to hear. */
export interface ProbeReport {
  readonly heard: number;
  /** Pairs within cells; each was heard before and after. */
  readonly pairs: number;
}

interface Ear {
  readonly cell: Cell;
  readonly guest: Guest;
  readonly heard: Map<string, number>;
}

/**
 * Probes while `during` runs. Throws, with sender, hearer and frame, for each packet that reached another cell; throws when somebody does
 * not hear all of his own cell before `during` begins or after it ended, since silence proves nothing then.
 */
export async function whileProbing(
  { lab }: Pick<Cloud, 'lab'>,
  cells: readonly Cell[],
  during: () => Promise<unknown>,
  { intervalMs = 100, patienceMs = 20_000 }: ProbeOptions = {},
): Promise<ProbeReport> {
  const everybody = cells.flatMap((cell) => cell.guests.map((guest) => ({ cell, guest })));
  const addresses = [...new Set(everybody.map(({ guest }) => guest.address))];
  const leaks: string[] = [];
  const ended: string[] = [];
  const ears = everybody.map(({ cell, guest }): Ear & { stop: () => Promise<void> } => {
    const heard = new Map<string, number>();
    const foreign = everybody.filter((each) => each.cell !== cell).map((each) => each.guest.mac);
    const others = addresses.filter((address) => address !== guest.address);
    const own = [cell.name, guest.name, String(intervalMs), PORT, others.join(','), foreign.join(',')];
    const netns = `--net=/run/netns/i-${guest.id.slice(0, 8)}`;
    const [program, ...argv] = enter(lab.sandbox, [
      'setpriv',
      '--pdeathsig',
      'KILL',
      '--',
      'nsenter',
      netns,
      '--',
      '/usr/bin/python3',
      SCRIPT,
      ...own,
    ]);
    const child = spawn(program!, argv, { env: sandboxEnv(), stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    let stopping = false;
    child.stderr.on('data', (chunk: Buffer) => (said = (said + chunk.toString()).slice(-500)));
    createInterface(child.stdout).on('line', (line) => {
      const [what, ...rest] = line.split(' ');
      if (what === 'leak') leaks.push(`${guest.name} of ${cell.name} heard ${rest[1]} of ${rest[0]}: ${rest[2]}`);
      else
        for (const [name, count] of Object.entries(JSON.parse(rest.join(' ')) as object))
          heard.set(name, count as number);
    });
    const closed = new Promise<void>((resolve) => {
      child.on('close', () => {
        if (!stopping) ended.push(`the probe of ${guest.name} ended: ${said.trim()}`);
        resolve();
      });
    });
    return {
      cell,
      guest,
      heard,
      stop() {
        stopping = true;
        child.kill('SIGKILL');
        return closed;
      },
    };
  });

  const unheard = (than: ReadonlyMap<Ear, ReadonlyMap<string, number>>): string[] =>
    ears.flatMap((ear) =>
      ear.cell.guests
        .filter(({ name }) => name !== ear.guest.name)
        .filter(({ name }) => (ear.heard.get(name) ?? 0) <= (than.get(ear)?.get(name) ?? 0))
        .map(({ name }) => `${ear.guest.name} does not hear ${name}`),
    );
  const allHeard = async (when: string, than: Parameters<typeof unheard>[0]): Promise<void> => {
    await eventually(when, () => (unheard(than).length === 0 ? true : undefined), patienceMs).catch(
      (error: unknown) => {
        throw new Error(`${(error as Error).message}: ${[...unheard(than), ...ended].join('; ')}`, { cause: error });
      },
    );
  };
  try {
    await allHeard('everybody hearing his own cell at the start', new Map());
    await during();
    const now = new Map(ears.map((ear) => [ear, new Map(ear.heard)]));
    await allHeard('everybody hearing his own cell at the end', now);
  } finally {
    await Promise.all(ears.map((ear) => ear.stop()));
  }
  assert.deepEqual(leaks, []);
  const counts = ears.flatMap(({ guest, heard }) =>
    [...heard].filter(([name]) => name !== guest.name).map(([, count]) => count),
  );
  return { heard: counts.reduce((sum, count) => sum + count, 0), pairs: counts.length };
}
