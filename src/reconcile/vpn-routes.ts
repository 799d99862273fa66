// Which routes to what is behind VPNs the routers really have: told once every chassis concerned has what was written, so that the way
// back is a fact and no hope. Only what changed since it was last told.
import { HELPER_ADDRESS } from '../compile/helper-leg.ts';
import type { Desired } from '../compile/desired.ts';
import { cidr, formatCidr, parseCidr } from '../lib/ip.ts';
import type { GuestNetwork, Intent, UnitKey, Vpc } from '../model/intent.ts';
import type { Store } from '../store/open.ts';
import { recordVpnRoutes } from '../store/vpn-states.ts';

/** Id of a VPN (remote access or connection) -> canonical prefixes that its router sends to it. */
export type VpnRoutes = ReadonlyMap<string, readonly string[]>;

export interface VpnRouteWatch {
  /** Notes that a unit must be looked at again. */
  look(unit: UnitKey): void;
  /** What must be told now. `has(unit)`: whether its routers have what is desired. */
  due(intent: Intent, desired: Desired, has: (unit: UnitKey) => boolean): VpnRoutes;
  /** Keeps what must be told now. */
  tell(store: Store, intent: Intent, desired: Desired, has: (unit: UnitKey) => boolean): Promise<void>;
}

export function createVpnRouteWatch(): VpnRouteWatch {
  const open = new Set<UnitKey>();
  const last = new Map<string, string>();
  return {
    look(unit) {
      open.add(unit);
    },
    due(intent, desired, has) {
      const routes = new Map<string, readonly string[]>();
      for (const unit of open) {
        const owner = ownerOf(intent, unit);
        if (owner?.vpn === undefined) {
          open.delete(unit);
          continue;
        }
        if (!has(unit)) continue;
        open.delete(unit);
        const there = routesIn(desired, unit);
        for (const [id, wanted] of wantedBy(owner)) {
          const placed = wanted.filter((text) => there.has(text));
          if (last.get(id) !== placed.join(',')) routes.set(id, placed);
        }
      }
      return routes;
    },
    async tell(store, intent, desired, has) {
      const routes = this.due(intent, desired, has);
      await recordVpnRoutes(store, routes);
      for (const [id, placed] of routes) last.set(id, placed.join(','));
    },
  };
}

function ownerOf(intent: Intent, unit: UnitKey): Vpc | GuestNetwork | undefined {
  const id = unit.slice(unit.indexOf(':') + 1);
  if (unit.startsWith('vpc:')) return intent.vpcs.get(id);
  const network = unit.startsWith('network:') ? intent.networks.get(id) : undefined;
  return network?.kind === 'guest' ? network : undefined;
}

/** Prefixes of the unit's routes to the gateway helper. */
function routesIn(desired: Desired, unit: UnitKey): ReadonlySet<string> {
  const rows = desired.units.get(unit)?.rows ?? [];
  const texts = rows
    .filter(({ table, columns }) => table === 'Logical_Router_Static_Route' && columns['nexthop'] === HELPER_ADDRESS)
    .map(({ columns }) => String(columns['ip_prefix']));
  return new Set(texts.flatMap((text) => parseCidr(text) ?? []).map(formatCidr));
}

function wantedBy({ vpn }: Vpc | GuestNetwork): ReadonlyMap<string, readonly string[]> {
  const canonical = (texts: readonly string[]): readonly string[] => [
    ...new Set(texts.map((text) => formatCidr(cidr(text)))),
  ];
  return new Map([
    ...(vpn?.access ?? []).map(
      ({ id, range, clients }) => [id, canonical([range, ...clients.flatMap(({ cidrs }) => cidrs)])] as const,
    ),
    ...(vpn?.sites ?? []).map(({ id, cidrs }) => [id, canonical(cidrs)] as const),
  ]);
}
