// Which addresses are somebody's where a VPN ends: those of its VPC or network, of what its routes lead to, of other VPNs. A range of
// clients, a branch office and another site are each judged against all of it.
import { refuse } from '../../api/error.ts';
import {
  type Cidr,
  FORBIDDEN,
  cidr,
  first,
  formatCidr,
  formatIp,
  last,
  lengthOfNetmask,
  overlaps,
  parseCidr,
} from '../../lib/ip.ts';
import type { Db } from '../../store/open.ts';
import type { Tables } from '../../store/schema.ts';

/** Where a VPN ends. */
export interface Place {
  readonly vpc: string | null;
  readonly network: string | null;
}

/** A prefix that is taken, and by whom: `tier web`. */
export interface Occupied {
  readonly prefix: Cidr;
  readonly what: string;
  /** Of a row: so that it is not compared with itself. */
  readonly id: string;
}

/** The gateway helper has one address for the source NAT address, and so many for others that VPNs end at. */
export const MOST_OTHERS = 4;

/** The public addresses that VPNs end at. */
export async function addressesAt(
  db: Db,
  { vpc, network }: Place,
): Promise<Pick<Tables['publicip'], 'id' | 'ip' | 'issourcenat' | 'helperslot'>[]> {
  const [column, value] = vpc === null ? (['network', network ?? ''] as const) : (['vpc', vpc] as const);
  const access = await db.selectFrom('remotevpn').select('publicip').where(column, '=', value).execute();
  const gateways = await db
    .selectFrom('vpngateway')
    .select('publicip')
    .where('vpc', '=', vpc ?? '')
    .execute();
  const ids = new Set([...access, ...gateways].map(({ publicip }) => publicip));
  if (ids.size === 0) return [];
  return db
    .selectFrom('publicip')
    .select(['id', 'ip', 'issourcenat', 'helperslot'])
    .where('id', 'in', [...ids])
    .execute();
}

/** Refuses another source NAT address where, without it, more addresses with VPNs are left than the helper has for them. */
export async function refuseCrowded(
  db: Db,
  place: Place,
  next: { readonly id: string; readonly ip: string },
): Promise<void> {
  const others = (await addressesAt(db, place)).filter(({ id }) => id !== next.id);
  if (others.length <= MOST_OTHERS) return;
  throw refuse(
    'parameter',
    `Unable to make ${next.ip} the source NAT address: VPNs are at ${others.map(({ ip }) => ip).join(', ')}, and they can be at ${MOST_OTHERS} addresses beside that one. Delete one of these VPNs first, or choose an address that has one`,
  );
}

/**
 * Which of the helper's spare addresses is for a public address with VPNs that is not the source NAT one: what it has had, unless
 * somebody else has that now, else the first that is free; `leaving` becomes the source NAT address and needs none. A router with more
 * than {@link MOST_OTHERS} was refused before.
 */
export async function helperSlotAt(
  db: Db,
  place: Place,
  address: Pick<Tables['publicip'], 'id' | 'helperslot'>,
  leaving?: Pick<Tables['publicip'], 'id'>,
): Promise<number> {
  const others = (await addressesAt(db, place)).filter(
    ({ id, issourcenat }) => id !== address.id && id !== leaving?.id && issourcenat === 0,
  );
  const used = new Set(others.map(({ helperslot }) => helperslot));
  if (address.helperslot > 0 && !used.has(address.helperslot)) return address.helperslot;
  return Array.from({ length: MOST_OTHERS }, (_, index) => index + 1).find((slot) => !used.has(slot)) ?? 0;
}

/** Everything that is taken at a place. */
export async function occupiedAt(db: Db, { vpc, network }: Place): Promise<Occupied[]> {
  const base = vpc === null ? await atNetwork(db, network ?? '') : await atVpc(db, vpc);
  return [...base, ...(await byAccess(db, { vpc, network }))];
}

