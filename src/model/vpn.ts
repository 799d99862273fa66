// Virtual private networks of a VPC or a network: what ends at its gateway, and which networks are behind. Part of the intent (intent.ts).

/** IKE, and ESP within UDP (RFC 3948). */
export const IKE_PORTS: readonly number[] = [500, 4500];

/** UDP port of WireGuard between sites, at our end. */
export const WIREGUARD_SITE_PORT = 51_820;

export interface VpnSide {
  readonly access: readonly RemoteAccess[];
  readonly sites: readonly SiteConnection[];
}

/** Remote access at a public address. `secrets` stay sealed until a node's document is made. */
export interface RemoteAccess {
  readonly id: string;
  readonly kind: 'openvpn' | 'wireguard' | 'ikev2';
  readonly publicIp: string;
  readonly port: number;
  readonly range: string;
  readonly secrets: string;
  readonly certificates: string;
  readonly clients: readonly RemoteClient[];
}

export interface RemoteClient {
  readonly id: string;
  readonly username: string;
  readonly ip: string;
  /** Networks behind it. */
  readonly cidrs: readonly string[];
  readonly passwordHash: string;
  /** Sealed. */
  readonly password: string;
  readonly serial?: string;
  readonly publicKey?: string;
  /** Sealed. */
  readonly presharedKey?: string;
  /** WireGuard: where it came from last, `ADDRESS:PORT`. */
  readonly endpoint?: string;
}

/** A connection to another site. */
export interface SiteConnection {
  readonly id: string;
  readonly kind: 'ipsec' | 'wireguard';
  readonly epoch: number;
  readonly local: string;
  readonly peer: string;
  readonly cidrs: readonly string[];
  readonly passive: boolean;
  /** Sealed. */
  readonly psk?: string;
  readonly ipsec?: {
    readonly ikePolicy: string;
    readonly espPolicy: string;
    readonly ikeSeconds: number;
    readonly espSeconds: number;
    readonly dpd: boolean;
    readonly forceEncap: boolean;
    readonly ikeVersion: 0 | 1 | 2;
    readonly split: boolean;
  };
  readonly wireguard?: {
    /** Sealed. */
    readonly privateKey: string;
    readonly port: number;
    readonly peerKey: string;
    readonly peerPort: number;
  };
}

/** What is sealed of remote access, as JSON: by kind only some of it. */
export interface AccessSecrets {
  /** PEM: of the authority, and of the server. */
  readonly caKey?: string;
  readonly key?: string;
  /** OpenVPN's static key file. */
  readonly tlsCrypt?: string;
  /** WireGuard. */
  readonly privateKey?: string;
}

/** What everybody may know of remote access, as JSON. */
export interface AccessCertificates {
  /** PEM. */
  readonly ca?: string;
  readonly server?: string;
  /** When the server's certificate ends; ISO instant. */
  readonly ends?: string;
  /** WireGuard. */
  readonly publicKey?: string;
}

/** What the authority of a VPN's certificates is called in its own. */
export function authorityName(vpn: string): string {
  return `vpn-${vpn}`;
}

/** What OpenVPN's server is called in its certificate: clients insist on it. */
export function serverName(vpn: string): string {
  return `server-${vpn}`;
}
