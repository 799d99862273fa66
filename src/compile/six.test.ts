// What the compiler makes of IPv6: ports that advertise, routes, source checks, filters, and the way out; and that nothing of it is there
// where nothing has IPv6.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidr6, contains6, ip6, slaacAddress, formatIp6 } from '../lib/ip6.ts';
import type { AclItem, AclList, GuestNetwork, Intent, Nic, Tier, Tier6, Vpc } from '../model/intent.ts';
import type { Network6, Uplink6 } from '../model/ipv6.ts';
import type { FirewallRule, PublicSide } from '../model/public-side.ts';
import { check } from './check.ts';
import { compile } from './compile.ts';
import type { Desired, DesiredRow } from './desired.ts';
import { ingressRules } from './filter.ts';
import { networkKey, portGroupName, publicSideName, routerPortName, vpcKey } from './names.ts';
import { publicPlaceOf } from './public-leg.ts';
import { publicAddress } from './public.test-support.ts';
import { rowsOf } from './rows.test-support.ts';
import { guestOf, intentOf, threeVpcs } from './sample.test-support.ts';

const WEB: Network6 = { cidr: '2001:db8:1::/64', gateway: '2001:db8:1::1' };
const DB: Network6 = { cidr: '2001:db8:2::/64', gateway: '2001:db8:2::1' };
const UPLINK: Uplink6 = {
  range: 'r',
  physicalNetwork: 'physnet1',
  vlan: 100,
  cidr: '2001:db8:100::/64',
  gateway: '2001:db8:100::1',
  address: '2001:db8:100::abcd',
};
const SIDE: PublicSide = {
  mode: 'NATTED',
  addresses: [],
  firewall: false,
  egressDefault: 'allow',
  egress: [],
  internal: [],
  carriers: { turn: 0, avoid: [] },
  uplink6: UPLINK,
};

const six = (nic: Nic, network: Network6): Nic => ({
  ...nic,
  ip6: formatIp6(slaacAddress(cidr6(network.cidr), nic.mac)),
});

/** The first VPC of the sample: its tier has both families, and another has IPv6 alone. */
function vpcIntent(more: Partial<Vpc> = {}, acl?: AclList): { intent: Intent; vpc: Vpc; tier: Tier; alone: Tier6 } {
  const sample = threeVpcs();
  const [first] = [...sample.vpcs.values()];
  const [old] = first!.tiers;
  const tier: Tier = {
    ...old!,
    six: WEB,
    nics: old!.nics.map((nic) => six(nic, WEB)),
    ...(acl === undefined ? {} : { acl }),
  };
  const { ip: _, ...bare } = old!.nics[0]!;
  const card = { ...bare, id: first!.id.replace(/^./, 'e'), mac: '02:00:00:00:00:66' };
  const { cidr: __, gateway: ___, ...rest } = old!;
  const id = first!.id.replace(/^./, 'f');
  const alone: Tier6 = { ...rest, id, name: 'alone', kind: 'tier6', six: DB, dhcp: false, nics: [six(card, DB)] };
  const vpc: Vpc = { ...first!, tiers: [tier, ...first!.tiers.slice(1)], tiers6: [alone], ...more };
  return { intent: { ...sample, vpcs: new Map([...sample.vpcs, [vpc.id, vpc]]) }, vpc, tier, alone };
}

function guest(more: Partial<GuestNetwork> = {}): { intent: Intent; network: GuestNetwork } {
  const sample = guestOf('wire', {
    cidr: '192.168.50.0/24',
    nics: ['192.168.50.11@hv1'],
    routed: true,
    gateway: '192.168.50.1',
  });
  const network: GuestNetwork = { ...sample, six: WEB, nics: sample.nics.map((nic) => six(nic, WEB)), ...more };
  const intent = intentOf({ vpcs: [], guests: [sample] });
  return { intent: { ...intent, networks: new Map([[network.id, network]]) }, network };
}

const unitRows = (desired: Desired, key: string, table: string): readonly DesiredRow[] =>
  desired.units.get(key)!.rows.filter((row) => row.table === table);
const named = (rows: readonly DesiredRow[], name: string): DesiredRow =>
  rows.find((row) => row.columns['name'] === name)!;
const matches = (rows: readonly DesiredRow[]): string[] => rows.map((row) => String(row.columns['match']));

test('compile() gives sound rows for both families, for IPv6 alone, and for a way out without an address', () => {
  const { intent, vpc } = vpcIntent();
  const out = vpcIntent({ publicSide: SIDE });
  const { intent: both } = guest({ publicSide: SIDE });
  for (const one of [intent, out.intent, both]) assert.deepEqual(check(compile(one), one.fabric), []);
  assert.ok(compile(intent).units.has(vpcKey(vpc.id)));
});

