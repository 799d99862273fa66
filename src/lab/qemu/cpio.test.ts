// The archive and the module index, checked against the programs that read them.
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { run } from '../../lib/run.ts';
import { cpio } from './cpio.ts';
import { closureOf, indexOf } from './modules.ts';

test('cpio() is unpacked by cpio as it was meant: folders, files of any length with their mode, links', async (t) => {
  const folder = mkdtempSync('/tmp/tl-cpio-');
  t.after(() => rmSync(folder, { recursive: true }));
  const contents = [0, 1, 2, 3, 4, 5, 511, 512, 513].map((length) => Buffer.alloc(length, `${length}`));
  const archive = cpio([
    { kind: 'folder', path: 'a' },
    ...contents.map((content, n) => ({
      kind: 'file' as const,
      path: `a/${'f'.repeat(n + 1)}`,
      content,
      mode: n % 2 === 0 ? 0o600 : 0o755,
    })),
    { kind: 'link', path: 'l', to: 'a/f' },
  ]);
  await run(['busybox', 'sh', '-c', 'base64 -d | cpio -i -d', 'sh'], {
    cwd: folder,
    input: archive.toString('base64'),
  });
  for (const [n, content] of contents.entries()) {
    const file = join(folder, `a/${'f'.repeat(n + 1)}`);
    assert.deepEqual(readFileSync(file), content);
    assert.equal(statSync(file).mode & 0o777, n % 2 === 0 ? 0o600 : 0o755);
  }
  assert.equal(readlinkSync(join(folder, 'l')), 'a/f');
});

test('cpio() is a multiple of four bytes long, so that another archive may follow', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1 }), fc.uint8Array(), (path, content) => {
      assert.equal(cpio([{ kind: 'file', path, content: Buffer.from(content), mode: 0o644 }]).length % 4, 0);
    }),
  );
});

const DEP =
  'kernel/net/8021q/8021q.ko: kernel/net/802/mrp.ko kernel/net/802/garp.ko\nkernel/net/802/mrp.ko:\nkernel/net/802/garp.ko:\nkernel/x/snd-hda.ko:\n';

test('closureOf() takes along what modules need, knows both spellings of a name, and names a module that is not there', () => {
  assert.deepEqual(closureOf(['8021q', 'snd_hda', 'ext4'], DEP, 'kernel/fs/ext4/ext4.ko\n'), [
    'kernel/net/802/garp.ko',
    'kernel/net/802/mrp.ko',
    'kernel/net/8021q/8021q.ko',
    'kernel/x/snd-hda.ko',
  ]);
  assert.throws(() => closureOf(['nosuch'], DEP, ''), /no module nosuch/);
});

test('indexOf() keeps the lines of the modules that come along, and no other', () => {
  const paths = ['kernel/net/802/mrp.ko', 'kernel/x/snd-hda.ko'];
  assert.equal(indexOf(DEP, 'dep', paths), 'kernel/net/802/mrp.ko:\nkernel/x/snd-hda.ko:\n');
  assert.equal(indexOf('alias rtnl-link-vlan 8021q\nalias x snd_hda\n', 'alias', paths), 'alias x snd_hda\n');
});
