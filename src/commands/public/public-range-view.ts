// Ranges of public addresses as answers show them, and which of them an owner may be given addresses from.
import { z } from 'zod';
import * as field from '../../api/field.ts';
import { cidr, formatCidr, lengthOfNetmask } from '../../lib/ip.ts';
import type { Db } from '../../store/open.ts';
import type { Tables } from '../../store/schema.ts';
import { namesOf } from '../join.ts';

export type PublicRange = Tables['publicrange'];

export const publicRangeView = z.object({
  id: field.string('id of the range'),
  forvirtualnetwork: field.boolean('true: its addresses are acquired one by one'),
  zoneid: field.string('its zone'),
  physicalnetworkid: field.string('the physical network it is outside of'),
  vlan: field.string('vlan://N, or vlan://untagged'),
  gateway: field.string('whom routers send to'),
  netmask: field.string('its netmask'),
  cidr: field.string('its CIDR'),
  startip: field.string('first address'),
  endip: field.string('last address'),
  ip6cidr: field.string('IPv6 prefix of the wire, where it has IPv6'),
  ip6gateway: field.string('whom routers send IPv6 to'),
  account: field.string('the account it is dedicated to'),
  domainid: field.string('the domain it is dedicated to'),
  domain: field.string('name of that domain'),
  domainpath: field.string('path of that domain'),
});

export type PublicRangeView = z.infer<typeof publicRangeView>;

/** The CIDR a range lies in. */
export function cidrOf(range: Pick<PublicRange, 'gateway' | 'netmask'>): string {
  return formatCidr(cidr(`${range.gateway}/${lengthOfNetmask(range.netmask) ?? 32}`));
}

export function vlanUri(vlan: number | null): string {
  return `vlan://${vlan ?? 'untagged'}`;
}

export async function showRanges(db: Db, rows: readonly PublicRange[]): Promise<PublicRangeView[]> {
  const accounts = await namesOf(
    db,
    'account',
    rows.map((row) => row.account),
  );
  const ids = [...new Set(rows.map((row) => row.domain).filter((id) => id !== null))];
  const domains = new Map(
    ids.length === 0
      ? []
      : (await db.selectFrom('domain').select(['id', 'name', 'path']).where('id', 'in', ids).execute()).map((row) => [
          row.id,
          row,
        ]),
  );
  return rows.map((row) => {
    const domain = row.domain === null ? undefined : domains.get(row.domain);
    return field.compact<PublicRangeView>({
      id: row.id,
      forvirtualnetwork: true,
      zoneid: row.zone,
      physicalnetworkid: row.physicalnetwork,
      vlan: vlanUri(row.vlan),
      gateway: row.gateway,
      netmask: row.netmask,
      cidr: cidrOf(row),
      startip: row.startip,
      endip: row.endip,
      ip6cidr: row.ip6cidr,
      ip6gateway: row.ip6gateway,
      account: row.account === null ? undefined : accounts.get(row.account),
      domainid: row.domain,
      domain: domain?.name,
      domainpath: domain?.path,
    });
  });
}

/**
 * The ranges of a zone whose addresses an account may be given, in the order they are tried: those dedicated to it, those of
 * its domain or of one above, those of everybody.
 */
export async function rangesFor(
  db: Db,
  zone: string,
  owner: { readonly account: string; readonly domain: string },
): Promise<PublicRange[]> {
  const rows = await db
    .selectFrom('publicrange')
    .selectAll()
    .where('zone', '=', zone)
    .where('network', 'is', null)
    .orderBy('created')
    .orderBy('id')
    .execute();
  const above = await domainsAbove(db, owner.domain);
  const rank = (range: PublicRange): number => {
    if (range.account !== null) return range.account === owner.account ? 0 : -1;
    if (range.domain !== null) return above.has(range.domain) ? 1 : -1;
    return 2;
  };
  return rows.filter((range) => rank(range) >= 0).toSorted((a, b) => rank(a) - rank(b));
}

/** The domain itself and all it lies in. */
async function domainsAbove(db: Db, id: string): Promise<Set<string>> {
  const rows = await db.selectFrom('domain').select(['id', 'parent']).execute();
  const parents = new Map(rows.map((row) => [row.id, row.parent]));
  const above = new Set<string>();
  for (let at: string | null | undefined = id; typeof at === 'string'; at = parents.get(at)) above.add(at);
  return above;
}
