// Story 4 with real packets: the same file that the demo plays, each of its promises a verdict.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { story } from '../../lab/stories/members.ts';
import { lost, playForTest } from '../support/play.ts';

test('virtual and physical together: every promise of the story holds (S07, S09, S10, S12, S13, S25, S26)', async (t) => {
  const { broken, verdicts, said } = await playForTest(t, story);
  assert.deepEqual(broken, [], said());
  assert.deepEqual(
    lost(verdicts, ['S07', 'S09', 'S10', 'S12', 'S13', 'S25', 'S26', 'wrong untagged VLAN', 'detachDevice']),
    [],
  );
});
