// Story 7 with real packets: the same file that the demo plays, each of its promises a verdict.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { story } from '../../lab/stories/vpn-device.ts';
import { lost, playForTest } from '../support/play.ts';

test("the customer's own VPN device: every promise of the story holds (S26, S27, S28, S29, S30)", async (t) => {
  const { broken, verdicts, said } = await playForTest(t, story);
  assert.deepEqual(broken, [], said());
  assert.deepEqual(
    lost(verdicts, ['S26', 'S27', 'S28', 'S29', 'S30', 'no default gateway', 'wrong untagged VLAN']),
    [],
  );
});
