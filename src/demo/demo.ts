// The demo: one command from nothing to a small cloud in which a story happens. Starts, plays, stays, and leaves nothing.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join, resolve } from 'node:path';
import { DEFAULT_STATE } from '../lab/layout.ts';
import { topologyNamed } from '../lab/start.ts';
import { agentNodes, apiUrl } from '../lab/topology.ts';
import { type Cloud, startCloud } from './cloud.ts';
import { columns, createProgress, type Progress } from './progress.ts';
import { openState } from './state.ts';
import { watchSteps } from './steps.ts';
import { listStories, readStory } from './stories.ts';
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
  /** A topology file, instead of the story's own. */
  readonly topology?: string;
  /** The number of the story. */
  readonly story: number;
  /** Print the stories and end. */
  readonly list: boolean;
}

const INTERRUPTED = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;
type Interruption = keyof typeof INTERRUPTED;

/** Runs the demo to its end and returns the exit status. Throws, with a sentence, when it cannot start or a request fails. */
export async function runDemo(options: DemoOptions): Promise<number> {
  const progress = createProgress((line) => process.stdout.write(`${line}\n`));
  if (options.list) {
    progress.text(await listStories());
    return 0;
  }
  const story = await readStory(options.story);
  const interruption = watchSignals();
  if (options.port !== 0) await checkPort(options.port);
  const state = openState(resolve(options.state ?? DEFAULT_STATE), options.keep);
  if (state.continued) progress.step(`going on from ${state.path}`);
  const topologyFile = options.topology === undefined ? topologyNamed(story.topology) : resolve(options.topology);
  const stopping = new AbortController();
  const starting = startCloud({
    state: state.path,
    port: options.port,
    log: (text) => progress.step(text),
    signal: stopping.signal,
    topologyFile,
  });
  const playing = starting.then((cloud) => (options.empty ? true : play(story, cloud, progress)));
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
    invite(await starting, state.path, options.empty ? undefined : story.byHand, progress);
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
async function play(story: Story, cloud: Cloud, progress: Progress): Promise<boolean> {
  const steps = watchSteps(cloud.state, agentNodes(cloud.lab.topology));
  const verdicts = await playStory(story, cloud, progress);
  for (const { who, lines } of steps.since()) {
    progress.text(`\nsteps applied on ${who}:\n${lines.map((line) => `  ${line}`).join('\n')}`);
  }
  const held = verdicts.filter((verdict) => verdict.held).length;
  progress.text('');
  progress.step(`${held} of ${verdicts.length} expectations held`);
  return held === verdicts.length;
}

function invite(cloud: Cloud, state: string, byHand: string | undefined, progress: Progress): void {
  const own = state === DEFAULT_STATE ? '' : `--state ${state} `;
  const inLab = apiUrl(cloud.lab.topology);
  const lines: [string, string][] = [
    ['API', cloud.access.endpoint],
    ...(inLab === undefined ? [] : [['API inside the lab', inLab] satisfies [string, string]]),
    ['accounts', `${state}/access.json`],
    ['health and metrics', readFileSync(join(state, 'server', 'metrics'), 'utf8').trim()],
    ['nodes and processes', `./trunkline lab status ${own}`.trimEnd()],
    ['ping by hand', `./trunkline lab exec ${own}${byHand ?? 'outside -- ping -c3 198.51.100.1'}`],
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
