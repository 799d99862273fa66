// The keys and certificates of remote access, by kind: made with the VPN, and the server's anew before they end. Slow, so never inside a
// change.
import { makeAuthority, makeCertified } from '../../lib/certificate.ts';
import { type AccessCertificates, type AccessSecrets, authorityName, serverName } from '../../model/vpn.ts';
import { seal, unseal } from '../../store/seal.ts';
import type { Room } from '../room.ts';
import type { RemoteVpn } from './remote-vpn-view.ts';
import { newStaticKey, newWireGuardKeys } from './vpn-keys.ts';
import type { AccessKind } from './vpn-ports.ts';

/** Days a VPN's authority lasts, and a server's certificate, which is renewed by itself. */
const AUTHORITY_DAYS = 3650;
const SERVER_DAYS = 397;

export interface Made {
  readonly id: string;
  readonly secrets: AccessSecrets;
  readonly certificates: AccessCertificates;
}

/** Everything a new VPN needs; `id` will be its own. */
export async function makeKeys(id: string, kind: AccessKind, ip: string): Promise<Made> {
  if (kind === 'wireguard') {
    const { privateKey, publicKey } = newWireGuardKeys();
    return { id, secrets: { privateKey }, certificates: { publicKey } };
  }
  const authority = await makeAuthority(authorityName(id), AUTHORITY_DAYS);
  const server = await serverCertificate(id, kind, ip, authority);
  return {
    id,
    secrets: {
      caKey: authority.key,
      key: server.key,
      ...(kind === 'openvpn' ? { tlsCrypt: newStaticKey() } : {}),
    },
    certificates: { ca: authority.certificate, server: server.certificate, ends: server.ends },
  };
}

/** OpenVPN's clients insist on the name we give them; IKEv2's know nothing but the address they typed. */
async function serverCertificate(
  id: string,
  kind: AccessKind,
  ip: string,
  authority: { readonly key: string; readonly certificate: string },
): ReturnType<typeof makeCertified> {
  const name = kind === 'openvpn' ? serverName(id) : ip;
  return makeCertified(authority, { kind: 'server', name, addresses: [ip] }, SERVER_DAYS);
}

/** A server whose certificate is to be made anew; texts as its row has them. */
export interface Server {
  readonly id: string;
  readonly kind: string;
  readonly publicIp: string;
  readonly secrets: string;
  readonly certificates: string;
}

export interface Renewed {
  /** The sealed text this was made from. */
  readonly of: string;
  readonly secrets: string;
  readonly certificates: string;
  /** When the new one ends, as ISO 8601. */
  readonly ends: string;
}

/** The server's key and certificate made anew; its authority stays, so clients keep theirs. */
export async function renewedServer(sealKey: Buffer, { id, kind, publicIp, ...was }: Server): Promise<Renewed> {
  const secrets = JSON.parse(unseal(sealKey, was.secrets)) as AccessSecrets;
  const certificates = JSON.parse(was.certificates) as AccessCertificates;
  const authority = { key: secrets.caKey ?? '', certificate: certificates.ca ?? '' };
  const { key, certificate, ends } = await serverCertificate(id, kind as AccessKind, publicIp, authority);
  return {
    of: was.secrets,
    secrets: seal(sealKey, JSON.stringify({ ...secrets, key })),
    certificates: JSON.stringify({ ...certificates, server: certificate, ends }),
    ends,
  };
}

/** The same for a row. */
export async function renewed({ db, store }: Room, vpn: RemoteVpn): Promise<Renewed> {
  const { ip } = await db.selectFrom('publicip').select('ip').where('id', '=', vpn.publicip).executeTakeFirstOrThrow();
  return renewedServer(store.sealKey, { ...vpn, publicIp: ip });
}
