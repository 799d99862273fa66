// Certificates of VPNs before they end: which servers' do, what takes their place, and who must be told because nobody else can help him.
import { addEvent } from './event.ts';
import type { Store } from './open.ts';
import { ENDING, RENEWED } from './vpn-states.ts';

const DAY_MS = 86_400_000;
/** Days before its end at which a certificate is renewed, or somebody is told. */
export const NOTICE_DAYS = 30;

/** A server's certificate that ends soon. */
export interface EndingServer {
  readonly id: string;
  readonly kind: string;
  readonly publicIp: string;
  readonly secrets: string;
  readonly certificates: string;
}

/** The servers' certificates that end within the notice, or have ended. */
export async function endingServers(store: Store, now = Date.now()): Promise<EndingServer[]> {
  const rows = await store.db
    .selectFrom('remotevpn')
    .innerJoin('publicip', 'publicip.id', 'remotevpn.publicip')
    .select([
      'remotevpn.id',
      'remotevpn.kind',
      'remotevpn.secrets',
      'remotevpn.certificates',
      'publicip.ip as publicIp',
    ])
    .where('remotevpn.kind', '!=', 'wireguard')
    .execute();
  return rows.filter(({ certificates }) => {
    const { ends } = JSON.parse(certificates) as { readonly ends?: string };
    return ends !== undefined && Date.parse(ends) - now < NOTICE_DAYS * DAY_MS;
  });
}

/** Puts a renewed certificate in its place, unless somebody was faster. */
export async function keepRenewed(
  store: Store,
  was: EndingServer,
  renewed: { readonly secrets: string; readonly certificates: string; readonly ends: string },
): Promise<void> {
  await store.write(async (tx) => {
    const row = await tx.db.selectFrom('remotevpn').selectAll().where('id', '=', was.id).executeTakeFirst();
    if (row === undefined || row.secrets !== was.secrets) return;
    await tx.update('remotevpn', row.id, { secrets: renewed.secrets, certificates: renewed.certificates });
    await addEvent(tx, row, {
      type: RENEWED,
      level: 'INFO',
      text: `the certificate of remote access by ${row.kind} at ${was.publicIp} was renewed: it ends on ${renewed.ends.slice(0, 10)} now. Clients keep theirs`,
      about: { type: 'RemoteAccessVpn', id: row.id },
    });
  });
}

/** Tells once of each client whose certificate ends within the notice: nobody else can make him a new profile. */
export async function tellEndingClients(store: Store, now = Date.now()): Promise<void> {
  const before = new Date(now + NOTICE_DAYS * DAY_MS).toISOString();
  const ending = (db: Store['db']) =>
    db
      .selectFrom('vpnclient')
      .innerJoin('vpnuser', 'vpnuser.id', 'vpnclient.vpnuser')
      .select(['vpnclient.id', 'vpnclient.ends', 'vpnuser.username', 'vpnuser.account', 'vpnuser.domain'])
      .where('vpnclient.ends', '<', before)
      .where(
        'vpnclient.id',
        'not in',
        db
          .selectFrom('event')
          .select('event.resource')
          .where('type', '=', ENDING)
          .where('event.resource', 'is not', null)
          .$castTo<{ resource: string }>(),
      )
      .execute();
  if ((await ending(store.db)).length === 0) return;
  await store.write(async (tx) => {
    for (const { id, ends, username, ...to } of await ending(tx.db))
      await addEvent(tx, to, {
        type: ENDING,
        level: 'WARN',
        text: `the certificate of VPN user ${username} ends on ${ends?.slice(0, 10)}: make him a new profile (createVpnClientProfile) before`,
        about: { type: 'VpnClient', id },
      });
  });
}

/** Days before its end at which somebody is told of a VPN's authority: all its users need new profiles then. */
export const AUTHORITY_NOTICE_DAYS = 365;

/** Tells once of each VPN whose authority ends: `endOf` reads when, in milliseconds. */
export async function tellEndingAuthorities(
  store: Store,
  endOf: (ca: string) => number,
  now = Date.now(),
): Promise<void> {
  const rows = await store.db.selectFrom('remotevpn').selectAll().where('kind', '!=', 'wireguard').execute();
  const ending = rows.flatMap((row) => {
    const { ca } = JSON.parse(row.certificates) as { readonly ca?: string };
    const ends = ca === undefined ? Infinity : endOf(ca);
    return ends - now < AUTHORITY_NOTICE_DAYS * DAY_MS ? [{ ...row, ends }] : [];
  });
  if (ending.length === 0) return;
  await store.write(async (tx) => {
    for (const { id, kind, ends, ...to } of ending) {
      const told = await tx.db
        .selectFrom('event')
        .select('id')
        .where('type', '=', ENDING)
        .where('resource', '=', id)
        .executeTakeFirst();
      if (told !== undefined) continue;
      await addEvent(tx, to, {
        type: ENDING,
        level: 'WARN',
        text: `the authority of remote access by ${kind} ends on ${new Date(ends).toISOString().slice(0, 10)}, and it cannot be renewed: make the VPN anew (deleteRemoteAccessVpn, createRemoteAccessVpn) and give its users new profiles before`,
        about: { type: 'RemoteAccessVpn', id },
      });
    }
  });
}
