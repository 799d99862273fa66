// Who can stand in for a router node that is Down: where each network that a change concerns has another node, that node carries the
// traffic, and nobody needs to wait for the silent one. It takes its document when it is back.
import type { Host } from '../model/intent.ts';
import type { RouterRole } from '../model/router-role.ts';

/**
 * For each network that a change concerns at this router node, the names of its other nodes. `was`: the node before the change. Where
 * nothing that the node does has changed, all of its networks count. Undefined for a node that routes for none.
 */
export function standIns(host: Host, was: Host | undefined): readonly (readonly string[])[] | undefined {
  if (host.routers.length === 0 && (was?.routers.length ?? 0) === 0) return undefined;
  const before = new Map((was?.routers ?? []).map((role) => [role.id, role]));
  const now = new Set(host.routers.map(({ id }) => id));
  const gone = [...before.values()].filter(({ id }) => !now.has(id));
  const changed = host.routers.filter((role) => JSON.stringify(before.get(role.id)) !== JSON.stringify(role));
  const concerned = changed.length + gone.length > 0 ? [...changed, ...gone] : host.routers;
  return concerned.map(peersOf);
}

function peersOf({ peerNodes }: RouterRole): string[] {
  return peerNodes.map(({ name }) => name);
}
