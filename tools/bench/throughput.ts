// What translation and balancing cost: TCP streams between an instance and the outside, each beside one on the same path without, as ratios.
import { join } from 'node:path';
import { text, field } from '../../src/demo/answer.ts';
import type { Guest, Tenant } from '../../src/demo/tenant.ts';
import type { Place, Wire } from '../../src/demo/wire.ts';
import { type Row, figures } from './measure.ts';

const ROUNDS = 5;
const STREAM_MS = 1_000;
const TRIES = 5;
const PORT = 5_201;
const OUTSIDE = { name: 'outside', address: '198.51.100.10' };
const PROGRAM = join(import.meta.dirname, 'stream.ts');

export interface Paths {
  /** An instance that nobody translates for, and one behind source NAT; on the same hypervisor. */
  readonly routed: Guest;
  readonly translated: Guest;
  /** Public ports that lead to `translated`, by what leads them there. */
  readonly through: Readonly<Record<string, { readonly address: string; readonly port: number }>>;
}

/** A public address of the network. */
export interface PublicAddress {
  readonly id: string;
  readonly address: string;
}

/** Rules that lead to one instance: a forward of one address; of another a balancer of OVN's, and one of the gateway helper's. */
export async function leadIn(
  { call }: Pick<Tenant, 'call'>,
  [own, shared]: readonly [PublicAddress, PublicAddress],
  networkid: string,
  virtualmachineid: string,
): Promise<Paths['through']> {
  const forward = { protocol: 'tcp', publicport: '7000', privateport: String(PORT) };
  await call('createPortForwardingRule', { ipaddressid: own.id, networkid, virtualmachineid, ...forward });
  const balanced = async (algorithm: string, port: number): Promise<{ address: string; port: number }> => {
    const ports = { publicport: String(port), privateport: String(PORT) };
    const params = { publicipid: shared.id, networkid, name: algorithm, algorithm, ...ports };
    const id = text(field(await call('createLoadBalancerRule', params), 'loadbalancer'), 'id');
    await call('assignToLoadBalancerRule', { id, virtualmachineids: virtualmachineid });
    return { address: shared.address, port };
  };
  return {
    'a port forward': { address: own.address, port: 7_000 },
    "OVN's balancer": await balanced('roundrobin', 7_001),
    "the gateway helper's balancer": await balanced('leastconn', 7_002),
  };
}

/** Streams in turns, so that what else happens on this machine happens to all of them. */
export async function benchThroughput({ wire }: { readonly wire: Wire }, paths: Paths): Promise<Row[]> {
  const { routed, translated, through } = paths;
  const routes: Record<string, () => Promise<number>> = {
    'routed out': () => stream(wire, routed, OUTSIDE.name, OUTSIDE.address, PORT),
    'routed in': () => stream(wire, OUTSIDE.name, routed, routed.address, PORT),
    'source NAT': () => stream(wire, translated, OUTSIDE.name, OUTSIDE.address, PORT),
  };
  for (const [name, { address, port }] of Object.entries(through))
    routes[name] = () => stream(wire, OUTSIDE.name, translated, address, port);
  const rates = new Map<string, number[]>(Object.keys(routes).map((name) => [name, []]));
  for (let round = 0; round <= ROUNDS; round++) {
    for (const [name, measure] of Object.entries(routes)) {
      const rate = await measure();
      // The first round only learns addresses.
      if (round > 0) rates.get(name)!.push(rate);
    }
  }
  const ratio = (name: string, base: string): number =>
    figures(rates.get(name)!.map((rate, round) => rate / rates.get(base)![round]!)).p50;
  const plain = (name: string): string => `${Math.round(figures(rates.get(name)!).p50 / 1e6)} Mbit/s`;
  return [
    { what: 'TCP from an instance to the outside, routed', value: plain('routed out') },
    { what: 'through source NAT, of that', value: ratio('source NAT', 'routed out').toFixed(2) },
    { what: 'TCP from outside to an instance, routed', value: plain('routed in') },
    ...Object.keys(through).map((name) => ({
      what: `through ${name}, of that`,
      value: ratio(name, 'routed in').toFixed(2),
    })),
  ];
}

/** Bits a second of one TCP stream; one that broke off is begun again. */
async function stream(wire: Wire, from: Place, to: Place, host: string, port: number): Promise<number> {
  const program = [process.execPath, '--disable-warning=ExperimentalWarning', PROGRAM];
  for (let tries = 1; ; tries++) {
    const [sink] = await Promise.all([
      wire.inNetwork(to, [...program, 'sink', String(PORT)]),
      wire.inNetwork(from, [...program, 'send', host, String(port), String(STREAM_MS)]),
    ]);
    const bits = Number(sink.stdout.trim());
    if (sink.code === 0 && bits > 0) return bits;
    if (tries === TRIES) throw new Error(`nothing came to ${host} port ${port}: ${sink.stderr.trim()}`);
  }
}
