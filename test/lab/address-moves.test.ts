// Story 9 with real packets: the same file that the demo plays, each of its promises a verdict.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { story } from '../../lab/stories/address-moves.ts';
import { lost, playForTest } from '../support/play.ts';

test('an address moves: every promise of the story holds (S51, S52, S53)', async (t) => {
  const { broken, verdicts, said } = await playForTest(t, story);
  assert.deepEqual(broken, [], said());
  assert.deepEqual(lost(verdicts, ['S51', 'S52', 'S53', 'stale ARP frozen']), []);
});
