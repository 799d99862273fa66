// Story 1 with real packets: the same file that the demo plays, each of its promises a verdict.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startCloud } from '../../src/demo/cloud.ts';
import { createProgress } from '../../src/demo/progress.ts';
import { playStory } from '../../src/demo/story.ts';
import { story } from '../../lab/stories/three-vpcs.ts';
import { afterwards, temporaryState } from '../support/lab.ts';

test('three VPCs become one: every promise of the story holds', async (t) => {
  const said: string[] = [];
  const cloud = await startCloud({ state: temporaryState(t), port: 0, log: (text) => said.push(text) });
  afterwards(t, () => cloud.stop());
  const verdicts = await playStory(
    story,
    cloud,
    createProgress((line) => said.push(line)),
  );
  const broken = verdicts.filter((verdict) => !verdict.held);
  assert.deepEqual(broken, [], said.join('\n'));
  assert.ok(verdicts.length >= 6, 'the story has not lost its promises');
});