async function atVpc(db: Db, id: string): Promise<Occupied[]> {
  const vpc = await db.selectFrom('vpc').selectAll().where('id', '=', id).executeTakeFirst();
  if (vpc === undefined) return [];
  const tiers = await db.selectFrom('network').select(['id', 'name', 'cidr']).where('vpc', '=', id).execute();
  const gateways = await db
    .selectFrom('privategateway')
    .innerJoin('network', 'network.id', 'privategateway.network')
    .select(['network.id', 'network.name', 'network.cidr'])
    .where('privategateway.vpc', '=', id)
    .execute();
  const routes = await db.selectFrom('staticroute').select(['id', 'cidr', 'nexthop']).where('vpc', '=', id).execute();
  const sites = await sitesOf(db, id);
  return [
    ...tiers.flatMap((tier) => taken(tier.id, tier.cidr, `tier ${tier.name}`)),
    ...taken(vpc.id, vpc.cidr, `VPC ${vpc.name}`),
    ...gateways.flatMap((row) => taken(row.id, row.cidr, `Private network ${row.name}`)),
    ...routes.flatMap((row) => taken(row.id, row.cidr, `a static route via ${row.nexthop}`)),
    ...behindSites(sites),
    // What is sent there carries the tunnel.
    ...sites.flatMap((row) => taken(row.id, `${row.gateway}/32`, `the address of customer gateway ${row.name}`)),
    ...(await outside(db, vpc.zone)),
  ];
}

type Site = Pick<Tables['customergateway'], 'id' | 'name' | 'cidrlist' | 'gateway'>;

/** The customer gateways a VPC has connections to, with the ids of the connections. */
const sitesOf = (db: Db, vpc: string): Promise<Site[]> =>
  db
    .selectFrom('vpnconnection')
    .innerJoin('vpngateway', 'vpngateway.id', 'vpnconnection.vpngateway')
    .innerJoin('customergateway', 'customergateway.id', 'vpnconnection.customergateway')
    .select(['vpnconnection.id', 'customergateway.name', 'customergateway.cidrlist', 'customergateway.gateway'])
    .where('vpngateway.vpc', '=', vpc)
    .execute();

const behindSites = (sites: readonly Site[]): Occupied[] =>
  sites.flatMap((row) => taken(row.id, row.cidrlist, `the site behind customer gateway ${row.name}`));

async function atNetwork(db: Db, id: string): Promise<Occupied[]> {
  const network = await db.selectFrom('network').selectAll().where('id', '=', id).executeTakeFirst();
  if (network === undefined) return [];
  const routes = await db.selectFrom('networkroute').select(['id', 'cidr']).where('network', '=', id).execute();
  return [
    ...taken(id, network.cidr, `network ${network.name}`),
    ...routes.flatMap((row) => taken(row.id, row.cidr, `a device of network ${network.name}`)),
    ...(await outside(db, network.zone)),
  ];
}

/** The public wires of a zone. */
async function outside(db: Db, zone: string): Promise<Occupied[]> {
  const ranges = await db.selectFrom('publicrange').selectAll().where('zone', '=', zone).execute();
  return ranges.flatMap(({ id, gateway, netmask }) => {
    const length = lengthOfNetmask(netmask);
    return length === undefined ? [] : taken(id, `${gateway}/${length}`, 'the public network');
  });
}

async function byAccess(db: Db, { vpc, network }: Place): Promise<Occupied[]> {
  const [column, value] = vpc === null ? (['network', network ?? ''] as const) : (['vpc', vpc] as const);
  const vpns = await db
    .selectFrom('remotevpn')
    .select(['id', 'cidr', 'kind', 'account'])
    .where(column, '=', value)
    .execute();
  return vpns.flatMap((vpn) => taken(vpn.id, vpn.cidr, `the clients of remote access by ${vpn.kind}`));
}

/** The ranges of clients of all remote access of an account. */
export async function rangesOf(db: Db, account: string): Promise<Occupied[]> {
  const vpns = await db.selectFrom('remotevpn').select(['id', 'cidr', 'kind']).where('account', '=', account).execute();
  return vpns.flatMap((vpn) => taken(vpn.id, vpn.cidr, `the clients of remote access by ${vpn.kind}`));
}

