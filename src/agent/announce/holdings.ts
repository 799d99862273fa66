// Which router ports this node carries, as the southbound database said last. Apart because whoever watches it and whoever acts on it
// are different drivers.
import type { Bell } from '../../lib/bell.ts';

export interface Holdings {
  /** Undefined while nobody has said yet. What was said last holds while the database is away. */
  read(): ReadonlySet<string> | undefined;
  set(ports: ReadonlySet<string>): void;
}

/** Rings `bell` whenever they change. */
export function createHoldings(bell: Bell): Holdings {
  let current: ReadonlySet<string> | undefined;
  return {
    read: () => current,
    set(ports) {
      if (current !== undefined && current.symmetricDifference(ports).size === 0) return;
      current = ports;
      bell.ring();
    },
  };
}
