// Receipts of addresses that came to this node, by a takeover or because they are new: the announcement is the node's own (script.ts), and
// here the router outside is asked whether it learnt. It answers an echo request of the address to the MAC it knows the address by, so an
// answer that arrives here is the proof.
import type { Bell } from '../../lib/bell.ts';
import { run, tryRun } from '../../lib/run.ts';
import type { ReceiptReport, RouterSpec } from '../../protocol/document.ts';
import { isPair, outsideDevice, type RouterContext } from './names.ts';
import type { Actual } from './read.ts';

/** How long a receipt is repeated to the server. */
const REPEAT_MS = 300_000;
/** How long an upstream is asked, in seconds of ping(8) and arping(8). */
const PATIENCE_S = 2;

/** A public address that is on this node now. */
export interface Arrived {
  /** Of the network's leg here. */
  readonly routerId: string;
  readonly ip: string;
  readonly device: string;
  readonly upstream: string;
  readonly pair: boolean;
}

/** The public addresses of these networks that the node holds: pure. */
export function heldBy(
  specs: readonly RouterSpec[],
  actual: Pick<Actual, 'addresses'>,
  context: RouterContext,
): Arrived[] {
  return specs.flatMap((spec) =>
    spec.publicAddresses.flatMap(({ ip, vlan, gateway }) => {
      const device = outsideDevice(vlan, context);
      const here = actual.addresses.some((one) => one.device === device && one.address.startsWith(`${ip}/`));
      return here ? [{ routerId: spec.id, ip, device, upstream: gateway, pair: isPair(spec) }] : [];
    }),
  );
}

export interface Arrivals {
  /** What came since the last look is asked about, beside all else; gives the receipts of the last minutes. */
  look(held: readonly Arrived[], now: number): readonly ReceiptReport[];
}

/** `bell`: rung when a receipt is there, so that it is told at once. */
export function createArrivals(bell: Bell): Arrivals {
  let before: ReadonlySet<string> | undefined;
  const receipts = new Map<string, { readonly until: number; readonly receipt: ReceiptReport }>();
  const keyOf = ({ routerId, ip }: Arrived): string => `${routerId}/${ip}`;

  async function ask(one: Arrived, moved: number): Promise<void> {
    const { routerId, ip, device, upstream, pair } = one;
    const mac = await macOf(device);
    const told = {
      routerId,
      ip,
      mac,
      moved,
      cause: pair ? 'takeover' : 'address',
      announced: new Date(moved).toISOString(),
      upstream,
      ...(await verdictOf(one, mac, moved)),
    } as const;
    receipts.set(`${keyOf(one)}/${moved}`, { until: Date.now() + REPEAT_MS, receipt: told });
    bell.ring();
  }

  return {
    look(held, now) {
      // What was here before this program was is no arrival.
      const known = before ?? new Set(held.map(keyOf));
      for (const one of held) if (!known.has(keyOf(one))) ask(one, now).catch(() => undefined); // the device is gone again: nothing to tell
      before = new Set(held.map(keyOf));
      for (const [key, { until }] of receipts) if (until < now) receipts.delete(key);
      return [...receipts.values()].map(({ receipt }) => receipt);
    },
  };
}

async function verdictOf(
  { ip, device, upstream }: Arrived,
  mac: string,
  since: number,
): Promise<Pick<ReceiptReport, 'verdict' | 'answeredBy' | 'afterMs'>> {
  const limit = { timeoutMs: (PATIENCE_S + 2) * 1000 };
  const echo = ['ping', '-n', '-q', '-i', '0.2', '-c', '1', '-w', String(PATIENCE_S)];
  const own = await tryRun([...echo, '-I', ip, upstream], limit);
  if (own.code === 0) return { verdict: 'learnt', answeredBy: mac, afterMs: Date.now() - since };
  // It answers others of this node: then it is this address that it looks for elsewhere.
  if ((await tryRun([...echo, upstream], limit)).code === 0) return { verdict: 'stale' };
  const arp = await tryRun(['arping', '-q', '-c', '1', '-w', String(PATIENCE_S), '-I', device, upstream], limit);
  return { verdict: arp.code === 0 ? 'mute' : 'silent' };
}

async function macOf(device: string): Promise<string> {
  const { stdout } = await run(['ip', '-json', 'link', 'show', 'dev', device]);
  const [link] = JSON.parse(stdout) as { address?: string }[];
  if (link?.address === undefined) throw new Error(`${device} has no MAC address`);
  return link.address;
}
