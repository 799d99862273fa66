// Which addresses of a router can lead ports inside. OVN 23.03 binds load balancers, which forwards are there, to one of a router's
// public ports: that of the source NAT address. Elsewhere on the way out only static NAT works.
import { refuse } from '../../api/error.ts';
import { cidr, formatCidr, lengthOfNetmask } from '../../lib/ip.ts';
import type { Db } from '../../store/open.ts';
import type { Tables } from '../../store/schema.ts';
import { isByOvn } from './public-service.ts';
import type { PublicIp } from './public-ip-view.ts';

/** Refuses to `create WHAT` for an address that is on another wire or subnet than its router's source NAT address, where OVN routes. */
export async function refuseOtherWire(
  db: Db,
  address: PublicIp,
  offering: Pick<Tables['networkoffering'], 'services'>,
  what: string,
): Promise<void> {
  if (!isByOvn(offering) || address.issourcenat === 1) return;
  const [column, owner] =
    address.vpc === null ? (['network', address.network] as const) : (['vpc', address.vpc] as const);
  if (owner === null) return;
  const main = await db
    .selectFrom('publicip')
    .select(['ip', 'publicrange'])
    .where(column, '=', owner)
    .where('issourcenat', '=', 1)
    .executeTakeFirst();
  if (main === undefined || main.publicrange === address.publicrange) return;
  const ranges = await db
    .selectFrom('publicrange')
    .selectAll()
    .where('id', 'in', [main.publicrange, address.publicrange])
    .execute();
  const [wire, other] = ranges.map(wireOf);
  if (wire === other) return;
  throw refuse(
    'parameter',
    `Unable to create ${what} for ${address.ip}: where OVN routes, ports can be led inside only from addresses of the public network that the router's own address ${main.ip} is of, and ${address.ip} is of another. Acquire an address of that network (ipaddress=…), or use static NAT (enableStaticNat)`,
  );
}

function wireOf({ physicalnetwork, vlan, gateway, netmask }: Tables['publicrange']): string {
  return `${physicalnetwork}/${vlan ?? ''}/${formatCidr(cidr(`${gateway}/${lengthOfNetmask(netmask) ?? 32}`))}`;
}
