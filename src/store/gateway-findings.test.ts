// What is said of gateway nodes, from rows alone, and that it is said once.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCloud } from '../../test/support/cloud.ts';
import { addHosts } from '../../test/support/hosts.ts';
import { gatewayFindings, tellGatewayFindings } from './gateway-findings.ts';

const zone = { id: 'z', name: 'zone1' };
const host = (name: string, kind: string, more = {}) => ({
  id: name,
  name,
  zone: 'z',
  state: 'Up',
  resourcestate: 'Enabled',
  kind,
  serial: '1',
  ...more,
});
const texts = (...rest: [Parameters<typeof gatewayFindings>[1], Parameters<typeof gatewayFindings>[2]]): string =>
  gatewayFindings([zone], ...rest)
    .map(({ text }) => text)
    .join('\n');

test('gatewayFindings() finds nothing with two gateways and a witness, or with hypervisors that carry nothing', () => {
  const pair = [host('gw1', 'gateway'), host('gw2', 'gateway')];
  assert.equal(texts([...pair, host('w', 'witness')], [{ host: 'gw1', unit: 'vpc:1' }]), '');
  assert.equal(texts([host('h1', 'hypervisor')], []), '');
});

test('gatewayFindings() names too few nodes, one that is Down, and one that carries everything', () => {
  const pair = [host('gw1', 'gateway'), host('gw2', 'gateway', { state: 'Down' })];
  assert.match(texts(pair, []), /zone zone1 has 2 nodes .* Add a witness/);
  assert.match(texts(pair, []), /gateway node gw2 is Down/);
  assert.match(texts([host('gw1', 'gateway'), host('h1', 'hypervisor')], []), /has one gateway node, gw1/);
  const all = [1, 2, 3, 4].map((id) => ({ host: 'gw1', unit: `vpc:${id}` }));
  const three = [host('gw1', 'gateway'), host('gw2', 'gateway'), host('w', 'witness')];
  assert.match(texts(three, all), /^gateway node gw1 carries all 4 ways out of zone zone1/);
  assert.equal(texts(three, [...all, { host: 'gw2', unit: 'vpc:5' }]), '');
});

test('gatewayFindings() names a router node that is Down, and what that means for which networks', () => {
  const routers = [host('r1', 'router', { state: 'Down' }), host('r2', 'router')];
  const said = (legs: Parameters<typeof gatewayFindings>[3]): string =>
    gatewayFindings([zone], routers, [], legs)
      .map(({ text }) => text)
      .join('\n');
  assert.match(said([]), /^router node r1 is Down: no network depends on it\. Start it/);
  const web = { host: 'r1', network: '1', name: 'web' };
  const pair = ['r1', 'r2'].map((node) => ({ host: node, network: '2', name: 'db' }));
  assert.match(
    said([web, ...pair]),
    /nobody else routes for network web; the other of the pair has network db to itself/,
  );
  const many = [1, 2, 3, 4, 5, 6, 7].map((id) => ({ host: 'r1', network: `${id}`, name: `n${id}` }));
  assert.match(said(many), /routes for networks n1, n2, n3, n4, n5 and 2 more\./);
});

test('tellGatewayFindings() tells each finding once, and listAlerts shows it as long as it is so', async () => {
  await using cloud = await openCloud();
  const [id] = await addHosts(cloud.store, 3);
  await cloud.store.write((tx) => tx.update('host', id!, { kind: 'gateway' }));
  let told = await tellGatewayFindings(cloud.store, new Set());
  told = await tellGatewayFindings(cloud.store, told);
  const events = await cloud.callAs('admin', 'listEvents', { type: 'GATEWAY.FINDING' });
  assert.equal(events['count'], 1);
  const { alert } = (await cloud.callAs('admin', 'listAlerts')) as { alert: { description: string }[] };
  assert.deepEqual(
    alert.map(({ description }) => description),
    [...told],
  );
  await cloud.store.write((tx) => tx.update('host', id!, { kind: 'hypervisor' }));
  assert.deepEqual(await cloud.callAs('admin', 'listAlerts'), {});
  assert.equal((await tellGatewayFindings(cloud.store, told)).size, 0);
});
