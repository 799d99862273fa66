// Checking parameters by a command's declaration, in the words clients know.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import { type Command, EVERYBODY } from './command.ts';
import { decode } from './decode.ts';
import { Refusal } from './error.ts';
import * as param from './param.ts';
import { checkParameters } from './parameters.ts';

const ID = '6f9619ff-8b86-4011-b42d-00c04fc964ff';

const command: Command = {
  name: 'createThing',
  summary: 'for these tests',
  roles: EVERYBODY,
  params: z.object({
    name: param.text('a name', 10),
    zoneid: param.ref('zone', 'a zone'),
    size: param.integer('a size', { min: 1, max: 9 }).optional(),
    start: param.flag('start it').optional(),
    displaytext: param.text('a text').optional(),
    networkids: param.list('networks', 'network').optional(),
    ip: param.address('an address').optional(),
    tags: param.map('tags').optional(),
    details: param.freeMap('details').optional(),
    password: param.text('a password', 5).optional(),
  }),
  answer: { kind: 'success' },
  async: false,
  run: () => Promise.resolve({}),
};

const check = (query: string): ReturnType<typeof checkParameters> => checkParameters(command, decode(query, ''));

test('checkParameters() types what it declares and ignores the rest', () => {
  const { want, given } = check(
    `NAME=a&zoneId=${ID}&size=3&start=True&networkids=${ID},${ID}&nosuch=1&tags[0].Key=k&details[0].cpuNumber=2`,
  );
  assert.deepEqual(want, {
    name: 'a',
    zoneid: ID,
    size: 3,
    start: true,
    networkids: [ID, ID],
    tags: [{ key: 'k' }],
    details: [{ cpuNumber: '2' }],
  });
  assert.ok(given.has('nosuch'));
});

test('checkParameters() takes an empty value of an optional number, flag or id as left out, and empty text as empty', () => {
  const { want } = check(`name=a&zoneid=${ID}&size=&start=&displaytext=`);
  assert.deepEqual(want, { name: 'a', zoneid: ID, displaytext: '' });
});

const WRONG: readonly (readonly [query: string, status: number, text: string])[] = [
  ['name=a', 431, 'Unable to execute API command creatething due to missing parameter zoneid'],
  [`name=&zoneid=${ID}`, 431, 'Unable to execute API command creatething due to missing parameter name'],
  [
    'name=a&zoneid=17',
    431,
    'Unable to execute API command creatething due to invalid value. Invalid parameter zoneid value=17 due to incorrect long value format, or entity does not exist or due to incorrect parameter annotation for the field in api cmd class.',
  ],
  [`name=a&zoneid=${ID.toUpperCase()}`, 431, 'incorrect long value format, or entity does not exist'],
  [`name=12345678901&zoneid=${ID}`, 431, 'Value greater than max allowed length 10 for param: name'],
  [`name=a&zoneid=${ID}&size=10`, 431, 'invalid value 10 for parameter size: must be a whole number from 1 to 9'],
  [`name=a&zoneid=${ID}&size=1e0`, 431, 'invalid value 1e0 for parameter size'],
  [`name=a&zoneid=${ID}&start=yes`, 431, 'invalid value yes for parameter start: must be true or false'],
  [`name=a&zoneid=${ID}&ip=10.0.0.256`, 431, 'invalid value 10.0.0.256 for parameter ip'],
  [
    `name=a&zoneid=${ID}&networkids=a,b`,
    431,
    'Invalid parameter networkids value=a,b due to incorrect long value format',
  ],
  [`name=a&zoneid=${ID}&tags=x`, 430, 'Parameter tags is a map'],
  [`name[0].x=a&zoneid=${ID}`, 430, 'Parameter name is no map'],
];

for (const [query, status, text] of WRONG) {
  test(`checkParameters() refuses ${query.replace(ID, 'ID')}`, () => {
    assert.throws(
      () => check(query),
      (error: unknown) => {
        assert.ok(error instanceof Refusal);
        assert.equal(error.status, status);
        assert.ok(error.message.includes(text), error.message);
        return true;
      },
    );
  });
}

test('checkParameters() repeats no password', () => {
  assert.throws(
    () => check(`name=a&zoneid=${ID}&password=hunter2hunter2`),
    (error: unknown) => error instanceof Refusal && !error.message.includes('hunter2'),
  );
});
