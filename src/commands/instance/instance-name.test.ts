// Names of instances: those that mean something else in every network.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { refused } from '../../../test/support/refused.ts';
import { checkHostname } from './instance-name.ts';

test('checkHostname() refuses the names under which instances find their gateway and their passwords', () => {
  for (const name of ['data-server', 'Data-Server', 'gateway'])
    assert.throws(() => checkHostname(name), refused(431, /is taken in every network: .*Choose another name$/));
  checkHostname('data-server2');
});
