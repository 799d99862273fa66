// What is on a config drive, as folders and as a disk.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { InstanceSpec } from '../protocol/document.ts';
import { driveFiles } from './config-drive.ts';
import { filesOf } from './netns/files.ts';
import { seedOf } from './libvirt/seed.ts';

const spec: InstanceSpec = {
  id: '10000000-0000-4000-8000-000000000000',
  name: 'i-1-VM',
  hostname: 'web',
  power: 'running',
  boot: 0,
  passwordHash: '$6$salt$hash',
  cpus: 1,
  memoryMb: 64,
  nics: [
    {
      id: '20000000-0000-4000-8000-000000000000',
      mac: '02:00:00:00:00:01',
      deviceId: 0,
      isDefault: true,
      mtu: 1500,
      dhcp: false,
      addresses: [{ ip: '10.1.1.2', moved: 1 }],
    },
  ],
  firstBoot: {
    toldBy: 'drive',
    zone: 'zone 1',
    offering: 'Small',
    publicKeys: ['ssh-ed25519 AAAA a'],
    userData: Buffer.from('#!/bin/sh\n').toString('base64'),
    asksPassword: true,
    password: { turn: 4, text: 'Secret12' },
  },
};
const files = new Map(driveFiles(spec).map(({ name, content }) => [name, String(content)]));

test('driveFiles() are CloudStack’s and OpenStack’s, with the same content', () => {
  assert.equal(files.get('cloudstack/metadata/local-ipv4.txt'), '10.1.1.2');
  assert.equal(files.get('cloudstack/metadata/vm-id.txt'), spec.id);
  assert.equal(files.get('cloudstack/userdata/user_data.txt'), '#!/bin/sh\n');
  assert.equal(files.get('openstack/latest/user_data'), '#!/bin/sh\n');
  assert.equal(files.get('cloudstack/password/vm_password.txt'), 'Secret12');
  const meta = JSON.parse(files.get('openstack/latest/meta_data.json')!) as {
    uuid: string;
    admin_pass: string;
    public_keys: object;
  };
  assert.deepEqual(
    [meta.uuid, meta.admin_pass, meta.public_keys],
    [spec.id, 'Secret12', { 'key-0': 'ssh-ed25519 AAAA a' }],
  );
  const network = JSON.parse(files.get('openstack/latest/network_data.json')!) as {
    networks: unknown[];
    links: unknown[];
  };
  assert.deepEqual(
    [network.links.length, network.networks.length],
    [1, 0],
    'nobody waits for an address that nobody gives',
  );
});

test('driveFiles() hold no password that was taken', () => {
  const { password: _, ...firstBoot } = spec.firstBoot!;
  const text = JSON.stringify(driveFiles({ ...spec, firstBoot }));
  assert.doesNotMatch(text, /password|admin_pass/);
});

test('seedOf() is a disk labelled config-2 for a guest told by a drive, and none that is taken for NoCloud where the service tells', () => {
  const drive = seedOf(spec, true);
  assert.equal(drive.toString('latin1', 16 * 2048 + 40, 16 * 2048 + 48), 'config-2');
  assert.ok(drive.includes(Buffer.from('Secret12')));
  const asking = seedOf({ ...spec, firstBoot: { ...spec.firstBoot!, toldBy: 'service' } }, true);
  assert.ok(!asking.includes(Buffer.from('hashed_passwd')) && !asking.includes(Buffer.from('Secret12')));
  assert.ok(!asking.includes(Buffer.from('cidata')));
});

test('filesOf() puts no password into a guest that asks for it', () => {
  const shadow = (one: InstanceSpec): string => String(filesOf(one).find(({ path }) => path === 'shadow')?.content);
  assert.match(shadow(spec), /^root:\*:/);
  assert.match(shadow({ ...spec, firstBoot: { ...spec.firstBoot!, toldBy: 'hypervisor' } }), /^root:\$6\$salt\$hash:/);
  assert.ok(filesOf(spec).some(({ path }) => path === 'drive/cloudstack/password/vm_password.txt'));
});
