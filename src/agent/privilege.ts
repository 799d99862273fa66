// Whether daemons that the agent starts can give up being root.
import { mkdirSync, readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/** Whether this is the machine's own root: every user is known, by the same number. */
export function isPrivileged(): boolean {
  return /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'));
}

/** Daemons read their folder again after they gave up being root: it is to be open to them. Makes it. */
export function isOpen(directory: string): boolean {
  mkdirSync(directory, { recursive: true });
  for (let path = directory; path !== '/'; path = dirname(path)) if ((statSync(path).mode & 0o001) === 0) return false;
  return true;
}
