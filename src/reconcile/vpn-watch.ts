// Who may tell how VPNs fare, and what is believed when nobody does: a node speaks for the routers it may carry and for no others, and
// what nobody has told of for a while is connected no more, as far as anybody knows.
import type { Intent, UnitKey } from '../model/intent.ts';
import type { NodeReport } from '../protocol/document.ts';
import type { VpnStatus } from '../protocol/vpn.ts';
import { SILENT_MS } from '../store/hosts.ts';
import type { Store } from '../store/open.ts';
import { recordVpnStates, vpnsInUse } from '../store/vpn-states.ts';
import { vpnNodes } from './helper-documents.ts';

/** What of a report is the node's to tell: VPNs of routers that it may carry and says it does carry. */
export function toldVpns(intent: Intent, { node, helpers = [] }: NodeReport): readonly VpnStatus[] {
  return helpers
    .filter(({ active, vpns = [] }) => active && vpns.length > 0)
    .flatMap(({ id, vpns = [] }) => {
      const unit: UnitKey = intent.vpcs.has(id) ? `vpc:${id}` : `network:${id}`;
      if (!vpnNodes(unit, intent).includes(node)) return [];
      const network = intent.networks.get(id);
      const vpn = intent.vpcs.get(id)?.vpn ?? (network?.kind === 'guest' ? network.vpn : undefined);
      const access = new Map((vpn?.access ?? []).map((one) => [one.id, new Set(one.clients.map((each) => each.id))]));
      const sites = new Set((vpn?.sites ?? []).map((one) => one.id));
      return vpns.flatMap((told): VpnStatus[] => {
        const known = access.get(told.id);
        if (known !== undefined) {
          const { clients, ...rest } = told;
          return clients === undefined ? [rest] : [{ ...rest, clients: clients.filter((each) => known.has(each.id)) }];
        }
        // Of a connection nobody says that it runs, but whether it is connected.
        return sites.has(told.id) && told.state !== 'Running' ? [told] : [];
      });
    });
}

export interface VpnWatch {
  /** Keeps what a node tells; `told` is what it may tell. */
  heard(node: string, told: readonly VpnStatus[]): Promise<void>;
  /** Forgets what nobody has told of for too long. */
  look(): Promise<void>;
}

/** `now`: milliseconds. From before a restart nothing is known: whoever serves a VPN has as long to say so. */
export function createVpnWatch(store: Store, now: () => number = Date.now): VpnWatch {
  const began = now();
  const last = new Map<string, number>();
  return {
    async heard(node, told) {
      for (const { id } of told) last.set(id, now());
      await recordVpnStates(
        store,
        told.map((one) => ({ ...one, by: node })),
      );
    },
    async look() {
      const at = now();
      const used = await vpnsInUse(store);
      const ids = new Set(used.map(({ id }) => id));
      for (const [id, when] of last) if (!ids.has(id) && at - when > SILENT_MS) last.delete(id);
      const silent = used.filter(({ id }) => at - (last.get(id) ?? began) > SILENT_MS);
      const reason = `no gateway node has told of it for ${SILENT_MS / 1000} s: none carries it, or none is reached`;
      await recordVpnStates(
        store,
        silent.map(({ id, site }) => ({ id, state: 'Disconnected', ...(site ? { reason } : { clients: [] }) })),
      );
    },
  };
}
