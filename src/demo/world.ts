// The world of a story, made of a cloud: what it asks of the API, what it sees on the wire, and the verdicts it gives.
import { openTunnel } from '../lab/tunnel.ts';
import { sleep } from '../lib/sleep.ts';
import type { Cloud } from './cloud.ts';
import { columns, type Progress } from './progress.ts';
import type { Verdict, World } from './story.ts';
import { tenantOf } from './tenant.ts';
import { createWire } from './wire.ts';

/** `judge` gets each verdict as it is given. */
export function createWorld(cloud: Cloud, progress: Progress, judge: (verdict: Verdict) => void): World {
  const { lab, state } = cloud;
  const world: World = {
    ...createWire(cloud),
    lab,
    state,
    as: (account) => cloud.as(account),
    operator: cloud.as('admin'),
    tenant: (account) => tenantOf(cloud, account),
    say: (text) => progress.step(text),
    expect(promise, held, seen) {
      judge({ promise, held, ...(seen === undefined ? {} : { seen }) });
      progress.step(`${held ? 'ok    ' : 'FAILED'} ${promise}${held || seen === undefined ? '' : `: ${seen}`}`);
    },
    async waitFor(what, condition, ms = 10_000) {
      for (const end = Date.now() + ms; ; await sleep(50)) {
        const found = await condition();
        if (found !== undefined && found !== false) return found;
        if (Date.now() > end) throw new Error(`${what}: not within ${ms / 1000} s`);
      }
    },
    ping: (from, to) => world.pingFrom(from, to.address),
    async matrix(promise, guests, all) {
      const reached = await Promise.all(
        guests.map((from) => Promise.all(guests.map((to) => (from === to ? undefined : world.ping(from, to))))),
      );
      const cell = (value: boolean | undefined): string => (value === undefined ? '-' : value ? 'yes' : 'no');
      const head = ['from \\ to', ...guests.map((guest) => `${guest.name} ${guest.address}`)];
      const table = columns([
        head,
        ...guests.map((from, i) => [`${from.name} ${from.address}`, ...reached[i]!.map(cell)]),
      ]);
      progress.text(`\n${table}\n`);
      const pairs = reached.flat().filter((value) => value !== undefined);
      const yes = pairs.filter(Boolean).length;
      world.expect(promise, yes === (all ? pairs.length : 0), `${yes} of ${pairs.length} pings were answered`);
    },
    async reaches(promise, from, address, wanted) {
      const reached = await world.pingFrom(from, address);
      const who = typeof from === 'string' ? from : from.name;
      world.expect(promise, reached === wanted, `${address} ${reached ? 'answered' : 'did not answer'} ${who}`);
    },
    async refused(promise, request, text) {
      const said = await request().then(
        () => undefined,
        (error: unknown) => (error as Error).message,
      );
      world.expect(promise, said !== undefined && text.test(said), said ?? 'it was done');
      if (said !== undefined) progress.step(`       "${said}"`);
    },
    tunnel: (ends) => openTunnel(lab, ends, (line) => progress.step(line)),
  };
  return world;
}
