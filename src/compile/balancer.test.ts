// Load balancers: what becomes a row of OVN's, what goes to the gateway helper, and who may speak to that.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { derivedId } from '../lib/id.ts';
import type { AclList, Intent, Vpc } from '../model/intent.ts';
import type { Balancer, InternalBalancer, PublicSide } from '../model/public-side.ts';
import { needsHelper, proxiedOf } from './balancer.ts';
import { check } from './check.ts';
import { compile } from './compile.ts';
import type { DesiredRow } from './desired.ts';
import { HELPER_ADDRESS, helperId } from './helper-leg.ts';
import { portGroupName, routerPortName, switchName, vpcKey } from './names.ts';
import { verdict } from './rows.test-support.ts';
import { DENY, intentOf, listOf } from './sample.test-support.ts';

const NICS = ['10.1.1.11@hv1', '10.1.1.12@hv2'];
const PUBLIC = '203.0.113.10';

function balancerOf(vpc: Vpc, name: string, more: Partial<Balancer> = {}): Balancer {
  const [tier] = vpc.tiers;
  return {
    id: derivedId(`balancer/${name}`),
    protocol: 'tcp',
    publicPort: 80,
    algorithm: 'roundrobin',
    cidrs: [],
    sticky: false,
    members: tier!.nics.map(({ id, ip }) => ({ ip: ip!, port: 8080, nicId: id, networkId: tier!.id })),
    ...more,
  };
}

function bare(): Vpc {
  const tiers = {
    web: { cidr: '10.1.1.0/24', nics: NICS, acl: DENY },
    data: { cidr: '10.1.2.0/24', nics: ['10.1.2.11@hv3'], acl: DENY },
  };
  const intent = intentOf({ vpcs: [{ name: 'shop', cidr: '10.1.0.0/16', tiers }] });
  return [...intent.vpcs.values()][0]!;
}

/** The VPC with these balancers at its one public address, and inside. */
function shop(
  balancers: (vpc: Vpc) => readonly Balancer[],
  internal: (vpc: Vpc) => readonly InternalBalancer[] = () => [],
): Vpc {
  const vpc = bare();
  const address = {
    id: derivedId('address'),
    ip: PUBLIC,
    range: derivedId('range'),
    physicalNetwork: 'physnet1',
    netmask: '255.255.255.0',
    gateway: '203.0.113.1',
    vlan: 100,
    sourceNat: true,
    forwards: [],
    balancers: balancers(vpc),
    ingress: [],
  };
  const publicSide: PublicSide = {
    mode: 'NATTED',
    addresses: [address],
    firewall: false,
    egressDefault: 'allow',
    egress: [],
    internal: internal(vpc),
    carriers: { turn: 0, avoid: [] },
  };
  return { ...vpc, publicSide };
}

/** The addresses of the VPC with nothing that needs a helper. */
function bareAddresses({ publicSide }: Vpc): PublicSide['addresses'] {
  return publicSide!.addresses.map((address) => ({ ...address, balancers: [] }));
}

function rowsFor(vpc: Vpc): readonly DesiredRow[] {
  const intent: Intent = { ...intentOf({ vpcs: [] }), vpcs: new Map([[vpc.id, vpc]]) };
  const desired = compile(intent);
  assert.deepEqual(check(desired, intent.fabric), []);
  return desired.units.get(vpcKey(vpc.id))!.rows;
}

const ofTable = (rows: readonly DesiredRow[], table: string): DesiredRow[] => rows.filter((row) => row.table === table);
const balancersIn = (rows: readonly DesiredRow[]): unknown[] =>
  ofTable(rows, 'Load_Balancer').map(({ columns }) => [
    columns['vips'],
    columns['selection_fields'],
    columns['options'],
  ]);

test('balancingOf() has OVN spread by a hash, by the client alone, or keep the client where it was', () => {
  const vpc = shop((of) => [
    balancerOf(of, 'a'),
    balancerOf(of, 'b', { publicPort: 81, algorithm: 'source' }),
    balancerOf(of, 'c', { publicPort: 82, sticky: true, stickySeconds: 60 }),
    balancerOf(of, 'd', { publicPort: 83, protocol: 'udp', members: [] }),
  ]);
  const rows = rowsFor(vpc);
  const members = '10.1.1.11:8080,10.1.1.12:8080';
  assert.deepEqual(balancersIn(rows), [
    [{ [`${PUBLIC}:80`]: members }, [], {}],
    [{ [`${PUBLIC}:81`]: members }, ['ip_src'], {}],
    [{ [`${PUBLIC}:82`]: members }, [], { affinity_timeout: '60' }],
    [{ [`${PUBLIC}:83`]: '' }, [], {}],
  ]);
  assert.equal(
    rows.some(({ columns }) => columns['name'] === switchName(helperId(vpc.id))),
    false,
    'nothing needs a helper',
  );
});

