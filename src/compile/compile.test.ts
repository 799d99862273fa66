// What the compiler promises of its rows, kind by kind and rule by rule.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mtuOf, type Intent, type Vpc } from '../model/intent.ts';
import { check } from './check.ts';
import { compile } from './compile.ts';
import type { DesiredRow } from './desired.ts';
import { networkKey, portGroupName, routerPortName, vpcKey } from './names.ts';
import { rowsOf, verdict } from './rows.test-support.ts';
import { ALLOW, DENY, gatewayId, guestOf, intentOf, nicOf, threeVpcs, vlan } from './sample.test-support.ts';

const named = (rows: readonly DesiredRow[], name: string): DesiredRow =>
  rows.find((row) => row.columns['name'] === name)!;
const vpcOf = (intent: Intent, name: string): Vpc => [...intent.vpcs.values()].find((vpc) => vpc.name === name)!;
const optionsOf = (row: DesiredRow | undefined): Readonly<Record<string, string>> =>
  (row?.columns['options'] ?? {}) as Readonly<Record<string, string>>;

function guests(): Intent {
  return intentOf({
    vpcs: [],
    guests: [
      guestOf('wire', {
        cidr: '192.168.50.0/24',
        segment: vlan(400),
        nics: ['192.168.50.11@hv1', '192.168.50.12'],
        routed: false,
      }),
      guestOf('routed', {
        cidr: '192.168.60.0/24',
        nics: ['192.168.60.11@hv2'],
        routed: true,
        gateway: '192.168.60.1',
      }),
    ],
  });
}

test('compile() gives sound rows for every kind of unit', () => {
  for (const intent of [threeVpcs(), threeVpcs(vlan(300)), threeVpcs(vlan(300), DENY), guests()]) {
    assert.deepEqual(check(compile(intent), intent.fabric), []);
  }
});

test('compile() tells a sender what fits where a VPC joins a VLAN and an overlay, and only there', () => {
  const mtusOf = (intent: Intent): readonly unknown[] =>
    rowsOf(compile(intent), 'Logical_Router_Port').map((row) => [
      (row.columns['networks'] as string[])[0],
      optionsOf(row)['gateway_mtu'],
    ]);
  const mixed = mtusOf(threeVpcs(vlan(300)));
  assert.deepEqual(
    mixed.filter((port) => String((port as string[])[0]).startsWith('10.1')),
    [['10.1.1.1/24', '1442']],
  );
  assert.deepEqual(
    mixed.filter((port) => String((port as string[])[0]).startsWith('172.16.1.1')),
    [['172.16.1.1/24', undefined]],
  );
  assert.ok(mtusOf(threeVpcs()).every((port) => (port as unknown[])[1] === undefined));
});

test('compile() gives every router dynamic_neigh_routers and tells it the gateways its routes lead to', () => {
  const intent = threeVpcs();
  const desired = compile(intent);
  for (const router of rowsOf(desired, 'Logical_Router'))
    assert.equal(optionsOf(router)['dynamic_neigh_routers'], 'true');
  const ports = new Map(
    rowsOf(desired, 'Logical_Router_Port').map((row) => [String((row.columns['networks'] as string[])[0]), row]),
  );
  const bindings = rowsOf(desired, 'Static_MAC_Binding');
  assert.equal(bindings.length, 6);
  assert.equal(new Set(rowsOf(desired, 'Logical_Router_Port').map((row) => row.columns['mac'])).size, ports.size);
  for (const { columns } of bindings)
    assert.equal(columns['mac'], ports.get(`${String(columns['ip'])}/24`)!.columns['mac']);
});

test('compile() keeps the MAC address with the address when a gateway passes to another VPC', () => {
  const at = (name: string): DesiredRow => {
    const intent = intentOf({
      privateNetworks: { p: { cidr: '172.16.1.0/24' } },
      vpcs: [{ name, cidr: '10.1.0.0/16', tiers: {}, gateways: { p: '172.16.1.9' } }],
    });
    return named(rowsOf(compile(intent)), routerPortName(gatewayId(name, 'p')));
  };
  assert.notEqual(at('alpha').uuid, at('beta').uuid);
  assert.equal(at('alpha').columns['mac'], at('beta').columns['mac']);
});

test('compile() binds an instance port to its hypervisor, its MAC and its address', () => {
  const rows = rowsOf(compile(guests()), 'Logical_Switch_Port');
  const placed = nicOf('192.168.50.11@hv1');
  const port = named(rows, placed.id);
  assert.equal(port.uuid, placed.id);
  assert.deepEqual(port.columns['port_security'], [`${placed.mac} 192.168.50.11`]);
  assert.equal(optionsOf(port)['requested-chassis'], 'hv1');
  assert.equal(optionsOf(named(rows, nicOf('192.168.50.12').id))['requested-chassis'], undefined);
});

