// Story 11 with real packets: the same file that the demo plays, each of its promises a verdict.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { story } from '../../lab/stories/without-a-virtual-router.ts';
import { lost, playForTest } from '../support/play.ts';

const CLAIMS = [
  'DHCP',
  'DNS',
  'first boot',
  'source NAT',
  'static NAT',
  'forward',
  'list on a public address',
  'IPv6',
  'list on a tier',
  'balancing',
  'helper',
  'firewall',
  'rate',
  'no public address left',
  'restart',
  'stop',
  'a gateway node lost',
  'no gateway node left',
];

test('everything the virtual router did, without one: every promise of the story holds', async (t) => {
  const { broken, verdicts, said } = await playForTest(t, story);
  assert.deepEqual(broken, [], said());
  assert.deepEqual(lost(verdicts, CLAIMS), []);
});
