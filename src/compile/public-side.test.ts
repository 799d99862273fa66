// The public side of routers: which rows follow, and what they say of packets. That packets follow them is test/lab/public-side*.test.ts's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { derivedId } from '../lib/id.ts';
import type { Fabric, Intent } from '../model/intent.ts';
import type { PublicSide } from '../model/public-side.ts';
import { check } from './check.ts';
import { compile } from './compile.ts';
import type { Desired, DesiredRow } from './desired.ts';
import { publicSideName, portGroupName } from './names.ts';
import { publicPlaceOf } from './public-leg.ts';
import { ownersOn } from './public-wire.ts';
import { firewallOf, forwardOf, publicAddress, publicSide, withVpcs } from './public.test-support.ts';
import { rowsOf, verdict } from './rows.test-support.ts';
import { ALLOW, fabricOf, guestOf, intentOf, listOf, nicOf, THREE_HOSTS } from './sample.test-support.ts';

const OWN = '203.0.113.10';
const OTHER = '203.0.113.11';
const STRANGER = '198.51.100.10';

function shop(side: PublicSide, fabric: Fabric = THREE_HOSTS): Intent {
  const intent = intentOf({
    fabric,
    vpcs: [
      {
        name: 'shop',
        cidr: '10.1.0.0/16',
        tiers: {
          web: { cidr: '10.1.1.0/24', nics: ['10.1.1.11@hv1'], acl: ALLOW },
          db: { cidr: '10.1.2.0/24', nics: ['10.1.2.12@hv2'], acl: ALLOW },
        },
      },
    ],
  });
  return withVpcs(intent, () => ({ publicSide: side }));
}

const SHOP = derivedId('vpc/shop');
const sourceNat = publicAddress(OWN, { sourceNat: true });
const isRow = (row: DesiredRow, columns: Readonly<Record<string, unknown>>): boolean =>
  Object.entries(columns).every(([key, value]) => JSON.stringify(row.columns[key]) === JSON.stringify(value));

/** Compiled, and sound. */
function compiled(intent: Intent): Desired {
  const desired = compile(intent);
  assert.deepEqual(check(desired, intent.fabric), []);
  return desired;
}

/** What the public switch does with a packet to the router of `owner`. */
function atWire(
  desired: Desired,
  ownerId: string,
  side: PublicSide,
  packet: Readonly<Record<string, string | number>>,
) {
  const [leg] = publicPlaceOf(ownerId, side, THREE_HOSTS).legs;
  const acls = rowsOf(desired, 'ACL').filter(
    (row) =>
      row.columns['direction'] === 'to-lport' &&
      String(row.columns['match']).includes(publicSideName(leg!.id, leg!.wire.id)),
  );
  return verdict(acls, { outport: publicSideName(leg!.id, leg!.wire.id), 'ip4.src': STRANGER, ...packet });
}

const tcp = (to: string, port: number) => ({ protocol: 'tcp', 'ip4.dst': to, 'tcp.dst': port });

test('a VPC with a source NAT address has a port on the wire, a route to the world, and its tiers are translated there only', () => {
  const desired = compiled(shop(publicSide([sourceNat])));
  const port = rowsOf(desired, 'Logical_Router_Port').find((row) => isRow(row, { networks: [`${OWN}/24`] }))!;
  assert.equal((port.columns['gateway_chassis'] as unknown[]).length, 3);
  const ports = rowsOf(desired, 'Logical_Router_Port').map(({ uuid }) => uuid);
  assert.equal(ports.toSorted()[0], port.uuid, 'load balancers are bound to the first one');
  const route = rowsOf(desired, 'Logical_Router_Static_Route');
  assert.deepEqual(
    route.map(({ columns }) => [columns['ip_prefix'], columns['nexthop'], columns['output_port']]),
    [['0.0.0.0/0', '203.0.113.1', [port.columns['name']]]],
  );
  assert.deepEqual(
    rowsOf(desired, 'NAT').map(({ columns }) => [columns['type'], columns['external_ip'], columns['logical_ip']]),
    ['10.1.1.0/24', '10.1.2.0/24'].map((range) => ['snat', OWN, range]),
  );
  for (const row of rowsOf(desired, 'NAT')) assert.deepEqual(row.columns['gateway_port'], [port.uuid]);
});

