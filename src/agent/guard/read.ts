// What is there of router guards: the chains of our table, and the cards of the node that one can be on.
import { run, tryRun } from '../../lib/run.ts';
import { TABLE } from './chain.ts';

export interface Actual {
  /** Kernel's numbers of the node's network devices, by name. */
  readonly devices: ReadonlyMap<string, number>;
  /** By name. */
  readonly chains: ReadonlyMap<string, Chain>;
}

export interface Chain {
  /** MAC and link-local addresses that its rules name. */
  readonly routers: readonly string[];
  readonly rules: number;
}

export async function readActual(): Promise<Actual> {
  const [links, table] = await Promise.all([
    run(['ip', '-json', 'link', 'show']),
    tryRun(['nft', '-j', 'list', 'table', 'netdev', TABLE]),
  ]);
  const devices = JSON.parse(links.stdout || '[]') as { ifname?: string; ifindex?: number }[];
  return {
    devices: new Map(
      devices.flatMap(({ ifname, ifindex }) =>
        ifname === undefined || ifindex === undefined ? [] : [[ifname, ifindex] as const],
      ),
    ),
    chains: table.code === 0 ? chainsOf(table.stdout) : new Map(),
  };
}

/** A MAC address, or a link-local one; not their prefix. */
const ROUTER = /[0-9a-f]{2}(?::[0-9a-f]{2}){5}|(?<=")fe80::[0-9a-f][0-9a-f:]*(?=")/g;

interface Listed {
  readonly chain?: { readonly name: string };
  readonly rule?: { readonly chain: string };
}

/** Reads what `nft -j list table` prints (libnftables-json(5)). The device of a chain is not among it (nftables 1.0.6). */
export function chainsOf(text: string): Map<string, Chain> {
  const { nftables } = JSON.parse(text) as { nftables: readonly Listed[] };
  const rules = Map.groupBy(
    nftables.flatMap(({ rule }) => rule ?? []),
    ({ chain }) => chain,
  );
  const names = nftables.flatMap(({ chain }) => chain?.name ?? []);
  return new Map(
    names.map((name) => {
      const own = rules.get(name) ?? [];
      return [name, { routers: JSON.stringify(own).match(ROUTER) ?? [], rules: own.length }];
    }),
  );
}
