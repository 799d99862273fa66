// Which networks a client of remote access is led to, asked of the rows: what a WireGuard file says, whose client is told once, and what
// the server tells the others each time (the same question that reconcile/vpn-spec.ts answers for the node).
import { type Cidr, cidr, covers, formatCidr, parseCidr, sameCidr } from '../../lib/ip.ts';
import type { Db } from '../../store/open.ts';
import type { RemoteVpn } from './remote-vpn-view.ts';

type Place = Pick<RemoteVpn, 'vpc' | 'network'>;

/** What a file says: the whole VPC, so that a tier that comes later needs no new file. `behind` are the client's own. */
export async function fileRoutes(db: Db, vpn: Place, behind: readonly string[]): Promise<string[]> {
  if (vpn.vpc === null) return kept(await ofNetwork(db, vpn.network ?? ''), behind);
  const vpc = await db.selectFrom('vpc').select('cidr').where('id', '=', vpn.vpc).executeTakeFirstOrThrow();
  return kept([vpc.cidr, ...(await beyondVpc(db, vpn.vpc, 'any'))], behind);
}

/** What there is to be reached now: tiers, Private networks, and what static routes that carry traffic lead to. */
export async function reachedRoutes(db: Db, vpn: Place, behind: readonly string[]): Promise<string[]> {
  if (vpn.vpc === null) return kept(await ofNetwork(db, vpn.network ?? ''), behind);
  const tiers = await db.selectFrom('network').select('cidr').where('vpc', '=', vpn.vpc).execute();
  return kept([...tiers.map((row) => row.cidr ?? ''), ...(await beyondVpc(db, vpn.vpc, 'carrying'))], behind);
}

/** Those of `wanted` that nothing in `there` covers. */
export function missingFrom(there: readonly string[], wanted: readonly string[]): string[] {
  const known = there.flatMap((text) => parseCidr(text) ?? []);
  return wanted.filter((text) => !known.some((one) => covers(one, cidr(text))));
}

/** Canonical IPv4 prefixes without those that others hold, and without everything. */
function kept(texts: readonly string[], behind: readonly string[]): string[] {
  const own = behind.map(cidr);
  const prefixes = texts.flatMap((text) => parseCidr(text) ?? []).filter((prefix) => prefix.length > 0);
  const others = prefixes.filter((prefix) => !own.some((one) => covers(one, prefix)));
  return [...new Set(others.filter((prefix) => !inAnother(prefix, others)).map(formatCidr))].toSorted();
}

function inAnother(prefix: Cidr, all: readonly Cidr[]): boolean {
  return all.some((other) => !sameCidr(other, prefix) && covers(other, prefix));
}

async function beyondVpc(db: Db, vpc: string, which: 'any' | 'carrying'): Promise<string[]> {
  const routes = await db.selectFrom('staticroute').select(['cidr', 'state']).where('vpc', '=', vpc).execute();
  const gateways = await db
    .selectFrom('privategateway')
    .innerJoin('network', 'network.id', 'privategateway.network')
    .select('network.cidr')
    .where('privategateway.vpc', '=', vpc)
    .execute();
  const carrying = routes.filter(({ state }) => which === 'any' || state !== 'Unreachable');
  return [...carrying, ...gateways].flatMap((row) => (row.cidr === null ? [] : [row.cidr]));
}

async function ofNetwork(db: Db, id: string): Promise<string[]> {
  const network = await db.selectFrom('network').select('cidr').where('id', '=', id).executeTakeFirstOrThrow();
  const routes = await db.selectFrom('networkroute').select('cidr').where('network', '=', id).execute();
  return [network, ...routes].flatMap(({ cidr: text }) => (text === null ? [] : [text]));
}