test('a VPC without an address has neither port nor route, and a default route of its own is the only one', () => {
  const bare = compiled(shop(publicSide([])));
  assert.deepEqual(rowsOf(bare, 'Logical_Router_Static_Route'), []);
  assert.deepEqual(rowsOf(bare, 'NAT'), []);
  const own = withVpcs(shop(publicSide([sourceNat])), ({ id }) => ({
    routes: [{ id: derivedId('r'), vpcId: id, cidr: '0.0.0.0/0', nextHop: '10.1.1.11' }],
  }));
  const routes = rowsOf(compiled(own), 'Logical_Router_Static_Route');
  assert.deepEqual(
    routes.map(({ columns }) => columns['nexthop']),
    ['10.1.1.11'],
  );
});

test('routers of one gateway group share a switch, and one that changes leaves the rows of the others the same objects', () => {
  const vpcs = Array.from({ length: 4 }, (_, i) => ({
    name: `v${i}`,
    cidr: '10.1.0.0/16',
    tiers: { t: { cidr: '10.1.1.0/24' } },
  }));
  const side = (vpc: { readonly name: string }, more = {}): PublicSide =>
    publicSide([publicAddress(`203.0.113.2${vpc.name.at(-1)}`, { sourceNat: true, ...more })]);
  const intent = withVpcs(intentOf({ vpcs }), (vpc) => ({ publicSide: side(vpc) }));
  const desired = compiled(intent);
  const wires = [...desired.units.values()].filter(({ key }) => key.startsWith('public:'));
  assert.equal(wires.length, 1, 'three hypervisors are one group');
  assert.deepEqual(wires[0]!.chassis, ['hv1', 'hv2', 'hv3']);
  assert.equal(wires[0]!.rows.filter((row) => isRow(row, { type: 'localnet', tag: [100] })).length, 1);
  assert.equal(wires[0]!.rows.filter((row) => isRow(row, { type: 'router' })).length, 4);
  const changed = withVpcs(intent, (vpc) =>
    vpc.name === 'v1' ? { publicSide: side(vpc, { acl: listOf('none') }) } : {},
  );
  const kept = new Map([...intent.vpcs].map(([id, vpc]) => [id, vpc.name === 'v1' ? changed.vpcs.get(id)! : vpc]));
  const again = compile({ ...intent, vpcs: kept }, desired);
  const wire = again.units.get(wires[0]!.key)!;
  assert.notEqual(wire, wires[0]);
  const before = new Set(wires[0]!.rows);
  assert.ok(wire.rows.filter((row) => before.has(row)).length >= 4 * 3, 'what others bring is not made again');
  assert.equal(compile({ ...intent }, desired).units.get(wires[0]!.key), wires[0]);
});

test('routers of different gateway groups meet on different switches of the same wire', () => {
  const fabric = fabricOf(...Array.from({ length: 8 }, (_, i) => `hv${i + 1}`));
  const vpcs = Array.from({ length: 40 }, (_, i) => ({ name: `v${i}`, cidr: '10.1.0.0/16', tiers: {} }));
  const intent = withVpcs(intentOf({ fabric, vpcs }), (vpc) => ({
    publicSide: publicSide([publicAddress(`203.0.113.${100 + Number(vpc.name.slice(1))}`, { sourceNat: true })]),
  }));
  const wires = [...compiled(intent).units.values()].filter(({ key }) => key.startsWith('public:'));
  assert.ok(wires.length > 4);
  for (const wire of wires) {
    assert.equal(wire.chassis.length, 3);
    assert.equal(wire.rows.filter((row) => isRow(row, { type: 'localnet', tag: [100] })).length, 1);
  }
});

test('forwards of an address and protocol are one row, ranges port by port, for the router and every tier', () => {
  const forwards = ['2222 to 10.1.1.11:22', '8000-8003 to 10.1.2.12:8000', 'udp 53 to 10.1.2.12:53'].map(forwardOf);
  const desired = compiled(shop(publicSide([sourceNat, publicAddress(OTHER, { forwards })])));
  const balancers = rowsOf(desired, 'Load_Balancer');
  assert.deepEqual(
    balancers.map(({ columns }) => [columns['protocol'], Object.keys(columns['vips'] as object).length]),
    [
      [['tcp'], 5],
      [['udp'], 1],
    ],
  );
  assert.equal((balancers[0]!.columns['vips'] as Readonly<Record<string, string>>)[`${OTHER}:8003`], '10.1.2.12:8003');
  const users = [...rowsOf(desired, 'Logical_Router'), ...rowsOf(desired, 'Logical_Switch')].filter((row) =>
    isRow(row, { load_balancer: balancers.map(({ uuid }) => uuid) }),
  );
  assert.equal(users.length, 3, 'the router and two tiers');
});

