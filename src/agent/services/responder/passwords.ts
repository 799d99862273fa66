// Which passwords were taken: a note on disk for each, so that it is given once whatever becomes of the responder, and the same in
// memory, since an instance may ask as often as it likes and each note costs a write that is waited for.
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FILES, type GuestSpec, takenName } from './config.ts';

/** What passwords are given and noted by. */
export interface Passwords {
  /** The password until it was taken. */
  give(guest: Guest): Promise<string | undefined>;
  /** Resolves once it is noted. Throws when it cannot be. */
  take(guest: Guest): Promise<void>;
}

export type Guest = Pick<GuestSpec, 'id' | 'firstBoot'>;

export interface PasswordNotes extends Passwords {
  /** Forgets what is none of these guests' any more. */
  keep(guests: readonly Guest[]): void;
}

/** `directory`: the responder's. */
export function createPasswords(directory: string): PasswordNotes {
  const noted = new Map<string, Promise<void>>();
  const fileOf = (name: string): string => join(directory, FILES.taken, name);

  async function note(name: string): Promise<void> {
    const file = await open(fileOf(name), 'a', 0o600);
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  }

  return {
    async give(guest) {
      const name = nameOf(guest);
      if (name === undefined || noted.has(name)) return undefined;
      const taken = await readFile(fileOf(name)).catch(() => undefined);
      return taken === undefined ? guest.firstBoot.password!.text : undefined;
    },
    async take(guest) {
      const name = nameOf(guest);
      if (name === undefined) return;
      const known = noted.get(name);
      if (known !== undefined) return known;
      const writing = note(name);
      noted.set(name, writing);
      // What is not noted is to be tried again.
      writing.catch(() => noted.delete(name));
      return writing;
    },
    keep(guests) {
      const held = new Set(guests.map(nameOf));
      for (const name of noted.keys()) if (!held.has(name)) noted.delete(name);
    },
  };
}

function nameOf({ id, firstBoot: { password } }: Guest): string | undefined {
  return password === undefined ? undefined : takenName(id, password.turn);
}
