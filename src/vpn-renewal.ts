// Renews the certificates of VPN servers before they end, and says whose clients' end. Apart from serve.ts: it is a clock of its own.
import { X509Certificate } from 'node:crypto';
import { renewedServer } from './commands/vpn/remote-vpn-keys.ts';
import type { AccessCertificates } from './model/vpn.ts';
import type { Store } from './store/open.ts';
import {
  type EndingServer,
  endingServers,
  keepRenewed,
  tellEndingAuthorities,
  tellEndingClients,
} from './store/vpn-certificates.ts';

const DAY_MS = 86_400_000;

/** Looks once. Clients come back by themselves: they know the authority, which stays. */
export async function renewVpns(store: Store, now = Date.now()): Promise<void> {
  const failed: unknown[] = [];
  // One that cannot be renewed keeps nobody else from it.
  for (const ending of await endingServers(store, now))
    await renew(store, ending).catch((error: unknown) =>
      failed.push(new Error(`remote access ${ending.id}: ${(error as Error).message}`)),
    );
  await tellEndingClients(store, now);
  await tellEndingAuthorities(store, authorityEnd, now);
  if (failed.length > 0) throw new AggregateError(failed, failed.map((error) => (error as Error).message).join('; '));
}

/** Milliseconds. */
function authorityEnd(ca: string): number {
  return Date.parse(new X509Certificate(ca).validTo);
}

async function renew(store: Store, ending: EndingServer): Promise<void> {
  const { ca = '', ends = '' } = JSON.parse(ending.certificates) as AccessCertificates;
  // It would end no later: its authority ends with it, of which somebody was told a year before.
  if (authorityEnd(ca) - Date.parse(ends) < DAY_MS) return;
  await keepRenewed(store, ending, await renewedServer(store.sealKey, ending));
}
