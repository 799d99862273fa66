// Packet filter lists of tiers and private gateways, judged as OVN would judge packets by the compiled rows.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AclList, Intent } from '../model/intent.ts';
import { compile } from './compile.ts';
import type { DesiredRow } from './desired.ts';
import { portGroupName } from './names.ts';
import { rowsOf, verdict, type Packet } from './rows.test-support.ts';
import { withVpcs } from './public.test-support.ts';
import { ALLOW, DENY, gatewayId, intentOf, listOf, threeVpcs } from './sample.test-support.ts';

/** ACLs towards and from the instances of a tier, by the tier's name. */
function filterOf(
  intent: Intent,
  name: string,
): { readonly into: (packet: Packet) => string; readonly out: (packet: Packet) => string } {
  const tier = [...intent.vpcs.values()].flatMap((vpc) => vpc.tiers).find((each) => each.name === name)!;
  const group = portGroupName(tier.id);
  const acls = rowsOf(compile(intent), 'ACL').filter((row) => String(row.columns['match']).includes(`@${group}`));
  const judge = (direction: string, port: string) => (packet: Packet) => {
    const rows = acls.filter((row: DesiredRow) => row.columns['direction'] === direction);
    return verdict(rows, { [port]: `@${group}`, ...packet }) === 'drop' ? 'dropped' : 'passes';
  };
  return { into: judge('to-lport', 'outport'), out: judge('from-lport', 'inport') };
}

const tcp = (from: string, to: string, port: number): Packet => ({
  protocol: 'tcp',
  'ip4.src': from,
  'ip4.dst': to,
  'tcp.dst': port,
  'ip.proto': 6,
});
const ping = (from: string, to: string): Packet => ({
  protocol: 'icmp4',
  'ip4.src': from,
  'ip4.dst': to,
  'icmp4.type': 8,
  'icmp4.code': 0,
  'ip.proto': 1,
});

function oneVpc(acl?: AclList): Intent {
  return intentOf({
    vpcs: [
      {
        name: 'alpha',
        cidr: '10.1.0.0/16',
        tiers: { web: { cidr: '10.1.1.0/24', ...(acl === undefined ? {} : { acl }) }, app: { cidr: '10.1.2.0/24' } },
      },
    ],
  });
}

test('tierFilter() without a list drops what comes from outside the tier and lets everything out', () => {
  const web = filterOf(oneVpc(), 'web');
  assert.equal(web.into(tcp('10.1.2.12', '10.1.1.11', 22)), 'dropped');
  assert.equal(web.into(ping('10.1.1.12', '10.1.1.11')), 'passes');
  assert.equal(web.out(tcp('10.1.1.11', '10.1.2.12', 22)), 'passes');
});

test('tierFilter() with default_allow lets everything pass, with default_deny nothing from or to outside', () => {
  const open = filterOf(oneVpc(ALLOW), 'web');
  assert.equal(open.into(tcp('10.1.2.12', '10.1.1.11', 22)), 'passes');
  assert.equal(open.out(tcp('10.1.1.11', '10.1.2.12', 22)), 'passes');
  const shut = filterOf(oneVpc(DENY), 'web');
  assert.equal(shut.into(tcp('10.1.2.12', '10.1.1.11', 22)), 'dropped');
  assert.equal(shut.out(tcp('10.1.1.11', '10.1.2.12', 22)), 'dropped');
  assert.equal(shut.into(ping('10.1.1.12', '10.1.1.11')), 'passes');
  assert.equal(shut.out(ping('10.1.1.11', '10.1.1.1')), 'passes', 'the own gateway answers');
  assert.equal(
    shut.out({ protocol: 'udp', 'ip4.src': '0.0.0.0', 'ip4.dst': '255.255.255.255', 'udp.src': 68, 'udp.dst': 67 }),
    'passes',
  );
});

test('tierFilter() takes the first match in ascending number and ends with an implicit deny', () => {
  const list = listOf(
    'web',
    '20 ingress allow tcp 20-100',
    '10 ingress deny tcp 22 10.1.2.0/24',
    '30 ingress allow icmp 8/-1',
  );
  const web = filterOf(oneVpc(list), 'web');
  assert.equal(web.into(tcp('10.1.2.12', '10.1.1.11', 22)), 'dropped');
  assert.equal(web.into(tcp('10.1.3.12', '10.1.1.11', 22)), 'passes');
  assert.equal(web.into(tcp('10.1.2.12', '10.1.1.11', 101)), 'dropped');
  assert.equal(web.into(ping('10.1.2.12', '10.1.1.11')), 'passes');
  assert.equal(web.out(tcp('10.1.1.11', '10.1.2.12', 9)), 'passes', 'no Egress item: free');
});

