// Story 10 with real packets: the same file that the demo plays, each of its promises a verdict.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { story } from '../../lab/stories/who-is-it.ts';
import { playForTest } from '../support/play.ts';

test('who is it: every promise of the story holds (S50)', async (t) => {
  const { broken, verdicts, said } = await playForTest(t, story);
  assert.deepEqual(broken, [], said());
  for (const claim of ['S50', 'duplicate address'])
    assert.ok(
      verdicts.some(({ promise }) => promise.startsWith(`${claim}: `)),
      `the story has lost ${claim}`,
    );
});
