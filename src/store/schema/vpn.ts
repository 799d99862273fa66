// Virtual private networks: remote access and its users, and connections between sites. Columns are said here and nowhere else; what all tables have in common is in ../schema.ts.
import type { Bit } from './bit.ts';

/** Remote access to a VPC or a network, at a public address of it. */
export interface RemoteVpnTable {
  id: string;
  publicip: string;
  vpc: string | null;
  network: string | null;
  /** openvpn, wireguard, ikev2. */
  kind: string;
  /** Addresses of clients, a prefix. */
  cidr: string;
  /** UDP. */
  port: number;
  /** Sealed JSON: keys of the server and its authority, by kind. */
  secrets: string;
  /** JSON: certificates by name, PEM, and when they end. */
  certificates: string;
  /** Added, Running, Removed. */
  state: string;
  /** Name of the gateway node that serves it, as that node tells; null: nobody tells of it now. */
  toldby: string | null;
  /** Why it does not run there, as the node tells. */
  fault: string | null;
  /** Prefixes that the router is known to send to it, with commas; null: not known yet. */
  routed: string | null;
  account: string;
  domain: string;
  created: string;
}

/** A user of an account's remote access, whichever VPN of it he comes to. */
export interface VpnUserTable {
  id: string;
  username: string;
  /** Sealed: EAP-MSCHAPv2 needs it in the clear. */
  password: string;
  /** scrypt, for OpenVPN. */
  passwordhash: string;
  /** Networks behind him (a branch office), with commas; empty: none. */
  cidrlist: string;
  /** Add, Active, Revoke. */
  state: string;
  account: string;
  domain: string;
  created: string;
}

/** What a user comes with at one VPN: made with his profile, which is shown once. */
export interface VpnClientTable {
  id: string;
  remotevpn: string;
  vpnuser: string;
  ip: string;
  /** Of the certificate, upper-case hexadecimal (OpenVPN). */
  serial: string | null;
  /** WireGuard. */
  publickey: string | null;
  /** Sealed; WireGuard. */
  presharedkey: string | null;
  /** When the certificate ends; ISO instant. */
  ends: string | null;
  /** JSON VpnClientStatus as last reported; null: not connected. */
  seen: string | null;
  /** WireGuard: address and port it came from last, so that a gateway that takes over can speak to it first. */
  endpoint: string | null;
  /** WireGuard: AllowedIPs of the file, as it was written, with commas. */
  routes: string | null;
  created: string;
}

/** A VPC's own end of connections between sites. */
export interface VpnGatewayTable {
  id: string;
  vpc: string;
  publicip: string;
  /** WireGuard: sealed private key, and the public one. */
  privatekey: string;
  publickey: string;
  account: string;
  domain: string;
  created: string;
}

/** The other end, at the customer's. */
export interface CustomerGatewayTable {
  id: string;
  name: string;
  /** ipsec, wireguard. */
  kind: string;
  gateway: string;
  cidrlist: string;
  /** Sealed: IPsec's pre-shared key, or WireGuard's additional one. */
  psk: string | null;
  /** WireGuard: its public key and UDP port. */
  publickey: string | null;
  port: number | null;
  ikepolicy: string;
  esppolicy: string;
  ikelifetime: number;
  esplifetime: number;
  dpd: Bit;
  forceencap: Bit;
  /** ike, ikev1, ikev2. */
  ikeversion: string;
  splitconnections: Bit;
  account: string;
  domain: string;
  created: string;
}

export interface VpnConnectionTable {
  id: string;
  vpngateway: string;
  customergateway: string;
  passive: Bit;
  /** Grows with resetVpnConnection. */
  epoch: number;
  /** Pending, Connecting, Connected, Disconnected, Error. */
  state: string;
  reason: string | null;
  /** As of remote access. */
  toldby: string | null;
  routed: string | null;
  account: string;
  domain: string;
  created: string;
}
