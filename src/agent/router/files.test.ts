// The files and rules of a router node, word by word, and each as its own program reads it. After a wanted change: UPDATE_GOLDEN=1,
// run, and read the difference.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { tryRun } from '../../lib/run.ts';
import { conntrackdConf } from './conntrackd.ts';
import { dnsmasqFiles } from './dnsmasq.ts';
import { haproxyConf } from './haproxy.ts';
import { keepalivedConf } from './keepalived.ts';
import type { RouterSpec } from '../../protocol/document.ts';
import type { RouterContext } from './names.ts';
import { ruleset } from './ruleset.ts';
import { blue, both, CONTEXT, open, pair6, red } from './sample.test-support.ts';
import { dropFile, proxyFiles } from './script.ts';

const specs = [blue, open, red];
const six = [both, pair6, { ...red, six: { ...both.six!, cidr: '2001:db8:200:3::/64', gateway: '2001:db8:200:3::1' } }];
const ipvs: RouterContext = { ...CONTEXT, ipvs: true };
const env = { PATH: `${process.env['PATH']}:/usr/sbin:/sbin` };

/** By name: the text, and the argv that checks it. */
const files: readonly { readonly 0: string; readonly 1: string | undefined; readonly 2?: readonly string[] }[] = [
  [
    'rules.nft',
    ruleset(specs, ['eth1.9'], CONTEXT),
    ['unshare', '--user', '--map-root-user', '--net', 'nft', '-c', '-f'],
  ],
  ['rules-ipvs.nft', ruleset([blue], [], ipvs), ['unshare', '--user', '--map-root-user', '--net', 'nft', '-c', '-f']],
  ['keepalived.conf', keepalivedConf(specs, CONTEXT)],
  ['keepalived-ipvs.conf', keepalivedConf([red, blue], ipvs)],
  ['dnsmasq.conf', dnsmasqFiles(specs, CONTEXT)?.conf, ['dnsmasq', '--test', '-C']],
  ['dnsmasq.hosts', dnsmasqFiles(specs, CONTEXT)?.hosts],
  ['dnsmasq.names', dnsmasqFiles(specs, CONTEXT)?.names],
  ['haproxy.conf', haproxyConf(specs, { ...CONTEXT, canDropRoot: false })?.content, ['haproxy', '-c', '-f']],
  ['conntrackd.conf', conntrackdConf(specs, CONTEXT)],
  ['rules6.nft', ruleset(six, [], CONTEXT), ['unshare', '--user', '--map-root-user', '--net', 'nft', '-c', '-f']],
  ['keepalived6.conf', keepalivedConf(six, CONTEXT)],
  ['dnsmasq6.conf', dnsmasqFiles(six, CONTEXT)?.conf, ['dnsmasq', '--test', '-C']],
  ['conntrackd6.conf', conntrackdConf(six, CONTEXT)],
  ['takeover6.txt', dropFile(six, CONTEXT)],
  ['takeover.txt', [...proxyFiles(specs, CONTEXT)].flat().join('\n') + dropFile(specs, CONTEXT)],
];

for (const { 0: name, 1: text = '', 2: check } of files) {
  test(`${name} is the golden text`, () => {
    const golden = new URL(`golden/${name}`, import.meta.url);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, text);
    assert.equal(text, readFileSync(golden, 'utf8'));
  });
  if (check === undefined) continue;
  test(`${name} is taken by ${check.find((word) => /^(nft|dnsmasq|haproxy)$/.test(word))} itself`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'router-files-'));
    t.after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, name), text);
    const said = await tryRun([...check, join(folder, name)], { env });
    assert.equal(said.code, 0, said.stderr);
  });
}

test('no file when nothing needs the daemon', () => {
  assert.equal(keepalivedConf([red], CONTEXT), undefined);
  assert.equal(conntrackdConf([red], CONTEXT), undefined);
  assert.equal(haproxyConf([red], CONTEXT), undefined);
  assert.equal(haproxyConf([blue], ipvs), undefined, 'the kernel balances');
  assert.equal(dnsmasqFiles([open], CONTEXT), undefined);
});

