// Story 1 with real packets: the same file that the demo plays, each of its promises a verdict.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { story } from '../../lab/stories/three-vpcs.ts';
import { playForTest } from '../support/play.ts';

test('three VPCs become one: every promise of the story holds', async (t) => {
  const { broken, verdicts, said } = await playForTest(t, story);
  assert.deepEqual(broken, [], said());
  assert.ok(verdicts.length >= 6, 'the story has not lost its promises');
});
