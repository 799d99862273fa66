// Several commands on the far side of an SSH connection in one go: SSH carries a line, not an argv, so each word is quoted here, and
// marks tell whose output is whose. One channel a question instead of one a command, which is what slow switches feel.

export interface Answer {
  readonly stdout: string;
  readonly code: number;
}

/** A POSIX shell's script that runs the commands; with `stop`, no further than the first that fails. `mark` is unpredictable. */
export function scriptOf(commands: readonly (readonly string[])[], mark: string, stop: boolean): string {
  const after = stop ? ' [ $s = 0 ] || exit 0;' : '';
  return commands.map((words) => `${lineOf(words)} </dev/null; s=$?; echo; echo ${mark} $s;${after}\n`).join('');
}

/** What each command printed, and its exit status; fewer than were asked for when the script did not come to its end. */
export function answersOf(stdout: string, mark: string): readonly Answer[] {
  const parts = stdout.split(new RegExp(`\\n${mark} (\\d+)\\n`));
  return Array.from({ length: Math.floor(parts.length / 2) }, (_, index) => ({
    stdout: parts[index * 2]!,
    code: Number(parts[index * 2 + 1]),
  }));
}

/** One line that a POSIX shell cuts into exactly these words. */
export function lineOf(words: readonly string[]): string {
  return words.map(quoted).join(' ');
}

function quoted(word: string): string {
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
