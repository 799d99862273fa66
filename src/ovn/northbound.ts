// The engine as the reconciler sees it: desired in, an nb_cfg to wait for out, and who has reached it. Owns both database
// connections, the memory of what was written, and the rule that one transaction is in flight at a time.
import type { Desired } from '../compile/desired.ts';
import type { Log } from '../lib/log.ts';
import { createClient } from './client.ts';
import { createWriter, type ApplyResult } from './apply.ts';
import { type GatewayClaim, createClaims } from './claims.ts';
import type { TlsFiles } from './remote.ts';
import { createRealized, type ChassisState, type Reached } from './realized.ts';
import { northbound } from './schema/northbound.ts';
import { southbound } from './schema/southbound.ts';
import { planNorthbound } from './plan.ts';
import { stepsOf, type Step } from './steps.ts';
import { globalRow, proveChosenIds } from './transact.ts';

export interface NorthboundOptions {
  /** Address of the northbound database: unix:PATH, tcp:HOST:PORT or ssl:HOST:PORT; several with commas for a cluster. */
  readonly nb: string;
  /** Address of the southbound database. */
  readonly sb: string;
  readonly tls?: TlsFiles;
  readonly log: Log;
}

export interface NorthboundStatus {
  /** Both databases are connected and copied. */
  readonly connected: boolean;
  readonly lastError: string | undefined;
  readonly nbCfg: number;
  readonly sbCfg: number;
  readonly chassis: Readonly<Record<string, ChassisState>>;
}

export interface Northbound {
  /** Connects; resolves when both databases are copied, however long that takes. Rejects when OVN is too old, or on close(). */
  start(): Promise<void>;
  close(): void;
  /**
   * Makes the database as desired. Calls that come while a transaction is in flight are answered together by the next one,
   * for the newest generation among them. Rejects when not connected, or when another management server went ahead.
   */
  apply(desired: Desired, options: { readonly full: boolean }): Promise<ApplyResult>;
  /** Sends a barrier through OVN though nothing is to be written: each costs northd a recompute, so one for many. Gives its nb_cfg. */
  barrier(): Promise<number>;
  /** What {@link apply} would type, without writing anything: a full comparison. */
  preview(desired: Desired): readonly Step[];
  /** The nb_cfg the chassis has reported; 0 when it is not known. */
  realizedAt(chassis: string): number;
  /** Calls back when northd or a chassis has reported something new. Returns a function to stop. */
  onRealized(listener: () => void): () => void;
  /** Waits until northd and the named chassis have reported `nbCfg`; says who has not when the time is over. */
  waitFor(nbCfg: number, chassis: readonly string[], timeoutMs: number, signal?: AbortSignal): Promise<Reached>;
  /** Rings when an owned row was touched by somebody else, and after each reconnection: look again. */
  onForeignChange(listener: () => void): () => void;
  /** Which chassis carries which router port that has a group of them: all that is known. */
  claims(): readonly GatewayClaim[];
  /** Calls back with the claims that changed, before anybody hears of what was realized later; `gone` are ports that are no more. */
  onClaims(listener: (changed: readonly GatewayClaim[], gone: readonly string[]) => void): () => void;
  status(): NorthboundStatus;
}

/** Port_Binding grows with every port; asked are those that stand for a router port on its chassis alone. */
const WHERE = { Port_Binding: [['type', '==', 'chassisredirect']] } as const;

export function createNorthbound({ nb, sb, tls, log }: NorthboundOptions): Northbound {
  const common = { log, ...(tls === undefined ? {} : { tls }) };
  const north = createClient({ ...common, remote: nb, watch: northbound, inspect: proveChosenIds });
  const south = createClient({ ...common, remote: sb, watch: southbound, where: WHERE });
  // Before `realized`: who waits for a change finds the claims that came with it.
  const claims = createClaims(north.replica, south.replica);
  const realized = createRealized(north.replica, south.replica);
  const writer = createWriter({ client: north, nbCfgFloor: () => realized.highest() + 1, log });

  return {
    async start() {
      await Promise.all([north.start(), south.start()]);
    },
    close() {
      north.close();
      south.close();
    },
    apply: (desired, { full }) => writer.apply(desired, full),
    barrier: writer.barrier,
    preview: (desired) => stepsOf(planNorthbound(desired, north.replica).changes, north.replica),
    realizedAt: realized.at,
    onRealized: realized.onChange,
    waitFor: realized.waitFor,
    onForeignChange: writer.onForeignChange,
    claims: claims.all,
    onClaims: claims.onChange,
    status: () => ({
      connected: north.connected() && south.connected(),
      lastError: north.lastError() ?? south.lastError(),
      nbCfg: globalRow(north.replica)?.nb_cfg ?? 0,
      sbCfg: realized.sbCfg(),
      chassis: Object.fromEntries(realized.chassis()),
    }),
  };
}
