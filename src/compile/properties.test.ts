// Laws that hold of the compiler for any intent.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Intent } from '../model/intent.ts';
import { arbitraryIntent } from './arbitrary.test-support.ts';
import { check } from './check.ts';
import { compile } from './compile.ts';
import type { Desired } from './desired.ts';
import { vpcKey } from './names.ts';

/** The same intent, no object of which the compiler has seen. */
const unseen = (intent: Intent): Intent => structuredClone(intent);
const unitsOf = (desired: Desired): unknown => [...desired.units.values()];

/** The second intent, with the objects of the first where they are equal: as the store hands it out. */
function keeping(from: Intent, to: Intent): Intent {
  const keep = <T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): ReadonlyMap<string, T> =>
    new Map(
      [...after].map(([id, thing]) => [
        id,
        JSON.stringify(before.get(id)) === JSON.stringify(thing) ? before.get(id)! : thing,
      ]),
    );
  const fabric = JSON.stringify(from.fabric) === JSON.stringify(to.fabric) ? from.fabric : to.fabric;
  return { ...to, fabric, vpcs: keep(from.vpcs, to.vpcs), networks: keep(from.networks, to.networks) };
}

test('compile() gives the same by any path: remembered and after other intents as from nothing', () => {
  fc.assert(
    fc.property(fc.array(arbitraryIntent, { minLength: 1, maxLength: 4 }), (intents) => {
      let desired: Desired | undefined;
      let last: Intent | undefined;
      for (const intent of intents) {
        last = last === undefined ? intent : keeping(last, intent);
        desired = compile(last, desired);
      }
      assert.deepEqual(unitsOf(desired!), unitsOf(compile(unseen(last!))));
    }),
    { numRuns: 60 },
  );
});

test('compile() gives sound rows for any intent, and the same object for each unit the second time', () => {
  fc.assert(
    fc.property(arbitraryIntent, (intent) => {
      const desired = compile(intent);
      assert.deepEqual(check(desired, intent.fabric), []);
      const again = compile(unseen(intent), desired);
      for (const [key, unit] of again.units) assert.equal(unit, desired.units.get(key));
    }),
    { numRuns: 150 },
  );
});

test('no row of a VPC names anything of another VPC, but for the addresses of gateways on a network both are on', () => {
  fc.assert(
    fc.property(arbitraryIntent, (intent) => {
      const desired = compile(intent);
      const idsOf = new Map(
        [...intent.vpcs.values()].map((vpc) => [
          vpcKey(vpc.id),
          [
            vpc.id,
            ...vpc.tiers.flatMap((tier) => [tier.id, tier.id.replaceAll('-', '_'), ...tier.nics.map(({ id }) => id)]),
            ...vpc.gateways.map(({ id }) => id),
          ],
        ]),
      );
      for (const [key, unit] of desired.units) {
        if (!idsOf.has(key)) continue;
        const text = JSON.stringify(unit.rows);
        for (const [other, ids] of idsOf)
          if (other !== key) for (const id of ids) assert.ok(!text.includes(id), `${key} names ${id} of ${other}`);
      }
    }),
    { numRuns: 100 },
  );
});

test('every static route has a row or a finding, never both and never neither', () => {
  fc.assert(
    fc.property(arbitraryIntent, (intent) => {
      const desired = compile(intent);
      for (const vpc of intent.vpcs.values()) {
        const unit = desired.units.get(vpcKey(vpc.id))!;
        const rows = unit.rows
          .filter((row) => row.table === 'Logical_Router_Static_Route')
          .map((row) => (row.columns['external_ids'] as Readonly<Record<string, string>>)['id']!);
        assert.deepEqual(
          [...rows, ...unit.findings.map(({ id }) => id)].toSorted(),
          vpc.routes.map(({ id }) => id).toSorted(),
        );
      }
    }),
    { numRuns: 150 },
  );
});
