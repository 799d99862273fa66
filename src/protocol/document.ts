// The documents nodes fetch and the reports they send back, with the rule of generations: a node takes a document only if
// its generation is not older than the last one it took, so two management servers cannot undo each other.
import type { HelperSpec, HelperStatus } from './helper.ts';
import type { FirstBootSpec, ServicesSpec, TakenReport } from './services.ts';

/** What one node must make true. Fetched by long poll; the whole of it each time. */
export interface NodeDocument {
  readonly node: string;
  /** Generation of the intent at which this document last changed. */
  readonly generation: number;
  readonly instances: readonly InstanceSpec[];
  /** Tunnel endpoints of the other nodes: resolved before this node counts as ready, so that no first packet is lost. */
  readonly peers: readonly { readonly name: string; readonly underlayIp: string }[];
  /** Networks this node routes for. Absent: none. */
  readonly routers?: readonly RouterSpec[];
  /** Questions to the wire, each to be asked once. Absent: none. */
  readonly scans?: readonly ScanSpec[];
  /** What this node serves in networks of running instances here. Absent: nothing. */
  readonly services?: ServicesSpec;
  /** What stands beside routers whose public side this node may carry. Absent: none. */
  readonly helpers?: readonly HelperSpec[];
}

/** What a router node does for one network. Pairs speak VRRP on the network's own VLAN; the same spec, with another `ip` and `priority`, is at the peer. */
export interface RouterSpec {
  readonly id: string;
  readonly networkId: string;
  /** The network's name: for reasons and configuration comments; letters, digits, blanks, dashes, dots, underscores. */
  readonly name: string;
  readonly vlan: number;
  readonly cidr: string;
  /** The node's own address in the network. */
  readonly ip: string;
  /** Shared by the pair; a single router has it, too. */
  readonly gateway: string;
  /** 1 to 254; the highest is master. */
  readonly priority: number;
  /** Own addresses of the others. Empty: no VRRP. */
  readonly peers: readonly string[];
  /** The others by name, with the address they have outside of all networks: where tracked connections are sent. */
  readonly peerNodes: readonly { readonly name: string; readonly underlayIp: string }[];
  readonly mode: 'NATTED' | 'ROUTED';
  /** ROUTED: addresses of the network that are answered for (proxy ARP) on the outside interface. */
  readonly routable: readonly string[];
  readonly dhcp?: DhcpSpec;
  /** Whether the node answers DNS for the network. */
  readonly dns?: { readonly domain: string; readonly servers: readonly string[] };
  readonly firewall: boolean;
  readonly egressDefault: 'allow' | 'deny';
  readonly egress: readonly FirewallRuleSpec[];
  readonly routes: readonly { readonly cidr: string; readonly via: string }[];
  readonly publicAddresses: readonly PublicAddressSpec[];
  /** Where it has IPv6, too: always routed, never translated. */
  readonly six?: RouterSpec6;
}

/** A network's IPv6 at its router nodes. Of a pair, one has all of these addresses, and it alone advertises itself. */
export interface RouterSpec6 {
  /** A /64: machines make their addresses in it of what the router advertises. */
  readonly cidr: string;
  /** The router's address in it. */
  readonly gateway: string;
  /** The router's link-local address: the one that machines know it by. */
  readonly link: string;
  /** Advertised: bytes of an IP packet that fit. */
  readonly mtu: number;
  /** The router's address outside, which upstream sends the prefix to, and who is upstream. Absent: nothing leads out. */
  readonly uplink?: {
    readonly address: string;
    readonly prefixLength: number;
    readonly gateway: string;
    readonly vlan?: number;
  };
  /** Addresses answered for outside (proxy NDP), one by one: upstream takes the prefix for a part of its wire. */
  readonly proxied: readonly string[];
  /** What may come in; nothing else may. */
  readonly ingress: readonly FirewallRuleSpec[];
  readonly egressDefault: 'allow' | 'deny';
  readonly egress: readonly FirewallRuleSpec[];
}

export interface DhcpSpec {
  readonly domain: string;
  readonly dns: readonly string[];
  readonly mtu: number;
  readonly leases: readonly { readonly mac: string; readonly ip: string; readonly hostname: string }[];
}

export interface PublicAddressSpec {
  readonly ip: string;
  readonly prefixLength: number;
  readonly gateway: string;
  readonly vlan?: number;
  readonly sourceNat: boolean;
  readonly staticNat?: string;
  readonly ingress: readonly FirewallRuleSpec[];
  readonly forwards: readonly {
    readonly protocol: 'tcp' | 'udp';
    readonly publicPort: number;
    readonly publicEndPort: number;
    readonly privatePort: number;
    readonly ip: string;
    readonly cidrs: readonly string[];
  }[];
  readonly balancers: readonly BalancerSpec[];
}