test('compile() announces by DHCP what fits: underlay minus 58 on an overlay, the whole underlay on a VLAN', () => {
  const intent = guests();
  const mtus = rowsOf(compile(intent), 'DHCP_Options').map((row) => [row.columns['cidr'], optionsOf(row)['mtu']]);
  assert.ok(mtus.some(([prefix, mtu]) => prefix === '192.168.50.0/24' && mtu === '1500'));
  assert.ok(mtus.some(([prefix, mtu]) => prefix === '192.168.60.0/24' && mtu === '1442'));
  assert.equal(mtuOf({ kind: 'overlay' }, intent.fabric.underlayMtu), 1442);
});

test('compile() gives a default NIC router, resolvers and domain, and another NIC none of them', () => {
  const intent = threeVpcs();
  const vpc = vpcOf(intent, 'alpha');
  const [tier] = vpc.tiers;
  const nics = [...tier!.nics, { ...nicOf('10.1.1.12@hv2'), isDefault: false }];
  const rows = rowsOf(compile({ ...intent, vpcs: new Map([[vpc.id, { ...vpc, tiers: [{ ...tier!, nics }] }]]) }));
  const byId = new Map(rows.map((row) => [row.uuid, row]));
  const [first, further] = nics.map((nic) =>
    optionsOf(byId.get((byId.get(nic.id)!.columns['dhcpv4_options'] as string[])[0]!)),
  );
  assert.deepEqual(
    [first!['router'], first!['dns_server'], first!['domain_name']],
    ['10.1.1.1', '9.9.9.9', '"example.org"'],
  );
  for (const option of ['router', 'dns_server', 'domain_name']) assert.equal(further![option], undefined);
  assert.equal(further!['mtu'], '1442');
});

test('compile() drops DHCP answers and bridge frames from any instance port, with or without lists', () => {
  const intent = guests();
  for (const network of intent.networks.values()) {
    const group = portGroupName(network.id);
    const acls = rowsOf(compile(intent), 'ACL').filter((row) => String(row.columns['match']).includes(`@${group}`));
    const judge = (packet: Readonly<Record<string, string | number>>): string | undefined =>
      verdict(acls, { inport: `@${group}`, ...packet });
    assert.equal(judge({ 'udp.dst': 68 }), 'drop');
    assert.equal(judge({ 'eth.dst': '01:80:c2:00:00:00/ff:ff:ff:ff:ff:f0' }), 'drop');
    assert.equal(judge({ 'udp.dst': 67 }), undefined);
  }
});

test('compile() makes a network without a router a switch and nothing else', () => {
  const intent = guests();
  const wire = [...intent.networks.values()].find(({ name }) => name === 'wire')!;
  const tables = new Set(
    compile(intent)
      .units.get(networkKey(wire.id))!
      .rows.map((row) => row.table),
  );
  assert.deepEqual([...tables].toSorted(), [
    'ACL',
    'DHCP_Options',
    'Logical_Switch',
    'Logical_Switch_Port',
    'Port_Group',
  ]);
});

test('compile() checks sources at the router: from a tier only what leads back to it, from a gateway nothing of a tier', () => {
  const intent = intentOf({
    privateNetworks: { p: { cidr: '172.16.1.0/24' } },
    vpcs: [
      {
        name: 'alpha',
        cidr: '10.1.0.0/16',
        tiers: { web: { cidr: '10.1.1.0/24' }, app: { cidr: '10.1.2.0/24' } },
        gateways: { p: '172.16.1.1' },
        routes: ['10.64.0.0/10 via 10.1.2.12', '10.70.1.0/24 via 172.16.1.2'],
      },
    ],
  });
  const policies = rowsOf(compile(intent), 'Logical_Router_Policy');
  const vpc = vpcOf(intent, 'alpha');
  const from = (id: string, source: string): string =>
    verdict(policies, { inport: routerPortName(id), 'ip4.src': source, outport: 'elsewhere' }) === 'drop'
      ? 'dropped'
      : 'passes';
  const [web, app] = vpc.tiers.map(({ id }) => id);
  assert.equal(from(web!, '10.1.1.11'), 'passes');
  assert.equal(from(web!, '10.1.2.12'), 'dropped');
  assert.equal(from(web!, '8.8.8.8'), 'dropped');
  assert.equal(from(web!, '10.70.0.1'), 'dropped');
  assert.equal(from(app!, '10.70.0.1'), 'passes', 'the route leads to an appliance there');
  assert.equal(from(app!, '10.70.1.1'), 'dropped', 'a longer prefix leads elsewhere');
  assert.equal(from(vpc.gateways[0]!.id, '10.1.1.11'), 'dropped');
  assert.equal(from(vpc.gateways[0]!.id, '10.2.1.11'), 'passes');
  assert.equal(from(web!, '172.16.1.1'), 'passes', 'what the router itself answers');
});

