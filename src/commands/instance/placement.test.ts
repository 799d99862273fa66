// Where instances may run: a card in a network with IPv6 needs a host that can hold back router advertisements of others.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refused } from '../../../test/support/refused.ts';
import { deploy, only, openCloud } from './instance.test-support.ts';

test('placeInstance() keeps cards of networks with IPv6 off hosts without a router guard, and says so', async () => {
  await using cloud = await openCloud();
  const [four, six] = [await cloud.network('acme-admin'), await cloud.network('acme-admin')];
  const [first, second, third] = cloud.hosts as [string, string, string];
  const facts = (guard: true | string | undefined): string => JSON.stringify({ abilities: { 'router-guard': guard } });
  await cloud.store.write(async (tx) => {
    await tx.update('network', six, { ip6cidr: '2001:db8:1::/64', ip6gateway: '2001:db8:1::1' });
    await tx.update('host', first, { facts: facts('no nftables') });
    await tx.update('host', second, { facts: facts(true) });
    await tx.update('host', third, { facts: JSON.stringify({ cpus: 2 }) });
  });
  const on = new Set<string | undefined>();
  for (let turn = 0; turn < 3; turn++) {
    const { id } = await deploy(cloud, 'acme-admin', six, {});
    on.add((await only(cloud, 'admin', id)).hostname);
  }
  assert.deepEqual([...on], ['hv2']);
  const plain = await deploy(cloud, 'acme-admin', four, {});
  assert.notEqual((await only(cloud, 'admin', plain.id)).hostname, 'hv2', 'the others take what has no IPv6');
  await cloud.store.write((tx) => tx.update('host', second, { resourcestate: 'Disabled' }));
  await assert.rejects(
    deploy(cloud, 'acme-admin', six, {}),
    refused(533, /3 hosts, 2 of them ready, 0 of these able to have networks with IPv6\)/),
  );
  const { domainid } = await only(cloud, 'admin', plain.id);
  await assert.rejects(
    deploy(cloud, 'admin', six, { account: 'acme-admin', domainid }),
    refused(533, /hv3: it has no router guard.*too old.*hv1: it has no router guard, .*\(no nftables\)/),
  );
  await assert.rejects(
    deploy(cloud, 'admin', six, { account: 'acme-admin', domainid, hostid: first }),
    refused(533, /on the host asked for, hv1: it has no router guard/),
  );
});