test('a router port tells its network in IPv6 what machines need, and OVN’s DHCPv6 is never used', () => {
  const { intent, tier, alone, vpc } = vpcIntent({ publicSide: SIDE });
  const desired = compile(intent);
  const ports = unitRows(desired, vpcKey(vpc.id), 'Logical_Router_Port');
  assert.deepEqual(named(ports, routerPortName(tier.id)).columns['networks'], [
    `${tier.gateway}/24`,
    `${WEB.gateway}/64`,
  ]);
  assert.deepEqual(named(ports, routerPortName(alone.id)).columns['networks'], [`${DB.gateway}/64`]);
  for (const id of [tier.id, alone.id]) {
    const said = named(ports, routerPortName(id)).columns['ipv6_ra_configs'] as Record<string, string>;
    assert.deepEqual([said['address_mode'], said['mtu'], said['send_periodic']], ['slaac', '1442', 'true']);
  }
  const rest = ports.filter((row) => ![tier.id, alone.id].some((id) => row.columns['name'] === routerPortName(id)));
  assert.ok(
    rest.length > 0 && rest.every((row) => row.columns['ipv6_ra_configs'] === undefined),
    'nobody else is told',
  );
  for (const row of rowsOf(desired)) assert.equal(row.columns['dhcpv6_options'], undefined);
});

test('port security names the address that follows from the MAC, and IPv4 only where there is IPv4', () => {
  const { intent, tier, alone } = vpcIntent();
  const ports = new Map(rowsOf(compile(intent), 'Logical_Switch_Port').map((row) => [row.uuid, row.columns]));
  const [both] = tier.nics;
  const [only] = alone.nics;
  assert.deepEqual(ports.get(both!.id)!['port_security'], [`${both!.mac} ${both!.ip} ${both!.ip6}`]);
  assert.deepEqual(ports.get(only!.id)!['port_security'], [`${only!.mac} ${only!.ip6}`]);
  assert.ok(contains6(cidr6(DB.cidr), ip6(only!.ip6!)));
});

test('where nothing has IPv6, no row speaks of it', () => {
  const text = JSON.stringify(rowsOf(compile(threeVpcs())).map(({ columns }) => columns));
  assert.ok(!/ip6|ipv6|2001:|fe80/.test(text));
});

test('a packet is taken from a network only if an answer would be sent there, and none of IPv6 from a Private network', () => {
  const { intent, vpc, tier, alone } = vpcIntent();
  const policies = unitRows(compile(intent), vpcKey(vpc.id), 'Logical_Router_Policy');
  const at = (id: string): DesiredRow[] =>
    policies
      .filter((row) => String(row.columns['match']).startsWith(`inport == "${routerPortName(id)}"`))
      .toSorted((a, b) => Number(b.columns['priority']) - Number(a.columns['priority']));
  assert.ok(matches(at(tier.id)).includes(`inport == "${routerPortName(tier.id)}" && ip6.src == ${WEB.cidr}`));
  const [allow, drop] = at(alone.id);
  assert.deepEqual([allow!.columns['action'], drop!.columns['action']], ['allow', 'drop']);
  assert.equal(drop!.columns['match'], `inport == "${routerPortName(alone.id)}"`);
  for (const { id } of vpc.gateways)
    assert.ok(
      at(id).some(
        (row) =>
          row.columns['match'] === `inport == "${routerPortName(id)}" && ip6` && row.columns['action'] === 'drop',
      ),
    );
});

test('nobody comes from outside with an address of the inside', () => {
  const { intent, vpc } = vpcIntent({ publicSide: SIDE });
  const policies = unitRows(compile(intent), vpcKey(vpc.id), 'Logical_Router_Policy');
  const row = policies.find((each) => String(each.columns['match']).endsWith(`ip6.src == {${WEB.cidr}, ${DB.cidr}}`));
  assert.equal(row?.columns['action'], 'drop');
});

