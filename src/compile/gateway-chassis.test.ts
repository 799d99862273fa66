// Which hypervisors carry router ports on VLANs, and that BFD runs between them before the first one exists.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Chassis, Fabric, Intent } from '../model/intent.ts';
import { compile } from './compile.ts';
import type { DesiredRow } from './desired.ts';
import { gatewayGroupOf, gatewayGroups } from './gateway-chassis.ts';
import { FABRIC, routerPortName } from './names.ts';
import { rowsOf } from './rows.test-support.ts';
import { fabricOf, gatewayId, intentOf, threeVpcs, vlan } from './sample.test-support.ts';

/** Gateway chassis of tenants' router ports. */
function tenantsOf(intent: Intent): readonly DesiredRow[] {
  return rowsOf(compile(intent), 'Gateway_Chassis').filter(
    (row) => (row.columns['external_ids'] as Readonly<Record<string, string>>)['unit'] !== FABRIC,
  );
}

test('compile() gives a router port on a VLAN a gateway chassis group of its own, and none on an overlay', () => {
  assert.deepEqual(tenantsOf(threeVpcs()), []);
  const wired = tenantsOf(threeVpcs(vlan(300)));
  assert.equal(wired.length, 9);
  for (const vpc of ['alpha', 'beta', 'gamma']) {
    const port = routerPortName(gatewayId(vpc, 'backbone'));
    const group = wired.filter((row) => String(row.columns['name']).startsWith(port));
    assert.deepEqual(group.map((row) => row.columns['chassis_name']).toSorted(), ['hv1', 'hv2', 'hv3']);
    assert.equal(new Set(group.map((row) => row.columns['priority'])).size, 3, 'one of them is first');
  }
});

test('compile() spreads the first turn over the hypervisors, and one more hypervisor moves only its share', () => {
  const firsts = (hosts: readonly string[]): readonly string[] => {
    const ports = Array.from({ length: 200 }, (_, i) =>
      intentOf({
        fabric: fabricOf(...hosts),
        vpcs: [{ name: `v${i}`, cidr: '10.1.0.0/16', tiers: { t: { cidr: '10.1.1.0/24', segment: vlan(300) } } }],
      }),
    );
    return ports.map((intent) =>
      String(tenantsOf(intent).find((row) => row.columns['priority'] === 30)!.columns['chassis_name']),
    );
  };
  const four = firsts(['hv1', 'hv2', 'hv3', 'hv4']);
  for (const host of ['hv1', 'hv2', 'hv3', 'hv4'])
    assert.ok(four.filter((each) => each === host).length > 25, `${host} carries its share`);
  const five = firsts(['hv1', 'hv2', 'hv3', 'hv4', 'hv5']);
  assert.ok(five.every((host, i) => host === 'hv5' || host === four[i]));
});

test('compile() keeps BFD up between all that may carry a port together, with four peers at most for each hypervisor', () => {
  const hosts = Array.from({ length: 12 }, (_, i) => `hv${String(i + 1).padStart(2, '0')}`);
  const peersBy = (rows: readonly DesiredRow[]): ReadonlyMap<string, ReadonlySet<string>> => {
    const groups = Map.groupBy(rows, (row) => String(row.columns['name']).slice(0, -'-hv01'.length));
    const peers = new Map<string, Set<string>>();
    for (const group of groups.values()) {
      const names = group.map((row) => String(row.columns['chassis_name']));
      for (const name of names)
        peers.set(name, new Set([...(peers.get(name) ?? []), ...names.filter((other) => other !== name)]));
    }
    return peers;
  };
  const tiers = Object.fromEntries(
    Array.from({ length: 40 }, (_, i) => [`t${i}`, { cidr: `10.1.${i}.0/24`, segment: vlan(300 + i) }]),
  );
  const intent = intentOf({ fabric: fabricOf(...hosts), vpcs: [{ name: 'alpha', cidr: '10.1.0.0/16', tiers }] });
  const kept = peersBy(
    compile(intent)
      .units.get(FABRIC)!
      .rows.filter((row) => row.table === 'Gateway_Chassis'),
  );
  for (const host of hosts) assert.equal(kept.get(host)!.size, 4);
  for (const [host, peers] of peersBy(tenantsOf(intent)))
    for (const peer of peers) assert.ok(kept.get(host)!.has(peer), `${host} - ${peer}`);
  assert.deepEqual(compile({ ...intent, fabric: fabricOf('hv1') }).units.get(FABRIC)!.rows, []);
});

const chassis = (name: string, kind: Chassis['kind'], leaving = false): Chassis => ({
  name,
  kind,
  underlayIp: '192.0.2.1',
  ...(leaving ? { leaving: true } : {}),
});
const region = (...members: readonly Chassis[]): Fabric => ({ chassis: members, underlayMtu: 1500 });
const HYPERVISORS = ['hv1', 'hv2', 'hv3'].map((name) => chassis(name, 'hypervisor'));
const KEYS = Array.from({ length: 200 }, (_, i) => `router ${i}`);

test('gatewayGroupOf() takes gateway nodes where there are any, witnesses and then hypervisors for the majority', () => {
  const two = region(chassis('gw1', 'gateway'), chassis('gw2', 'gateway'), ...HYPERVISORS, chassis('w', 'witness'));
  for (const key of KEYS) {
    const group = gatewayGroupOf(key, two);
    assert.deepEqual(group.slice(0, 2).toSorted(), ['gw1', 'gw2']);
    assert.deepEqual(group.slice(2), ['w']);
  }
  const firsts = Map.groupBy(KEYS, (key) => gatewayGroupOf(key, two)[0]);
  for (const name of ['gw1', 'gw2']) assert.ok(firsts.get(name)!.length > 50, 'both carry their share');
  assert.deepEqual(gatewayGroupOf('x', region(chassis('gw1', 'gateway'), ...HYPERVISORS)), ['gw1', 'hv1', 'hv2']);
  assert.deepEqual(gatewayGroups(two), [['gw1', 'gw2', 'w']]);
});

test('gatewayGroupOf() puts who is leaving or to be avoided last, and moves nothing that was elsewhere', () => {
  const names = ['gw1', 'gw2', 'gw3', 'gw4', 'gw5'];
  const before = region(...names.map((name) => chassis(name, 'gateway')));
  const after = region(...names.map((name) => chassis(name, 'gateway', name === 'gw2')));
  const known = new Set(gatewayGroups(before).map((group) => group.toSorted().join()));
  for (const key of KEYS) {
    const [was, is] = [gatewayGroupOf(key, before), gatewayGroupOf(key, after)];
    assert.notEqual(is[0], 'gw2');
    if (was[0] !== 'gw2') assert.equal(is[0], was[0]);
    if (is.includes('gw2')) assert.equal(is.at(-1), 'gw2');
    assert.deepEqual(gatewayGroupOf(key, before, { turn: 0, avoid: ['gw2'] }), is);
    assert.ok(known.has(is.toSorted().join()), 'BFD runs in it already');
  }
  const all = region(...names.map((name) => chassis(name, 'gateway', true)));
  assert.equal(gatewayGroupOf('x', all).length, 3, 'somebody has to');
});

test('gatewayGroupOf() turns the ring: as many turns as there are candidates lead back', () => {
  const three = region(...['gw1', 'gw2', 'gw3'].map((name) => chassis(name, 'gateway')));
  const firsts = [0, 1, 2, 3].map((turn) => gatewayGroupOf('x', three, { turn, avoid: [] })[0]);
  assert.equal(new Set(firsts).size, 3);
  assert.equal(firsts[3], firsts[0]);
});
