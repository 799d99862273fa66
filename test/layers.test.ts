// The layers of the house, kept by a test: who may import whom, and where a third-party package may be used. A folder that is
// not in the table fails, so nobody can add a room without saying what it may see.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';

const SRC = new URL('../src/', import.meta.url).pathname;

/** Layer -> layers it may import beside itself. `.` is main: the files directly in src, which wire the layers together. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  model: ['lib'],
  compile: ['lib', 'model'],
  protocol: ['lib'],
  api: ['lib', 'model'],
  store: ['lib', 'model'],
  commands: ['lib', 'model', 'api', 'store', 'protocol'],
  ovn: ['lib', 'compile'],
  reconcile: ['lib', 'model', 'compile', 'store', 'ovn', 'protocol', 'switches'],
  agent: ['lib', 'protocol'],
  switches: ['lib', 'protocol'],
  client: ['lib'],
  doctor: ['lib'],
  lab: ['lib'],
  demo: ['lib', 'client', 'lab'],
  '.': [
    'lib',
    'model',
    'compile',
    'protocol',
    'api',
    'store',
    'commands',
    'ovn',
    'reconcile',
    'agent',
    'switches',
    'client',
    'doctor',
    'lab',
    'demo',
  ],
};

/** Package -> layers that may use it. */
const PACKAGES: Readonly<Record<string, readonly string[]>> = {
  zod: ['model', 'protocol', 'api', 'commands', 'agent', 'switches', 'reconcile', 'lab', 'demo', 'client', '.'],
  hono: ['api'],
  '@hono/node-server': ['api'],
  kysely: ['store', 'commands'],
  pg: ['store'],
  pino: ['lib'],
  'prom-client': ['.'],
  commander: ['.'],
  uqr: ['commands'],
  'fast-check': [],
};

/** Layers that are pure: no I/O, no clock, no chance. */
const PURE = ['compile', 'model'];

interface Import {
  readonly file: string;
  readonly layer: string;
  readonly target: string;
  readonly types: boolean;
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return sources(path);
    return entry.name.endsWith('.ts') ? [path] : [];
  });
}

const isTest = (file: string): boolean => /\.test(-support)?\.ts$/.test(file);

function layerOf(path: string): string {
  const inside = relative(SRC, path);
  return inside.includes('/') ? inside.split('/')[0]! : '.';
}

const files = sources(SRC);
const imports: Import[] = files
  .filter((file) => !isTest(file))
  .flatMap((file) =>
    [...readFileSync(file, 'utf8').matchAll(/^(?:import|export)\s+(type\s)?[^;]*?from\s+'([^']+)';/gm)].map(
      (match) => ({
        file,
        layer: layerOf(file),
        target: match[2]!,
        types: match[1] !== undefined,
      }),
    ),
  );

test('every folder of src is a layer with a place in the table, and the table names no others', () => {
  const layers = new Set(files.map(layerOf));
  for (const layer of layers)
    assert.ok(layer in MAY_IMPORT, `src/${layer} is in no table: say in test/layers.test.ts what it may import`);
  const named = [
    ...Object.keys(MAY_IMPORT),
    ...Object.values(MAY_IMPORT).flat(),
    ...Object.values(PACKAGES).flat(),
    ...PURE,
  ];
  for (const layer of named)
    assert.ok(layers.has(layer), `the table names ${layer}, and there is no such folder in src`);
});

test('a layer imports only the layers below it', () => {
  const wrong = imports
    .filter(({ target }) => target.startsWith('.'))
    .map((each) => ({ ...each, to: layerOf(join(each.file, '..', each.target)) }))
    .filter(({ layer, to }) => layer !== to && !MAY_IMPORT[layer]?.includes(to))
    .map(({ file, to }) => `${relative(SRC, file)} imports ${to}`);
  assert.deepEqual(wrong, []);
});

test('a third-party package is used only where it belongs', () => {
  const wrong = imports
    .filter(({ target, types }) => !types && !target.startsWith('.') && !target.startsWith('node:'))
    .map((each) => ({
      ...each,
      name: each.target
        .split('/')
        .slice(0, each.target.startsWith('@') ? 2 : 1)
        .join('/'),
    }))
    .filter(({ name, layer }) => !PACKAGES[name]?.includes(layer))
    .map(({ file, name }) => `${relative(SRC, file)} uses ${name}`);
  assert.deepEqual(wrong, []);
});

test('pure layers do no I/O and know no time', () => {
  const wrong = files
    .filter((file) => PURE.includes(layerOf(file)) && !isTest(file))
    .filter((file) =>
      /from 'node:|\bawait\b|Date\.now|new Date|Math\.random|setTimeout/.test(readFileSync(file, 'utf8')),
    )
    .map((file) => relative(SRC, file));
  assert.deepEqual(wrong, []);
});

test('every source file opens with a sentence that says what it is', () => {
  const bare = files
    .filter((file) => !/^(#!.*\n)?(\/\/ \S|\/\*\*)/.test(readFileSync(file, 'utf8')))
    .map((file) => relative(SRC, file));
  assert.deepEqual(bare, []);
});
