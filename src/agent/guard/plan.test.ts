// Router guards: which chains a node's cards need, what is put right, and that nothing is asked for twice.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InstanceSpec, NicSpec, NodeDocument } from '../../protocol/document.ts';
import { run, tryRun } from '../../lib/run.ts';
import { portOf } from '../netns/names.ts';
import { TABLE, chainCommands, chainName } from './chain.ts';
import { planGuards } from './plan.ts';
import { type Actual, type Chain, chainsOf } from './read.ts';

const ROUTER = '02:00:00:00:aa:01';
const LINK = 'fe80::ff:fe00:aa01';
const CARD = '11111111-1111-4111-8111-111111111111';
const PLAIN = '22222222-2222-4222-8222-222222222222';
const DEVICE = portOf(CARD);
const WHOLE: Chain = { routers: [ROUTER], rules: 2 };

const nic = (id: string, more: Partial<NicSpec> = {}): NicSpec => ({
  id,
  mac: '02:00:00:00:00:01',
  deviceId: 0,
  isDefault: true,
  mtu: 1442,
  ...more,
});

function documentOf(...nics: readonly NicSpec[]): NodeDocument {
  const instance: InstanceSpec = {
    id: '33333333-3333-4333-8333-333333333333',
    name: 'i-1-VM',
    hostname: 'vm',
    power: 'running',
    boot: 1,
    passwordHash: '*',
    cpus: 1,
    memoryMb: 128,
    nics,
  };
  return { node: 'h1', generation: 1, instances: [instance], peers: [] };
}

const SIX = documentOf(nic(CARD, { six: { address: '2001:db8::1', router: ROUTER } }), nic(PLAIN, { deviceId: 1 }));
const here = (chains: Readonly<Record<string, Chain>>, index = 7): Actual => ({
  devices: new Map([
    [DEVICE, index],
    [portOf(PLAIN), 8],
  ]),
  chains: new Map(Object.entries(chains)),
});
const typed = (document: NodeDocument, actual: Actual): string[] =>
  planGuards(document, actual).work.flatMap(({ steps }) =>
    steps.flatMap((step) => (step.kind === 'run' ? [step.argv.join(' ')] : [])),
  );

test('planGuards() puts a chain on each card of a network with IPv6, and is then done', () => {
  const name = chainName(DEVICE, 7);
  assert.deepEqual(typed(SIX, here({})), [`nft ${chainCommands(name, DEVICE, ROUTER)}`]);
  assert.deepEqual(typed(SIX, here({ [name]: WHOLE })), []);
  assert.deepEqual(typed(SIX, { devices: new Map(), chains: new Map() }), [], 'no card yet');
});

test('planGuards() mends what was changed by hand, and what is of another router', () => {
  const name = chainName(DEVICE, 7);
  for (const wrong of [
    { routers: [], rules: 0 },
    { routers: [ROUTER], rules: 1 },
    { routers: ['02:00:00:00:bb:02'], rules: 2 },
  ])
    assert.equal(typed(SIX, here({ [name]: wrong })).length, 1);
});

test('planGuards() takes away the chain of a card that went, or was made anew', () => {
  const old = chainName(DEVICE, 6);
  const steps = typed(SIX, here({ [old]: WHOLE }));
  assert.ok(steps.includes(`nft flush chain netdev ${TABLE} ${old}; delete chain netdev ${TABLE} ${old}`));
  assert.ok(steps.some((step) => step.includes(`device "${DEVICE}"`)));
  assert.equal(typed(documentOf(nic(PLAIN)), here({ [chainName(DEVICE, 7)]: WHOLE })).length, 1);
});

test('on a wire the router is known by its link-local address, which goes from node to node', () => {
  const onWire = documentOf(nic(CARD, { six: { address: '2001:db8::1', router: ROUTER, routerAddress: LINK } }));
  const name = chainName(DEVICE, 7);
  const commands = chainCommands(name, DEVICE, LINK);
  assert.deepEqual(typed(onWire, here({})), [`nft ${commands}`]);
  assert.deepEqual(typed(onWire, here({ [name]: { routers: [LINK], rules: 2 } })), []);
  assert.equal(typed(onWire, here({ [name]: WHOLE })).length, 1, 'that of a network OVN routes for is another');
  assert.match(commands, /nd-router-advert, nd-redirect \} ip6 saddr != fe80::ff:fe00:aa01 /);
  assert.doesNotMatch(commands, /mld-listener-query/, 'switches ask, too');
});

for (const router of [ROUTER, LINK])
  test(`the kernel takes the commands for ${router}, again and again, and what it then lists is whole`, async (t) => {
    const inside = ['unshare', '--net', 'sh', '-c'];
    const commands = chainCommands('lo_1', 'lo', router);
    if ((await tryRun([...inside, 'nft list ruleset'])).code !== 0)
      return t.skip('no network namespaces, or no nftables');
    const script = `nft '${commands}' && nft '${commands}' && nft -j list table netdev ${TABLE}`;
    const { stdout } = await run([...inside, script]);
    assert.deepEqual([...chainsOf(stdout)], [['lo_1', { routers: [router], rules: 2 }]]);
  });
