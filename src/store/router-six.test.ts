// What router nodes are asked for in IPv6, from the rows. Apart from router-unit.test.ts, which is about all that is IPv4.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cardAddress, routerLinkAddress, routerPortMac, uplinkAddress } from '../model/ipv6.ts';
import { createIntentCache } from './load.ts';
import { SIX, WIRE6, addSetting, firewallRow, rangeRow, rolesOf } from './router-row.test-support.ts';
import { DATABASES } from './store.test-support.ts';

test('with IPv6 the two of a pair are asked for the same addresses and rules; cards know the router by its link-local one', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const { network, routers, hypervisor, range, nic } = await store.write(addSetting);
  const link = routerLinkAddress(network.id, '10.1.1.1');
  const ip6 = cardAddress(SIX.ip6cidr, nic.mac);
  const rule = {
    ...firewallRow(network.id, null),
    direction: 'Ingress',
    family: 6,
    cidrlist: '2001:db8:51::/48',
  } as const;
  await store.write(async (tx) => {
    await tx.update('network', network.id, SIX);
    await tx.update('nic', nic.id, { ip6 });
    await tx.insert('firewallrule', rule);
  });
  const cache = createIntentCache(store);
  const { intent } = await cache.reload();
  const [role] = rolesOf(intent, routers[0]);
  assert.deepEqual(role!.six, {
    cidr: SIX.ip6cidr,
    gateway: SIX.ip6gateway,
    link,
    proxied: [],
    ingress: [
      { id: rule.id, protocol: 'tcp', startPort: 22, endPort: 22, cidrs: ['2001:db8:51::/48'], destinationCidrs: [] },
    ],
    egressDefault: 'deny',
    egress: [],
  });
  assert.deepEqual(role!.egress, [], 'a rule is of one family');
  assert.deepEqual(rolesOf(intent, routers[1])[0]!.six, role!.six);
  const [card] = intent.hosts.get(hypervisor.id)!.instances[0]!.nics;
  assert.deepEqual(card!.six, { address: ip6, router: routerPortMac(network.id, '10.1.1.1'), routerAddress: link });
  assert.deepEqual(intent.networks.get(network.id)!.six, { cidr: SIX.ip6cidr, gateway: SIX.ip6gateway });

  await store.write((tx) => tx.update('publicrange', range.id, WIRE6));
  const later = await cache.refresh();
  const uplink = {
    vlan: 77,
    cidr: WIRE6.ip6cidr,
    gateway: WIRE6.ip6gateway,
    address: uplinkAddress(WIRE6.ip6gateway, network.id),
  };
  for (const node of routers) assert.deepEqual(rolesOf(later.intent, node)[0]!.six!.uplink, uplink);
});

test('where upstream takes the prefix for a part of its wire, the addresses of instances are answered for', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const { network, routers, range, nic } = await store.write(addSetting);
  const ip6 = cardAddress(SIX.ip6cidr, nic.mac);
  await store.write(async (tx) => {
    await tx.update('network', network.id, SIX);
    await tx.update('nic', nic.id, { ip6 });
    await tx.update('publicrange', range.id, { ip6cidr: '2001:db8::/40', ip6gateway: WIRE6.ip6gateway });
  });
  const cache = createIntentCache(store);
  const [role] = rolesOf((await cache.reload()).intent, routers[0]);
  assert.deepEqual(role!.six!.proxied, [ip6]);
  assert.deepEqual(
    [role!.six!.uplink?.cidr, role!.six!.uplink?.address],
    [WIRE6.ip6cidr, uplinkAddress(WIRE6.ip6gateway, network.id)],
  );
  await store.write((tx) => tx.remove('nic', nic.id));
  assert.deepEqual(rolesOf((await cache.refresh()).intent, routers[0])[0]!.six!.proxied, []);
});

test('a public range that gets IPv6 reaches router nodes of networks that have no address of it', async () => {
  await using opened = await DATABASES[0]!.open();
  const { store } = opened;
  const { network, routers } = await store.write(addSetting);
  await store.write((tx) => tx.update('network', network.id, SIX));
  const cache = createIntentCache(store);
  await cache.reload();
  await store.write((tx) => tx.insert('publicrange', rangeRow({ ...WIRE6, vlan: 78 })));
  const { intent, dirty } = await cache.refresh();
  const touched = new Set([...dirty.values()].flatMap((units) => [...units]));
  for (const node of routers) {
    assert.ok(touched.has(`host:${node.id}`));
    assert.equal(rolesOf(intent, node)[0]!.six!.uplink?.vlan, 78);
  }
});