export interface FirewallRuleSpec {
  readonly protocol: 'tcp' | 'udp' | 'icmp' | 'all';
  readonly startPort?: number;
  readonly endPort?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
  readonly cidrs: readonly string[];
  readonly destinationCidrs: readonly string[];
}

export interface BalancerSpec {
  readonly id: string;
  readonly protocol: 'tcp' | 'udp';
  readonly publicPort: number;
  readonly algorithm: 'roundrobin' | 'leastconn' | 'source';
  readonly cidrs: readonly string[];
  readonly sticky: boolean;
  /** For how long after its last connection a client stays, by its address; absent: half an hour. */
  readonly stickySeconds?: number;
  readonly cookie?: CookieSpec;
  /** Members are told the client's address by the PROXY protocol. */
  readonly proxy?: true;
  readonly check?: {
    readonly intervalSeconds: number;
    readonly timeoutSeconds: number;
    readonly healthy: number;
    readonly unhealthy: number;
    /** Asked for by HTTP; absent: whether the port takes connections. */
    readonly path?: string;
  };
  readonly members: readonly { readonly ip: string; readonly port: number }[];
}

/** A client stays by a cookie: the balancer's own, or one of the members', whose value says who the client is. */
export type CookieSpec =
  | {
      readonly kind: 'balancer';
      readonly name: string;
      readonly mode: 'insert' | 'rewrite' | 'prefix';
      readonly flags: readonly ('nocache' | 'indirect' | 'postonly')[];
      readonly domain?: string;
    }
  | { readonly kind: 'application'; readonly name: string; readonly length: number; readonly holdSeconds: number };

export interface ScanSpec {
  readonly id: string;
  readonly cidr: string;
  readonly vlan: number;
  /** Name of the physical network, as in ovn-bridge-mappings. Absent: the node's first. */
  readonly physicalNetwork?: string;
  /** Not who is there is asked, but whether one card reaches one host behind a member. */
  readonly probe?: ProbeSpec;
}

/** Asked in the name of a card of this node. */
export interface ProbeSpec {
  readonly nicId: string;
  readonly mac: string;
  /** Address of the card. */
  readonly from: string;
  /** The member, on the card's own network. */
  readonly via: string;
  /** The host behind it. */
  readonly target: string;
}

export interface InstanceSpec {
  readonly id: string;
  readonly name: string;
  readonly hostname: string;
  readonly power: 'running' | 'stopped';
  readonly boot: number;
  readonly passwordHash: string;
  readonly cpus: number;
  readonly memoryMb: number;
  readonly nics: readonly NicSpec[];
  /** What the guest is told when it starts. */
  readonly firstBoot?: FirstBootSpec;
  /** It moves: at the source it runs until the destination has it; at the destination it is taken over, not started anew. */
  readonly migration?: { readonly from: string; readonly to: string; readonly toAddress: string };
}

export interface NicSpec {
  /** Logical switch port to bind: `external_ids:iface-id`. */
  readonly id: string;
  readonly mac: string;
  readonly deviceId: number;
  readonly isDefault: boolean;
  readonly mtu: number;
  /** Whether the network serves DHCP; absent: yes. Without it the guest counts as ready with no address. */
  readonly dhcp?: boolean;
  /** Addresses of the card with the generation at which each came here: those that came since the last announcement are announced. */
  readonly addresses?: readonly { readonly ip: string; readonly moved: number }[];
  /** Asked afterwards which MAC it knows: the network's gateway where it is a machine on the wire. */
  readonly upstream?: string;
  /** In a network with IPv6: the address it makes itself, and the MAC address of the router it may hear of. */
  readonly six?: {
    readonly address: string;
    readonly router: string;
    /** Asked instead of the MAC, where it is there: the link-local address that advertisements come from. */
    readonly routerAddress?: string;
  };
}

/** What a node says after each pass, changed or not. */
export interface NodeReport {
  readonly node: string;
  /** Generation of the document that is now true here, but for instances that say what is wrong with them; unchanged while anything else failed. */
  readonly generation: number;
  /** The first thing that went wrong, naming the target and what it waits for; absent when all is well. */
  readonly error?: string;
  readonly instances: readonly InstanceStatus[];
  readonly facts: NodeFacts;
  readonly routers?: readonly RouterStatus[];
  /** The newest receipts, repeated for some minutes: the server keeps each once, by ip and `moved`. */
  readonly receipts?: readonly ReceiptReport[];
  readonly scans?: readonly ScanReport[];
  /** Passwords that guests here have taken: repeated until the document has them no more. */
  readonly taken?: readonly TakenReport[];
  readonly helpers?: readonly HelperStatus[];
}

export interface RouterStatus {
  readonly id: string;
  readonly state: 'MASTER' | 'BACKUP' | 'FAULT';
  /** Why the network is not what its document says on this node. The others of the node are not held up by it. */
  readonly error?: string;
  /** What was found wrong and put right, or cannot be: each a sentence with node and interface. */
  readonly findings: readonly string[];
}

