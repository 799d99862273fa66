// Story 10 with real packets: the same file that the demo plays, each of its promises a verdict.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { story } from '../../lab/stories/who-is-it.ts';
import { lost, playForTest } from '../support/play.ts';

test('who is it: every promise of the story holds (S50)', async (t) => {
  const { broken, verdicts, said } = await playForTest(t, story);
  assert.deepEqual(broken, [], said());
  assert.deepEqual(lost(verdicts, ['S50', 'duplicate address']), []);
});
