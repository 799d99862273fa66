// A tunnel between two machines of a lab, as a company's VPN devices make one: WireGuard in a userspace program, since kernels
// of test machines often lack it. Apart from the topology, since a story decides when there is one and who has a route.
import { generateKeyPairSync } from 'node:crypto';
import type { Lab } from './start.ts';

/** One end: a machine, its address on the way between the two, and its address inside the tunnel, with a prefix length. */
export interface TunnelEnd {
  readonly node: string;
  readonly outside: string;
  readonly inside: string;
}

export interface Tunnel {
  /** The tunnel's interface at an end. */
  device(node: string): string;
  /** Gives one end's machine a route into the tunnel: `cidr` lies behind the other end. Without it nothing goes there. */
  addRoute(node: string, cidr: string): Promise<void>;
  dropRoute(node: string, cidr: string): Promise<void>;
  /** Ends both programs; interfaces and routes go with them. */
  close(): Promise<void>;
}

const PORT = '51820';
// 1500 less WireGuard's headers over IPv6 (80); nobody sets it for an interface of wireguard-go.
const MTU = '1420';

/**
 * Opens a tunnel that carries whatever either end routes into it; it ends with the lab at the latest. `log` is told each
 * command, ready to be typed. Throws with what is missing: a program, or tun interfaces (labs on the dummy datapath).
 */
export async function openTunnel(
  lab: Pick<Lab, 'exec'>,
  ends: readonly [TunnelEnd, TunnelEnd],
  log: (line: string) => void = () => undefined,
): Promise<Tunnel> {
  const at = async (node: string, argv: readonly string[], input?: string): Promise<void> => {
    log(`trunkline lab exec ${node} -- ${argv.join(' ')}`);
    const result = await lab.exec(node, argv, { timeoutMs: 5_000, ...(input === undefined ? {} : { input }) });
    // wireguard-go says on standard output what is wrong, after a banner of many lines on the other.
    const said = /^ERROR: .*$/m.exec(result.stdout)?.[0] ?? result.stderr.trim();
    if (result.code !== 0) throw new Error(`no tunnel: on ${node}, ${argv.join(' ')}: ${said}`);
  };
  const keys = new Map(ends.map(({ node }) => [node, keyPair()]));

  const open = async (own: TunnelEnd, other: TunnelEnd): Promise<void> => {
    const device = deviceOf(own.node);
    await at(own.node, ['wireguard-go', device]); // goes into the background when the interface is there
    const peer = ['peer', keys.get(other.node)!.public, 'endpoint', `${other.outside}:${PORT}`];
    const secret = secretOf(own.node);
    await at(own.node, ['install', '-m', '600', '/dev/null', secret]);
    await at(own.node, ['dd', 'status=none', 'conv=notrunc', `of=${secret}`], keys.get(own.node)!.private);
    const key = ['listen-port', PORT, 'private-key', secret];
    await at(own.node, ['wg', 'set', device, ...key, ...peer, 'allowed-ips', '0.0.0.0/0']);
    await at(own.node, ['ip', 'address', 'add', own.inside, 'dev', device]);
    await at(own.node, ['ip', 'link', 'set', device, 'mtu', MTU, 'up']);
  };
  const [one, other] = ends;
  await open(one, other);
  await open(other, one);
  return {
    device: deviceOf,
    addRoute: (node, cidr) => at(node, ['ip', 'route', 'add', cidr, 'dev', deviceOf(node)]),
    dropRoute: (node, cidr) => at(node, ['ip', 'route', 'del', cidr, 'dev', deviceOf(node)]),
    async close() {
      for (const { node } of ends) {
        await at(node, ['ip', 'link', 'delete', deviceOf(node)]);
        await at(node, ['rm', secretOf(node)]);
      }
    },
  };
}

/**
 * An interface's name: wireguard-go keeps a control socket for each in /var/run/wireguard, where all namespaces meet. That
 * folder is the sandbox's own, so a name need differ only from the lab's other nodes'.
 */
function deviceOf(node: string): string {
  return `wg-${node}`;
}

function secretOf(node: string): string {
  return `/run/wireguard/${deviceOf(node)}.key`;
}

/** A key pair as `wg` writes it: X25519 (RFC 7748), each key 32 bytes in base64. */
function keyPair(): { private: string; public: string } {
  const { d, x } = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  const base64 = (key: string): string => Buffer.from(key, 'base64url').toString('base64');
  return { private: base64(d!), public: base64(x!) };
}
