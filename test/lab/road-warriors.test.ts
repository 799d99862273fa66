// Story 8 with real packets: the same file that the demo plays, each of its promises a verdict.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { story } from '../../lab/stories/road-warriors.ts';
import { lost, playForTest } from '../support/play.ts';

const CLAIMS = [
  'S31',
  'S32',
  'S33',
  'S34',
  'facts',
  'a later tier',
  'another VPC',
  'sites',
  'a gateway node lost',
  'revoked',
  'refused',
];

test('road warriors: every promise of the story holds (S31, S32, S33, S34)', async (t) => {
  const { broken, verdicts, said } = await playForTest(t, story);
  assert.deepEqual(broken, [], said());
  assert.deepEqual(lost(verdicts, CLAIMS), []);
});
