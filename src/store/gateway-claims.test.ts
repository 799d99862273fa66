// Who carries what: kept as OVN says, told as events, and with places that hosts keep.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { openCloud } from '../commands/network/network.test-support.ts';
import { addHosts } from '../../test/support/hosts.ts';
import { recordClaims, slotsFor } from './gateway-claims.ts';

test('slotsFor() keeps a host in its place while its role changes, and gives the place of one that has none any more', () => {
  assert.deepEqual(slotsFor([], 'a', ['a', 'b', 'c'], []), ['a', 'b']);
  assert.deepEqual(slotsFor(['a', 'b'], 'b', ['b', 'a', 'c'], []), ['a', 'b'], 'the roles changed, the places did not');
  assert.deepEqual(slotsFor(['a', 'b'], 'b', ['b', 'c', 'a'], []), ['c', 'b'], 'the next of the group takes the place');
  assert.deepEqual(slotsFor(['a', 'b'], 'b', ['b', 'c', 'a'], ['a']), ['a', 'b'], 'one that was stopped keeps it');
  assert.deepEqual(slotsFor(['a', 'b'], 'b', ['b'], []), ['', 'b'], 'there is nobody else');
});

test('slotsFor() always has a place for who carries it, and never two for one', () => {
  const host = fc.constantFrom('a', 'b', 'c', 'd');
  const hosts = fc.uniqueArray(host);
  fc.assert(
    fc.property(hosts, host, hosts, hosts, (before, holder, group, avoided) => {
      const slots = slotsFor(before.slice(0, 2), holder, group, avoided);
      const places = slots.filter((id) => id !== '');
      return slots.length === 2 && places.includes(holder) && new Set(places).size === places.length;
    }),
  );
});

test('recordClaims() keeps who carries a port, tells a takeover once, and draws no generation for it', async () => {
  await using cloud = await openCloud();
  const { store } = cloud;
  const [one, two] = await addHosts(store, 2);
  const vpc = await cloud.vpc('acme-admin', 'blue', '10.1.0.0/16');
  const claim = { port: 'lrp-1', unit: `vpc:${vpc}`, candidates: ['hv1', 'hv2'] };
  const generation = async (): Promise<number> =>
    (await store.db.selectFrom('counter').select('value').where('name', '=', 'generation').executeTakeFirstOrThrow())
      .value;
  const kept = async () =>
    (await store.db.selectFrom('gatewayclaim').select(['port', 'host', 'slots']).execute()).map((row) => ({ ...row }));
  const before = await generation();
  await recordClaims(store, [{ ...claim, chassis: 'hv1' }]);
  await recordClaims(store, [{ ...claim, chassis: undefined }]);
  assert.deepEqual(await kept(), [{ port: 'lrp-1', host: one, slots: `${one},${two}` }], 'who did last is kept');
  for (let i = 0; i < 2; i++) await recordClaims(store, [{ ...claim, chassis: 'hv2' }]);
  assert.deepEqual(await kept(), [{ port: 'lrp-1', host: two, slots: `${one},${two}` }]);
  const events = await cloud.list('admin', 'listEvents', { type: 'ROUTER.TAKEOVER' });
  assert.deepEqual(
    events.map((event) => event['description']),
    ['hv2 carries the way out of VPC blue now; before it was hv1'],
  );
  assert.deepEqual(
    await cloud.callAs('acme-admin', 'listEvents', { type: 'ROUTER.TAKEOVER' }),
    {},
    'the operator is told',
  );
  await recordClaims(store, [{ ...claim, port: 'lrp-fabric-1', unit: 'fabric', chassis: 'hv1' }]);
  assert.equal((await kept()).length, 1);
  await recordClaims(store, [], { gone: ['lrp-1'] });
  assert.deepEqual(await kept(), []);
  assert.equal(await generation(), before);
});

test('recordClaims() of everything forgets what is not among it', async () => {
  await using cloud = await openCloud();
  await addHosts(cloud.store, 2);
  const claim = { unit: 'vpc:x', chassis: 'hv1', candidates: ['hv1'] };
  await recordClaims(cloud.store, [
    { ...claim, port: 'lrp-1' },
    { ...claim, port: 'lrp-2' },
  ]);
  await recordClaims(cloud.store, [{ ...claim, port: 'lrp-2' }], { whole: true });
  const rows = await cloud.store.db.selectFrom('gatewayclaim').select('port').execute();
  assert.deepEqual(
    rows.map(({ port }) => port),
    ['lrp-2'],
  );
});

test('recordClaims() puts a gateway node into Alert when others take over unasked, not when they were asked to', async () => {
  await using cloud = await openCloud();
  const { store } = cloud;
  const ids = await addHosts(store, 2);
  for (const id of ids) await store.write((tx) => tx.update('host', id, { kind: 'gateway' }));
  const state = async (): Promise<string[]> =>
    (await store.db.selectFrom('host').select('state').orderBy('name').execute()).map((host) => host.state);
  const claim = { port: 'lrp-1', unit: 'vpc:x' };
  await recordClaims(store, [{ ...claim, chassis: 'hv1', candidates: ['hv1', 'hv2'] }]);
  await recordClaims(store, [{ ...claim, chassis: 'hv1', candidates: ['hv2', 'hv1'] }]);
  await recordClaims(store, [{ ...claim, chassis: 'hv2', candidates: ['hv2', 'hv1'] }]);
  assert.deepEqual(await state(), ['Up', 'Up']);
  await recordClaims(store, [{ ...claim, chassis: 'hv1', candidates: ['hv2', 'hv1'] }]);
  assert.deepEqual(await state(), ['Up', 'Alert']);
  await recordClaims(store, [{ ...claim, chassis: 'hv1', candidates: ['hv1', 'hv2'] }]);
  await recordClaims(store, [{ ...claim, chassis: 'hv2', candidates: ['hv1', 'hv2'] }]);
  assert.deepEqual(await state(), ['Up', 'Alert'], 'one that is just back claims what is not its own');
  const [event] = await cloud.list('admin', 'listEvents', { type: 'HOST.ALERT' });
  assert.match(String(event?.['description']), /^gateway node hv2 lost the ways out/);
});
