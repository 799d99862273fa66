// Tells tenants how their static routes fare: Unreachable and why as soon as the compiler finds it, Active once the routers
// concerned have it. Only what changed since it was last told.
import type { Desired } from '../compile/desired.ts';
import type { Intent } from '../model/intent.ts';
import type { RouteState } from '../store/settle.ts';

export interface RouteWatch {
  /** Notes that the routes of these VPCs must be looked at again. */
  look(vpcIds: Iterable<string>): void;
  /** What must be told now. `has(vpcId)`: whether the VPC's routers have what is desired. */
  due(intent: Intent, desired: Desired, has: (vpcId: string) => boolean): RouteState[];
  /** It was told. */
  told(states: readonly RouteState[]): void;
}

export function createRouteWatch(): RouteWatch {
  const open = new Set<string>();
  const last = new Map<string, string>();
  const say = ({ state, reason }: RouteState): string => `${state} ${reason ?? ''}`;
  return {
    look(vpcIds) {
      for (const id of vpcIds) open.add(id);
    },
    due(intent, desired, has) {
      const states: RouteState[] = [];
      for (const vpcId of open) {
        const vpc = intent.vpcs.get(vpcId);
        const routes = [...(vpc?.routes ?? []), ...(vpc?.routes6 ?? [])];
        const findings = new Map((desired.units.get(`vpc:${vpcId}`)?.findings ?? []).map(({ id, text }) => [id, text]));
        const realized = routes.length === 0 || has(vpcId);
        for (const { id } of routes) {
          const reason = findings.get(id) ?? null;
          if (reason === null && !realized) continue;
          const state: RouteState = { id, state: reason === null ? 'Active' : 'Unreachable', reason };
          if (last.get(id) !== say(state)) states.push(state);
        }
        if (realized) open.delete(vpcId);
      }
      return states;
    },
    told(states) {
      for (const state of states) last.set(state.id, say(state));
    },
  };
}
