// From rows to the virtual private networks of a VPC or a network. Pure. Secrets stay sealed.
import {
  WIREGUARD_SITE_PORT,
  type RemoteAccess,
  type RemoteClient,
  type SiteConnection,
  type VpnSide,
} from '../model/vpn.ts';
import type { Row, Rows } from './intent-rows.ts';

const IKE_VERSIONS: Readonly<Record<string, 0 | 1 | 2>> = { ike: 0, ikev1: 1, ikev2: 2 };

/** Of a VPC; undefined while it has none. */
export function vpcVpn(rows: Rows, vpc: string): VpnSide | undefined {
  return sideOf(rows, rows.remotevpn.by('vpc', vpc), rows.vpngateway.by('vpc', vpc));
}

/** Of a network outside any VPC; undefined while it has none. */
export function networkVpn(rows: Rows, network: string): VpnSide | undefined {
  return sideOf(rows, rows.remotevpn.by('network', network), []);
}

function sideOf(
  rows: Rows,
  vpns: readonly Row<'remotevpn'>[],
  gateways: readonly Row<'vpngateway'>[],
): VpnSide | undefined {
  const access = vpns.flatMap((vpn) => accessOf(rows, vpn));
  const sites = gateways.flatMap((gateway) =>
    rows.vpnconnection.by('vpngateway', gateway.id).flatMap((connection) => siteOf(rows, gateway, connection)),
  );
  return access.length + sites.length === 0 ? undefined : { access, sites };
}

function accessOf(rows: Rows, row: Row<'remotevpn'>): RemoteAccess[] {
  const address = rows.publicip.get(row.publicip);
  if (address === undefined) return [];
  return [
    {
      id: row.id,
      kind: row.kind as RemoteAccess['kind'],
      publicIp: address.ip,
      port: row.port,
      range: row.cidr,
      secrets: row.secrets,
      certificates: row.certificates,
      clients: rows.vpnclient.by('remotevpn', row.id).flatMap((client) => clientOf(rows, client)),
    },
  ];
}

/** A user who is being revoked is no client any more. */
function clientOf(rows: Rows, row: Row<'vpnclient'>): RemoteClient[] {
  const user = rows.vpnuser.get(row.vpnuser);
  if (user === undefined || user.state === 'Revoke') return [];
  return [
    {
      id: row.id,
      username: user.username,
      ip: row.ip,
      cidrs: listOf(user.cidrlist),
      passwordHash: user.passwordhash,
      password: user.password,
      ...(row.serial === null ? {} : { serial: row.serial }),
      ...(row.publickey === null ? {} : { publicKey: row.publickey }),
      ...(row.presharedkey === null ? {} : { presharedKey: row.presharedkey }),
      ...(row.endpoint === null ? {} : { endpoint: row.endpoint }),
    },
  ];
}

function siteOf(rows: Rows, gateway: Row<'vpngateway'>, row: Row<'vpnconnection'>): SiteConnection[] {
  const address = rows.publicip.get(gateway.publicip);
  const other = rows.customergateway.get(row.customergateway);
  if (address === undefined || other === undefined) return [];
  const common = {
    id: row.id,
    epoch: row.epoch,
    local: address.ip,
    peer: other.gateway,
    cidrs: listOf(other.cidrlist),
    passive: row.passive === 1,
    ...(other.psk === null ? {} : { psk: other.psk }),
  };
  if (other.kind === 'wireguard' && other.publickey !== null) {
    const wireguard = {
      privateKey: gateway.privatekey,
      port: WIREGUARD_SITE_PORT,
      peerKey: other.publickey,
      peerPort: other.port ?? WIREGUARD_SITE_PORT,
    };
    return [{ ...common, kind: 'wireguard', wireguard }];
  }
  const ipsec = {
    ikePolicy: other.ikepolicy,
    espPolicy: other.esppolicy,
    ikeSeconds: other.ikelifetime,
    espSeconds: other.esplifetime,
    dpd: other.dpd === 1,
    forceEncap: other.forceencap === 1,
    ikeVersion: IKE_VERSIONS[other.ikeversion] ?? 0,
    split: other.splitconnections === 1,
  };
  return [{ ...common, kind: 'ipsec', ipsec }];
}

function listOf(text: string): string[] {
  return text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
}
