// From rows to where a router's IPv6 leaves. Pure; apart from six-unit.ts because it is the public side's, with or without addresses.
import { type Uplink6, routersPrefix, uplinkAddress, uplinkRange } from '../model/ipv6.ts';
import type { Row, Rows } from './intent-rows.ts';

interface Router {
  readonly id: string;
  readonly zone: string;
  readonly account: string;
}

/** Where a router's IPv6 leaves: nowhere without a network that has it, or a public range. `address` is its source NAT address. */
export function uplinkOf(
  rows: Rows,
  router: Router,
  networks: readonly Row<'network'>[],
  address: Row<'publicip'> | undefined,
): { readonly uplink6?: Uplink6 } {
  if (networks.every(({ ip6cidr }) => ip6cidr === null)) return {};
  const range = uplinkRange(rows.publicrange.by('zone', router.zone), router.account, address?.publicrange);
  const physical = range === undefined ? undefined : rows.physicalnetwork.get(range.physicalnetwork);
  if (range === undefined || physical === undefined || range.ip6cidr === null || range.ip6gateway === null) return {};
  return {
    uplink6: {
      range: range.id,
      physicalNetwork: physical.name,
      ...(range.vlan === null ? {} : { vlan: range.vlan }),
      cidr: routersPrefix(range.ip6gateway),
      gateway: range.ip6gateway,
      address: uplinkAddress(range.ip6gateway, router.id),
    },
  };
}
