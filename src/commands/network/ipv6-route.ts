// What upstream has to send where, so that networks with IPv6 are reached from outside: nothing is translated, so nobody else can say it.
import { z } from 'zod';
import * as field from '../../api/field.ts';
import { isOnWire, uplinkAddress, uplinkRange } from '../../model/ipv6.ts';
import type { Db } from '../../store/open.ts';
import type { Tables } from '../../store/schema.ts';

export const ip6RouteView = z.object({
  subnet: field.string("the network's prefix"),
  gateway: field.string("its router's address on the public wire"),
});

type Ip6Route = z.infer<typeof ip6RouteView>;
type Network = Pick<Tables['network'], 'id' | 'vpc' | 'zone' | 'account' | 'ip6cidr'>;

/** Routes by network; none for those without IPv6, in a zone whose public ranges have none, and where upstream asks on the wire. */
export async function ip6RoutesOf(db: Db, networks: readonly Network[]): Promise<Map<string, Ip6Route[]>> {
  const six = networks.filter(({ ip6cidr }) => ip6cidr !== null);
  if (six.length === 0) return new Map();
  const zones = [...new Set(six.map(({ zone }) => zone))];
  const ranges = await db.selectFrom('publicrange').selectAll().where('zone', 'in', zones).execute();
  const preferred = await sourceNatRanges(db, six);
  const routes = new Map<string, Ip6Route[]>();
  for (const { id, vpc, zone, account, ip6cidr } of six) {
    const router = vpc ?? id;
    const range = uplinkRange(
      ranges.filter((one) => one.zone === zone),
      account,
      preferred.get(router),
    );
    if (typeof range?.ip6cidr !== 'string' || range.ip6gateway === null || ip6cidr === null) continue;
    if (isOnWire(range.ip6cidr, ip6cidr)) continue;
    routes.set(id, [{ subnet: ip6cidr, gateway: uplinkAddress(range.ip6gateway, router) }]);
  }
  return routes;
}

/** The range of each router's source NAT address, or of its first one, by the id of the VPC or network: as store/public-unit.ts orders them. */
async function sourceNatRanges(db: Db, networks: readonly Network[]): Promise<Map<string, string>> {
  const rows = await db
    .selectFrom('publicip')
    .select(['network', 'vpc', 'publicrange'])
    .where((eb) =>
      eb.or([
        eb('vpc', 'in', ['', ...networks.flatMap(({ vpc }) => vpc ?? [])]),
        eb('network', 'in', ['', ...networks.map(({ id }) => id)]),
      ]),
    )
    .where('state', 'in', ['Allocated', 'Allocating'])
    .orderBy('issourcenat', 'desc')
    .orderBy('id')
    .execute();
  const ranges = new Map<string, string>();
  for (const { network, vpc, publicrange } of rows) {
    const router = vpc ?? network;
    if (router !== null && !ranges.has(router)) ranges.set(router, publicrange);
  }
  return ranges;
}
