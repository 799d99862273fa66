// The documents nodes fetch and the reports they send back, with the rule of generations: a node takes a document only if
// its generation is not older than the last one it took, so two management servers cannot undo each other.

/** What one node must make true. Fetched by long poll; the whole of it each time. */
export interface NodeDocument {
  readonly node: string;
  /** Generation of the intent at which this document last changed. */
  readonly generation: number;
  readonly instances: readonly InstanceSpec[];
  /** Tunnel endpoints of the other nodes: resolved before this node counts as ready, so that no first packet is lost. */
  readonly peers: readonly { readonly name: string; readonly underlayIp: string }[];
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

/** Largest body on the channel, in bytes. */
export const MAX_BODY = 1024 * 1024;