test('balancingOf() is for the router and for each switch of it, or nobody inside would reach it', () => {
  const rows = rowsFor(shop((vpc) => [balancerOf(vpc, 'a')]));
  const [row] = ofTable(rows, 'Load_Balancer');
  const holders = [...ofTable(rows, 'Logical_Router'), ...ofTable(rows, 'Logical_Switch')];
  assert.deepEqual(
    holders.map(({ columns }) => columns['load_balancer']),
    holders.map(() => [row!.uuid]),
  );
});

test('balancingOf() has each member asked by its own hypervisor, in the name of an address that nobody has', () => {
  const question = { intervalSeconds: 5, timeoutSeconds: 2, healthy: 2, unhealthy: 3, source: '10.1.1.254' };
  const vpc = shop((of) => [balancerOf(of, 'a', { check: question })]);
  const rows = rowsFor(vpc);
  const [row] = ofTable(rows, 'Load_Balancer');
  const [asked] = ofTable(rows, 'Load_Balancer_Health_Check');
  assert.deepEqual(row!.columns['health_check'], [asked!.uuid]);
  assert.deepEqual(asked!.columns['vip'], `${PUBLIC}:80`);
  assert.deepEqual(asked!.columns['options'], { interval: '5', timeout: '2', success_count: '2', failure_count: '3' });
  const [one, two] = vpc.tiers[0]!.nics;
  assert.deepEqual(row!.columns['ip_port_mappings'], {
    '10.1.1.11': `${one!.id}:10.1.1.254`,
    '10.1.1.12': `${two!.id}:10.1.1.254`,
  });
});

test('needsHelper() is for what OVN neither counts nor reads', () => {
  const of = (more: Partial<Balancer>): boolean => needsHelper(balancerOf(bare(), 'a', more));
  const check = { intervalSeconds: 5, timeoutSeconds: 2, healthy: 2, unhealthy: 3 };
  const cookie = { kind: 'application', name: 'J', length: 52, holdSeconds: 60 } as const;
  assert.deepEqual([{}, { algorithm: 'source' as const }, { sticky: true }, { check }].map(of), [
    false,
    false,
    false,
    false,
  ]);
  assert.deepEqual(
    [{ algorithm: 'leastconn' as const }, { cookie }, { proxy: true as const }, { check: { ...check, path: '/' } }].map(
      of,
    ),
    [true, true, true, true],
  );
});

test('proxiedOf() gives each balancer a port that stays while others come and go', () => {
  const portsOf = (names: readonly string[]): Map<string, number> => {
    const side = shop((vpc) => names.map((name) => balancerOf(vpc, name, { algorithm: 'leastconn' }))).publicSide!;
    return new Map(proxiedOf(side).map(({ balancer, port }) => [balancer.id, port]));
  };
  const many = Array.from({ length: 300 }, (_, i) => `b${i}`);
  const all = portsOf(many);
  assert.equal(new Set(all.values()).size, 300);
  for (const port of all.values()) assert.ok(port >= 10_000 && port < 32_768, String(port));
  const alone = portsOf(['b7']);
  for (const [id, port] of alone) assert.equal(all.get(id), port);
});