test('a list on a public address is asked for forwarded ports and echo only, and never for answers', () => {
  const acl = listOf('few', '10 ingress deny tcp 1-65535 198.51.100.0/25', '20 ingress allow tcp 2000-3000');
  const side = publicSide([
    publicAddress(OWN, { sourceNat: true, acl, forwards: [forwardOf('2222 to 10.1.1.11:22')] }),
  ]);
  const desired = compiled(shop(side));
  const at = (packet: Readonly<Record<string, string | number>>) => atWire(desired, SHOP, side, packet);
  assert.equal(at(tcp(OWN, 2222)), 'drop');
  assert.equal(at({ ...tcp(OWN, 2222), 'ip4.src': '192.0.2.7' }), 'allow-stateless');
  assert.equal(at(tcp(OWN, 40_000)), undefined, 'an answer to a translated connection');
  assert.equal(at({ ...tcp(OWN, 40_000), 'ip4.src': OWN }), 'drop', 'nobody out there has our address');
  assert.equal(at({ protocol: 'icmp4', 'ip4.dst': OWN, 'icmp4.type': 8 }), 'drop');
  assert.equal(at({ protocol: 'icmp4', 'ip4.dst': OWN, 'icmp4.type': 0 }), undefined);
  assert.equal(at({ ...tcp(OWN, 2223), 'tcp.src': 40_000 }), 'drop', 'a port that was forwarded is closed at once');
});

test('a forward on the address that networks speak to the world by leaves every port to answers, and none that servers have to clients', () => {
  const forwards = ['udp 51820 to 10.1.1.11:51820', '2222 to 10.1.1.11:22', 'udp 53 to 10.1.1.11:53'].map(forwardOf);
  const side = publicSide([publicAddress(OWN, { sourceNat: true, forwards })]);
  const desired = compiled(shop(side));
  const answer = (protocol: 'tcp' | 'udp', port: number): string | undefined =>
    atWire(desired, SHOP, side, {
      protocol,
      'ip4.dst': OWN,
      [`${protocol}.src`]: 443,
      [`${protocol}.dst`]: port,
    });
  for (const port of [123, 1024, 2222, 30_000, 32_768, 40_000, 51_820, 60_000])
    for (const protocol of ['tcp', 'udp'] as const)
      assert.notEqual(answer(protocol, port), 'drop', `${protocol} ${port}`);
  const asks = (port: number, at: PublicSide): string | undefined =>
    atWire(compiled(shop(at)), SHOP, at, { ...tcp(OWN, port), 'tcp.src': 40_000 });
  assert.deepEqual(
    [22, 2223, 32_768].map((port) => asks(port, side)),
    ['drop', 'drop', undefined],
  );
  const bare = publicSide([sourceNat]);
  assert.deepEqual(
    [22, 2223].map((port) => asks(port, bare)),
    ['drop', undefined],
    'the last one has gone',
  );
});

test('who may use a forward is judged at the wire, and other addresses of the router stay as they are', () => {
  const forwards = [forwardOf('2222 to 10.1.1.11:22 from 192.0.2.0/24'), forwardOf('2223 to 10.1.1.11:22')];
  const side = publicSide([sourceNat, publicAddress(OTHER, { forwards })]);
  const desired = compiled(shop(side));
  assert.equal(atWire(desired, SHOP, side, tcp(OTHER, 2222)), 'drop');
  assert.equal(atWire(desired, SHOP, side, { ...tcp(OTHER, 2222), 'ip4.src': '192.0.2.9' }), 'allow-stateless');
  assert.equal(atWire(desired, SHOP, side, tcp(OTHER, 2223)), 'allow-stateless');
  assert.equal(atWire(desired, SHOP, side, tcp(OTHER, 2224)), 'drop');
  assert.equal(atWire(desired, SHOP, side, tcp(OWN, 2222)), undefined);
});

