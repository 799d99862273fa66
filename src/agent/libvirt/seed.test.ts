// The seed disk and the description of a domain, as text and as other programs read them.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../../lib/run.ts';
import type { InstanceSpec } from '../../protocol/document.ts';
import { parseDomain } from './domain.ts';
import { isoImage } from './iso.ts';
import { seedOf } from './seed.ts';
import { domainXml, type MachineContext } from './xml.ts';

const spec: InstanceSpec = {
  id: '10000000-0000-4000-8000-000000000000',
  name: 'i-1-VM',
  hostname: 'web',
  power: 'running',
  boot: 3,
  passwordHash: '$6$salt$hash',
  cpus: 2,
  memoryMb: 256,
  nics: [
    { id: '20000000-0000-4000-8000-000000000000', mac: '02:00:00:00:01:00', deviceId: 0, isDefault: true, mtu: 1442 },
    {
      id: '20000000-0000-4000-8000-000000000001',
      mac: '02:00:00:00:01:01',
      deviceId: 1,
      isDefault: false,
      mtu: 1500,
      dhcp: false,
    },
  ],
};

const context: MachineContext = {
  node: 'h1',
  database: 'unix:/db',
  uri: 'qemu:///system',
  directory: '/i',
  boot: { kernel: '/boot/k', initrd: '/boot/i & <more>' },
  userspace: true,
};

test('seedOf() is a disk that blkid knows as cidata, with the same bytes each time and one file a sector', async (t) => {
  const folder = mkdtempSync('/tmp/tl-seed-');
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'seed.iso');
  const image = seedOf(spec, true);
  writeFileSync(file, image);
  const { stdout } = await run(['blkid', '-p', '-o', 'export', file]);
  assert.match(stdout, /^LABEL=cidata$/m);
  assert.match(stdout, /^TYPE=iso9660$/m);
  assert.deepEqual(seedOf(spec, true), image);
  assert.equal(image.length % 2048, 0);
});

test('seedOf() says who it is, who may log in, and which cards ask for an address', () => {
  const text = seedOf(spec, true).toString('latin1');
  assert.match(text, /instance-id: 10000000-0000-4000-8000-000000000000\nlocal-hostname: web\n/);
  assert.match(text, /hashed_passwd: '\$6\$salt\$hash'\n/);
  assert.match(text, /02:00:00:00:01:00 default dhcp\n02:00:00:00:01:01 other none\n/);
  assert.match(text, /macaddress: '02:00:00:00:01:01'\n {4}dhcp4: false\n {4}dhcp4-overrides:/);
  assert.doesNotMatch(seedOf({ ...spec, passwordHash: '' }, true).toString('latin1'), /hashed_passwd|ssh_pwauth/);
});

test('isoImage() holds files of several sectors whole, each found where its record says', () => {
  const content = 'x'.repeat(5000);
  const image = isoImage('l', [
    { name: 'long', content },
    { name: 'b', content: 'short' },
  ]);
  const at = image.indexOf(Buffer.from('long', 'utf16le').swap16());
  assert.ok(at > 0);
  const record = at - 33;
  assert.equal(image.readUInt32LE(record + 10), 5000);
  const start = image.readUInt32LE(record + 2) * 2048;
  assert.equal(image.toString('latin1', start, start + 5000), content);
});

test('domainXml() encodes every text, marks the domain as ours, and is read back as it was written', () => {
  const xml = domainXml(spec, false, context);
  assert.match(xml, /<initrd>\/boot\/i &amp; &lt;more&gt;<\/initrd>/);
  assert.match(xml, /<domain type='qemu'>/);
  assert.match(xml, /<source path='\/i\/10000000-0000-4000-8000-000000000000\/console\.log'\/>/);
  assert.doesNotMatch(xml, /salt|password/, 'no secret is where everybody on the node sees it');
  assert.deepEqual(parseDomain(xml), {
    id: spec.id,
    name: 'i-1-VM',
    mark: { node: 'h1', boot: 3 },
    nics: spec.nics.map(({ id, mac }) => ({ id, mac, port: `v${id.replaceAll('-', '').slice(0, 12)}` })),
  });
});

test('domainXml() leaves checksums to the card where the kernel switches, and boots a disk where there is an image', () => {
  const xml = domainXml(spec, true, { ...context, userspace: false, boot: { image: '/i/image.qcow2' } });
  assert.doesNotMatch(xml, /csum/);
  assert.match(xml, /<domain type='kvm'>/);
  assert.match(xml, /<source file='\/i\/10000000-0000-4000-8000-000000000000\/disk\.qcow2'\/>/);
  assert.doesNotMatch(xml, /<kernel>/);
});
