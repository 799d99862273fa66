// The nodes' documents: new only when their content is, and there for whoever waits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Host, Instance, Intent } from '../model/intent.ts';
import { MAX_SCANS } from '../protocol/document.ts';
import { createDocuments } from './documents.ts';

const instance: Instance = {
  id: '10000000-0000-4000-8000-000000000001',
  name: 'i-1-VM',
  hostname: 'vm1',
  host: 'h1',
  power: 'running',
  boot: 0,
  passwordHash: '*',
  cpus: 1,
  memoryMb: 128,
  nics: [],
};

function host(name: string, instances: readonly Instance[] = []): Host {
  const underlayIp = `192.0.2.${name.slice(1)}`;
  return { id: `id-${name}`, name, kind: 'hypervisor', chassis: name, underlayIp, instances, routers: [], scans: [] };
}

function intent(generation: number, hosts: readonly Host[]): Intent {
  return {
    generation,
    fabric: {
      chassis: hosts.map(({ name, underlayIp }) => ({ name, underlayIp, kind: 'hypervisor' as const })),
      underlayMtu: 1500,
    },
    vpcs: new Map(),
    networks: new Map(),
    switches: new Map(),
    hosts: new Map(hosts.map((each) => [each.id, each])),
  };
}

test('update() gives a document a new generation only when its content changed', () => {
  const documents = createDocuments();
  assert.deepEqual(documents.update(intent(1, [host('h1'), host('h2')])), ['h1', 'h2']);
  assert.deepEqual(documents.update(intent(2, [host('h1'), host('h2')])), []);
  assert.equal(documents.get('h1')?.generation, 1);
  assert.deepEqual(documents.update(intent(3, [host('h1', [instance]), host('h2')])), ['h1']);
  assert.equal(documents.get('h1')?.generation, 3);
  assert.equal(documents.get('h2')?.generation, 1);
});

test('update() asks a node no more at once than it takes, and the rest later', () => {
  const documents = createDocuments();
  const idOf = (n: number): string => `10000000-0000-4000-8000-${`${n}`.padStart(12, '0')}`;
  const scan = (n: number): Host['scans'][number] => ({
    id: idOf(n),
    networkId: 'n',
    cidr: '10.1.1.0/24',
    vlan: 9,
    physicalNetwork: 'p',
  });
  const scans = Array.from({ length: MAX_SCANS + 5 }, (_, n) => scan(n));
  documents.update(intent(1, [{ ...host('h1'), scans }]));
  assert.equal(documents.get('h1')?.scans?.length, MAX_SCANS);
  documents.update(intent(2, [{ ...host('h1'), scans: scans.slice(MAX_SCANS) }]));
  assert.equal(documents.get('h1')?.scans?.[0]?.id, idOf(MAX_SCANS));
});

test('update() names a node its peers, not itself', () => {
  const documents = createDocuments();
  documents.update(intent(1, [host('h1'), host('h2')]));
  assert.deepEqual(documents.get('h1')?.peers, [{ name: 'h2', underlayIp: '192.0.2.2' }]);
});

test('update() forgets a node that left', () => {
  const documents = createDocuments();
  documents.update(intent(1, [host('h1'), host('h2')]));
  documents.update(intent(2, [host('h1')]));
  assert.equal(documents.get('h2'), undefined);
});

test('wait() answers at once with what is newer, and otherwise when it comes', async () => {
  const documents = createDocuments();
  documents.update(intent(1, [host('h1')]));
  assert.equal((await documents.wait('h1', 0, 1000))?.generation, 1);
  const waiting = documents.wait('h1', 1, 5000);
  documents.update(intent(2, [host('h1', [instance])]));
  assert.equal((await waiting)?.generation, 2);
  assert.equal(await documents.wait('h1', 2, 10), undefined);
});

test('update() sends a node everything but what it would refuse; faults() says what that is, for as long as it is so', () => {
  const documents = createDocuments();
  const broken: Instance = { ...instance, id: '10000000-0000-4000-8000-000000000002', hostname: 'a\nb' };
  documents.update(intent(1, [host('h1', [instance, broken])]));
  assert.deepEqual(
    documents.get('h1')?.instances.map(({ id }) => id),
    [instance.id],
  );
  assert.match(documents.faults().get(broken.id)!, /^node h1 would refuse instance .*: hostname: is no host name$/);
  documents.update(intent(2, [host('h1', [instance])]));
  assert.equal(documents.faults().size, 0);
});