test('to the public wire a router sends IPv6 from its own networks only, whatever static routes say', () => {
  const foreign = { id: 'foreign', vpcId: 'v', cidr: '2001:db8:77::/64', nextHop: '2001:db8:1::7' };
  const { intent, vpc } = vpcIntent({ publicSide: SIDE, routes6: [foreign] });
  const { intent: both, network } = guest({ publicSide: SIDE });
  for (const [one, id, prefixes] of [
    [intent, vpc.id, [WEB.cidr, DB.cidr]],
    [both, network.id, [WEB.cidr]],
  ] as const) {
    const uplink = publicPlaceOf(id, SIDE, one.fabric).uplink!;
    const port = publicSideName(uplink.id, uplink.wire.id);
    const acls = rowsOf(compile(one), 'ACL').filter((row) => String(row.columns['match']).includes(port));
    const sent = acls
      .filter((row) => row.columns['direction'] === 'from-lport')
      .toSorted((a, b) => Number(b.columns['priority']) - Number(a.columns['priority']))
      .map(({ columns }) => [columns['match'], columns['action']]);
    const inport = `inport == "${port}"`;
    assert.deepEqual(sent, [
      [`${inport} && ip6.src == {fe80::/10, ${prefixes.join(', ')}, ${UPLINK.address}/128}`, 'allow-stateless'],
      [`${inport} && ip6`, 'drop'],
      [`${inport} && ip4`, 'drop'],
    ]);
    assert.deepEqual(
      acls
        .filter((row) => row.columns['direction'] === 'to-lport')
        .map(({ columns }) => [columns['match'], columns['action']]),
      [[`outport == "${port}" && ip4`, 'drop']],
      'no IPv4 comes in past the other port’s filter',
    );
  }
  const withAddress = vpcIntent({
    publicSide: { ...SIDE, addresses: [publicAddress('203.0.113.10', { sourceNat: true })] },
  });
  const matched = matches(rowsOf(compile(withAddress.intent), 'ACL'));
  assert.ok(matched.some((match) => match.includes(`ip6.src == {fe80::/10, ${WEB.cidr}`)));
});

test('IPv6 leaves by the public wire, on a port of its own where no address is there; a default route of the tenant’s wins', () => {
  const { intent, vpc } = vpcIntent({ publicSide: SIDE });
  const desired = compile(intent);
  const routes = (one: Desired): unknown[] =>
    unitRows(one, vpcKey(vpc.id), 'Logical_Router_Static_Route')
      .filter((row) => String(row.columns['ip_prefix']).includes(':'))
      .map((row) => [row.columns['ip_prefix'], row.columns['nexthop']]);
  assert.deepEqual(routes(desired), [['::/0', UPLINK.gateway]]);
  const port = unitRows(desired, vpcKey(vpc.id), 'Logical_Router_Port').find((row) =>
    (row.columns['networks'] as string[]).includes(`${UPLINK.address}/64`),
  )!;
  assert.ok((port.columns['gateway_chassis'] as string[]).length > 0);
  assert.ok(
    rowsOf(desired, 'Logical_Switch_Port').some(
      ({ columns }) => (columns['options'] as Record<string, string>)['router-port'] === port.columns['name'],
    ),
    'it is plugged into the wire',
  );
  const own = { id: 'own', vpcId: vpc.id, cidr: '::/0', nextHop: '2001:db8:1::7' };
  assert.deepEqual(routes(compile(vpcIntent({ publicSide: SIDE, routes6: [own] }).intent)), [
    ['::/0', '2001:db8:1::7'],
  ]);
});

