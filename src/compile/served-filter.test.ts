// What the served ports of an address leave to the connections that go out by it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forwardOf, publicAddress } from './public.test-support.ts';
import { listOf } from './sample.test-support.ts';
import { translationPorts } from './served-filter.ts';

test('translationPorts() leaves connections their ports, unless a high one leads inside for some and not for others', () => {
  const range = (forward: string, acl?: ReturnType<typeof listOf>): string => {
    const address = publicAddress('203.0.113.10', {
      sourceNat: true,
      forwards: [forwardOf(forward)],
      ...(acl === undefined ? {} : { acl }),
    });
    const ports = translationPorts(address, false);
    return ports === undefined ? 'any' : `${ports.start}-${ports.end}`;
  };
  const office = listOf('office', '10 ingress allow tcp 1-65535 192.0.2.0/24');
  const open = listOf('open', '10 ingress allow tcp 40000', '20 ingress allow tcp 1-65535 192.0.2.0/24');
  const denied = listOf('denied', '10 ingress deny tcp 40000 192.0.2.0/24', '20 ingress allow tcp 1-65535');
  assert.equal(range('2222 to 10.1.1.11:22'), 'any');
  assert.equal(range('2222 to 10.1.1.11:22 from 192.0.2.0/24'), 'any');
  assert.equal(range('40000 to 10.1.1.11:22'), 'any');
  assert.equal(range('40000 to 10.1.1.11:22 from 192.0.2.0/24'), '40001-65535');
  assert.equal(range('40000 to 10.1.1.11:22', office), '40001-65535');
  assert.equal(range('40000 to 10.1.1.11:22', open), 'any');
  assert.equal(range('60000 to 10.1.1.11:22', open), '32768-59999');
  assert.equal(range('40000 to 10.1.1.11:22', denied), '40001-65535');
});
