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
import type { RouterContext } from './names.ts';
import { ruleset } from './ruleset.ts';
import { blue, CONTEXT, open, red } from './sample.test-support.ts';
import { dropFile, proxyFiles } from './script.ts';

const specs = [blue, open, red];
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
  ['haproxy.conf', haproxyConf(specs, { ...CONTEXT, canDropRoot: false }), ['haproxy', '-c', '-f']],
  ['conntrackd.conf', conntrackdConf(specs, CONTEXT)],
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
