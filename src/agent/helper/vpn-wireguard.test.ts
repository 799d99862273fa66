// WireGuard's parts: whom a new device greets, and that it does so once; the one device of all sites; what is left of a kernel's device.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run } from '../../lib/run.ts';
import type { VpnJob } from '../../protocol/helper.ts';
import type { WireGuardAccessSpec, WireGuardSiteSpec } from '../../protocol/vpn.ts';
import { type HelperContext, keyOf } from './names.ts';
import { planVpns } from './vpn.ts';
import { deviceOf, partFolder, sitesPart } from './vpn-names.ts';
import { NO_VPNS, planPart } from './vpn-part.ts';
import { wireGuardPart, wireGuardSitesPart } from './vpn-wireguard.ts';
import { createVpnWorld, HELPER_IP, SERVER, uuid } from './vpn-world.test-support.ts';

const CONTEXT = { node: 'gw1', directory: '/h', kernelWireGuard: false } as HelperContext;
const AT = { key: 'k', mtu: 1442, gateway: '192.0.0.17' };
const spec = (...endpoints: (string | undefined)[]): WireGuardAccessSpec => ({
  kind: 'wireguard',
  id: 'vpn',
  publicIp: '203.0.113.11',
  port: 51_821,
  range: '172.31.0.0/24',
  routes: ['10.1.1.0/24'],
  dns: [],
  privateKey: 'PRIVATE',
  clients: endpoints.map((endpoint, index) => ({
    id: `client-${index}`,
    ip: `172.31.0.${index + 2}`,
    routes: [],
    publicKey: `KEY${index}`,
    ...(endpoint === undefined ? {} : { endpoint }),
  })),
});
const greetings = (one: WireGuardAccessSpec) => {
  const { loads, files } = wireGuardPart(one, '192.0.0.19', AT, CONTEXT);
  const load = loads.find(({ name }) => name === 'greetings')!;
  const routes = files.find(({ path }) => path.endsWith('/greetings'))!.content;
  return { what: load.what, routes, lines: load.argvs.map((argv) => argv.join(' ')) };
};

test('wireGuardPart() begins with clients whose place is known, from the address they know', () => {
  const { lines, routes } = greetings(spec('198.51.100.22:46821', undefined));
  assert.equal(routes, 'route replace 198.51.100.22/32 via 192.0.0.17 dev eth0 src 192.0.0.19\n');
  assert.match(lines.join('\n'), /peer KEY0 endpoint 198\.51\.100\.22:46821 persistent-keepalive 25$/m);
  assert.match(lines.at(-1)!, /peer KEY0 persistent-keepalive off$/);
  assert.doesNotMatch(lines.join('\n'), /KEY1/);
});

test('wireGuardPart() greets nobody who comes from inside, and nobody again because somebody moved', () => {
  const { lines, routes, what } = greetings(spec('10.1.1.5:1000', '172.31.0.9:1000'));
  assert.deepEqual([lines, routes], [[], '']);
  assert.equal(what, greetings(spec('198.51.100.22:46821')).what);
});

test('wireGuardPart() makes packets in the tunnel fit what clients are told, however much the own wires carry', () => {
  for (const [mtu, fits] of [
    [1442, 1340],
    [8942, 1340],
    [1342, 1240],
  ] as const) {
    const { loads } = wireGuardPart(spec(), '192.0.0.19', { ...AT, mtu }, CONTEXT);
    const lines = loads.flatMap(({ argvs }) => argvs.map((argv) => argv.join(' ')));
    assert.ok(
      lines.some((line) => line.endsWith(` mtu ${fits} up`)),
      lines.join(),
    );
  }
});

const site = (number: number, publicKey: string, more: Partial<WireGuardSiteSpec> = {}): WireGuardSiteSpec => ({
  kind: 'wireguard-site',
  id: uuid(number),
  epoch: 0,
  local: SERVER,
  peer: `198.51.100.${number}`,
  localCidrs: ['10.1.0.0/16'],
  remoteCidrs: [`192.168.${number}.0/24`],
  passive: true,
  port: 51_820,
  privateKey: 'PRIVATE',
  publicKey,
  peerPort: 51_820,
  ...more,
});

test('wireGuardSitesPart() begins a site anew that was reset, and leaves the others', () => {
  const marks = (...sites: WireGuardSiteSpec[]): Map<string, string> =>
    new Map(wireGuardSitesPart(sites, AT, CONTEXT)!.loads.map(({ name, what }) => [name, what]));
  const before = marks(site(1, 'ONE'), site(2, 'TWO'));
  const after = marks(site(2, 'TWO'), site(1, 'ONE', { epoch: 1 }));
  const changed = [...before].filter(([name, what]) => after.get(name) !== what).map(([name]) => name);
  assert.deepEqual(changed, [`peer-${uuid(1)}`]);
});

test("planVpns() takes the kernel's device away with its VPN, and makes none a second time", () => {
  const context = { ...CONTEXT, kernelWireGuard: true, vpnLacks: {} };
  const spec = { id: uuid(9), name: 'shop', jobs: {}, address: '192.0.0.18/29', gateway: '', mtu: 1442 } as never;
  const name = uuid(1);
  const device = deviceOf(name, context);
  const found = { ...NO_VPNS, parts: [name], devices: [device] };
  const steps = (files: ReadonlyMap<string, string>): string[] =>
    planVpns(spec, { ...found, files }, false, 1, context).steps.flatMap((step) =>
      step.kind === 'run' ? step.argv.join(' ') : [],
    );
  const own = partFolder(keyOf(uuid(9)), name, context);
  assert.match(steps(new Map([[`${own}/wireguard.conf`, '']])).join(), new RegExp(`link del ${device}$`));
  assert.deepEqual(steps(new Map([[`${own}/openvpn.conf`, '']])), [], 'a device of a program ends with it');
  const part = wireGuardSitesPart([site(1, 'ONE')], AT, context)!;
  const made = deviceOf(sitesPart(AT.key), context);
  const adds = (devices: string[]): number =>
    planPart(part, { ...NO_VPNS, devices }, '/h', '', 1).steps.filter(
      (step) => step.kind === 'run' && step.argv.includes('add'),
    ).length;
  assert.deepEqual([adds([]), adds([made])], [1, 0]);
});

test('two sites come to one port of a helper, each by its key', { skip: process.getuid?.() !== 0 }, async () => {
  const world = await createVpnWorld();
  try {
    const keys = await Promise.all(
      [1, 2, 3].map(async () => {
        const secret = (await run(['wg', 'genkey'])).stdout.trim();
        return { secret, open: (await run(['wg', 'pubkey'], { input: secret })).stdout.trim() };
      }),
    );
    const privateKey = keys[2]!.secret;
    const jobs = [1, 2].map((number): VpnJob => ({
      address: HELPER_IP,
      spec: site(number, keys[number - 1]!.open, { privateKey }),
    }));
    const peers = async (): Promise<string[]> =>
      [...(await world.read()).peers.values()].flat().map(({ publicKey }) => publicKey);
    await world.settle(jobs);
    assert.deepEqual(new Set(await peers()), new Set([keys[0]!.open, keys[1]!.open]));
    await world.settle(jobs.slice(1));
    assert.deepEqual(await peers(), [keys[1]!.open]);
  } finally {
    await world.close();
  }
});