test('the helper takes what is balanced by it and reaches its members, nothing else; tiers let it in whatever their list says', () => {
  const vpc = shop((of) => [balancerOf(of, 'a', { algorithm: 'leastconn' })]);
  const rows = rowsFor(vpc);
  const acls = ofTable(rows, 'ACL');
  const { port } = proxiedOf(vpc.publicSide!)[0]!;
  const judged = (direction: string, packet: Readonly<Record<string, string | number>>): string | undefined =>
    verdict(
      acls.filter(({ columns }) => columns['direction'] === direction),
      { protocol: 'tcp', 'ip4.src': HELPER_ADDRESS, 'ip4.dst': HELPER_ADDRESS, ...packet },
    );
  const helper = `@${portGroupName(helperId(vpc.id))}`;
  const tier = (index: number): string => `@${portGroupName(vpc.tiers[index]!.id)}`;
  assert.equal(judged('to-lport', { outport: helper, 'tcp.dst': port }), 'allow-related');
  assert.equal(judged('to-lport', { outport: helper, 'tcp.dst': port + 1 }), 'drop');
  assert.equal(judged('from-lport', { inport: helper, 'ip4.dst': '10.1.1.11', 'tcp.dst': 8080 }), 'allow-related');
  assert.equal(judged('from-lport', { inport: helper, 'ip4.dst': '10.1.1.11', 'tcp.dst': 22 }), 'drop');
  assert.equal(judged('from-lport', { inport: helper, 'ip4.dst': '8.8.8.8', 'tcp.dst': 8080 }), 'drop');
  const came = { 'ip4.src': HELPER_ADDRESS, 'ip4.dst': '10.1.1.11', 'tcp.dst': 8080 };
  assert.equal(judged('to-lport', { outport: tier(0), ...came }), 'allow-related');
  assert.equal(judged('to-lport', { outport: tier(0), ...came, 'tcp.dst': 22 }), 'drop');
  assert.equal(judged('to-lport', { outport: tier(1), ...came }), 'drop');
  assert.equal(judged('to-lport', { outport: tier(0), ...came, 'ip4.src': '192.0.0.19' }), 'drop');
});

test('what the helper has begun goes on when a member or a balancer is no longer its own, and nothing new with it', () => {
  const vpc = shop((of) => [balancerOf(of, 'a', { algorithm: 'leastconn', members: [] })]);
  for (const publicSide of [
    vpc.publicSide!,
    { ...vpc.publicSide!, helperLeaves: true as const, addresses: bareAddresses(vpc) },
  ]) {
    const rows = rowsFor({ ...vpc, publicSide });
    const judged = (direction: string, packet: Readonly<Record<string, string | number>>): string | undefined =>
      verdict(
        ofTable(rows, 'ACL').filter(({ columns }) => columns['direction'] === direction),
        { protocol: 'tcp', 'ip4.src': HELPER_ADDRESS, 'ip4.dst': '10.1.1.11', 'tcp.dst': 8080, ...packet },
      );
    const helper = `@${portGroupName(helperId(vpc.id))}`;
    const tier = `@${portGroupName(vpc.tiers[0]!.id)}`;
    const client = { outport: helper, 'ip4.src': '198.51.100.7', 'ip4.dst': HELPER_ADDRESS, 'tcp.dst': 10_000 };
    for (const [begun, answer] of [
      [1, 'allow-related'],
      [0, 'drop'],
    ] as const) {
      assert.equal(judged('from-lport', { inport: helper, 'ct.est': begun }), answer);
      assert.equal(judged('to-lport', { outport: tier, 'ct.est': begun }), answer);
      assert.equal(judged('to-lport', { ...client, 'ct.est': begun }), answer);
    }
    assert.equal(judged('to-lport', { outport: tier, 'ip4.src': '192.0.0.19', 'ct.est': 1 }), 'drop');
    // Its answers are given the public address again also where no balancer's row is about them.
    const translated = ofTable(rows, 'NAT').map(({ columns }) => [columns['type'], columns['logical_ip']]);
    assert.deepEqual(
      translated.filter(([, inside]) => inside === HELPER_ADDRESS),
      [['snat', HELPER_ADDRESS]],
    );
  }
});

