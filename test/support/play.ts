// Plays a story as the demo does, in a cloud of the test's own.
import { type Cloud, startCloud } from '../../src/demo/cloud.ts';
import { createProgress } from '../../src/demo/progress.ts';
import { playStory, type Story, type Verdict } from '../../src/demo/story.ts';
import { topologyNamed } from '../../src/lab/start.ts';
import { afterwards, type Scope, temporaryState } from './lab.ts';

export interface Played {
  readonly verdicts: readonly Verdict[];
  /** Those that did not hold. */
  readonly broken: readonly Verdict[];
  /** All that was printed, for the message of a failed assertion. */
  said(): string;
  /** As the story has left it: for what a test looks at besides. */
  readonly cloud: Cloud;
}

/** Starts the lab the story needs, plays it to its end, and ends the lab with the test. Throws when a request fails. */
export async function playForTest(scope: Scope, story: Story): Promise<Played> {
  const lines: string[] = [];
  const progress = createProgress((line) => lines.push(line));
  const cloud = await startCloud({
    state: temporaryState(scope),
    port: 0,
    log: (text) => progress.step(text),
    topologyFile: topologyNamed(story.topology),
  });
  afterwards(scope, () => cloud.stop());
  const said = (): string => lines.join('\n');
  const verdicts = await playStory(story, cloud, progress).catch((error: unknown) => {
    throw new Error(`the story ended early: ${(error as Error).message}\n${said()}`, { cause: error });
  });
  return { verdicts, broken: verdicts.filter(({ held }) => !held), said, cloud };
}

/** Of these claims, those that no verdict of a story is about: each begins with its claim. */
export function lost(verdicts: readonly Verdict[], claims: readonly string[]): readonly string[] {
  return claims.filter((claim) => !verdicts.some(({ promise }) => promise.startsWith(`${claim}: `)));
}
