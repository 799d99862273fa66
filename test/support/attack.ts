// Attacks with packets: what an instance sends is marked, several guests listen meanwhile, and a harmless twin proves that they would
// have heard it. Apart from the frames, which are pure.
import assert from 'node:assert/strict';
import type { Cloud } from '../../src/demo/cloud.ts';
import type { Lab } from '../../src/lab/start.ts';
import { eventually } from './lab.ts';
import { type Frame, seenBy, send, sendOn } from './packets.ts';
import type { Guest } from './tenant-lab.ts';

export interface Attack {
  readonly name: string;
  /** What is sent, in this order. */
  readonly frames: readonly Buffer[];
  /** What nobody may receive: bytes that stand in all of its frames that matter and in no other. */
  readonly mark: Buffer;
}

let made = 0;

/** Sixteen bytes that no other packet has. */
export function newMark(): Buffer {
  return Buffer.from(`~mark ${String(++made).padStart(8, '0')}~`);
}

/** An attack of one frame or some, made with the mark that they carry. */
export function attack(name: string, make: (mark: Buffer) => Buffer | readonly Buffer[]): Attack {
  const mark = newMark();
  const frames = make(mark);
  return { name, mark, frames: Buffer.isBuffer(frames) ? [frames] : frames };
}

/** An attack whose frame has no room for a mark: what it says after the two addresses is one itself, for nobody says it but an attacker. */
export function claim(name: string, frame: Buffer, length: number): Attack {
  return { name, frames: [frame], mark: frame.subarray(12, 12 + length) };
}

export interface Trial {
  /** An instance, or a machine of the lab with the interface it sends from. */
  readonly from: Pick<Guest, 'id'> | { readonly node: string; readonly device: string };
  readonly attacks: readonly Attack[];
  /** Harmless ones, and who must hear them: without that, silence would prove nothing. */
  readonly twins: readonly { readonly twin: Attack; readonly hears: Pick<Guest, 'id' | 'name'> }[];
  /** Who must hear no attack. Those who hear a twin are among them. */
  readonly watchers: readonly Pick<Guest, 'id' | 'name'>[];
}

/** Sends all attacks and then the twins, and asserts that the twins came in where they were to, and no attack anywhere. */
export async function onlyTwinsArrive(
  { lab, state }: Pick<Cloud, 'lab' | 'state'>,
  { from, attacks, twins, watchers }: Trial,
): Promise<void> {
  const frames = [...attacks, ...twins.map(({ twin }) => twin)].flatMap((each) => each.frames);
  const everyone = [
    ...new Map([...watchers, ...twins.map(({ hears }) => hears)].map((each) => [each.id, each])).values(),
  ];
  const heard = await listenAll(lab, everyone, async (live) => {
    await ('node' in from ? sendOn(state, from.node, from.device, ...frames) : send(lab, from, ...frames));
    // What was sent last has come, and so would what was sent before it; how long that takes is the machine's affair.
    const all = (): true | undefined => twins.every(({ twin, hears }) => came(live.get(hears.id)!, twin)) || undefined;
    await eventually('the harmless ones', all, 5_000).catch(() => undefined);
  });
  for (const { twin, hears } of twins)
    assert.ok(came(heard.get(hears.id)!, twin), `the harmless one did not reach ${hears.name}: ${twin.name}`);
  const arrived = attacks.flatMap((each) =>
    everyone.filter(({ id }) => came(heard.get(id)!, each)).map(({ name }) => `${each.name}: reached ${name}`),
  );
  assert.deepEqual(arrived, []);
}

/** What each of them received while `work` ran, and shortly after, by id; `work` sees it come. */
async function listenAll(
  lab: Lab,
  guests: readonly Pick<Guest, 'id'>[],
  work: (live: ReadonlyMap<string, readonly Frame[]>) => Promise<unknown>,
): Promise<ReadonlyMap<string, readonly Frame[]>> {
  const live = new Map<string, readonly Frame[]>();
  const among = async ([first, ...rest]: readonly Pick<Guest, 'id'>[]): Promise<void> => {
    if (first === undefined) return void (await work(live));
    await seenBy(lab, first, (frames) => {
      live.set(first.id, frames);
      return among(rest);
    });
  };
  await among(guests);
  return live;
}

function came(frames: readonly Frame[], { mark }: Attack): boolean {
  return frames.some(({ bytes }) => bytes.includes(mark));
}
