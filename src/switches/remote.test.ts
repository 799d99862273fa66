// Commands for a far shell, proven by a near one.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { tryRun } from '../lib/run.ts';
import { answersOf, lineOf, scriptOf } from './remote.ts';

const MARK = 'mark-0123';

async function ran(commands: readonly (readonly string[])[], stop: boolean): Promise<ReturnType<typeof answersOf>> {
  return answersOf((await tryRun(['sh'], { input: scriptOf(commands, MARK, stop) })).stdout, MARK);
}

test('lineOf() gives words that a shell reads as exactly these words', async () => {
  const word = fc.string({ maxLength: 20 }).map((text) => text.replaceAll('\0', ''));
  const samples = fc.sample(fc.array(word, { minLength: 1 }), 30);
  for (const words of [...samples, ["'", '$(id)', '`id`', '; reboot', '\n', '', '*', '~', '"', '\\', '-n']]) {
    const [answer] = await ran([['printf', '%s|', ...words]], false);
    assert.equal(answer?.stdout, words.map((each) => `${each}|`).join(''), lineOf(words));
  }
});

test('scriptOf() runs all commands, or none after the first that fails, and says which', async () => {
  const commands = [
    ['echo', 'one'],
    ['sh', '-c', 'cat; echo two; exit 3'],
    ['echo', 'three'],
  ];
  assert.deepEqual(await ran(commands, false), [
    { stdout: 'one\n', code: 0 },
    { stdout: 'two\n', code: 3 },
    { stdout: 'three\n', code: 0 },
  ]);
  assert.deepEqual(
    (await ran(commands, true)).map(({ code }) => code),
    [0, 3],
  );
  assert.deepEqual(await ran([['no-such-program-here'], ['kill', '-9', '0x']], true), [{ stdout: '', code: 127 }]);
});
