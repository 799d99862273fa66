// DNS packets as bytes: what is understood, what is answered, and that nothing a tenant sends does harm.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { query } from './query.test-support.ts';
import { formatAnswer, isAnswerTo, parseQuestion, RCODE, TYPE, withId } from './message.ts';

test('parseQuestion() gives the name in lower case, what is asked, and how much room there is', () => {
  const question = parseQuestion(query('Web.Tenant.internal', { id: 0x1234, type: TYPE.AAAA }))!;
  assert.deepEqual(question.labels, ['web', 'tenant', 'internal']);
  assert.deepEqual([question.id, question.type, question.plain, question.room], [0x1234, TYPE.AAAA, true, 512]);
  assert.equal(parseQuestion(query('a', { edns: 4096 }))!.room, 1232);
  assert.equal(parseQuestion(query('a', { edns: 100 }))!.room, 512);
});

test('parseQuestion() takes no answers, no pointers, nothing that is cut off', () => {
  const whole = query('web.internal');
  const answer = Buffer.from(whole);
  answer[2] = 0x81;
  assert.equal(parseQuestion(answer), undefined);
  const pointer = Buffer.from(whole);
  pointer[12] = 0xc0;
  assert.equal(parseQuestion(pointer), undefined);
  for (let length = 0; length < whole.length; length++)
    assert.equal(parseQuestion(whole.subarray(0, length)), undefined);
});

test('parseQuestion() never throws, whatever comes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => {
      const question = parseQuestion(Buffer.from(bytes));
      if (question !== undefined) formatAnswer(question, RCODE.ok, [{ ip: '10.1.1.2' }]);
    }),
  );
});

test('formatAnswer() repeats the question as it was, and says an address for it', () => {
  const asked = query('WEB', { id: 9 });
  const answer = formatAnswer(parseQuestion(asked)!, RCODE.ok, [{ ip: '10.1.1.2' }]);
  assert.ok(isAnswerTo(answer, 9, asked.subarray(12)));
  assert.equal(answer.readUInt16BE(6), 1);
  assert.deepEqual([...answer.subarray(-4)], [10, 1, 1, 2]);
  assert.equal(answer.readUInt16BE(2) & 0x8f0f, 0x8500 & 0x8f0f);
});

test('formatAnswer() writes an IPv6 address as its sixteen bytes', () => {
  const answer = formatAnswer(parseQuestion(query('web', { type: TYPE.AAAA }))!, RCODE.ok, [{ ip6: '2001:db8::2' }]);
  assert.equal(answer.subarray(-16).toString('hex'), '20010db8000000000000000000000002');
});

test('formatAnswer() that does not fit says so and holds no half of it', () => {
  const question = parseQuestion(query('many'))!;
  const answers = Array.from({ length: 100 }, (_, index) => ({ ip: `10.1.1.${index + 2}` }));
  const cut = formatAnswer(question, RCODE.ok, answers);
  assert.ok(cut.length <= 512);
  assert.equal(cut.readUInt16BE(2) & 0x0200, 0x0200);
  assert.equal(cut.readUInt16BE(6), 0);
  assert.equal(formatAnswer(question, RCODE.ok, answers, 65_535).readUInt16BE(6), 100);
});

test('isAnswerTo() takes only the answer to the question that was asked, under its number', () => {
  const asked = query('www.example.net', { id: 77 });
  const answer = formatAnswer(parseQuestion(asked)!, RCODE.ok, []);
  const raw = asked.subarray(12);
  assert.ok(isAnswerTo(answer, 77, raw));
  assert.ok(!isAnswerTo(answer, 78, raw));
  assert.ok(!isAnswerTo(asked, 77, raw), 'the question itself is none');
  assert.ok(!isAnswerTo(formatAnswer(parseQuestion(query('www.example.org', { id: 77 }))!, RCODE.ok), 77, raw));
  assert.equal(withId(answer, 5).readUInt16BE(0), 5);
});
