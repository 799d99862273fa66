// What a gateway node's document says of virtual private networks: every key and address its programs need, typed. Apart from
// document.ts because they are many; secrets are in the clear here, and nowhere else: the channel is TLS with both ends known.

/** One VPN that a gateway helper serves. `id` names its files and devices; nothing a tenant typed does. */
export type VpnSpec = OpenVpnSpec | WireGuardAccessSpec | Ikev2AccessSpec | IpsecSiteSpec | WireGuardSiteSpec;

interface AccessSpec {
  readonly id: string;
  /** UDP port it listens on. */
  readonly port: number;
  /** The public address clients come to: what the server calls itself. */
  readonly publicIp: string;
  /** Addresses of clients; the first usable one is the server's own. */
  readonly range: string;
  /** Networks clients are told to send here, canonical prefixes. */
  readonly routes: readonly string[];
  readonly dns: readonly string[];
}

/** A client of remote access. Several may be of one user. */
interface Client {
  readonly id: string;
  /** Its fixed address in the range. */
  readonly ip: string;
  /** Networks behind it (a branch office). */
  readonly routes: readonly string[];
}

export interface OpenVpnSpec extends AccessSpec {
  readonly kind: 'openvpn';
  /** PEM. */
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  /** OpenVPN's static key file, for tls-crypt. */
  readonly tlsCrypt: string;
  /** Common name of a certificate is the client's id. A certificate that is not in the list is refused, whoever signed it. */
  readonly clients: readonly (Client & {
    readonly username: string;
    /** scrypt, as `scrypt$N$r$p$salt$hash` (base64url): what the password is checked against. */
    readonly passwordHash: string;
    /** Serial of the one certificate it may come with, upper-case hexadecimal. */
    readonly serial: string;
  })[];
}

export interface WireGuardAccessSpec extends AccessSpec {
  readonly kind: 'wireguard';
  /** base64, 32 bytes. */
  readonly privateKey: string;
  readonly clients: readonly (Client & {
    readonly publicKey: string;
    readonly presharedKey?: string;
    /** Where it came from last, `ADDRESS:PORT`: whoever takes over speaks first, since clients notice only after 15 s. */
    readonly endpoint?: string;
  })[];
}

export interface Ikev2AccessSpec extends Omit<AccessSpec, 'port'> {
  readonly kind: 'ikev2';
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
  /** EAP-MSCHAPv2, which phones and desktops bring, needs the password itself. */
  readonly clients: readonly (Client & { readonly username: string; readonly password: string })[];
}

interface SiteSpec {
  readonly id: string;
  /** Grows with each reset: the tunnel is taken down and made anew. */
  readonly epoch: number;
  /** Our public address. */
  readonly local: string;
  /** Theirs. */
  readonly peer: string;
  readonly localCidrs: readonly string[];
  readonly remoteCidrs: readonly string[];
  /** Waits for the peer to begin. */
  readonly passive: boolean;
}

export interface IpsecSiteSpec extends SiteSpec {
  readonly kind: 'ipsec';
  readonly psk: string;
  /** 0: either. */
  readonly ikeVersion: 0 | 1 | 2;
  /** strongSwan's proposals, such as aes256-sha256-modp2048. */
  readonly ikeProposals: readonly string[];
  readonly espProposals: readonly string[];
  readonly ikeSeconds: number;
  readonly espSeconds: number;
  readonly dpd: boolean;
  readonly forceEncap: boolean;
  /** A child connection per pair of networks, for peers that take only one each. */
  readonly split: boolean;
}

export interface WireGuardSiteSpec extends SiteSpec {
  readonly kind: 'wireguard-site';
  readonly port: number;
  readonly privateKey: string;
  readonly publicKey: string;
  readonly peerPort: number;
  readonly presharedKey?: string;
}

/** What any kind of tunnel adds to a packet, at most: IPv4 20, UDP 8, ESP's header 8, its beginning 16, its proof 32, filled up to 18. */
export const TUNNEL_OVERHEAD = 102;
/** Bytes of a packet inside a tunnel, at both ends: the outer one, of 1,442, gets through most of the internet. */
export const TUNNEL_MTU = 1442 - TUNNEL_OVERHEAD;

/** How the reason of an Error begins where programs and tunnels are as they should be, and the gateway passes nothing on between them. */
export const NOT_PASSED_ON = 'packets are not passed on';

/** What became of one VPN on this node; only the node where its gateway is says more than Disconnected. */
export interface VpnStatus {
  readonly id: string;
  readonly state: 'Connected' | 'Connecting' | 'Disconnected' | 'Error' | 'Running';
  /** Why it is not Connected or Running: a sentence. */
  readonly reason?: string;
  readonly clients?: readonly VpnClientStatus[];
}

export interface VpnClientStatus {
  readonly id: string;
  /** Address and port it comes from. */
  readonly from?: string;
  /** ISO instant. */
  readonly since?: string;
  readonly received?: number;
  readonly sent?: number;
}
