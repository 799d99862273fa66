// What of the desired state has reached the data plane: northd by NB_Global.sb_cfg, each chassis by its own
// Chassis_Private.nb_cfg. Never hv_cfg: it is the minimum over all chassis, and one dead host would hold up every job.
import type { Replica } from './replica.ts';
import type { ChassisPrivateRow, ChassisRow } from './schema/southbound.ts';
import { globalRow } from './transact.ts';

export interface ChassisState {
  /** The newest nb_cfg the chassis has reported: its flows for that change are installed. */
  readonly nbCfg: number;
  /** When it reported that, in milliseconds since 1970; 0 when never. */
  readonly reportedAt: number;
  /** Whether ovn-controller is registered. False: it was, and has left or its row was deleted. */
  readonly registered: boolean;
  /** The host's own name, as ovn-controller gave it. */
  readonly hostname: string;
}

/** A wait that ended: `missing` says who has not reported, and what each has reported; empty when all have. */
export interface Reached {
  readonly missing: readonly { readonly target: string; readonly nbCfg: number | undefined }[];
}

export interface Realized {
  /** The nb_cfg northd has translated into the southbound database. */
  sbCfg(): number;
  /** The nb_cfg the chassis has reported; 0 when it is not known. */
  at(chassis: string): number;
  chassis(): ReadonlyMap<string, ChassisState>;
  /** The highest value anybody has reported: a new nb_cfg must be above it, should the northbound database come back older. */
  highest(): number;
  /** Calls back when sb_cfg or a chassis's nb_cfg has moved, or a chassis came or went. */
  onChange(listener: () => void): () => void;
  /** Waits until northd and the named chassis have reported `nbCfg`, the time is over, or the signal aborts. */
  waitFor(nbCfg: number, chassis: readonly string[], timeoutMs: number, signal?: AbortSignal): Promise<Reached>;
}

/** The target name under which {@link Reached} reports northd. */
export const NORTHD = 'northd';

export function createRealized(northbound: Replica, southbound: Replica): Realized {
  const listeners = new Set<() => void>();
  const tell = (): void => {
    for (const listener of listeners) listener();
  };
  const nbCfgOf = new Map<string, number>();
  southbound.onChange((changes) => {
    for (const { table, before, after } of changes) {
      if (table !== 'Chassis_Private') continue;
      const was = before as ChassisPrivateRow | undefined;
      const is = after as ChassisPrivateRow | undefined;
      if (is?.name !== undefined) nbCfgOf.set(is.name, is.nb_cfg ?? 0);
      else if (was?.name !== undefined) nbCfgOf.delete(was.name);
    }
    if (changes.some(({ table }) => table === 'Chassis_Private' || table === 'Chassis')) tell();
  });
  let lastSbCfg = 0;
  northbound.onChange((changes) => {
    const sbCfg = globalRow(northbound)?.sb_cfg ?? 0;
    if (sbCfg === lastSbCfg || !changes.some(({ table }) => table === 'NB_Global')) return;
    lastSbCfg = sbCfg;
    tell();
  });

  const at = (chassis: string): number => nbCfgOf.get(chassis) ?? 0;
  const sbCfg = (): number => globalRow(northbound)?.sb_cfg ?? 0;
  const onChange = (listener: () => void): (() => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const missing = (nbCfg: number, chassis: readonly string[]): Reached['missing'] => [
    ...(sbCfg() >= nbCfg ? [] : [{ target: NORTHD, nbCfg: sbCfg() }]),
    ...chassis.filter((name) => at(name) < nbCfg).map((name) => ({ target: name, nbCfg: nbCfgOf.get(name) })),
  ];

  return {
    sbCfg,
    at,
    onChange,
    highest: () => Math.max(sbCfg(), ...nbCfgOf.values()),
    chassis() {
      const states = new Map<string, ChassisState>();
      const rows = southbound.table('Chassis');
      for (const row of southbound.table('Chassis_Private').values() as MapIterator<ChassisPrivateRow>) {
        const registered = rows.get(row.chassis?.[0] ?? '') as ChassisRow | undefined;
        states.set(row.name ?? '', {
          nbCfg: row.nb_cfg ?? 0,
          reportedAt: row.nb_cfg_timestamp ?? 0,
          registered: registered !== undefined,
          hostname: registered?.hostname ?? '',
        });
      }
      return states;
    },
    waitFor(nbCfg, chassis, timeoutMs, signal) {
      const { promise, resolve } = Promise.withResolvers<Reached>();
      const finish = (): void => {
        clearTimeout(timer);
        signal?.removeEventListener('abort', finish);
        stop();
        resolve({ missing: missing(nbCfg, chassis) });
      };
      const look = (): void => {
        if (missing(nbCfg, chassis).length === 0) finish();
      };
      const timer = setTimeout(finish, timeoutMs);
      const stop = onChange(look);
      signal?.addEventListener('abort', finish);
      if (signal?.aborted) finish();
      else look();
      return promise;
    },
  };
}
