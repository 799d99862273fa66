// The switches where routers meet the world, when routers go from one to another, and when one has two ports on a wire. What a router brings to them is public-side.test.ts's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Fabric } from '../model/intent.ts';
import { compile } from './compile.ts';
import { publicAddress, publicSide, withVpcs } from './public.test-support.ts';
import { switchName } from './names.ts';
import { fabricOf, intentOf, THREE_HOSTS } from './sample.test-support.ts';

test('a router that goes to another switch of its wire has another port there, by name and row; one that stays keeps its own', () => {
  const vpcs = Array.from({ length: 12 }, (_, i) => ({ name: `v${i}`, cidr: '10.1.0.0/16', tiers: {} }));
  const intent = withVpcs(intentOf({ vpcs }), (vpc) => ({
    publicSide: publicSide([publicAddress(`203.0.113.${100 + Number(vpc.name.slice(1))}`, { sourceNat: true })]),
  }));
  /** By router: the key of the wire's unit, the port there, and what is judged there at a port of that name. */
  const places = (fabric: Fabric) =>
    new Map(
      [...compile({ ...intent, fabric }).units.values()].flatMap(({ key, rows }) =>
        rows
          .filter((row) => key.startsWith('public:') && row.columns['type'] === 'router')
          .map(({ uuid, columns }) => {
            const name = String(columns['name']);
            const judged = rows.filter((row) => String(row.columns['match']).includes(`port == "${name}"`)).length;
            const router = (columns['external_ids'] as Readonly<Record<string, string>>)['id']!;
            return [router, { key, name, uuid, judged }] as const;
          }),
      ),
    );
  const [three, four] = [places(THREE_HOSTS), places(fabricOf('hv1', 'hv2', 'hv3', 'hv4'))];
  const moved = [...three].filter(([id, { key }]) => four.get(id)!.key !== key);
  assert.ok(moved.length > 0 && moved.length < three.size, 'some go, and the switch stays for the others');
  for (const [id, was] of three) {
    const is = four.get(id)!;
    assert.equal(is.judged, was.judged, 'its filter goes along');
    if (is.key === was.key) assert.deepEqual(is, was);
    else assert.ok(is.name !== was.name && is.uuid !== was.uuid, `${was.name} is on another switch now`);
  }
  assert.ok([...three.values()].every(({ judged }) => judged > 0));
});

test('a router with two legs on one wire has each on a switch of its own, where nobody asks for what the other one has', () => {
  const vpcs = ['one', 'two'].map((name) => ({ name, cidr: '10.1.0.0/16', tiers: {} }));
  const [first, second] = [publicAddress('203.0.113.10', { sourceNat: true }), publicAddress('192.0.4.9')];
  const intent = withVpcs(intentOf({ vpcs }), ({ name }) => ({
    publicSide: publicSide(name === 'two' ? [first, second] : [publicAddress('203.0.113.20', { sourceNat: true })]),
  }));
  const wires = [...compile(intent).units.values()].filter(({ key }) => key.startsWith('public:'));
  const of = (count: number) =>
    wires.find(({ rows }) => rows.filter(({ columns }) => columns['type'] === 'router').length === count)!;
  const [shared, own] = [of(2), of(1)];
  assert.equal(wires.length, 2);
  for (const { key, rows, chassis } of wires) {
    assert.deepEqual(rows.find(({ columns }) => columns['type'] === 'localnet')!.columns['tag'], [100]);
    assert.equal(rows[0]!.columns['name'], switchName(key.slice('public:'.length)));
    assert.deepEqual(chassis, shared.chassis);
  }
  const asked = (rows: typeof own.rows): unknown[] =>
    rows
      .filter(({ columns }) => String(columns['match']).includes('arp.'))
      .map(({ columns }) => [columns['direction'], columns['action'], /arp.*/.exec(String(columns['match']))![0]]);
  assert.deepEqual(asked(shared.rows), [['to-lport', 'drop', `arp.op == 1 && arp.tpa == ${second.ip}`]]);
  assert.deepEqual(asked(own.rows), [['to-lport', 'drop', `arp.op == 1 && arp.tpa == ${first.ip}`]]);
});