test('conntrackdConf() speaks to a group where there is more than one peer', () => {
  const other = { ...open, peerNodes: [{ name: 'r3', underlayIp: '192.0.2.23' }] };
  const text = conntrackdConf([blue, other], CONTEXT)!;
  assert.match(text, /Multicast \{\n {4}IPv4_address 225\.0\.0\.50/);
  assert.doesNotMatch(text, /IPv4_Destination_Address/);
});

test('ruleset() lets nobody speak under the address of a network whose prefix he says is behind his device', async (t) => {
  const address = blue.publicAddresses[0]!;
  const plain = { ...address, ingress: [], forwards: [], balancers: [] };
  const victim: RouterSpec = {
    ...blue,
    publicAddresses: [plain, { ...plain, ip: '203.0.113.11', sourceNat: false, staticNat: '10.1.1.11' }],
  };
  const greedy: RouterSpec = {
    ...red,
    id: '10000000-0000-4000-8000-000000000077',
    vlan: 77,
    routes: [{ cidr: '10.0.0.0/8', via: red.gateway }],
    publicAddresses: [{ ...plain, ip: '203.0.113.77' }],
  };
  const text = ruleset([greedy, victim], [], CONTEXT);
  const [own, other] = [`0x${(0x7a000000 + 1234).toString(16)}`, `0x${(0x7a000000 + 77).toString(16)}`];
  assert.ok(text.includes(`${own} . 10.1.1.0/24 : 203.0.113.10`), 'it speaks under its own address still');
  assert.ok(text.includes(`${own} . 10.1.1.11 : 203.0.113.11`));
  assert.ok(text.includes(`${other} . 10.0.0.0/8 : 203.0.113.77`));
  assert.doesNotMatch(
    text,
    /ip saddr map @tl_(?:sources|static_out)(?<!ct mark \. ip saddr map @tl_(?:sources|static_out))/,
  );
  const folder = mkdtempSync(join(tmpdir(), 'router-files-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'rules.nft'), text);
  const argv = ['unshare', '--user', '--map-root-user', '--net', 'nft', '-c', '-f', join(folder, 'rules.nft')];
  const said = await tryRun(argv, { env });
  assert.equal(said.code, 0, said.stderr);
});

test('ruleset() lets a routed network send outside what is its own, not what it says is behind its members', () => {
  const office: RouterSpec = { ...open, routes: [{ cidr: '198.18.0.0/24', via: open.gateway }] };
  const leaving = /set tl_may_leave \{[^}]*?elements = \{ ([^}]*) \}/.exec(ruleset([office], [], CONTEXT))?.[1] ?? '';
  assert.match(leaving, new RegExp(office.cidr.replaceAll('.', '\\.')));
  assert.doesNotMatch(leaving, /198\.18/);
});

test('ruleset() passes answers to what is behind a member, whose requests came to the instance at once', () => {
  const text = ruleset([{ ...red, routes: [{ cidr: '10.8.0.0/24', via: '10.1.1.250' }] }], [], CONTEXT);
  const mark = `0x${(0x7a000000 + red.vlan).toString(16)}`;
  const answers = `iifname "eth1.${red.vlan}" ct state invalid ip daddr { 10.8.0.0/24 }`;
  const lines = text.split('\n').map((line) => line.trim());
  assert.ok(lines.includes(`${answers} meta mark set ${mark}`), 'the table of its network routes them');
  const [passed, dropped] = [`${answers} oifname "eth1.${red.vlan}" accept`, 'ct state invalid drop'];
  assert.ok(lines.includes(passed), text);
  assert.ok(lines.indexOf(passed) < lines.indexOf(dropped));
  assert.doesNotMatch(ruleset([{ ...red, routes: [] }], [], CONTEXT), /ct state invalid ip/);
});

test('dnsmasqFiles() gives an address to a machine whose name is a word of dnsmasq', () => {
  const lease = { mac: '02:00:00:00:00:13', ip: '10.1.1.13', hostname: 'ignore' };
  const files = dnsmasqFiles([{ ...blue, dhcp: { ...blue.dhcp!, leases: [lease] } }], CONTEXT);
  assert.equal(files?.hosts, '02:00:00:00:00:13,10.1.1.13\n');
  assert.match(files.names, /ignore\.blue\.example/);
});
