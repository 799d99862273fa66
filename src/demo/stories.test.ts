// The table of stories, without a lab to play them in.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readTopology } from '../lab/topology.ts';
import { topologyNamed } from '../lab/start.ts';
import { listStories, readStory } from './stories.ts';

test('readStory() names the stories there are when asked for another', async () => {
  await assert.rejects(readStory(99), /there is no story 99; there are 1, 3\b/);
});

test('listStories() shows each story with a lab that exists', async () => {
  const lines = (await listStories()).split('\n');
  assert.match(lines[0]!, /^ +1 +three VPCs become one +lab\/three-hypervisors\.json$/);
  for (const line of lines) {
    const number = Number(line.trim().split(' ')[0]);
    const { title, topology } = await readStory(number);
    assert.ok(title.startsWith(`Story ${number}: `), title);
    assert.ok(readTopology(topologyNamed(topology)).hypervisors.length > 0);
  }
});