test('tierFilter() denies the rest of Egress as soon as there is one Egress item', () => {
  const web = filterOf(oneVpc(listOf('web', '1 egress allow tcp 443 10.1.2.0/24')), 'web');
  assert.equal(web.out(tcp('10.1.1.11', '10.1.2.12', 443)), 'passes');
  assert.equal(web.out(tcp('10.1.1.11', '10.1.2.12', 80)), 'dropped');
  assert.equal(web.out(tcp('10.1.1.11', '10.1.3.12', 443)), 'dropped');
});

test('tierFilter() reads protocols by name in any case, by number, and all', () => {
  for (const protocol of ['TCP', '6', 'all']) {
    const web = filterOf(oneVpc(listOf(`p${protocol}`, `1 ingress allow ${protocol}`)), 'web');
    assert.equal(web.into(tcp('10.1.2.12', '10.1.1.11', 22)), 'passes', protocol);
  }
  const gre = filterOf(oneVpc(listOf('gre', '1 ingress allow 47')), 'web');
  assert.equal(gre.into({ 'ip4.src': '10.1.2.12', 'ip4.dst': '10.1.1.11', 'ip.proto': 47 }), 'passes');
  assert.equal(gre.into(tcp('10.1.2.12', '10.1.1.11', 22)), 'dropped');
});

test('behindGateways() refuses what comes from the Private network when its list is default_deny, and only that', () => {
  const intent = threeVpcs(undefined, DENY);
  const web = filterOf(intent, 'web');
  assert.equal(web.into(ping('10.2.1.11', '10.1.1.11')), 'dropped');
  assert.equal(web.into(ping('172.16.1.2', '10.1.1.11')), 'dropped');
  assert.equal(web.out(ping('10.1.1.11', '10.2.1.11')), 'passes', 'from the VPC all is free');
});

test('behindGateways() lets everything pass that the tier allows when the list has no Egress item', () => {
  const web = filterOf(threeVpcs(undefined, listOf('gw', '1 ingress deny all')), 'web');
  assert.equal(web.into(ping('10.2.1.11', '10.1.1.11')), 'passes');
});

test("behindGateways() lets pass only what both the gateway's Egress and the tier's Ingress items allow", () => {
  const intent = intentOf({
    privateNetworks: { backbone: { cidr: '172.16.1.0/24' }, lab: { cidr: '172.16.2.0/24' } },
    vpcs: [
      {
        name: 'alpha',
        cidr: '10.1.0.0/16',
        tiers: {
          web: { cidr: '10.1.1.0/24', acl: listOf('web', '1 ingress deny tcp 22', '2 ingress allow tcp') },
          app: { cidr: '10.1.2.0/24' },
        },
        gateways: { backbone: '172.16.1.1' },
        gatewayAcl: listOf('gw', '1 egress deny tcp 80 10.1.1.99/32', '2 egress allow tcp 10.1.1.0/24'),
        routes: ['0.0.0.0/0 via 172.16.1.2'],
      },
    ],
  });
  const web = filterOf(intent, 'web');
  assert.equal(web.into(tcp('10.2.1.11', '10.1.1.11', 80)), 'passes');
  assert.equal(web.into(tcp('10.2.1.11', '10.1.1.99', 80)), 'dropped', "the gateway's first item");
  assert.equal(web.into(tcp('10.2.1.11', '10.1.1.11', 22)), 'dropped', "the tier's first item");
  assert.equal(web.into(ping('10.2.1.11', '10.1.1.11')), 'dropped', "the end of the gateway's list");
  assert.equal(web.into(tcp('10.1.2.11', '10.1.1.99', 80)), 'passes', 'another tier does not come through the gateway');
});

test('behindGateways() asks the list of the gateway an answer would leave through', () => {
  const intent = intentOf({
    privateNetworks: { open: { cidr: '172.16.1.0/24' }, shut: { cidr: '172.16.2.0/24' } },
    vpcs: [
      {
        name: 'alpha',
        cidr: '10.1.0.0/16',
        tiers: { web: { cidr: '10.1.1.0/24', acl: ALLOW } },
        gateways: { open: '172.16.1.1', shut: '172.16.2.1' },
        routes: ['10.0.0.0/8 via 172.16.2.2', '10.2.0.0/16 via 172.16.1.2', '10.2.9.0/24 via 172.16.2.2'],
      },
    ],
  });
  const [vpc] = [...intent.vpcs.values()];
  const gateways = vpc!.gateways.map((gateway) =>
    gateway.network.name === 'shut' ? { ...gateway, acl: DENY } : gateway,
  );
  const web = filterOf({ ...intent, vpcs: new Map([[vpc!.id, { ...vpc!, gateways }]]) }, 'web');
  assert.equal(web.into(ping('10.2.1.11', '10.1.1.11')), 'passes');
  assert.equal(web.into(ping('10.2.9.11', '10.1.1.11')), 'dropped', 'the longer prefix decides');
  assert.equal(web.into(ping('10.3.1.11', '10.1.1.11')), 'dropped');
  assert.equal(
    web.into(ping('192.168.9.9', '10.1.1.11')),
    'dropped',
    'no route leads there, and one gateway restricts',
  );
});

