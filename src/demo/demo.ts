// The demo: one command from nothing to a small cloud in which three VPCs talk. Starts, plays, stays, and leaves nothing.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { DEFAULT_STATE } from '../lab/layout.ts';
import { type Cloud, startCloud } from './cloud.ts';
import { columns, createProgress, type Progress } from './progress.ts';
import { openState } from './state.ts';
import { watchSteps } from './steps.ts';
import { playStory, type Story } from './story.ts';

export interface DemoOptions {
  /** End after the story; the exit status tells whether every expectation held. */
  readonly once: boolean;
  /** Play nothing. */
  readonly empty: boolean;
  /** 0: any free one. */
  readonly port: number;
  readonly state?: string;
  /** Keep the state folder at the end, and go on from it next time. */
  readonly keep: boolean;
  readonly topology?: string;
}

const STORY = new URL('../../lab/stories/three-vpcs.ts', import.meta.url);
const INTERRUPTED = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Interruption = keyof typeof INTERRUPTED;

/** Runs the demo to its end and returns the exit status. Throws, with a sentence, when it cannot start or a request fails. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const progress = createProgress((line) => process.stdout.write(`${line}\n`));
  const interruption = watchSignals();
  if (options.port !== 0) await checkPort(options.port);
  const state = openState(resolve(options.state ?? DEFAULT_STATE), options.keep);
  if (state.continued) progress.step(`going on from ${state.path}`);
  const { topology } = options;
  const stopping = new AbortController();
  const starting = startCloud({
    state: state.path,
    port: options.port,
    log: (text) => progress.step(text),
    signal: stopping.signal,
    ...(topology === undefined ? {} : { topologyFile: resolve(topology) }),
  });
  const playing = starting.then((cloud) => (options.empty ? true : play(cloud, progress)));
  const broken = starting.then(async (cloud) => {
    await cloud.lab.ended;
    if (!stopping.signal.aborted) throw new Error('the lab ended: somebody killed its sandbox');
    return true;
  });
  broken.catch(() => undefined); // it is heard in the races below, or nobody waits any more
  playing.catch(() => undefined);
  try {
    const outcome = await Promise.race([playing, interruption, broken]);
    if (typeof outcome === 'string') return INTERRUPTED[outcome];
    if (options.once) return outcome ? 0 : 1;
    invite(await starting, state.path, options.empty, progress);
    await Promise.race([interruption, broken]);
    return 0;
  } finally {
    stopping.abort();
    progress.step('ending');
    await starting.then(
      (cloud) => cloud.stop(),
      () => undefined,
    );
    progress.step(state.close() ? 'ended; nothing is left' : `ended; the state is kept in ${state.path}`);
  }
}

/** Plays the story, prints what was applied and the verdict. True when every expectation held. */
async function play(cloud: Cloud, progress: Progress): Promise<boolean> {
  const { story } = (await import(STORY.href)) as { story: Story };
  const steps = watchSteps(
    cloud.state,
    cloud.lab.topology.hypervisors.map((h) => h.name),
  );
  const verdicts = await playStory(story, cloud, progress);
  for (const { who, lines } of steps.since()) {
    progress.text(`\nsteps applied on ${who}:\n${lines.map((line) => `  ${line}`).join('\n')}`);
  }
  const held = verdicts.filter((verdict) => verdict.held).length;
  progress.text('');
  progress.step(`${held} of ${verdicts.length} expectations held`);
  return held === verdicts.length;
}

function invite(cloud: Cloud, state: string, empty: boolean, progress: Progress): void {
  const own = state === DEFAULT_STATE ? '' : `--state ${state} `;
  const lines: [string, string][] = [
    ['API', cloud.access.endpoint],
    ['accounts', `${state}/access.json`],
    ['health and metrics', readFileSync(join(state, 'server', 'metrics'), 'utf8').trim()],
    ['nodes and processes', `./trunkline lab status ${own}`.trimEnd()],
    [
      'ping by hand',
      `./trunkline lab exec ${own}${empty ? 'outside -- ping -c3 198.51.100.1' : 'vm1 -- ping -c3 10.2.1.2'}`,
    ],
    ['a request', `./trunkline call listVPCs ${own}--as acme-admin`],
  ];
  progress.text(`\nThe cloud is up; Ctrl-C ends it and leaves nothing behind.\n${columns(lines)}`);
}

/** Resolves with the first signal to end. A second one ends the program at once; the sandbox dies with it. */
function watchSignals(): Promise<Interruption> {
  const { promise, resolve: heard } = Promise.withResolvers<Interruption>();
  let again = false;
  for (const signal of Object.keys(INTERRUPTED) as Interruption[]) {
    process.on(signal, () => {
      if (again) process.exit(INTERRUPTED[signal]);
      again = true;
      heard(signal);
    });
  }
  return promise;
}

/** Throws, with what to do, when nobody could listen on the port. */
async function checkPort(port: number): Promise<void> {
  const { promise, resolve: free, reject } = Promise.withResolvers<void>();
  const probe = createServer();
  probe.on('error', (error: NodeJS.ErrnoException) => {
    const why =
      error.code === 'EADDRINUSE'
        ? 'is in use: end the program that listens there, or choose another with --port'
        : `cannot be used (${error.message}): choose another with --port`;
    reject(new Error(`port ${port} on 127.0.0.1 ${why}`));
  });
  probe.listen({ port, host: '127.0.0.1' }, () => probe.close(() => free()));
  await promise;
}
