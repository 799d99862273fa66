// The tutorials against the product (S24: what is documented is what there is): every request that a page tells people to type
// is a command with those parameters, every story has its page, and every link of a page leads somewhere.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { createRegistry } from '../../src/commands/index.ts';
import type { House } from '../../src/commands/room.ts';

const ROOT = new URL('../../', import.meta.url).pathname;
const GUIDE = join(ROOT, 'docs/guide');
const PAGES = readdirSync(GUIDE).filter((name) => name.endsWith('.md'));
const registry = createRegistry({} as House);

/** The requests in a page's code blocks: `call COMMAND key=value …`, over lines that end in a backslash. */
function requests(page: string): { readonly command: string; readonly keys: readonly string[] }[] {
  const text = readFileSync(join(GUIDE, page), 'utf8');
  const blocks = [...text.matchAll(/^```[^\n]*\n([\s\S]*?)^```$/gm)].map((match) => match[1]!);
  const lines = blocks.flatMap((block) => block.replaceAll(/\\\n\s*/g, ' ').split('\n'));
  return lines.flatMap(unnested).flatMap((line) =>
    [
      ...line.matchAll(
        /(?:^|[\s($])(?:\.\/trunkline call|\/opt\/trunkline\/trunkline call|call|as_root|root) ([a-z][A-Za-z0-9]+)((?: [^|#;)]*)?)/g,
      ),
    ].map(([, command, rest]) => ({
      command: command!,
      keys: [...rest!.matchAll(/(?:^|\s)([a-z][a-z0-9]*)(?:\[[^\]]*\](?:\.[a-z]+)?)?=/g)].map((match) => match[1]!),
    })),
  );
}

/** A shell line and the commands within it, each by itself: `a $(b $(c))` is c, then b, then a. */
function unnested(line: string): string[] {
  const inner: string[] = [];
  let outer = line;
  for (let match = /\$\(([^()]*)\)/.exec(outer); match !== null; match = /\$\(([^()]*)\)/.exec(outer)) {
    inner.push(match[1]!);
    outer = outer.replace(match[0], 'ANSWER');
  }
  return [...inner, outer];
}

test('S24: every request that a tutorial tells people to type is a command with those parameters', () => {
  const wrong: string[] = [];
  let seen = 0;
  for (const page of PAGES) {
    for (const { command, keys } of requests(page)) {
      seen++;
      const known = registry.get(command);
      if (known === undefined) wrong.push(`${page}: there is no command ${command}`);
      else
        for (const key of keys)
          if (!(key in known.params.shape)) wrong.push(`${page}: ${command} has no parameter ${key}`);
    }
  }
  assert.deepEqual(wrong, []);
  assert.ok(seen > 60, `${seen} requests were found: the pages are read as they are written`);
});

test('S24: every story has a tutorial, and every link of README, ARCHITECTURE and the guide leads to a file', () => {
  const lost: string[] = [];
  for (const file of [
    'README.md',
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
    ...PAGES.map((name) => `docs/guide/${name}`),
  ]) {
    const text = readFileSync(join(ROOT, file), 'utf8');
    for (const [, target] of text.matchAll(/\]\(([^)#]+)[^)]*\)/g)) {
      if (/^[a-z]+:/.test(target!)) continue;
      if (!existsSync(join(ROOT, dirname(file), target!))) lost.push(`${file}: ${target}`);
    }
  }
  for (const story of readdirSync(join(ROOT, 'lab/stories')))
    if (!PAGES.some((page) => readFileSync(join(GUIDE, page), 'utf8').includes(`lab/stories/${story}`)))
      lost.push(`no page of docs/guide names lab/stories/${story}`);
  assert.deepEqual(lost, []);
});
