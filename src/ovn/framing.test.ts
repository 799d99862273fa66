// Framing: whole messages come out, however the bytes were cut.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { createFramer } from './framing.ts';

function frames(chunks: readonly Buffer[]): unknown[] {
  const messages: unknown[] = [];
  const push = createFramer((message) => messages.push(message));
  for (const chunk of chunks) push(chunk);
  return messages;
}

test('createFramer() gives every message, wherever the stream is cut, characters of several bytes included', () => {
  const message = fc.record({
    id: fc.integer(),
    params: fc.array(fc.jsonValue()),
    text: fc.string({ unit: 'grapheme' }),
  });
  fc.assert(
    fc.property(
      fc.array(message),
      fc.array(fc.nat(), { maxLength: 20 }),
      fc.constantFrom('', ' ', '\n\t'),
      (messages, cuts, gap) => {
        const bytes = Buffer.from(messages.map((one) => JSON.stringify(one)).join(gap));
        const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b);
        const chunks = places.slice(1).map((end, at) => bytes.subarray(places[at], end));
        assert.deepEqual(
          frames(chunks),
          messages.map((one) => JSON.parse(JSON.stringify(one))),
        );
      },
    ),
  );
});

test('createFramer() does not count braces and quotes inside strings', () => {
  const tricky = [{ a: '}"{\\' }, { b: ['[', '\\"}'] }];
  assert.deepEqual(frames([Buffer.from(tricky.map((one) => JSON.stringify(one)).join(''))]), tricky);
});

for (const bad of ['hello', '[1]', '}', '{"a":1}x']) {
  test(`createFramer() refuses ${bad}`, () => {
    assert.throws(() => frames([Buffer.from(bad)]), /does not speak JSON-RPC/);
  });
}
