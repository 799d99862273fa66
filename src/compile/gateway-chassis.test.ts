// Which hypervisors carry router ports on VLANs, and that BFD runs between them before the first one exists.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Intent } from '../model/intent.ts';
import { compile } from './compile.ts';
import type { DesiredRow } from './desired.ts';
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
