// What a plan promises, for any document and any switch.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { planSwitch } from './plan.ts';
import { access, actualOf, anyActual, anyDocument, documentOf, obey, trunk } from './switch.test-support.ts';

test('planSwitch() has nothing left to change once its changes are made', () => {
  fc.assert(
    fc.property(anyDocument, anyActual, (document, actual) => {
      const after = obey(actual, planSwitch(document, actual).changes);
      assert.deepEqual(planSwitch(document, after).changes, []);
    }),
  );
});

test('planSwitch() makes each port of ours carry exactly what is wanted, and each trunk at least that', () => {
  fc.assert(
    fc.property(anyDocument, anyActual, (document, actual) => {
      const after = new Map(obey(actual, planSwitch(document, actual).changes).ports.map((port) => [port.name, port]));
      for (const spec of document.ports.filter((each) => each.mode === 'set')) {
        const port = after.get(spec.name);
        if (port === undefined) continue;
        const before = actual.ports.find((each) => each.name === spec.name)!;
        const ours = (vlan: number): boolean =>
          spec.trunk === undefined || spec.tagged.includes(vlan) || spec.trunk.retired.includes(vlan);
        assert.deepEqual((port.mixed ?? []).filter(ours), [], 'nothing goes in one way and out the other');
        if (spec.trunk === undefined) {
          const untagged = spec.untagged ?? document.nativeVlan;
          assert.equal(port.untagged, untagged);
          assert.deepEqual(
            port.tagged,
            spec.tagged.filter((vlan) => vlan !== untagged),
          );
        } else {
          assert.equal(port.untagged, before.untagged);
          if (before.tagged === 'all') assert.equal(port.tagged, 'all');
          else {
            const tagged = port.tagged as readonly number[];
            assert.deepEqual(
              spec.tagged.filter((vlan) => vlan !== port.untagged && !tagged.includes(vlan)),
              [],
            );
            const found = before.tagged;
            assert.deepEqual(
              tagged.filter((vlan) => !spec.tagged.includes(vlan) && !found.includes(vlan)),
              [],
            );
            assert.deepEqual(
              spec.trunk.retired.filter((vlan) => tagged.includes(vlan)),
              [],
            );
            const others = found.filter((vlan) => !spec.trunk!.retired.includes(vlan));
            assert.deepEqual(
              others.filter((vlan) => !tagged.includes(vlan)),
              [],
            );
          }
        }
      }
    }),
  );
});

test('planSwitch() never changes a port that is not in the document, or that is only to be compared', () => {
  fc.assert(
    fc.property(anyDocument, anyActual, (document, actual) => {
      const mine = new Set(document.ports.filter((spec) => spec.mode === 'set').map((spec) => spec.name));
      for (const { spec } of planSwitch(document, actual).changes) assert.ok(mine.has(spec.name), spec.name);
    }),
  );
});

test('planSwitch() finds nothing at a switch that is as it shall be', () => {
  const document = documentOf([access('p1', 1234), access('p2'), trunk('p3', [1234, 1300])]);
  const actual = actualOf(
    { name: 'p1', untagged: 1234, tagged: [] },
    { name: 'p2', untagged: 1, tagged: [] },
    { name: 'p3', untagged: 40, tagged: [50, 1234, 1300] },
    { name: 'uplink', tagged: 'all' },
  );
  assert.deepEqual(planSwitch(document, actual), { changes: [], findings: [], unmet: [] });
});

test('planSwitch() names switch, port, who is behind it, VLAN and network of what is missing (S09)', () => {
  const check = { ...trunk('p3', [1234]), mode: 'check' as const };
  const { changes, findings, unmet } = planSwitch(
    documentOf([check]),
    actualOf({ name: 'p3', untagged: 1, tagged: [10, 11, 12] }),
  );
  assert.deepEqual({ changes, unmet }, { changes: [], unmet: [] });
  assert.deepEqual(findings, [
    {
      port: 'p3',
      kind: 'missing',
      vlan: 1234,
      text:
        'switch sw1, port p3 (hypervisor p3-host): VLAN 1234 (network net1234) is wanted tagged; ' +
        'found untagged 1, tagged 10-12; the port is not ours to set: add VLAN 1234 tagged there',
    },
  ]);
});

test('planSwitch() tells of a VLAN nobody wants, and of another untagged one', () => {
  const document = documentOf([access('p1', 1234), access('p2')]);
  const actual = actualOf({ name: 'p1', untagged: 99, tagged: [7] }, { name: 'p2', untagged: 99, tagged: [] });
  const { findings, changes } = planSwitch(document, actual);
  assert.deepEqual(
    findings.map((each) => [each.port, each.kind, each.vlan]),
    [
      ['p1', 'missing', 1234],
      ['p1', 'changed', undefined],
      ['p2', 'changed', undefined],
    ],
  );
  assert.match(findings[1]!.text, /wanted untagged 1234, nothing tagged; found untagged 99, tagged 7$/);
  assert.deepEqual(
    changes.map((each) => each.to),
    [
      { untagged: 1234, tagged: [] },
      { untagged: 1, tagged: [] },
    ],
  );
});

test('planSwitch() says that a port does not exist, and that the document cannot be true without it', () => {
  const { findings, unmet } = planSwitch(documentOf([access('p1', 1234), access('p9')]), actualOf());
  assert.deepEqual(
    findings.map((each) => [each.port, each.kind]),
    [
      ['p1', 'unknown-port'],
      ['p9', 'unknown-port'],
    ],
  );
  assert.equal(unmet.length, 1);
  assert.match(unmet[0]!, /switch sw1, port p1 \(device p1-box\): the switch has no such port/);
});

test("planSwitch() does not move a node's own untagged traffic out of a VLAN that is wanted tagged: it says so", () => {
  const { changes, findings, unmet } = planSwitch(
    documentOf([trunk('p1', [40, 50])]),
    actualOf({ name: 'p1', untagged: 40, tagged: [] }),
  );
  assert.deepEqual(
    changes.map((each) => each.to),
    [{ untagged: 40, tagged: [50] }],
  );
  assert.match(
    unmet.join(),
    /VLAN 40 \(network net40\) is wanted tagged.*not ours to move: give one of the two another VLAN/,
  );
  assert.ok(findings.some((each) => each.vlan === 40));
});

test('planSwitch() tells of another neighbour than the node that is said to be there, by its short name', () => {
  const document = documentOf([trunk('p1', []), trunk('p2', []), access('p3', 5)]);
  const ports = ['p1', 'p2', 'p3'].map((name) => ({ name, untagged: name === 'p3' ? 5 : 1, tagged: [] }));
  const neighbours = [
    { port: 'p1', system: 'P1-HOST.example.org', remotePort: 'eth0' },
    { port: 'p2', system: 'p1-host', remotePort: 'eth1' },
    { port: 'p3', system: 'anything', remotePort: 'eth0' },
  ];
  const { findings } = planSwitch(document, { ports, neighbours, macs: [] });
  assert.deepEqual(
    findings.map((each) => each.port),
    ['p2'],
  );
  assert.match(findings[0]!.text, /calls itself p1-host \(LLDP\), not p2-host/);
});

test('planSwitch() lets no name start a line of its own in a text', () => {
  const spec = { ...access('p1', 5), because: { 5: 'blue\n! reload\u001b[2J' } };
  const [finding] = planSwitch(documentOf([spec]), actualOf({ name: 'p1', untagged: 6, tagged: [] })).findings;
  assert.match(finding!.text, /network blue\?! reload\?\[2J\)/);
});
