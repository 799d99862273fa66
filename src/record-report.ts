// Keeps what a node reports: each part goes its own way into the state. Apart from serve.ts, because one part that cannot be kept must not
// keep the others of that node from ever being.
import type { NodeReport } from './protocol/document.ts';
import type { VpnStatus } from './protocol/vpn.ts';
import type { VpnWatch } from './reconcile/vpn-watch.ts';
import { recordReport } from './store/hosts.ts';
import type { Store } from './store/open.ts';
import { recordReceipts } from './store/receipts.ts';
import { recordRouterStates } from './store/router-states.ts';
import { recordScans } from './store/scans.ts';
import { forgetPasswords } from './store/taken-password.ts';

/** Records all parts, one after the other. Throws an AggregateError that names those that could not be recorded. */
export async function recordAll(
  store: Store,
  vpns: Pick<VpnWatch, 'heard'>,
  report: NodeReport,
  vpnsOf: (report: NodeReport) => readonly VpnStatus[],
): Promise<void> {
  const { node } = report;
  const parts: Readonly<Record<string, () => Promise<unknown>>> = {
    'that it is there': () => recordReport(store, node, JSON.stringify(report.facts)),
    'its routers': () => recordRouterStates(store, node, report.routers ?? []),
    'its receipts': () => recordReceipts(store, node, report.receipts ?? []),
    'its scans': () => recordScans(store, node, report.scans ?? []),
    'its VPNs': async () => vpns.heard(node, vpnsOf(report)),
    'passwords taken': () => forgetPasswords(store, node, report.taken ?? []),
  };
  const failed: { readonly part: string; readonly error: unknown }[] = [];
  for (const [part, record] of Object.entries(parts))
    await record().catch((error: unknown) => void failed.push({ part, error }));
  if (failed.length === 0) return;
  const why = failed.map(({ part, error }) => `${part}: ${error instanceof Error ? error.message : String(error)}`);
  throw new AggregateError(
    failed.map(({ error }) => error),
    `could not record all that node ${node} reports: ${why.join('; ')}`,
  );
}
