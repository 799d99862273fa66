// The framing of NETCONF, however the stream is cut.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createDeframer, frame } from './netconf-frame.ts';

const message = fc
  .string({ minLength: 1, unit: 'binary' })
  .filter((text) => text.isWellFormed() && !text.includes(']]>]]>'));

test('createDeframer() gives the messages that frame() framed, in both versions and wherever the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(message, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      fc.integer({ min: 1, max: 7 }),
      (messages, chunked, size) => {
        const stream = Buffer.concat(messages.map((text) => frame(text, chunked)));
        const deframer = createDeframer();
        if (chunked) deframer.useChunks();
        const got: string[] = [];
        for (let at = 0; at < stream.length; at += size) got.push(...deframer.push(stream.subarray(at, at + size)));
        assert.deepEqual(got, messages);
      },
    ),
  );
});

test('createDeframer() puts chunks of one message together, and changes from end marks to chunks between two bytes', () => {
  const deframer = createDeframer();
  assert.deepEqual(deframer.push(Buffer.from('<hello/>]]>]]>')), ['<hello/>']);
  deframer.useChunks();
  assert.deepEqual(deframer.push(Buffer.from('\n#3\nabc\n#2\nde\n##\n\n#1\nf\n#')), ['abcde']);
  assert.deepEqual(deframer.push(Buffer.from('#\n')), ['f']);
});

test('createDeframer() refuses a stream that breaks the rules', () => {
  for (const stream of ['hello', '\n#0\n', '\n#-1\n', '\n#abc\n', '\n#99999999999\n', '\n#999999999\n']) {
    const deframer = createDeframer();
    deframer.useChunks();
    assert.throws(() => deframer.push(Buffer.from(stream)), /broke its framing|bytes at once/, stream);
  }
});