test('the helper asks the public list and the rule’s own clients, also of tiers that never met the wire', () => {
  const intoHelper = (more: Partial<Balancer>, acl?: AclList): ((from: string) => string | undefined) => {
    const made = shop((of) => [
      balancerOf(of, 'a', { algorithm: 'leastconn', ...more }),
      balancerOf(of, 'open', { algorithm: 'leastconn', publicPort: 81 }),
    ]);
    const side = made.publicSide!;
    const publicSide = { ...side, addresses: side.addresses.map((one) => (acl === undefined ? one : { ...one, acl })) };
    const vpc = { ...made, publicSide };
    const acls = ofTable(rowsFor(vpc), 'ACL').filter(({ columns }) => columns['direction'] === 'to-lport');
    const { port } = proxiedOf(publicSide).find(({ balancer }) => balancer.publicPort === 80)!;
    const outport = `@${portGroupName(helperId(vpc.id))}`;
    return (from) =>
      verdict(acls, { protocol: 'tcp', outport, 'ip4.src': from, 'ip4.dst': HELPER_ADDRESS, 'tcp.dst': port });
  };
  const [home, otherTier, stranger, friend] = ['10.1.1.11', '10.1.2.11', '198.51.100.7', '192.0.2.9'];
  const byRule = intoHelper({ cidrs: ['192.0.2.0/24'] });
  assert.deepEqual([home, otherTier, stranger, friend].map(byRule), ['allow-related', 'drop', 'drop', 'allow-related']);
  const list = listOf('public', '1 ingress deny tcp 80 198.51.100.0/24', '2 ingress allow tcp 80 0.0.0.0/1');
  const byList = intoHelper({}, list);
  assert.deepEqual([otherTier, stranger, friend].map(byList), ['allow-related', 'drop', 'drop']);
  const otherPort = intoHelper({}, listOf('public', '1 ingress allow tcp 81'));
  assert.deepEqual([home, otherTier, stranger].map(otherPort), ['allow-related', 'drop', 'drop']);
  const members = bare().tiers.map(({ id, nics }) => ({
    ip: nics[0]!.ip!,
    port: 8080,
    nicId: nics[0]!.id,
    networkId: id,
  }));
  const apart = intoHelper({ members, cidrs: ['192.0.2.0/24'] });
  assert.equal(apart(home), 'drop', 'one of the members is in another tier');
  const open = intoHelper({});
  assert.deepEqual(
    [home, otherTier, stranger].map(open),
    Array.from({ length: 3 }, () => 'allow-related'),
  );
});

test('who comes by a private gateway does not reach the helper', () => {
  const between = { cidr: '172.16.9.0/24' };
  const { vpcs, networks } = intentOf({
    privateNetworks: { between },
    vpcs: [{ name: 'shop', cidr: '10.1.0.0/16', tiers: {}, gateways: { between: '172.16.9.1' } }],
  });
  const [{ gateways }] = [...vpcs.values()] as [Vpc];
  const vpc = { ...shop((of) => [balancerOf(of, 'a', { algorithm: 'leastconn' })]), gateways };
  const intent: Intent = { ...intentOf({ vpcs: [] }), vpcs: new Map([[vpc.id, vpc]]), networks };
  const rows = compile(intent).units.get(vpcKey(vpc.id))!.rows;
  const inport = routerPortName(gateways[0]!.id);
  const packet = { inport, 'ip4.src': '172.16.9.2', 'ip4.dst': HELPER_ADDRESS };
  assert.equal(verdict(ofTable(rows, 'Logical_Router_Policy'), packet), 'drop');
});

test('nobody but the helper sends from its addresses', () => {
  const rows = rowsFor(shop((of) => [balancerOf(of, 'a', { algorithm: 'leastconn' })]));
  const policies = ofTable(rows, 'Logical_Router_Policy');
  const ports = ofTable(rows, 'Logical_Router_Port').map(({ columns }) => String(columns['name']));
  const allowed = ports.filter(
    (inport) => verdict(policies, { inport, 'ip4.src': HELPER_ADDRESS, 'ip4.dst': '10.1.1.11' }) !== 'drop',
  );
  assert.deepEqual(
    allowed.map((name) => name.includes('helper')),
    [true],
  );
});

test('an internal balancer is for all networks of its router, also where there is no public address', () => {
  const inside = (vpc: Vpc): InternalBalancer[] => {
    const { members } = balancerOf(vpc, 'x');
    const base = { id: derivedId('inside'), networkId: vpc.tiers[0]!.id, ip: '10.1.1.20', protocol: 'tcp' as const };
    return [{ ...base, port: 5432, algorithm: 'roundrobin', members }];
  };
  const vpc = shop(() => [], inside);
  const rows = rowsFor({ ...vpc, publicSide: { ...vpc.publicSide!, addresses: [] } });
  assert.deepEqual(balancersIn(rows), [[{ '10.1.1.20:5432': '10.1.1.11:8080,10.1.1.12:8080' }, [], {}]]);
  const [row] = ofTable(rows, 'Load_Balancer');
  for (const { columns } of ofTable(rows, 'Logical_Switch')) assert.deepEqual(columns['load_balancer'], [row!.uuid]);
});
