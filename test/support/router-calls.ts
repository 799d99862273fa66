// What machines of the router lab ask each other: small servers that say who they are, and who can reach whom.
import { formatIp6, ip6 } from '../../src/lib/ip6.ts';
import { until, type RouterLab } from './router-lab.ts';

export interface Calls {
  /** A server that says its machine's name, or, as `peer`, the client's address. */
  serve(node: string, port: number, what?: string): void;
  /** What a server says; empty when it cannot be reached within 0.7 s. */
  call(from: string, address: string, port: number, source?: string): Promise<string>;
  pings(from: string, address: string): Promise<boolean>;
  /** Gives a machine its address and default gateway. */
  address(node: string, prefix: string, gateway: string): Promise<void>;
  /** A server that says the client's IPv6 address. */
  serve6(node: string, port: number): void;
  /** What it says; empty when it cannot be reached within 0.7 s. */
  call6(from: string, address: string, port: number): Promise<string>;
  /** Has a machine ask for a router as at its start, and waits for the address that it makes itself. */
  address6(node: string): Promise<string>;
}

/** `lab` is asked for at each call: tests make it in `before`. */
export function createCalls(lab: () => RouterLab): Calls {
  return {
    serve(node, port, what = node) {
      const say = what === 'peer' ? 'SYSTEM:echo $SOCAT_PEERADDR' : `EXEC:echo ${what}`;
      lab().start(node, 'socat', `TCP-LISTEN:${port},fork,reuseaddr`, say);
    },
    async call(from, address, port, source) {
      const bind = source === undefined ? '' : `,bind=${source}`;
      return (
        await lab().on(from, 'socat', '-u', `TCP:${address}:${port},connect-timeout=0.7${bind}`, '-')
      ).stdout.trim();
    },
    pings: async (from, address) => (await lab().on(from, 'ping', '-n', '-c', '1', '-W', '1', address)).code === 0,
    async address(node, prefix, gateway) {
      await lab().does(node, 'ip', 'addr', 'replace', prefix, 'dev', 'eth0');
      await lab().does(node, 'ip', 'route', 'replace', 'default', 'via', gateway);
    },
    serve6(node, port) {
      const say = 'SYSTEM:echo $SOCAT_PEERADDR | tr -d []';
      lab().start(node, 'socat', `TCP6-LISTEN:${port},fork,reuseaddr,ipv6only=1`, say);
    },
    async call6(from, address, port) {
      const { stdout } = await lab().on(from, 'socat', '-u', `TCP6:[${address}]:${port},connect-timeout=0.7`, '-');
      return stdout.trim() === '' ? '' : formatIp6(ip6(stdout.trim()));
    },
    async address6(node) {
      const card = (name: string, value: number): string => `net.ipv6.conf.eth0.${name}=${value}`;
      await lab().does(node, 'sysctl', '-qw', card('router_solicitation_delay', 0), card('disable_ipv6', 1));
      await lab().does(node, 'sysctl', '-qw', card('disable_ipv6', 0));
      let found: string | undefined;
      await until(`${node} to hear of a router`, async () => {
        const { stdout } = await lab().on(node, ...'ip -6 address show dev eth0 scope global -tentative'.split(' '));
        found = /inet6 ([0-9a-f:]+)\/64/.exec(stdout)?.[1];
        return found !== undefined;
      });
      return found!;
    },
  };
}