export interface ReceiptReport {
  /** The card it came to, or the leg of a router. */
  readonly nicId?: string;
  readonly routerId?: string;
  readonly ip: string;
  readonly mac: string;
  /** Generation of the move; for a takeover, which nobody asked for, its time in milliseconds. */
  readonly moved: number;
  readonly cause: 'start' | 'address' | 'migration' | 'takeover';
  /** ISO instant. */
  readonly announced: string;
  readonly upstream?: string;
  /** MAC under which the upstream knows the address now; absent: it did not say. */
  readonly answeredBy?: string;
  /**
   * learnt: it uses the new MAC. stale: it uses another one, seen or concluded (it answers this card's other addresses, not this one).
   * mute: it answers ARP and no echo request, so it cannot be told. silent: it answers nothing. Absent: nobody was asked.
   */
  readonly verdict?: 'learnt' | 'stale' | 'mute' | 'silent';
  readonly afterMs?: number;
  /** From the last sign of the old place to the first of the new, where both could be seen. */
  readonly outageMs?: number;
}

export interface ScanReport {
  readonly id: string;
  readonly error?: string;
  readonly hosts: readonly { readonly ip: string; readonly mac: string; readonly vendor?: string }[];
  /** The answer to a probe; absent for other scans. */
  readonly probe?: ProbeReport;
}

/** What was seen at the card while it was asked. */
export interface ProbeReport {
  /** MAC with which the member answers ARP; absent: it does not. */
  readonly viaMac?: string;
  /** Whether the member answers the card's ping. */
  readonly viaAnswers: boolean;
  /** Whether the host behind it does. */
  readonly targetAnswers: boolean;
  /** Who said that the host cannot be reached. */
  readonly unreachableBy?: string;
  /** Whether the card's own machine answers a ping from the member, and to which MAC it answers one from the host; absent: it does not. */
  readonly cardAnswers: boolean;
  readonly cardSendsTo?: string;
}

export interface InstanceStatus {
  readonly id: string;
  readonly power: 'running' | 'stopped';
  readonly error?: string;
  /** What it lacks for as long as it is on this node, and why: said, but no fault that could be put right. */
  readonly note?: string;
}

/** What the node is. */
export interface NodeFacts {
  readonly hostname: string;
  readonly underlayIp: string;
  readonly cpus: number;
  readonly memoryMb: number;
  readonly ovs: string;
  readonly ovn: string;
  readonly kernel: string;
  /** Version of the agent program. */
  readonly version: string;
  /** What the node can and cannot do, by name: `vlan`, `ipvs`, `kvm`, … A sentence where it cannot. */
  readonly abilities?: Readonly<Record<string, true | string>>;
  /** Physical networks that OVN has a bridge to here; absent where there is no OVN, or nobody has asked it yet. */
  readonly wires?: readonly string[];
}

/** Whether a node that last took generation `have` may take a document of generation `offered`. */
export function mayTake(have: number, offered: number): boolean {
  return offered >= have;
}

/**
 * The agent channel, HTTP/1.1 over TLS (TCP or a unix socket), JSON bodies. Everything but join needs a client certificate
 * whose common name is the node's name.
 *
 *   POST /v1/join      JoinRequest -> JoinAnswer            (the token proves itself; used once)
 *   GET  /v1/document?have=GENERATION&wait=SECONDS          -> NodeDocument, or 204 when nothing newer came up in time
 *   POST /v1/report    NodeReport -> 204
 */
export const PATHS = { join: '/v1/join', document: '/v1/document', report: '/v1/report' } as const;

/** What a join token (base64url of this JSON) holds: where to go, whom to trust there, and the secret. */
export interface JoinToken {
  readonly node: string;
  readonly secret: string;
  /** SHA-256 of the server's CA certificate (DER), hexadecimal: the server proves itself by it. */
  readonly ca: string;
}

export interface JoinRequest {
  readonly node: string;
  readonly secret: string;
  /** PEM certificate signing request. */
  readonly csr: string;
}

export interface JoinAnswer {
  /** PEM. */
  readonly certificate: string;
  readonly ca: string;
}

export function encodeToken(token: JoinToken): string {
  return Buffer.from(JSON.stringify(token)).toString('base64url');
}

/** Undefined when the text is no join token. */
export function decodeToken(text: string): JoinToken | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString());
    if (typeof value !== 'object' || value === null) return undefined;
    const { node, secret, ca } = value as Record<string, unknown>;
    if (typeof node !== 'string' || typeof secret !== 'string' || typeof ca !== 'string') return undefined;
    return { node, secret, ca };
  } catch {
    return undefined;
  }
}

/** The name the server's certificate carries, whatever its address is: nodes check this name, not a host name. */
export const SERVER_NAME = 'trunkline-server';

/** The most questions to the wire that one document holds; further ones wait until some of these are answered. */
export const MAX_SCANS = 100;

/** Largest body on the channel, in bytes. */
export const MAX_BODY = 1024 * 1024;
