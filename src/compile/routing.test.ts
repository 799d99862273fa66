// Which static routes work, and what tenants are told about those that do not.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Vpc } from '../model/intent.ts';
import { routingOf } from './routing.ts';
import { intentOf } from './sample.test-support.ts';

function vpcWith(...routes: readonly string[]): Vpc {
  const intent = intentOf({
    privateNetworks: { backbone: { cidr: '172.16.1.0/24' } },
    vpcs: [
      {
        name: 'alpha',
        cidr: '10.1.0.0/16',
        tiers: { web: { cidr: '10.1.1.0/24' }, app: { cidr: '10.1.2.0/24' } },
        gateways: { backbone: '172.16.1.1' },
        routes,
      },
    ],
  });
  return [...intent.vpcs.values()][0]!;
}

const reasonOf = (...routes: readonly string[]): string =>
  routingOf(vpcWith(...routes))
    .findings.map(({ text }) => text)
    .join('\n');

test('routingOf() takes a route whose next hop is on a Private network, in a tier, or the default route', () => {
  const { paths, findings } = routingOf(
    vpcWith('10.2.0.0/16 via 172.16.1.2', '10.70.0.0/24 via 10.1.2.12', '0.0.0.0/0 via 172.16.1.3'),
  );
  assert.deepEqual(findings, []);
  assert.deepEqual(
    paths.map(({ via }) => via.kind),
    ['gateway', 'tier', 'gateway'],
  );
});

test('routingOf() gives no path but a sentence for a next hop nothing is connected to, and names what is', () => {
  const vpc = vpcWith('10.80.0.0/16 via 192.168.7.1');
  const { paths, findings } = routingOf(vpc);
  assert.deepEqual(paths, []);
  assert.equal(findings[0]!.id, vpc.routes[0]!.id);
  assert.equal(
    findings[0]!.text,
    'Static route 10.80.0.0/16 via 192.168.7.1 carries no traffic: 192.168.7.1 is on no network that VPC alpha is connected to ' +
      '(tier web (10.1.1.0/24), tier app (10.1.2.0/24), Private network backbone (172.16.1.0/24)). Give the VPC a private ' +
      'gateway on the Private network of 192.168.7.1, or choose a next hop on one of its networks.',
  );
});

test('routingOf() finds every other route OVN would take and not use as meant', () => {
  assert.match(reasonOf('10.9.0.0/16 via 172.16.1.1'), /the VPC's own address on Private network backbone/);
  assert.match(reasonOf('10.9.0.0/16 via 10.1.1.255'), /network or broadcast address of tier web/);
  assert.match(reasonOf('10.1.2.0/24 via 172.16.1.2'), /exactly tier app .* always wins/);
  assert.match(reasonOf('10.1.1.64/26 via 172.16.1.2'), /inside tier web .* take addresses away/);
  assert.match(reasonOf('172.16.1.9/32 via 10.1.1.5'), /inside Private network backbone/);
  assert.match(reasonOf('169.254.169.254/32 via 172.16.1.2'), /lies in 169.254.0.0\/16, which is reserved/);
  assert.match(reasonOf('10.2.0.0/16 via 172.16.1.2', '10.2.9.9/16 via 172.16.1.2'), /says the same/);
});

test('routingOf() heals a finding when the segment appears', () => {
  const vpc = vpcWith('10.80.0.0/16 via 172.16.1.7');
  assert.equal(routingOf({ ...vpc, gateways: [] }).findings.length, 1);
  assert.equal(routingOf(vpc).findings.length, 0);
});

test('routingOf() lets two routes share a prefix: both segments are its way', () => {
  const { table } = routingOf(vpcWith('10.9.0.0/16 via 172.16.1.2', '10.9.0.0/16 via 10.1.1.5'));
  const entry = table.find(({ prefix }) => prefix.length === 16)!;
  assert.deepEqual(
    entry.via.map(({ kind }) => kind),
    ['gateway', 'tier'],
  );
});
