// From rows to IPv6 of the intent: networks with either family or both, cards, rules, routes, and the way out; and which units a change of
// any of it touches.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BUILT_IN } from '../model/built-in.ts';
import { cardAddress, routerPortMac, uplinkAddress } from '../model/ipv6.ts';
import type { GuestNetwork, Vpc } from '../model/intent.ts';
import { newId } from '../lib/id.ts';
import { createIntentCache } from './load.ts';
import type { Store } from './open.ts';
import { rangeRow } from './router-row.test-support.ts';
import { WORLD, addWorld, hostRow, instanceRow, networkRow, nicRow, vpcRow } from './row.test-support.ts';
import type { Tables } from './schema.ts';
import { familiesOf } from './six-unit.ts';
import { DATABASES } from './store.test-support.ts';

const SIX = { ip6cidr: '2001:db8:1::/64', ip6gateway: '2001:db8:1::1' };
const WIRE = { ip6cidr: '2001:db8:100::/64', ip6gateway: '2001:db8:100::1' };

/** A network of an offering that OVN routes for, with an instance in it; `more` is the network's. */
async function world(store: Store, more: Partial<Tables['network']>) {
  const host = hostRow('h1');
  const instance = instanceRow('i-1-VM', host.id);
  const offering = newId();
  const network = networkRow({ guesttype: 'Isolated', offering, vpc: null, ...SIX, ...more });
  const nic = { ...nicRow(instance.id, network.id, 0, '10.1.1.7'), ip6: cardAddress(SIX.ip6cidr, '02:00:00:00:01:01') };
  const card = { ...nic, mac: '02:00:00:00:01:01', ip: network.cidr === null ? null : nic.ip };
  await store.write(async (tx) => {
    await addWorld(tx);
    const bare = await tx.db
      .selectFrom('networkoffering')
      .selectAll()
      .where('id', '=', WORLD.bareOffering)
      .executeTakeFirstOrThrow();
    const services = JSON.stringify(['Firewall', 'Gateway'].map((name) => ({ name, provider: 'VirtualRouter' })));
    await tx.insert('networkoffering', { ...bare, id: offering, name: 'six', services, egressdefaultpolicy: 1 });
    await tx.insert('host', host);
    await tx.insert('network', network);
    await tx.insert('instance', instance);
    await tx.insert('nic', card);
  });
  const cache = createIntentCache(store);
  await cache.reload();
  const now = async (): Promise<GuestNetwork> =>
    (await cache.refresh()).intent.networks.get(network.id) as GuestNetwork;
  const touched = async (): Promise<string[]> =>
    [...(await cache.refresh()).dirty.values()].flatMap((units) => [...units]).toSorted();
  return { cache, host, network, card, now, touched };
}

