// The files clients read: OpenVPN's and WireGuard's, and the pictures of the latter for phones. Pure. Everything in them is ours or
// was read as a number, so no name can add a line.
import { renderSVG, renderUnicodeCompact } from 'uqr';
import { TUNNEL_MTU } from '../../protocol/vpn.ts';

export interface OpenVpnProfile {
  readonly address: string;
  readonly port: number;
  /** What the server's certificate calls it. */
  readonly serverName: string;
  /** PEM. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  readonly tlsCrypt: string;
}

/** An .ovpn file. Routes are pushed by the server, so that they follow what changes. */
export function openVpnText(profile: OpenVpnProfile): string {
  const block = (name: string, text: string): string => `<${name}>\n${text.trimEnd()}\n</${name}>`;
  return [
    'client',
    'dev tun',
    `tun-mtu ${TUNNEL_MTU}`,
    'proto udp',
    `remote ${profile.address} ${profile.port}`,
    'resolv-retry infinite',
    // Seconds: who comes while the gateway moves begins anew after these, and not after a minute.
    'hand-window 20',
    'nobind',
    'persist-key',
    'persist-tun',
    'remote-cert-tls server',
    `verify-x509-name ${profile.serverName} name`,
    'auth-user-pass',
    'data-ciphers AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305',
    'tls-version-min 1.2',
    'verb 3',
    block('ca', profile.ca),
    block('cert', profile.certificate),
    block('key', profile.key),
    block('tls-crypt', profile.tlsCrypt),
    '',
  ].join('\n');
}

export interface WireGuardProfile {
  readonly privateKey: string;
  /** The client's address. */
  readonly ip: string;
  readonly serverKey: string;
  readonly presharedKey: string;
  readonly address: string;
  readonly port: number;
  /** What is sent through the tunnel. */
  readonly routes: readonly string[];
}

/** A file as wg-quick and the apps read it. */
export function wireGuardText(profile: WireGuardProfile): string {
  return [
    '[Interface]',
    `PrivateKey = ${profile.privateKey}`,
    `Address = ${profile.ip}/32`,
    `MTU = ${TUNNEL_MTU}`,
    '',
    '[Peer]',
    `PublicKey = ${profile.serverKey}`,
    `PresharedKey = ${profile.presharedKey}`,
    `Endpoint = ${profile.address}:${profile.port}`,
    `AllowedIPs = ${profile.routes.join(', ')}`,
    'PersistentKeepalive = 25',
    '',
  ].join('\n');
}

/** A text as a QR code: for a page, and for a terminal. */
export function qrCode(text: string): { readonly svg: string; readonly terminal: string } {
  return {
    svg: renderSVG(text, { ecc: 'L', border: 4, pixelSize: 4 }),
    terminal: renderUnicodeCompact(text, { ecc: 'L', border: 2 }),
  };
}
