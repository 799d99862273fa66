// What a story is, and the world it plays in: requests to the API on one side, packets on the other. A story runs in the
// demo and as a test; both get the same verdicts.
import type { Lab } from '../lab/start.ts';
import type { Tunnel, TunnelEnd } from '../lab/tunnel.ts';
import type { Caller, Cloud } from './cloud.ts';
import type { Progress } from './progress.ts';
import type { Tenant } from './tenant.ts';
import type { Wire } from './wire.ts';
import { createWorld } from './world.ts';

export interface Story {
  readonly title: string;
  /** What it shows, in a sentence or two. */
  readonly summary: string;
  /** The lab it needs, by the name of its file in `lab/`; absent: the three hypervisors. */
  readonly topology?: string;
  /** What to try by hand afterwards: the end of a `trunkline lab exec` line, such as `vm1 -- ping -c3 10.2.1.2`. */
  readonly byHand?: string;
  play(world: World): Promise<void>;
}

/** An instance of a story. */
export interface Guest {
  readonly name: string;
  readonly id: string;
  readonly address: string;
}

export interface Verdict {
  readonly promise: string;
  readonly held: boolean;
  /** What was seen instead. */
  readonly seen?: string;
}

export interface World extends Wire {
  /** Requests as an account of `access.json`; each answer is that of the finished job. */
  as(account: string): Caller;
  /** Requests as root: for what an operator does, such as registering switches. */
  readonly operator: Caller;
  /** A tenant's usual requests, each a line: networks, instances, VPCs. */
  tenant(account: string): Promise<Tenant>;
  readonly lab: Lab;
  /** The folder the cloud lives in. */
  readonly state: string;
  say(text: string): void;
  /** Records whether a promise held. */
  expect(promise: string, held: boolean, seen?: string): void;
  /** Asks until the answer is neither undefined nor false, and returns it. Throws, naming `what`, when it is not within `ms` (10 s). */
  waitFor<T>(what: string, condition: () => Promise<T | undefined | false>, ms?: number): Promise<T>;
  /** `pingFrom` between guests. */
  ping(from: Guest, to: Guest): Promise<boolean>;
  /** Pings from each to each other, prints who reached whom, and expects `all`, or none. */
  matrix(promise: string, guests: readonly Guest[], all: boolean): Promise<void>;
  /** Expects one ping to be answered, or not to be. */
  reaches(promise: string, from: string | Guest, address: string, wanted: boolean): Promise<void>;
  /** Expects the request to be refused with a text that matches. */
  refused(promise: string, request: () => Promise<unknown>, text: RegExp): Promise<void>;
  /** Opens a tunnel between two machines of the lab and says how. */
  tunnel(ends: readonly [TunnelEnd, TunnelEnd]): Promise<Tunnel>;
}

/** Plays a story to its end and returns the verdict on each of its promises. Throws when a request fails. */
export async function playStory(story: Story, cloud: Cloud, progress: Progress): Promise<Verdict[]> {
  const verdicts: Verdict[] = [];
  progress.text(`\n${story.title}\n${story.summary}\n`);
  await story.play(createWorld(cloud, progress, (verdict) => verdicts.push(verdict)));
  return verdicts;
}
