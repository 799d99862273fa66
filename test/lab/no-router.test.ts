// Story 3 with real packets: the same file that the demo plays, each of its promises a verdict.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { story } from '../../lab/stories/no-router.ts';
import { lost, playForTest } from '../support/play.ts';

test('a network with no router: every promise of the story holds (S01-S03, S05, S06, S08, S09)', async (t) => {
  const { broken, verdicts, said } = await playForTest(t, story);
  assert.deepEqual(broken, [], said());
  assert.deepEqual(lost(verdicts, ['S01', 'S02', 'S03', 'S05', 'S06', 'S08', 'S09']), []);
});
