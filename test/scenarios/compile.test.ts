// Each folder here is a scenario: README.txt draws it, intent.ts is the input, golden/desired.txt what must follow from it.
// After a wanted change: UPDATE_GOLDEN=1, run, and read the difference.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { check } from '../../src/compile/check.ts';
import { compile } from '../../src/compile/compile.ts';
import { formatDesired } from '../../src/compile/format.ts';
import { namesOf } from '../../src/compile/sample.test-support.ts';
import type { Intent } from '../../src/model/intent.ts';

const HERE = new URL('./', import.meta.url);
const scenarios = readdirSync(HERE, { withFileTypes: true }).filter((entry) => entry.isDirectory());

for (const { name } of scenarios) {
  test(`scenario ${name}: the intent compiles to the golden rows`, async () => {
    const { intent } = (await import(new URL(`${name}/intent.ts`, HERE).href)) as { readonly intent: Intent };
    const golden = new URL(`${name}/golden/desired.txt`, HERE);
    const desired = compile(intent);
    assert.deepEqual(check(desired, intent.fabric), []);
    const text = formatDesired(desired, namesOf(intent));
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden, text);
    assert.equal(text, readFileSync(golden, 'utf8'));
  });
}