test("an address that is an instance's alone is judged at the instance: the world by its list, tiers and own addresses not", () => {
  const acl = listOf('web', '10 ingress allow tcp 443');
  const nic = nicOf('10.1.1.11');
  const address = publicAddress(OTHER, { staticNat: '10.1.1.11', staticNatNic: nic.id, acl });
  const side = publicSide([sourceNat, address]);
  const desired = compiled(shop(side));
  assert.equal(atWire(desired, SHOP, side, tcp(OTHER, 22)), undefined, 'not at the wire');
  const group = `@${portGroupName(derivedId('tier/shop/web'))}`;
  const acls = rowsOf(desired, 'ACL').filter(
    (row) => row.columns['direction'] === 'to-lport' && String(row.columns['match']).includes(group),
  );
  const at = (from: string, to: string, port: number) =>
    verdict(acls, { outport: group, 'ip4.src': from, protocol: 'tcp', 'ip4.dst': to, 'tcp.dst': port });
  assert.equal(at(STRANGER, '10.1.1.11', 443), 'allow-related');
  assert.equal(at(STRANGER, '10.1.1.11', 22), 'drop');
  assert.equal(at(STRANGER, '10.1.1.12', 22), 'allow-related', 'forwarded to another instance: judged before');
  assert.equal(at('10.1.2.12', '10.1.1.11', 22), 'allow-related');
  assert.equal(at(OWN, '10.1.1.11', 22), 'allow-related');
  assert.deepEqual(
    rowsOf(desired, 'NAT')
      .filter((row) => row.columns['type'] === 'dnat_and_snat')
      .map(({ columns }) => columns['logical_ip']),
    ['10.1.1.11'],
  );
});

test("a network's firewall: closed without rules, egress as its offering says, rules being the exception", () => {
  const isolated = (more: Partial<PublicSide>): Desired => {
    const guest = guestOf('g', { cidr: '10.5.0.0/24', nics: ['10.5.0.11@hv1'], routed: true, gateway: '10.5.0.1' });
    const addresses = [
      publicAddress(OWN, { sourceNat: true, forwards: [forwardOf('22 to 10.5.0.11:22')], ...more.addresses?.[0] }),
    ];
    const side = publicSide(addresses, { firewall: true, ...more, addresses });
    return compiled(intentOf({ vpcs: [], guests: [{ ...guest, publicSide: side }] }));
  };
  const id = derivedId('guest/g');
  const group = `@${portGroupName(id)}`;
  const out = (desired: Desired, to: string): string | undefined =>
    verdict(
      rowsOf(desired, 'ACL').filter(
        (row) => row.columns['direction'] === 'from-lport' && row.columns['priority'] !== 32_000,
      ),
      { inport: group, 'ip4.src': '10.5.0.11', protocol: 'tcp', 'ip4.dst': to, 'tcp.dst': 80 },
    );
  const closed = isolated({ egressDefault: 'deny', egress: [firewallOf('tcp 80 to 198.51.100.0/24')] });
  const side = (ingress: readonly string[]) =>
    publicSide([publicAddress(OWN, { sourceNat: true, ingress: ingress.map(firewallOf) })], { firewall: true });
  assert.equal(atWire(closed, id, side([]), tcp(OWN, 22)), 'drop');
  assert.equal(out(closed, STRANGER), 'allow-related');
  assert.equal(out(closed, '192.0.2.1'), 'drop');
  assert.equal(out(closed, '10.5.0.12'), 'allow-related');
  const open = isolated({ egress: [firewallOf('tcp 80 to 198.51.100.0/24')] });
  assert.equal(out(open, STRANGER), 'drop');
  assert.equal(out(open, '192.0.2.1'), 'allow-related');
  const ruled = isolated({
    addresses: [
      publicAddress(OWN, {
        sourceNat: true,
        forwards: [forwardOf('22 to 10.5.0.11:22')],
        ingress: [firewallOf('tcp 20-25 198.51.100.0/24')],
      }),
    ],
  });
  assert.equal(atWire(ruled, id, side([]), tcp(OWN, 22)), 'allow-stateless');
  assert.equal(atWire(ruled, id, side([]), { ...tcp(OWN, 22), 'ip4.src': '192.0.2.1' }), 'drop');
});

test("a routed network translates nothing, and its addresses on the wire itself are the router's to answer for", () => {
  const routed = (cidr: string, nic: string, gateway: string): readonly DesiredRow[] => {
    const guest = guestOf('r', { cidr, nics: [nic], routed: true, gateway });
    const side = publicSide([sourceNat], { mode: 'ROUTED' });
    return rowsOf(compiled(intentOf({ vpcs: [], guests: [{ ...guest, publicSide: side }] })), 'NAT');
  };
  assert.deepEqual(routed('192.0.3.0/24', '192.0.3.9@hv1', '192.0.3.1'), []);
  assert.deepEqual(
    routed('203.0.113.128/28', '203.0.113.130@hv1', '203.0.113.129').map(({ columns }) => [
      columns['type'],
      columns['external_ip'],
      columns['logical_ip'],
    ]),
    [['dnat_and_snat', '203.0.113.130', '203.0.113.130']],
  );
});