/** The networks behind the users of an account. */
export async function behindUsers(db: Db, account: string): Promise<Occupied[]> {
  const users = await db
    .selectFrom('vpnuser')
    .select(['id', 'username', 'cidrlist'])
    .where('account', '=', account)
    .where('state', '!=', 'Revoke')
    .execute();
  return users.flatMap((user) => taken(user.id, user.cidrlist, `VPN user ${user.username}`));
}

/** Default routes take nothing from anybody, and IPv6 is none of IPv4's. */
function taken(id: string, text: string | null, what: string): Occupied[] {
  return (text ?? '').split(',').flatMap((part) => {
    const prefix = parseCidr(part.trim());
    return prefix === undefined || prefix.length === 0 ? [] : [{ id, prefix, what }];
  });
}

/** The first that shares an address with a prefix. */
export function clashOf(occupied: readonly Occupied[], prefix: Cidr, except?: string): Occupied | undefined {
  return occupied.find((one) => one.id !== except && overlaps(one.prefix, prefix));
}

export const rangeText = (prefix: Cidr): string => `${formatIp(first(prefix))}-${formatIp(last(prefix))}`;

/** Prefixes as somebody typed them, canonical; refuses what is none, or nobody's to have. `whose` as in `behind the user`. */
export function readNetworks(texts: readonly string[], whose: string): string[] {
  const prefixes = texts.map((text) => {
    const prefix = parseCidr(text);
    if (prefix === undefined)
      throw refuse('parameter', `Invalid format for cidr ${text} ${whose}: write it like 192.168.50.0/24`);
    if (prefix.length === 0)
      throw refuse('parameter', `${text} ${whose} is everything: name the networks that are there`);
    if (FORBIDDEN.some((range) => overlaps(range, prefix)))
      throw refuse(
        'parameter',
        `Invalid cidr ${text} ${whose}: it holds addresses that are never a network's (this host, loopback, link local, multicast or reserved)`,
      );
    return prefix;
  });
  return prefixes.map(formatCidr);
}

/** Refuses networks behind a user that are somebody else's, wherever he may come to. */
export async function refuseBehindUser(
  db: Db,
  account: string,
  networks: readonly string[],
  user?: string,
): Promise<void> {
  for (const [index, one] of networks.entries()) {
    const other = networks.slice(0, index).find((text) => overlaps(cidr(text), cidr(one)));
    if (other !== undefined)
      throw refuse('parameter', `The networks behind the user overlap: ${one} and ${other}. Leave one of them out`);
  }
  const vpns = await db.selectFrom('remotevpn').select(['vpc', 'network']).where('account', '=', account).execute();
  const places = new Map(vpns.map(({ vpc, network }) => [vpc ?? network, { vpc, network }]));
  const occupied = await behindUsers(db, account);
  for (const place of places.values()) occupied.push(...(await occupiedAt(db, place)));
  for (const text of networks) {
    const clash = clashOf(occupied, cidr(text), user);
    if (clash !== undefined)
      throw refuse(
        'conflict',
        `${text} cannot be behind the user: it overlaps ${formatCidr(clash.prefix)}, which is ${clash.what}. An address can be in one place only`,
      );
  }
}

/** Refuses remote access at a place where networks behind users of the account are somebody else's. */
export async function refuseUsersAt(db: Db, account: string, place: Place): Promise<void> {
  const occupied = await occupiedAt(db, place);
  for (const behind of await behindUsers(db, account)) {
    const clash = clashOf(occupied, behind.prefix);
    if (clash !== undefined)
      throw refuse(
        'conflict',
        `${behind.what} has ${formatCidr(behind.prefix)} behind him, and that overlaps ${formatCidr(clash.prefix)}, which is ${clash.what}: an address can be in one place only. updateVpnUser id=${behind.id} with another cidrlist`,
      );
  }
}

