// What OVN is told of the address at which hypervisors serve a network.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GuestNetwork } from '../model/intent.ts';
import { check } from './check.ts';
import { compile } from './compile.ts';
import type { DesiredRow } from './desired.ts';
import { networkKey, portGroupName, servicePortName } from './names.ts';
import { guestOf, intentOf } from './sample.test-support.ts';

const bare = guestOf('web', { cidr: '10.1.1.0/24', nics: ['10.1.1.2@hv1'], routed: true, gateway: '10.1.1.1' });
const served: GuestNetwork = {
  ...bare,
  dns: ['10.1.1.254'],
  service: { ip: '10.1.1.254', dns: true, userData: true, resolvers: ['192.0.2.53'] },
};

function rowsFor(network: GuestNetwork): readonly DesiredRow[] {
  const intent = intentOf({ vpcs: [], guests: [network] });
  const desired = compile(intent);
  assert.deepEqual(check(desired, intent.fabric), []);
  return desired.units.get(networkKey(network.id))!.rows;
}

const optionsOf = (rows: readonly DesiredRow[]): Readonly<Record<string, string>>[] =>
  rows
    .filter(({ table }) => table === 'DHCP_Options')
    .map((row) => row.columns['options'] as Readonly<Record<string, string>>);

test('servicePort() is a local port with the service’s address and the one of metadata, whose MAC answers DHCP, too', () => {
  const rows = rowsFor(served);
  const port = rows.find(({ columns }) => columns['name'] === servicePortName(served.id))!;
  assert.equal(port.columns['type'], 'localport');
  const [mac, ...addresses] = (port.columns['addresses'] as readonly string[])[0]!.split(' ');
  assert.deepEqual(addresses, ['10.1.1.254', '169.254.169.254']);
  for (const options of optionsOf(rows)) {
    assert.equal(options['server_id'], '10.1.1.254');
    assert.equal(options['server_mac'], mac);
  }
});

test('dhcpOf() says how to get to metadata and, beside it, where everything else goes: only to default cards', () => {
  const [first, further] = optionsOf(rowsFor(served));
  assert.equal(first?.['classless_static_route'], '{169.254.169.254/32,10.1.1.254, 0.0.0.0/0,10.1.1.1}');
  assert.equal(first?.['dns_server'], '10.1.1.254');
  assert.equal(further?.['classless_static_route'], undefined);
  const [names] = optionsOf(rowsFor({ ...served, service: { ...served.service!, userData: false } }));
  assert.equal(names?.['classless_static_route'], undefined, 'without user data nothing is there');
});

test('serviceGuards() open asking whatever lists say, and keep out whoever is not of the network', () => {
  const acls = rowsFor(served).filter(({ table }) => table === 'ACL');
  const rules = acls.map(({ columns }) => [
    columns['direction'],
    columns['priority'],
    columns['match'],
    columns['action'],
  ]);
  const to = `outport == "${servicePortName(served.id)}"`;
  const asking = `inport == @${portGroupName(served.id)} && ip4.dst == {10.1.1.254, 169.254.169.254}`;
  for (const rule of [
    ['from-lport', 31_000, asking, 'allow-related'],
    ['to-lport', 32_000, `${to} && ip4.src == 10.1.1.0/24`, 'allow-related'],
    ['to-lport', 31_000, `${to} && ip`, 'drop'],
  ])
    assert.ok(
      rules.some((one) => JSON.stringify(one) === JSON.stringify(rule)),
      `${JSON.stringify(rule)} is not in ${JSON.stringify(rules, null, 1)}`,
    );
});

test('a network without a service is what it was', () => {
  const rows = rowsFor(bare);
  assert.ok(rows.every(({ columns }) => columns['type'] !== 'localport'));
  assert.equal(optionsOf(rows)[0]?.['server_id'], '10.1.1.1');
});

test('dhcpOf() sends default cards the options of their network, and a card’s own before them', () => {
  const [nic] = served.nics;
  const [first, further, own] = optionsOf(
    rowsFor({
      ...served,
      dhcpOptions: { 66: 'boot.example', 67: 'a.0' },
      nics: [{ ...nic!, dhcpOptions: { 67: 'b' } }],
    }),
  );
  const told = (options = {} as Readonly<Record<string, string>>) => [options['tftp_server'], options['bootfile_name']];
  assert.deepEqual(told(first), ['"boot.example"', '"a.0"']);
  assert.deepEqual(told(further), [undefined, undefined]);
  assert.deepEqual(told(own), ['"boot.example"', '"b"']);
});

test('dhcpOf() sends a card its own options beside its network’s, and never a larger MTU than fits', () => {
  const [nic] = served.nics;
  const rows = rowsFor({
    ...served,
    nics: [{ ...nic!, dhcpOptions: { 6: '9.9.9.9,8.8.8.8', 26: '9000', 66: 'boot.example' } }],
  });
  const id = rows.find(({ uuid }) => uuid === nic!.id)?.columns['dhcpv4_options'];
  const options = rows.find(({ uuid }) => uuid === (id as readonly string[])[0])?.columns['options'] as Readonly<
    Record<string, string>
  >;
  assert.deepEqual(
    ['dns_server', 'mtu', 'tftp_server', 'router', 'server_id'].map((name) => options[name]),
    ['{9.9.9.9, 8.8.8.8}', '1442', '"boot.example"', '10.1.1.1', '10.1.1.254'],
  );
});