test('an instance with an address of another wire answers by that wire, and inside as ever', () => {
  const address = publicAddress('192.0.4.9', {
    vlan: 200,
    staticNat: '10.1.1.11',
    staticNatNic: nicOf('10.1.1.11').id,
  });
  const desired = compiled(shop(publicSide([sourceNat, address])));
  const policies = rowsOf(desired, 'Logical_Router_Policy');
  const inport = `lrp-${derivedId('tier/shop/web')}`;
  const best = (to: string): DesiredRow =>
    policies
      .filter((row) => verdict([row], { inport, 'ip4.src': '10.1.1.11', 'ip4.dst': to }) !== undefined)
      .toSorted((a, b) => Number(b.columns['priority']) - Number(a.columns['priority']))[0]!;
  assert.deepEqual(best(STRANGER).columns['nexthops'], ['192.0.4.1']);
  assert.equal(best('10.1.2.12').columns['action'], 'allow');
});

test('an answer may carry the address it was asked at, and nothing else may', () => {
  const address = publicAddress('203.0.113.9', { staticNat: '10.1.1.11', staticNatNic: nicOf('10.1.1.11').id });
  const policies = rowsOf(compiled(shop(publicSide([sourceNat, address]))), 'Logical_Router_Policy');
  const inport = `lrp-${derivedId('tier/shop/web')}`;
  const packet = { inport, 'ip4.src': '203.0.113.9', 'ip4.dst': '203.0.113.10' };
  assert.equal(verdict(policies, { ...packet, 'ct.rpl': 1 }), 'allow');
  assert.equal(verdict(policies, packet), 'drop');
  assert.equal(verdict(policies, { ...packet, 'ip4.src': '203.0.113.11', 'ct.rpl': 1 }), 'drop');
});

test('a card with a rate has a meter for each direction', () => {
  const intent = shop(publicSide([]));
  const limited = withVpcs(intent, ({ tiers }) => ({
    tiers: tiers.map((tier) => ({ ...tier, nics: tier.nics.map((nic) => ({ ...nic, rateMbit: 20 })) })),
  }));
  assert.deepEqual(rowsOf(compiled(intent), 'QoS'), []);
  const rates = rowsOf(compiled(limited), 'QoS').filter(({ columns }) =>
    String(columns['match']).includes(nicOf('10.1.1.11').id),
  );
  assert.deepEqual(
    rates.map(({ columns }) => columns['direction']),
    ['from-lport', 'to-lport'],
  );
  for (const { columns } of rates)
    assert.equal((columns['bandwidth'] as Readonly<Record<string, string>>)['rate'], '20000');
});

test('ownersOn() names whose routers meet on a public wire, and nobody for other units', () => {
  const { units } = compiled(shop(publicSide([sourceNat])));
  const owners = [...units.values()].map((unit) => [unit.key.split(':')[0], ownersOn(unit)] as const);
  assert.deepEqual(
    owners.filter(([, keys]) => keys.length > 0),
    [['public', [`vpc:${SHOP}`, `network:${SHOP}`]]],
  );
});

test('nobody outside comes with an address of the gateway helper’s, which filters inside trust', () => {
  const side = publicSide([sourceNat], { mode: 'ROUTED' });
  const desired = compiled(shop(side));
  const from = (source: string) => atWire(desired, SHOP, side, { ...tcp('10.1.1.11', 22), 'ip4.src': source });
  assert.deepEqual([from('192.0.0.18'), from('192.0.0.23')], ['drop', 'drop']);
  assert.equal(from(STRANGER), undefined);
});

test('a tier that is not translated has no way to the world, and the others keep theirs', () => {
  const whole = shop(publicSide([sourceNat]));
  const intent = withVpcs(whole, ({ tiers }) => ({
    tiers: tiers.map((tier) => (tier.cidr === '10.1.2.0/24' ? { ...tier, untranslated: true } : tier)),
  }));
  const desired = compiled(intent);
  assert.deepEqual(
    rowsOf(desired, 'NAT').map(({ columns }) => [columns['type'], columns['external_ip'], columns['logical_ip']]),
    [['snat', OWN, '10.1.1.0/24']],
  );
});
