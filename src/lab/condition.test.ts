// What can happen to a node that something has happened to already.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { whyNot } from './condition.ts';
import { NODE_ACTIONS, type Condition } from './layout.ts';

/** The actions that a node in a condition can go through. */
const possible = (condition: Condition): string[] =>
  NODE_ACTIONS.filter((action) => whyNot(action, 'h1', condition) === undefined);

test('whyNot() lets a node go through what makes sense for it, whatever its cables are', () => {
  const cables = 'whole' as const;
  assert.deepEqual(possible({ power: 'on', cables }), ['power-off', 'freeze', 'cut']);
  assert.deepEqual(possible({ power: 'frozen', cables }), ['power-off', 'thaw', 'cut']);
  assert.deepEqual(possible({ power: 'off', cables }), ['power-on', 'cut']);
  assert.deepEqual(possible({ power: 'on', cables: 'cut' }), ['power-off', 'freeze', 'mend']);
});

test('whyNot() names the node and what would help', () => {
  assert.equal(whyNot('power-on', 'gw1', { power: 'frozen', cables: 'whole' }), 'gw1 is frozen, not off: thaw it');
  assert.equal(whyNot('thaw', 'gw1', { power: 'off', cables: 'whole' }), 'gw1 is off: switch it on first');
});
