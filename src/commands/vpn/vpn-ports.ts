// Which UDP ports of a public address belong to its VPNs, and what cannot stand beside them. A port leads to one thing only.
import { refuse } from '../../api/error.ts';
import { IKE_PORTS, WIREGUARD_SITE_PORT } from '../../model/vpn.ts';
import type { Db } from '../../store/open.ts';
import { type PublicIp } from '../public/public-ip-view.ts';
import { type PortRange, refuseConflict } from '../public/rule-conflict.ts';

export type AccessKind = 'openvpn' | 'wireguard' | 'ikev2';

/** Where clients find each kind, unless they are told another port. IKE's are fixed: phones know no others. */
export const DEFAULT_PORT: Readonly<Record<AccessKind, number>> = { openvpn: 1194, wireguard: 51_821, ikev2: 500 };

export function portsOf(kind: AccessKind, port: number): readonly number[] {
  return kind === 'ikev2' ? IKE_PORTS : [port];
}

/** The port of a new VPN of a kind. */
export function readPort(kind: AccessKind, port: number | undefined): number {
  if (port === undefined) return DEFAULT_PORT[kind];
  if (kind === 'ikev2' && port !== DEFAULT_PORT.ikev2)
    throw refuse(
      'parameter',
      `Invalid port ${port}: IKEv2 uses UDP 500 and 4500, and clients know no others. Leave port out`,
    );
  if (port < 1 || port > 65_535)
    throw refuse('parameter', `port is an invalid value: ${port}; ports are numbers from 1 to 65535`);
  if (kind !== 'ikev2' && IKE_PORTS.includes(port))
    throw refuse(
      'parameter',
      `Invalid port ${port}: UDP ${IKE_PORTS.join(' and ')} are IKE's. Choose another, or leave port out`,
    );
  if (port === WIREGUARD_SITE_PORT)
    throw refuse(
      'parameter',
      `Invalid port ${port}: it is kept for connections between sites. Choose another, or leave port out for ${DEFAULT_PORT[kind]}`,
    );
  return port;
}

/** Refuses ports of an address that a rule or another VPN has. */
export async function refuseTakenPorts(
  db: Db,
  address: PublicIp,
  ports: readonly number[],
  except?: string,
): Promise<void> {
  for (const port of ports) {
    await refuseConflict(db, address, { protocol: 'udp', from: port, to: port });
    const vpn = (await accessAt(db, address.id)).find((one) => one.id !== except && one.ports.includes(port));
    if (vpn !== undefined)
      throw refuse(
        'conflict',
        `UDP ${port} of ${address.ip} belongs to remote access by ${vpn.kind} already. Choose another port, or another address`,
      );
  }
}

/** Refuses a port that WireGuard cannot have for itself: it listens at all addresses of the helper, those of others' VPNs among them. */
export async function refuseSharedPort(
  db: Db,
  { vpc, network }: { readonly vpc: string | null; readonly network: string | null },
  kind: AccessKind,
  port: number,
): Promise<void> {
  const [column, value] = vpc === null ? (['network', network ?? ''] as const) : (['vpc', vpc] as const);
  const beside = await db
    .selectFrom('remotevpn')
    .innerJoin('publicip', 'publicip.id', 'remotevpn.publicip')
    .select(['remotevpn.kind', 'remotevpn.port', 'publicip.ip'])
    .where(`remotevpn.${column}`, '=', value)
    .execute();
  const other = beside.find((one) => one.port === port && (kind === 'wireguard' || one.kind === 'wireguard'));
  if (other === undefined) return;
  let free = port;
  while (beside.some((one) => one.port === free)) free++;
  throw refuse(
    'conflict',
    `UDP ${port} belongs to remote access by ${other.kind} at ${other.ip}, and WireGuard listens at all addresses of a gateway: choose another port, such as port=${free}`,
  );
}

/** Refuses a rule on ports that a VPN of the address has. */
export async function refuseVpnPorts(db: Db, address: PublicIp, { protocol, from, to }: PortRange): Promise<void> {
  if (protocol !== 'udp') return;
  const within = (port: number): boolean => from <= port && port <= to;
  const vpn = (await accessAt(db, address.id)).find(({ ports }) => ports.some(within));
  const gateway = await db.selectFrom('vpngateway').select('id').where('publicip', '=', address.id).executeTakeFirst();
  const port = vpn?.ports.find(within) ?? (gateway === undefined ? undefined : SITE_PORTS.find(within));
  if (port === undefined) return;
  const what = vpn === undefined ? `VPN gateway ${gateway?.id}` : `remote access VPN ${vpn.id} (${vpn.kind})`;
  throw refuse(
    'conflict',
    `The range specified, ${from}-${to}, conflicts with ${what}, which has UDP ${port} of ${address.ip}. Choose other ports, or another address`,
  );
}

/** What connections between sites use. */
export const SITE_PORTS: readonly number[] = [...IKE_PORTS, WIREGUARD_SITE_PORT];

async function accessAt(
  db: Db,
  publicip: string,
): Promise<{ readonly id: string; readonly kind: string; readonly ports: readonly number[] }[]> {
  const rows = await db
    .selectFrom('remotevpn')
    .select(['id', 'kind', 'port'])
    .where('publicip', '=', publicip)
    .execute();
  return rows.map(({ id, kind, port }) => ({ id, kind, ports: portsOf(kind as AccessKind, port) }));
}
