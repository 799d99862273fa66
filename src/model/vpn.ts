// Virtual private networks of a VPC or a network: what ends at its gateway, and which networks are behind. Part of the intent (intent.ts).

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