test('a static route in IPv6 has a row, or a finding that says why not', () => {
  const route = (id: string, cidr: string, nextHop: string) => ({ id, vpcId: 'v', cidr, nextHop });
  const hop = '2001:db8:1::7';
  const { intent, vpc } = vpcIntent({
    routes6: [
      route('good', '2001:db8:9::/48', hop),
      route('twice', '2001:db8:9::/48', '2001:db8:1:0::7'),
      route('lost', '2001:db8:9::/48', '2001:db8:ffff::1'),
      route('self', '2001:db8:9::/48', WEB.gateway),
      route('every', '2001:db8:9::/48', '2001:db8:1::'),
      route('same', DB.cidr, hop),
      route('inside', '2001:db8:2::8/125', hop),
      route('local', 'fe80::/64', hop),
    ],
  });
  const unit = compile(intent).units.get(vpcKey(vpc.id))!;
  const told = new Map(unit.findings.map(({ id, text }) => [id, text]));
  for (const [id, text] of [
    ['twice', /route good of the same VPC says the same/],
    ['lost', /is on no network with IPv6 that VPC .* is connected to \(tier .*2001:db8:1::\/64.*\)/],
    ['self', /is the VPC's own address/],
    ['every', /the address of every router/],
    ['same', /a connected network always wins/],
    ['inside', /would take addresses away from machines there/],
    ['local', /is reserved/],
  ] as const)
    assert.match(told.get(id) ?? '', text, id);
  assert.equal(told.size, 7);
  const card = vpc.tiers[0]!.nics[0]!;
  const towards = vpcIntent({ routes6: [route('good', '2001:db8:9::/48', card.ip6!)] });
  const port = rowsOf(compile(towards.intent), 'Logical_Switch_Port').find(({ uuid }) => uuid === card.id)!;
  assert.match(String(port.columns['port_security']), / 2001:db8:9::\/48$/, 'it may send what is not its own');
});

const item = (number: number, more: Partial<AclItem>): AclItem => ({
  id: `i${number}`,
  number,
  action: 'Allow',
  direction: 'Ingress',
  protocol: 'all',
  cidrs: [],
  ...more,
});
const listOf = (...items: readonly AclItem[]): AclList => ({ id: 'l', name: 'l', items });

test('a list is gone through for each family by itself', () => {
  const list = listOf(
    item(1, { protocol: 'tcp', startPort: 22, endPort: 22, cidrs: ['10.0.0.0/8'] }),
    item(2, { protocol: 'icmp', icmpType: 128, icmpCode: 0, cidrs6: ['2001:db8::/32', '2001:db8:1::/48'] }),
    item(3, { protocol: '58', cidrs6: ['::/0'] }),
    item(4, { protocol: '1', cidrs: ['0.0.0.0/0'] }),
    item(5, { action: 'Deny' }),
  );
  const of = (family: 4 | 6): string[] => ingressRules(list, family).map(({ match }) => match);
  assert.deepEqual(of(4), ['ip4.src == 10.0.0.0/8 && tcp && tcp.dst == 22', 'icmp4', '']);
  assert.deepEqual(of(6), ['ip6.src == 2001:db8::/32 && icmp6 && icmp6.type == 128 && icmp6.code == 0', 'icmp6', '']);
});

test('a tier with IPv6 is filtered in both families; inside it nothing is', () => {
  const { intent, tier, vpc } = vpcIntent({}, listOf(item(1, { cidrs: ['0.0.0.0/0'] })));
  const acls = unitRows(compile(intent), vpcKey(vpc.id), 'ACL').filter((row) =>
    String(row.columns['match']).includes(`@${portGroupName(tier.id)}`),
  );
  const of = (direction: string, match: string): unknown =>
    acls.find((row) => row.columns['direction'] === direction && String(row.columns['match']).endsWith(match))?.columns[
      'action'
    ];
  assert.equal(of('to-lport', `&& ip6.src == {${WEB.cidr}, fe80::/10}`), 'allow-related');
  assert.equal(of('to-lport', ' && ip6'), 'drop', 'the item says nothing of IPv6');
  assert.equal(of('from-lport', ' && ip6'), 'allow-related', 'no Egress item: all goes out');
  assert.equal(of('from-lport', 'udp.dst == 546'), 'drop', 'nobody hands out addresses');
});

test('the IPv6 firewall of a network lets in what a rule says, and out what its default says, less what a rule says', () => {
  const rule = (id: string, more: Partial<FirewallRule>): FirewallRule => ({
    id,
    protocol: 'all',
    cidrs: [],
    destinationCidrs: [],
    ...more,
  });
  const aclsOf = (network: Partial<GuestNetwork>): Map<string, unknown> => {
    const made = guest(network);
    const acls = unitRows(compile(made.intent), networkKey(made.network.id), 'ACL');
    const group = portGroupName(made.network.id);
    return new Map(
      acls.map((row) => [String(row.columns['match']).replace(`port == @${group}`, ''), row.columns['action']]),
    );
  };
  const ingress = [rule('a', { protocol: 'tcp', startPort: 80, endPort: 90, cidrs: ['2001:db8:51::/48'] })];
  const egress = [rule('b', { protocol: 'udp', destinationCidrs: ['2001:db8:52::/48'] })];
  const open = aclsOf({ firewall6: { ingress, egress, egressDefault: 'allow' } });
  assert.equal(
    open.get('out && ip6 && ip6.src == 2001:db8:51::/48 && tcp && tcp.dst >= 80 && tcp.dst <= 90'),
    'allow-related',
  );
  assert.equal(open.get('out && ip6'), 'drop');
  assert.deepEqual(
    [open.get('in && ip6 && ip6.dst == 2001:db8:52::/48 && udp'), open.get('in && ip6')],
    ['drop', 'allow-related'],
  );
  const shut = aclsOf({ firewall6: { ingress: [], egress, egressDefault: 'deny' } });
  assert.deepEqual(
    [shut.get('in && ip6 && ip6.dst == 2001:db8:52::/48 && udp'), shut.get('in && ip6')],
    ['allow-related', 'drop'],
  );
  assert.ok(![...aclsOf({}).keys()].some((match) => match.endsWith('ip6')), 'without a firewall everything passes');
});