test('no match says "not": OVN would make a flow of every bit', () => {
  for (const intent of [threeVpcs(undefined, DENY), oneVpc(DENY)]) {
    for (const row of rowsOf(compile(intent))) assert.doesNotMatch(String(row.columns['match'] ?? ''), /!/);
  }
});

/** A VPC whose only gateway has the list, with another tier and a Private network behind which 10.9.0.0/16 is. */
function strict(gatewayAcl: AclList, acl: AclList = ALLOW): Intent {
  const intent = intentOf({
    privateNetworks: { p: { cidr: '172.16.1.0/24' }, q: { cidr: '172.16.2.0/24' } },
    vpcs: [
      {
        name: 'alpha',
        cidr: '10.1.0.0/16',
        tiers: { web: { cidr: '10.1.1.0/24', acl }, app: { cidr: '10.1.2.0/24', acl: ALLOW } },
        gateways: { p: '172.16.1.1', q: '172.16.2.1' },
        gatewayAcl,
        routes: ['10.9.0.0/16 via 172.16.1.9'],
      },
    ],
  });
  return withVpcs(intent, () => ({ strictLists: true }));
}

test('a strict list of a gateway judges what comes in by its Ingress items, for tiers, and then the tier judges', () => {
  const web = filterOf(strict(listOf('in', '10 ingress allow tcp 22 10.9.1.0/24')), 'web');
  assert.equal(web.into(tcp('10.9.1.5', '10.1.1.11', 22)), 'passes');
  assert.equal(web.into(tcp('10.9.1.5', '10.1.1.11', 23)), 'dropped');
  assert.equal(web.into(tcp('10.9.2.5', '10.1.1.11', 22)), 'dropped');
  assert.equal(web.into(tcp('10.1.2.5', '10.1.1.11', 23)), 'passes', 'another tier does not come through it');
  assert.equal(web.out(tcp('10.1.1.11', '10.9.2.5', 23)), 'passes', 'without Egress items all may leave');
  const closed = filterOf(strict(listOf('in', '10 ingress allow all'), listOf('tier', '5 ingress deny tcp 22')), 'web');
  assert.equal(closed.into(tcp('10.9.1.5', '10.1.1.11', 22)), 'dropped');
});

test('a strict list of a gateway judges what leaves to its Private network by its Egress items, from tiers, too', () => {
  const web = filterOf(strict(listOf('out', '10 egress allow tcp 443 10.9.0.0/16', '20 ingress allow all')), 'web');
  assert.equal(web.out(tcp('10.1.1.11', '10.9.2.5', 443)), 'passes');
  assert.equal(web.out(tcp('10.1.1.11', '10.9.2.5', 80)), 'dropped');
  assert.equal(web.out(tcp('10.1.1.11', '172.16.1.9', 80)), 'dropped');
  assert.equal(web.out(tcp('10.1.1.11', '10.1.2.5', 80)), 'passes', 'another tier is not behind it');
  assert.equal(web.into(tcp('10.9.2.5', '10.1.1.11', 80)), 'passes');
  const denied = filterOf(strict(DENY), 'web');
  assert.equal(denied.out(tcp('10.1.1.11', '10.9.2.5', 443)), 'dropped');
  assert.equal(denied.into(tcp('10.9.2.5', '10.1.1.11', 443)), 'dropped');
});

test('a strict list judges transit by what comes in at the first gateway and leaves at the second', () => {
  const intent = strict(listOf('t', '10 ingress allow tcp 22', '20 egress allow tcp 20-30'));
  const policies = rowsOf(compile(intent), 'Logical_Router_Policy').filter((row) =>
    String(row.columns['match']).includes('outport'),
  );
  const [from, to] = ['p', 'q'].map((network) => `lrp-${gatewayId('alpha', network)}`);
  const through = (port: number) =>
    verdict(policies, { inport: from!, outport: to!, ...tcp('10.9.1.1', '10.8.1.1', port) });
  assert.equal(through(22), 'allow');
  assert.equal(through(25), 'drop', 'may not come in');
  assert.equal(through(443), 'drop');
});
