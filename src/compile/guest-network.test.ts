// Networks without a router of ours: what OVN is told of them, row by row, and what instances are told by DHCP.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GuestNetwork, Nic } from '../model/intent.ts';
import { check } from './check.ts';
import { compile } from './compile.ts';
import type { DesiredRow } from './desired.ts';
import { networkKey, portGroupName, routerPortName } from './names.ts';
import { verdict } from './rows.test-support.ts';
import { guestOf, intentOf, nicOf, vlan } from './sample.test-support.ts';

/** The network's rows, sound. */
function rowsFor(network: GuestNetwork): readonly DesiredRow[] {
  const intent = intentOf({ vpcs: [], guests: [network] });
  const desired = compile(intent);
  assert.deepEqual(check(desired, intent.fabric), []);
  return desired.units.get(networkKey(network.id))!.rows;
}

const ofTable = (rows: readonly DesiredRow[], table: string): readonly DesiredRow[] =>
  rows.filter((row) => row.table === table);
const optionsOf = (row: DesiredRow): Readonly<Record<string, string>> =>
  row.columns['options'] as Readonly<Record<string, string>>;

const wire = (more: Partial<GuestNetwork> = {}): GuestNetwork => ({
  ...guestOf('wire', {
    cidr: '10.1.1.0/24',
    segment: vlan(1234),
    nics: ['10.1.1.1@hv1', '10.1.1.2@hv2'],
    routed: false,
  }),
  dhcp: false,
  ...more,
});

test('S02: a network without services is a switch, its port to the wire, and the ports of its instances', () => {
  const rows = rowsFor(wire({ gateway: '10.1.1.10', members: [{ id: 'm', name: 'router1', ip: '10.1.1.10' }] }));
  const [a, b] = ['10.1.1.1@hv1', '10.1.1.2@hv2'].map(nicOf);
  const short = rows
    .filter(({ table }) => table !== 'ACL')
    .map(({ table, columns }) => {
      const kept = Object.entries(columns).filter(([column]) => column !== 'external_ids' && column !== 'acls');
      return [
        table,
        Object.fromEntries(kept.map(([key, value]) => [key, key === 'ports' ? (value as string[]).length : value])),
      ];
    });
  const id = wire().id;
  const port = (nic: Nic, host: string) => [
    'Logical_Switch_Port',
    {
      name: nic.id,
      addresses: [`${nic.mac} ${nic.ip}`],
      port_security: [`${nic.mac} ${nic.ip}`],
      options: { 'requested-chassis': host },
    },
  ];
  assert.deepEqual(short, [
    ['Logical_Switch', { name: `ls-${id}`, ports: 3 }],
    port(a!, 'hv1'),
    port(b!, 'hv2'),
    [
      'Logical_Switch_Port',
      {
        name: `ln-${id}`,
        type: 'localnet',
        addresses: ['unknown'],
        tag: [1234],
        options: { network_name: 'physnet1' },
      },
    ],
    ['Port_Group', { name: portGroupName(id), ports: 2 }],
  ]);
  assert.deepEqual(
    ofTable(rows, 'ACL').map(({ columns }) => columns['action']),
    ['drop', 'drop'],
    'the guard rails, and nothing that could block a member',
  );
});

test('S26 S27: DHCP by OVN names the machine that is the gateway, and answers in nobody else’s name', () => {
  const rows = rowsFor(wire({ dhcp: true, gateway: '10.1.1.10' }));
  const [first, further] = ofTable(rows, 'DHCP_Options').map(optionsOf);
  assert.deepEqual([first!['router'], further!['router']], ['10.1.1.10', undefined]);
  assert.deepEqual([first!['server_id'], further!['server_id']], ['169.254.0.1', '169.254.0.1']);
  assert.equal(first!['classless_static_route'], undefined);
});

test('networks behind members are told by DHCP with the default route, to a second card without it', () => {
  const routes = [
    { id: 'b', cidr: '192.168.8.0/24', via: '10.1.1.10' },
    { id: 'a', cidr: '10.8.0.0/24', via: '10.1.1.11' },
  ];
  const [first, further] = ofTable(rowsFor(wire({ dhcp: true, gateway: '10.1.1.10', routes })), 'DHCP_Options').map(
    optionsOf,
  );
  assert.equal(
    first!['classless_static_route'],
    '{10.8.0.0/24,10.1.1.11, 192.168.8.0/24,10.1.1.10, 0.0.0.0/0,10.1.1.10}',
  );
  assert.equal(further!['classless_static_route'], '{10.8.0.0/24,10.1.1.11, 192.168.8.0/24,10.1.1.10}');
  const [alone] = ofTable(rowsFor(wire({ dhcp: true, routes: routes.slice(0, 1) })), 'DHCP_Options').map(optionsOf);
  assert.equal(alone!['classless_static_route'], '{192.168.8.0/24,10.1.1.10}', 'no gateway, no default route');
});

