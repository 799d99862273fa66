// The steps that server and agents applied, as they wrote them down: what an engineer would have typed, with the reason.
import { closeSync, existsSync, fstatSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { labPaths } from '../lab/layout.ts';

export interface Steps {
  /** The lines written since {@link watchSteps}, by who applied them. */
  since(): readonly { readonly who: string; readonly lines: readonly string[] }[];
}

/** Remembers where the logs of steps end now: the server's and those of the nodes with an agent. */
export function watchSteps(state: string, nodes: readonly string[]): Steps {
  const files = [
    { who: 'OVN and switches', file: join(state, 'server', 'steps.log') },
    ...nodes.map((name) => ({ who: name, file: join(labPaths(state).node(name), 'agent', 'steps.log') })),
  ];
  const from = files.map(({ file }) => (existsSync(file) ? statSync(file).size : 0));
  return {
    since: () =>
      files
        .map(({ who, file }, i) => ({ who, lines: linesFrom(file, from[i]!) }))
        .filter((each) => each.lines.length > 0),
  };
}

function linesFrom(file: string, offset: number): string[] {
  if (!existsSync(file)) return [];
  const descriptor = openSync(file, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const start = size < offset ? 0 : offset; // a log that began anew
    const buffer = Buffer.alloc(size - start);
    readSync(descriptor, buffer, 0, buffer.length, start);
    return buffer
      .toString()
      .split('\n')
      .filter((line) => line.trim() !== '');
  } finally {
    closeSync(descriptor);
  }
}
