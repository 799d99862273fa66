// Story 6 with real packets: the same file that the demo plays, each of its promises a verdict.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { story } from '../../lab/stories/public-addresses.ts';
import { lost, playForTest } from '../support/play.ts';

test('public addresses straight on the instances: every promise of the story holds (S16-S21)', async (t) => {
  const { broken, verdicts, said } = await playForTest(t, story);
  assert.deepEqual(broken, [], said());
  assert.deepEqual(
    lost(verdicts, ['S16', 'S17', 'S17: forwarding off', 'S17: proxy ARP off', 'S18', 'S19', 'S20', 'S21']),
    [],
  );
});
