// The table of stories: which number is which file. All else about a story is said by the story itself.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CHECKOUT } from '../lab/layout.ts';
import { columns } from './progress.ts';
import type { Story } from './story.ts';

/** Numbers as in the list of stories that the project is built to; files in `lab/stories/`. */
const STORIES: readonly { readonly number: number; readonly file: string }[] = [
  { number: 1, file: 'three-vpcs.ts' },
  { number: 3, file: 'no-router.ts' },
  { number: 4, file: 'members.ts' },
  { number: 5, file: 'linux-router.ts' },
  { number: 6, file: 'public-addresses.ts' },
  { number: 7, file: 'vpn-device.ts' },
  { number: 8, file: 'road-warriors.ts' },
  { number: 9, file: 'address-moves.ts' },
  { number: 10, file: 'who-is-it.ts' },
  { number: 11, file: 'without-a-virtual-router.ts' },
];

/** The story of a number. Throws a sentence that lists the numbers there are. */
export async function readStory(number: number): Promise<Story> {
  const found = STORIES.find((story) => story.number === number);
  if (found === undefined) {
    const numbers = STORIES.map((story) => story.number).join(', ');
    throw new Error(`there is no story ${number}; there are ${numbers}: ./demo --list says what they are`);
  }
  const file = join(CHECKOUT, 'lab/stories', found.file);
  if (!existsSync(file)) throw new Error(`story ${number} has no file ${file}: the checkout is not whole`);
  return ((await import(pathToFileURL(file).href)) as { story: Story }).story;
}

/** One line a story: number, title without the number, the lab it needs. */
export async function listStories(): Promise<string> {
  const stories = await Promise.all(
    STORIES.map(async ({ number }) => {
      const { title, topology } = await readStory(number);
      return [`${number}`, title.replace(/^Story [0-9]+: /, ''), `lab/${topology ?? 'three-hypervisors'}.json`];
    }),
  );
  return columns(stories);
}