/** Refuses a new route, range or network at a place whose VPNs lead elsewhere for some of it. `what` begins the sentence. */
export async function refuseVpnClash(db: Db, place: Place, prefix: Cidr, what: string): Promise<void> {
  if (prefix.length === 0) return;
  const access = await byAccess(db, place);
  const [column, value] =
    place.vpc === null ? (['network', place.network ?? ''] as const) : (['vpc', place.vpc] as const);
  const accounts = await db.selectFrom('remotevpn').select('account').distinct().where(column, '=', value).execute();
  for (const { account } of accounts) access.push(...(await behindUsers(db, account)));
  if (place.vpc !== null) access.push(...behindSites(await sitesOf(db, place.vpc)));
  const clash = clashOf(access, prefix);
  if (clash === undefined) return;
  throw refuse(
    'conflict',
    `${what} ${formatCidr(prefix)} overlaps ${formatCidr(clash.prefix)}, which is ${clash.what}: an address can be in one place only`,
  );
}

/** A range of clients' addresses: as a prefix, or as a range, of which the smallest prefix that holds it is taken. */
export function readClientRange(want: {
  readonly iprange?: string | undefined;
  readonly cidr?: string | undefined;
}): Cidr | undefined {
  if (want.iprange !== undefined && want.cidr !== undefined)
    throw refuse('parameter', 'Give iprange or cidr, not both: they say the same');
  if (want.cidr !== undefined) return checkedRange(want.cidr, parseCidr(want.cidr));
  if (want.iprange === undefined) return undefined;
  const ends =
    /^([0-9.]+)-([0-9.]+)$/
      .exec(want.iprange)
      ?.slice(1)
      .map((text) => parseCidr(`${text}/32`)) ?? [];
  const [from, to] = ends;
  if (from === undefined || to === undefined || from.base > to.base)
    throw refuse('parameter', `Invalid ip range: ${want.iprange}: write it like 10.8.0.2-10.8.0.254, or give cidr`);
  for (let length = 32; length >= 0; length--) {
    const prefix = cidr(`${formatIp(from.base)}/${length}`);
    // Room for network, server and broadcast beside the clients.
    if (to.base < last(prefix) && prefix.base < from.base) return checkedRange(want.iprange, prefix);
    if (length <= 29 && last(prefix) >= to.base) return checkedRange(want.iprange, prefix);
  }
  return undefined;
}

const MAY_BE = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', '100.64.0.0/10'].map(cidr);

function checkedRange(text: string, prefix: Cidr | undefined): Cidr {
  if (prefix === undefined) throw refuse('parameter', `Invalid cidr ${text} for clients: write it like 10.8.0.0/24`);
  if (prefix.length < 16 || prefix.length > 29)
    throw refuse(
      'parameter',
      `Invalid ip range: ${text}: clients get a prefix from /16 to /29, and this makes a /${prefix.length}`,
    );
  if (!MAY_BE.some((range) => overlaps(range, prefix) && range.length <= prefix.length))
    throw refuse(
      'parameter',
      `Invalid ip range: ${text} is not RFC1918 compliant: use a part of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10`,
    );
  return { base: prefix.base, length: prefix.length, host: prefix.base };
}

/** The first range of ours that nobody has. None of 192.168.0.0/16: there clients are at home, and would lose their own network. */
export function freeRange(occupied: readonly Occupied[]): Cidr {
  for (const start of ['10.8', '172.31']) {
    for (let third = 0; third < 256; third++) {
      const prefix = cidr(`${start}.${third}.0/24`);
      if (clashOf(occupied, prefix) === undefined) return prefix;
    }
  }
  throw refuse(
    'capacity',
    'Insufficient address capacity: no range is free for clients. Give cidr, such as 100.64.0.0/24',
  );
}

/** The first free address for a client: neither the network's, nor the server's (the first), nor the broadcast address. */
export function freeAddress(range: string, used: ReadonlySet<string>): string | undefined {
  const prefix = cidr(range);
  for (let at = prefix.base + 2; at < last(prefix); at++) {
    const text = formatIp(at);
    if (!used.has(text)) return text;
  }
  return undefined;
}
