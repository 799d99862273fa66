// The code blocks of a guide, by the marks behind their language: `sh on=mgmt`, `json file=/etc/… on=mgmt`. What a tutorial tells
// people to type is what its test runs.
import { readFileSync } from 'node:fs';

export interface Block {
  readonly language: string;
  readonly marks: Readonly<Record<string, string>>;
  readonly text: string;
}

/** The marked blocks of a page of docs/guide, in order. Throws when there is none: the page has lost its marks. */
export function guideBlocks(page: string): Block[] {
  const text = readFileSync(new URL(`../../docs/guide/${page}`, import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/^```(\w+) ([^\n]+)\n([\s\S]*?)^```$/gm)].map(([, language, marks, body]) => ({
    language: language!,
    marks: Object.fromEntries(marks!.split(' ').map((mark) => mark.split('=') as [string, string])),
    text: body!,
  }));
  if (blocks.length === 0) throw new Error(`${page} has no marked blocks`);
  return blocks;
}
