// Gateway nodes that failed come back by and by: one that is there again is not ready again. Its controller must have caught up with OVN, and
// have stayed so for a while, before anything is given back to it.
import { alerted, endAlert } from '../store/hosts.ts';
import type { Store } from '../store/open.ts';

export interface Returning {
  /** Looks once; gives the names of the nodes that are well again. To be called every second or so. */
  look(now?: number): Promise<string[]>;
}

/** Milliseconds a node is to be well before it is trusted. */
const WELL_MS = 10_000;
/** A node whose agent was not heard for this long is not well. Agents report every ten seconds at least. */
const HEARD_MS = 15_000;

/** `caughtUp`: whether the node's controller is registered and has made true what OVN wants of it. */
export function createReturning(store: Store, caughtUp: (node: string) => boolean, wellMs = WELL_MS): Returning {
  /** When each was first seen in Alert, and since when it is well. */
  const since = new Map<string, { readonly found: number; readonly well: number | undefined }>();
  return {
    async look(now = Date.now()) {
      const hosts = await alerted(store);
      const names = new Set(hosts.map(({ name }) => name));
      for (const name of since.keys()) if (!names.has(name)) since.delete(name);
      const well: string[] = [];
      for (const { id, name, lastseen } of hosts) {
        const { found, well: before } = since.get(name) ?? { found: now, well: undefined };
        // What it said before it failed says nothing.
        const heard = lastseen === null ? 0 : Date.parse(lastseen);
        const isWell = heard > found && now - heard < HEARD_MS && caughtUp(name);
        const from = isWell ? (before ?? now) : undefined;
        since.set(name, { found, well: from });
        if (from === undefined || now - from < wellMs) continue;
        await endAlert(store, id);
        since.delete(name);
        well.push(name);
      }
      return well;
    },
  };
}
