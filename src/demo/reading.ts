// Reads what ping, tcpdump, ip and the kernel print. Pure, and strict: a text that is not as expected must never pass for
// "no packet came", which is what many promises are about.
import type { RunResult } from '../lib/run.ts';

/**
 * Whether a ping of one packet was answered. Throws when it was not even sent: "no answer" is an expectation of the stories,
 * and a ping that could not run must never fulfil it.
 */
export function answered({ code, stdout, stderr }: RunResult, what: string): boolean {
  if (!/^1 packets transmitted/m.test(stdout)) {
    throw new Error(`${what} sent nothing (exit status ${code}): ${(stderr || stdout).trim()}`);
  }
  return code === 0;
}

/** Reads `Icmp: InEchos` from /proc/net/snmp (proc(5)): a line of names, then one of values. */
export function echoRequests(snmp: string): number {
  const [names, values] = snmp
    .split('\n')
    .filter((line) => line.startsWith('Icmp:'))
    .map((line) => line.split(' '));
  const value = Number(values?.[names?.indexOf('InEchos') ?? -1]);
  if (Number.isNaN(value)) throw new Error(`/proc/net/snmp without InEchos: ${snmp.slice(0, 200)}`);
  return value;
}

/** One line of `ping -D -O`: an answer, or that there is none yet. `at` is in milliseconds since 1970. */
export interface Echo {
  readonly at: number;
  readonly sequence: number;
  readonly answered: boolean;
}

/** Undefined for lines that say something else, such as an ICMP error: the silence it stands for has a line of its own. */
export function readEcho(line: string): Echo | undefined {
  const [, seconds, answer, sequence] =
    /^\[([0-9.]+)\] (?:([0-9]+ bytes from \S+:? )|no answer yet for )icmp_seq=([0-9]+)/.exec(line) ?? [];
  if (seconds === undefined) return undefined;
  return { at: Number(seconds) * 1000, sequence: Number(sequence), answered: answer !== undefined };
}

/** How long nothing came back while something happened. */
export interface Outage {
  /** The longest time between two answers, in milliseconds: about the interval of the pings when nothing was lost. */
  readonly gapMs: number;
  readonly sent: number;
  readonly lost: number;
  /** Whether answers came again in the end. */
  readonly recovered: boolean;
}

/** Sums up a run of pings that ended at `end` (milliseconds since 1970). Throws when none was ever answered. */
export function outageOf(echoes: readonly Echo[], end: number, intervalMs: number): Outage {
  const answers = echoes.filter((echo) => echo.answered);
  const last = answers.at(-1);
  if (last === undefined) throw new Error('no ping was answered at all');
  const silent = end - last.at;
  // A packet on its way, and the process that prints it, need their time: ten intervals of silence are no chance any more.
  const recovered = silent <= 10 * intervalMs;
  const gaps = answers.slice(1).map((echo, i) => echo.at - answers[i]!.at);
  // Those sent after the last answer are lost only if nothing comes any more.
  const sent = recovered ? last.sequence : Math.max(...echoes.map((echo) => echo.sequence));
  const lost = sent - new Set(answers.map((echo) => echo.sequence)).size;
  return { gapMs: Math.round(Math.max(0, ...gaps, recovered ? 0 : silent)), sent, lost, recovered };
}

/** What a cable carried: the VLAN tags that were seen, ascending, and how many frames had none. */
export interface Tags {
  readonly vlans: readonly number[];
  readonly untagged: number;
}

/** Reads what `tcpdump -e -n` printed. Throws on a line that is no frame. */
export function tagsOf(lines: readonly string[]): Tags {
  const vlans = new Set<number>();
  let untagged = 0;
  for (const line of lines) {
    if (!/ ethertype /.test(line) && !/ 802\.3, /.test(line)) throw new Error(`tcpdump printed no frame: ${line}`);
    const vlan = /ethertype 802\.1Q .*?: vlan ([0-9]+),/.exec(line)?.[1];
    if (vlan === undefined) untagged += 1;
    else vlans.add(Number(vlan));
  }
  return { vlans: [...vlans].toSorted((a, b) => a - b), untagged };
}

/** The MAC in `ip -json neighbour show to ADDRESS`; undefined when the cache has none, or knows only that nobody answered. */
export function neighbourMac(json: string): string | undefined {
  const found = JSON.parse(json || '[]') as readonly { readonly lladdr?: string; readonly state?: readonly string[] }[];
  return found.find(({ lladdr, state }) => lladdr !== undefined && state?.includes('FAILED') !== true)?.lladdr;
}