for (const database of DATABASES) {
  test(`a network without IPv4 is routed by OVN, and its cards are told which router to hear (${database.name})`, async () => {
    await using opened = await database.open();
    const { cache, host, network, card, now } = await world(opened.store, { cidr: null, gateway: null });
    const unit = await now();
    assert.deepEqual(
      [unit.routed, unit.six, unit.cidr, unit.dhcp],
      [true, { cidr: SIX.ip6cidr, gateway: SIX.ip6gateway }, undefined, false],
    );
    assert.deepEqual([unit.nics[0]!.ip6, unit.nics[0]!.ip], [card.ip6, undefined]);
    const { intent } = await cache.refresh();
    const [nic] = intent.hosts.get(host.id)!.instances[0]!.nics;
    assert.deepEqual(nic!.six, { address: card.ip6, router: routerPortMac(network.id, SIX.ip6gateway) });
  });

  test(`rules of the IPv6 firewall and ranges with IPv6 touch the network, and nothing of IPv4 (${database.name})`, async () => {
    await using opened = await database.open();
    const { store } = opened;
    const { network, now, touched } = await world(store, { cidr: '10.1.1.0/24', gateway: '10.1.1.1' });
    assert.deepEqual((await now()).firewall6, { ingress: [], egressDefault: 'allow', egress: [] });
    const rule: Tables['firewallrule'] = {
      id: newId(),
      direction: 'Ingress',
      family: 6,
      network: network.id,
      publicip: null,
      protocol: 'tcp',
      startport: 80,
      endport: 80,
      icmptype: null,
      icmpcode: null,
      cidrlist: '::/0',
      destcidrlist: '',
      related: null,
      state: 'Add',
      account: network.account,
      domain: network.domain,
      created: 'x',
    };
    await store.write((tx) => tx.insert('firewallrule', rule));
    assert.deepEqual(await touched(), [`network:${network.id}`]);
    const unit = await now();
    assert.deepEqual(
      unit.firewall6?.ingress.map(({ id, cidrs }) => [id, cidrs]),
      [[rule.id, ['::/0']]],
    );
    assert.equal(unit.publicSide?.uplink6, undefined, 'no range has IPv6');
    const range = rangeRow({ ...WIRE, zone: network.zone, physicalnetwork: network.physicalnetwork! });
    await store.write((tx) => tx.insert('publicrange', range));
    assert.deepEqual(await touched(), [`network:${network.id}`]);
    const { uplink6 } = (await now()).publicSide!;
    assert.deepEqual(
      [uplink6?.range, uplink6?.gateway, uplink6?.address],
      [range.id, WIRE.ip6gateway, uplinkAddress(WIRE.ip6gateway, network.id)],
    );
    await store.write((tx) => tx.remove('publicrange', range.id));
    assert.equal((await now()).publicSide?.uplink6, undefined);
  });
}

test('a network with IPv6 whose offering has no firewall lets in answers only, and out everything', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const { network, now } = await world(store, { cidr: '10.1.1.0/24', gateway: '10.1.1.1' });
  await store.write((tx) => tx.update('network', network.id, { offering: WORLD.bareOffering }));
  assert.deepEqual((await now()).firewall6, { ingress: [], egressDefault: 'allow', egress: [] });
});

test('familiesOf() tells CIDRs by family; the lists of every VPC are about both', () => {
  assert.deepEqual(familiesOf('x', '10.0.0.0/8, 2001:db8::/32'), { cidrs: ['10.0.0.0/8'], cidrs6: ['2001:db8::/32'] });
  assert.deepEqual(familiesOf('x', '0.0.0.0/0'), { cidrs: ['0.0.0.0/0'] });
  assert.deepEqual(familiesOf('x', '::/0'), { cidrs: [], cidrs6: ['::/0'] });
  for (const id of [BUILT_IN.allowList, BUILT_IN.denyList])
    assert.deepEqual(familiesOf(id, '0.0.0.0/0'), { cidrs: ['0.0.0.0/0'], cidrs6: ['::/0'] });
});

test('a VPC keeps tiers and routes of IPv6 apart from those of IPv4', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const { cache, network } = await world(store, { cidr: null, gateway: null });
  const row = vpcRow();
  const vpc = row.id;
  const tier = networkRow({ vpc, cidr: null, gateway: null, ip6cidr: '2001:db8:2::/64', ip6gateway: '2001:db8:2::1' });
  const route = {
    vpc,
    privategateway: null,
    account: network.account,
    domain: network.domain,
    state: 'Add',
    reason: null,
    created: 'x',
  };
  await store.write(async (tx) => {
    await tx.insert('vpc', row);
    await tx.insert('network', tier);
    await tx.insert('staticroute', { ...route, id: newId(), cidr: '2001:db8:9::/48', nexthop: '2001:db8:2::7' });
    await tx.insert('staticroute', { ...route, id: newId(), cidr: '10.9.0.0/16', nexthop: '10.1.1.7' });
  });
  const unit: Vpc = (await cache.refresh()).intent.vpcs.get(vpc)!;
  assert.deepEqual(
    unit.tiers6?.map(({ id, six }) => [id, six.cidr]),
    [[tier.id, '2001:db8:2::/64']],
  );
  assert.ok(!unit.tiers.some(({ id }) => id === tier.id));
  assert.deepEqual([unit.routes.length, unit.routes6?.map(({ cidr }) => cidr)], [1, ['2001:db8:9::/48']]);
});