test('compile() lets an appliance send and receive what routes lead to it, and nobody else', () => {
  const intent = intentOf({
    vpcs: [
      {
        name: 'alpha',
        cidr: '10.1.0.0/16',
        tiers: { app: { cidr: '10.1.2.0/24', nics: ['10.1.2.12@hv1', '10.1.2.13@hv1'] } },
        routes: ['10.70.0.0/24 via 10.1.2.12'],
      },
    ],
  });
  const rows = rowsOf(compile(intent), 'Logical_Switch_Port');
  const security = (address: string): unknown => named(rows, nicOf(address).id).columns['port_security'];
  assert.deepEqual(security('10.1.2.12'), [`${nicOf('10.1.2.12').mac} 10.1.2.12 10.70.0.0/24`]);
  assert.deepEqual(security('10.1.2.13'), [`${nicOf('10.1.2.13').mac} 10.1.2.13`]);
});

test('transitPolicies() stops what one Private network would send through the VPC to another, unless both lists allow it', () => {
  const through = (acl: typeof ALLOW): string | undefined => {
    const intent = intentOf({
      privateNetworks: { p: { cidr: '172.16.1.0/24' }, q: { cidr: '172.16.2.0/24' } },
      vpcs: [
        {
          name: 'hub',
          cidr: '10.1.0.0/16',
          tiers: {},
          gateways: { p: '172.16.1.1', q: '172.16.2.1' },
          gatewayAcl: acl,
        },
      ],
    });
    const [p, q] = ['p', 'q'].map((network) => routerPortName(gatewayId('hub', network)));
    return verdict(rowsOf(compile(intent), 'Logical_Router_Policy'), {
      inport: p!,
      outport: q!,
      'ip4.src': '10.2.1.11',
      'ip4.dst': '10.3.1.11',
    });
  };
  assert.equal(through(DENY), 'drop');
  assert.equal(through(ALLOW), undefined);
});

test('compile() gives no row but a finding for a route that leads nowhere', () => {
  const intent = intentOf({
    vpcs: [
      {
        name: 'alpha',
        cidr: '10.1.0.0/16',
        tiers: { web: { cidr: '10.1.1.0/24' } },
        routes: ['10.80.0.0/16 via 192.168.7.1'],
      },
    ],
  });
  const desired = compile(intent);
  assert.deepEqual(rowsOf(desired, 'Logical_Router_Static_Route'), []);
  const vpc = vpcOf(intent, 'alpha');
  assert.deepEqual(
    desired.units.get(vpcKey(vpc.id))!.findings.map(({ kind, id }) => ({ kind, id })),
    [{ kind: 'static-route', id: vpc.routes[0]!.id }],
  );
});

test('compile() names the chassis of linked VPCs, and only theirs', () => {
  const intent = threeVpcs();
  const lone = intentOf({
    vpcs: [
      {
        name: 'lone',
        cidr: '10.9.0.0/16',
        tiers: { t: { cidr: '10.9.1.0/24', nics: ['10.9.1.11@hv2', '10.9.1.12'] } },
      },
    ],
  });
  const { units } = compile({ ...intent, vpcs: new Map([...intent.vpcs, ...lone.vpcs]) });
  for (const name of ['alpha', 'beta', 'gamma'])
    assert.deepEqual(units.get(vpcKey(vpcOf(intent, name).id))!.chassis, ['hv1', 'hv2', 'hv3']);
  for (const id of intent.networks.keys()) assert.deepEqual(units.get(networkKey(id))!.chassis, ['hv1', 'hv2', 'hv3']);
  assert.deepEqual(units.get(vpcKey(vpcOf(lone, 'lone').id))!.chassis, ['hv2']);
});

test('compile() gives the same object for a unit that means the same, even when the intent was loaded anew', () => {
  const first = compile(threeVpcs());
  const again = compile(threeVpcs(), first);
  for (const [key, unit] of again.units) assert.equal(unit, first.units.get(key));
  const changed = threeVpcs();
  const vpc = vpcOf(changed, 'alpha');
  const after = compile(
    { ...changed, vpcs: new Map([...changed.vpcs, [vpc.id, { ...vpc, routes: vpc.routes.slice(1) }]]) },
    first,
  );
  const differing = [...after.units].filter(([key, unit]) => unit !== first.units.get(key)).map(([key]) => key);
  assert.deepEqual(differing, [vpcKey(vpc.id)]);
});

test('compile() compiles a remembered unit again when the fabric is another', () => {
  const intent = threeVpcs();
  const mtus = (of: Intent): ReadonlySet<unknown> =>
    new Set(rowsOf(compile(of), 'DHCP_Options').map((row) => optionsOf(row)['mtu']));
  assert.deepEqual(mtus(intent), new Set(['1442']));
  assert.deepEqual(mtus({ ...intent, fabric: { ...intent.fabric, underlayMtu: 9000 } }), new Set(['8942']));
});
