// Where the world has to send what is for networks whose addresses nobody translates: to the public address of their router. Shown with
// the network, because somebody has to enter it upstream.
import { z } from 'zod';
import * as field from '../../api/field.ts';
import type { Db } from '../../store/open.ts';
import type { Tables } from '../../store/schema.ts';

export const ip4RouteView = z.object({
  subnet: field.string('the CIDR of the network'),
  gateway: field.string('the public address of its router'),
});

/** Network id -> its routes. Networks that translate, that router nodes route for, or whose router has no address, are left out. */
export async function ip4RoutesOf(
  db: Db,
  networks: readonly Pick<Tables['network'], 'id' | 'cidr' | 'offering'>[],
): Promise<Map<string, z.infer<typeof ip4RouteView>[]>> {
  const routed = await db
    .selectFrom('networkoffering')
    .select('id')
    .where('networkmode', '=', 'ROUTED')
    .where('id', 'in', [...new Set(networks.map(({ offering }) => offering))])
    .execute();
  const offerings = new Set(routed.map(({ id }) => id));
  const asked = new Map(networks.filter(({ offering }) => offerings.has(offering)).map((row) => [row.id, row]));
  if (asked.size === 0) return new Map();
  const legs = await db
    .selectFrom('publicip')
    .select(['network', 'ip'])
    .where('network', 'in', [...asked.keys()])
    .where('issourcenat', '=', 1)
    .execute();
  return new Map(
    legs.flatMap(({ network, ip }) => {
      const subnet = network === null ? undefined : asked.get(network)?.cidr;
      return network === null || typeof subnet !== 'string' ? [] : [[network, [{ subnet, gateway: ip }]]];
    }),
  );
}