test('an instance in a network without addresses is held to its MAC and to IPv4, so it can announce no router of IPv6', () => {
  const { cidr: _, ...bare } = wire();
  const { ip: __, ...nic } = nicOf('10.1.1.1@hv1');
  const rows = rowsFor({ ...bare, nics: [nic] });
  const port = rows.find(({ uuid }) => uuid === nic.id)!;
  assert.deepEqual([port.columns['addresses'], port.columns['port_security']], [[nic.mac], [`${nic.mac} 0.0.0.0/0`]]);
  assert.deepEqual(ofTable(rows, 'DHCP_Options'), []);
  const group = portGroupName(bare.id);
  const judge = (packet: Readonly<Record<string, string | number>>): string | undefined =>
    verdict(ofTable(rows, 'ACL'), { inport: `@${group}`, ...packet });
  assert.equal(judge({ 'udp.dst': 68 }), 'drop');
});

test('S20: secondary addresses are the port’s own, to send from and to be found at', () => {
  const nic = { ...nicOf('10.1.1.1@hv1'), secondary: ['10.1.1.77', '10.1.1.78'] };
  const port = rowsFor(wire({ nics: [nic] })).find(({ uuid }) => uuid === nic.id)!;
  const all = [`${nic.mac} 10.1.1.1 10.1.1.77 10.1.1.78`];
  assert.deepEqual([port.columns['addresses'], port.columns['port_security']], [all, all]);
});

test('a static route to a secondary address of an appliance lets it handle what is not its own', () => {
  const intent = intentOf({
    vpcs: [
      {
        name: 'alpha',
        cidr: '10.1.0.0/16',
        tiers: { app: { cidr: '10.1.2.0/24', nics: ['10.1.2.12@hv1'] } },
        routes: ['10.70.0.0/24 via 10.1.2.77'],
      },
    ],
  });
  const [vpc] = [...intent.vpcs.values()];
  const tiers = vpc!.tiers.map((tier) => ({
    ...tier,
    nics: tier.nics.map((nic) => ({ ...nic, secondary: ['10.1.2.77'] })),
  }));
  const desired = compile({ ...intent, vpcs: new Map([[vpc!.id, { ...vpc!, tiers }]]) });
  const rows = [...desired.units.values()].flatMap((unit) => unit.rows);
  const nic = nicOf('10.1.2.12');
  const port = rows.find(({ uuid }) => uuid === nic.id)!;
  assert.deepEqual(port.columns['port_security'], [`${nic.mac} 10.1.2.12 10.1.2.77 10.70.0.0/24`]);
});

test('an instance that moves has its port on both hypervisors, and both must have it', () => {
  const nic = { ...nicOf('10.1.1.1@hv2'), movingFrom: 'hv1' };
  const network = wire({ nics: [nic] });
  const unit = compile(intentOf({ vpcs: [], guests: [network] })).units.get(networkKey(network.id))!;
  const port = unit.rows.find(({ uuid }) => uuid === nic.id)!;
  assert.deepEqual(optionsOf(port), { 'requested-chassis': 'hv1,hv2' });
  assert.deepEqual([...unit.chassis].toSorted(), ['hv1', 'hv2']);
});

test('a router of OVN sends what is for a network behind a device to the device, and takes from there what comes', () => {
  const routes = [
    { id: 'a0000000-0000-4000-8000-000000000001', cidr: '192.168.8.0/24', via: '10.1.1.10' },
    { id: 'a0000000-0000-4000-8000-000000000002', cidr: '192.168.9.0/24', via: '10.1.1.1' },
    { id: 'a0000000-0000-4000-8000-000000000003', cidr: '192.168.10.0/24', via: '172.16.0.1' },
  ];
  const rows = rowsFor(wire({ routed: true, gateway: '10.1.1.1', routes }));
  assert.deepEqual(
    ofTable(rows, 'Logical_Router_Static_Route').map(({ columns }) => [columns['ip_prefix'], columns['nexthop']]),
    [['192.168.8.0/24', '10.1.1.10']],
    'not to itself, and not to where it is not',
  );
  const from = (source: string): string | undefined =>
    verdict(ofTable(rows, 'Logical_Router_Policy'), {
      inport: routerPortName(wire().id),
      'ip4.src': source,
      'ip4.dst': '10.8.0.2',
    });
  assert.deepEqual(['10.1.1.2', '192.168.8.9', '192.168.9.9', '8.8.8.8'].map(from), ['allow', 'allow', 'drop', 'drop']);
});
