// Lines as arp-scan 1.10 prints them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MAX_BODY } from '../../protocol/document.ts';
import { fitting, readHosts, scanArgv, scanMs } from './argv.ts';

const spec = { id: '10000000-0000-4000-8000-000000000000', cidr: '10.1.1.7/24', vlan: 1234 };

test('readHosts() keeps each address and MAC once, two MACs of one address, and no vendor that is none', () => {
  const stdout = [
    '10.1.1.77|b8:27:eb:00:11:ab|1234|Raspberry Pi Foundation',
    '10.1.1.77|b8:27:eb:00:11:ab|1234|Raspberry Pi Foundation',
    '10.1.1.77|02:00:00:00:12:02|1234|(Unknown: locally administered)',
    '10.1.1.9|02:00:00:00:12:09||A|B',
    'WARNING: something',
    '',
  ].join('\n');
  assert.deepEqual(readHosts(stdout, 1234), [
    { ip: '10.1.1.77', mac: 'b8:27:eb:00:11:ab', vendor: 'Raspberry Pi Foundation' },
    { ip: '10.1.1.77', mac: '02:00:00:00:12:02' },
    { ip: '10.1.1.9', mac: '02:00:00:00:12:09', vendor: 'A|B' },
  ]);
});

test('readHosts() leaves out who answers from another VLAN', () => {
  assert.deepEqual(readHosts('10.1.1.77|b8:27:eb:00:11:ab|99|x\n', 1234), []);
});

test('scanArgv() asks the whole prefix, tagged, and without an address', () => {
  const argv = scanArgv(spec, 'br-ex');
  assert.deepEqual(argv.slice(0, 4), ['arp-scan', '--interface=br-ex', '--vlan=1234', '--arpspa=0.0.0.0']);
  assert.equal(argv.at(-1), '10.1.1.0/24');
});

test('scanMs() leaves a /20 the time that its rate needs', () => {
  assert.ok(scanMs({ cidr: '10.0.0.0/20' }) > 4096 * 2 * 2);
});

test('readHosts() believes nobody a hundred MACs, and what it gives fits into a report, whoever answers', () => {
  const hex = (n: number): string => n.toString(16).padStart(2, '0');
  const lines = Array.from({ length: 4096 * 5 }, (_, n) => {
    const address = `10.1.${(n >> 8) & 15}.${n & 255}`;
    return `${address}|02:00:00:00:${hex((n >> 8) & 255)}:${hex(n >> 12)}|1234|${'V'.repeat(300)}`;
  });
  const hosts = readHosts(lines.join('\n'), 1234);
  const perAddress = Map.groupBy(hosts, ({ ip }) => ip);
  assert.ok([...perAddress.values()].every((all) => all.length <= 4));
  assert.ok(JSON.stringify({ id: spec.id, hosts }).length < MAX_BODY, 'one scan fits');
});

test('fitting() leaves what is too much for one report to the next, and never leaves the first', () => {
  const big = (id: string) => ({ id, hosts: [], error: 'x'.repeat(MAX_BODY / 2) });
  assert.deepEqual(
    fitting([big('a'), big('b'), big('c')]).map(({ id }) => id),
    ['a'],
  );
  assert.equal(fitting([{ id: 'a', hosts: [], error: 'x'.repeat(MAX_BODY) }]).length, 1);
  assert.equal(fitting([]).length, 0);
});
