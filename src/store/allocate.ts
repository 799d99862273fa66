// Hands out addresses of networks and VLANs of physical networks, inside the change that uses them. The writer lets one change
// in at a time and the tables' keys are the last guard: nothing is ever given twice.
import { type Cidr, type Ip4, cidr, first, formatIp, ip, last, parseIp, usable } from '../lib/ip.ts';
import { type VlanRange, parseVlanRanges, vlansOf, withoutVlans } from '../model/vlan-range.ts';
import type { Db } from './open.ts';
import type { NetworkTable } from './schema/network.ts';
import type { PhysicalNetworkTable } from './schema/zone.ts';

/** Reading and writing inside a change. */
interface Inside {
  readonly db: Db;
}

/** Nothing left to give, or what was wanted is not to be had: why, as half a sentence. */
export class AllocationError extends Error {
  readonly problem: AllocationProblem;
  constructor(problem: AllocationProblem, text: string) {
    super(text);
    this.problem = problem;
  }
}

/** `full`: nothing is left. `taken`: somebody has it. `unusable`: no member of the network may ever have it. */
export type AllocationProblem = 'full' | 'taken' | 'unusable';

type AddressedNetwork = Pick<
  NetworkTable,
  'id' | 'name' | 'cidr' | 'gateway' | 'startip' | 'endip' | 'ipexclusionlist'
> &
  Partial<Pick<NetworkTable, 'guestcidr'>>;

export type AddressKind =
  | 'nic'
  | 'gateway'
  | 'secondary'
  | 'reserved'
  | 'router'
  | 'member'
  | 'service'
  | 'balancer'
  | 'check';

/** An inclusive range of addresses. */
export interface IpRange {
  readonly from: Ip4;
  readonly to: Ip4;
}

/** Parses `10.0.0.1-10.0.0.9,10.0.0.20`. Undefined when some part is neither an address nor an ascending range. */
export function parseIpRanges(text: string): IpRange[] | undefined {
  const ranges: IpRange[] = [];
  for (const part of text.split(',').map((item) => item.trim())) {
    const [fromText = '', toText = fromText, rest] = part.split('-').map((item) => item.trim());
    const from = parseIp(fromText);
    const to = parseIp(toText);
    if (from === undefined || to === undefined || rest !== undefined || from > to) return undefined;
    ranges.push({ from, to });
  }
  return ranges;
}

/** Which addresses of a network may be given to its members. */
export interface AddressPlan {
  readonly prefix: Cidr;
  readonly from: Ip4;
  readonly to: Ip4;
  /** Why this one is not to be given, or undefined when it may be. */
  refuses(address: Ip4): string | undefined;
}

/** The plan of a network that has a CIDR: without network and broadcast address, gateway, exclusion list. */
export function addressPlan(network: AddressedNetwork): AddressPlan {
  if (network.cidr === null)
    throw new AllocationError('unusable', `network ${network.name} has no CIDR to take addresses from`);
  const prefix = cidr(network.cidr);
  const gateway = network.gateway === null ? undefined : ip(network.gateway);
  const excluded = network.ipexclusionlist === null ? [] : (parseIpRanges(network.ipexclusionlist) ?? []);
  const part = cidr(network.guestcidr ?? network.cidr);
  const [lowest, highest] = prefix.length >= 31 ? [first(prefix), last(prefix)] : [prefix.base + 1, last(prefix) - 1];
  const from = Math.max(network.startip === null ? lowest : ip(network.startip), part.base);
  const to = Math.min(network.endip === null ? highest : ip(network.endip), last(part));
  return {
    prefix,
    from,
    to,
    refuses(address) {
      if (!usable(prefix, address)) return `is no member's address in ${network.cidr}`;
      if (address === gateway) return 'is the gateway';
      if (address < from || address > to) return `is outside of the range ${formatIp(from)}-${formatIp(to)}`;
      if (excluded.some((range) => address >= range.from && address <= range.to)) return 'is on the IP exclusion list';
      return undefined;
    },
  };
}

/**
 * Takes an address of the network for `owner` (the id of a nic or gateway): the wanted one, or the next free one.
 * Throws AllocationError when it is not to be had.
 */
export async function allocateAddress(
  tx: Inside,
  network: AddressedNetwork,
  wanted: string | undefined,
  kind: AddressKind,
  owner: string,
): Promise<string> {
  const plan = addressPlan(network);
  const address =
    wanted === undefined ? await freeAddress(tx, network, plan) : await wantedAddress(tx, network, plan, ip(wanted));
  await tx.db.insertInto('address').values({ network: network.id, ip: address, kind, owner }).execute();
  return address;
}

/** Takes the highest free address of the network for `owner`, as far as can be from those given out next. Undefined when none is left. */
export async function allocateHighest(
  tx: Inside,
  network: AddressedNetwork,
  kind: AddressKind,
  owner: string,
): Promise<string | undefined> {
  const plan = addressPlan(network);
  let address: string | undefined;
  for (let top = plan.to; top >= plan.from && address === undefined; top -= FIRST_WINDOW)
    address = (await freeBetween(tx, network, plan, Math.max(plan.from, top - FIRST_WINDOW + 1), top)).at(-1);
  if (address === undefined) return undefined;
  await tx.db.insertInto('address').values({ network: network.id, ip: address, kind, owner }).execute();
  return address;
}

async function freeBetween(
  tx: Inside,
  network: AddressedNetwork,
  plan: AddressPlan,
  from: Ip4,
  to: Ip4,
): Promise<string[]> {
  const candidates: string[] = [];
  for (let address = from; address <= to; address++)
    if (plan.refuses(address) === undefined) candidates.push(formatIp(address));
  if (candidates.length === 0) return [];
  const rows = await tx.db
    .selectFrom('address')
    .select('ip')
    .where('network', '=', network.id)
    .where('ip', 'in', candidates)
    .execute();
  const taken = new Set(rows.map((row) => row.ip));
  return candidates.filter((candidate) => !taken.has(candidate));
}

/** Gives back all addresses of an owner. */
export async function releaseAddresses(tx: Inside, owner: string): Promise<void> {
  await tx.db.deleteFrom('address').where('owner', '=', owner).execute();
}

async function wantedAddress(tx: Inside, network: AddressedNetwork, plan: AddressPlan, wanted: Ip4): Promise<string> {
  const text = formatIp(wanted);
  const problem = plan.refuses(wanted);
  if (problem !== undefined) throw new AllocationError('unusable', `${text} ${problem} of network ${network.name}`);
  const row = await tx.db
    .selectFrom('address')
    .select('kind')
    .where('network', '=', network.id)
    .where('ip', '=', text)
    .executeTakeFirst();
  if (row !== undefined) throw new AllocationError('taken', `${text} is ${holderOf(row.kind)} network ${network.name}`);
  return text;
}

/** Who has an address that nobody finds among the instances, to be followed by the network. */
function holderOf(kind: string): string {
  return kind === 'service' ? 'the service address (DHCP, names, metadata) of' : 'in use in';
}

/** Addresses asked for at once. Small first: most networks are nearly empty. */
const FIRST_WINDOW = 32;
const WINDOW = 512;

async function freeAddress(tx: Inside, network: AddressedNetwork, plan: AddressPlan): Promise<string> {
  const low = await freeInWindow(tx, network, plan, plan.from, FIRST_WINDOW);
  if (low.found !== undefined) return low.found;
  // Addresses fill up from below: as many as are taken, so far up the next free one most likely is.
  const { count } = await tx.db
    .selectFrom('address')
    .select((eb) => eb.fn.countAll<number>().as('count'))
    .where('network', '=', network.id)
    .executeTakeFirstOrThrow();
  const near = await freeInWindow(tx, network, plan, plan.from + Math.max(FIRST_WINDOW, Number(count) - 8), 64);
  if (near.found !== undefined) return near.found;
  for (let from = low.next; from <= plan.to;) {
    const { found, next } = await freeInWindow(tx, network, plan, from, WINDOW);
    if (found !== undefined) return found;
    from = next;
  }
  throw new AllocationError('full', `network ${network.name} (${network.cidr}) has no free address left`);
}

async function freeInWindow(
  tx: Inside,
  network: AddressedNetwork,
  plan: AddressPlan,
  start: Ip4,
  size: number,
): Promise<{ found: string | undefined; next: Ip4 }> {
  const candidates: string[] = [];
  let address = start;
  for (; address <= plan.to && candidates.length < size; address++) {
    if (plan.refuses(address) === undefined) candidates.push(formatIp(address));
  }
  if (candidates.length === 0) return { found: undefined, next: address };
  const rows = await tx.db
    .selectFrom('address')
    .select('ip')
    .where('network', '=', network.id)
    .where('ip', 'in', candidates)
    .execute();
  const taken = new Set(rows.map((row) => row.ip));
  return { found: candidates.find((candidate) => !taken.has(candidate)), next: address };
}

type VlanPool = Pick<PhysicalNetworkTable, 'id' | 'name' | 'vlan'>;

/**
 * Takes the lowest free VLAN of the pool for a network, but none of `kept` (native and reserved ones). Throws AllocationError
 * when the pool is dry.
 */
export async function allocateVlan(
  tx: Inside,
  physicalNetwork: VlanPool,
  networkId: string,
  kept: readonly VlanRange[] = [],
): Promise<number> {
  const pool = parseVlanRanges(physicalNetwork.vlan);
  const ranges = 'ranges' in pool ? withoutVlans(pool.ranges, kept) : [];
  for (const { from, to } of ranges) {
    const vlan = await freeVlan(tx, physicalNetwork.id, from, to);
    if (vlan === undefined) continue;
    await tx.db
      .insertInto('vlan')
      .values({ physicalnetwork: physicalNetwork.id, vlan, network: networkId, pool: 1 })
      .execute();
    return vlan;
  }
  throw new AllocationError(
    'full',
    physicalNetwork.vlan === ''
      ? `physical network ${physicalNetwork.name} has no VLAN range`
      : `all ${vlansOf(ranges).length} VLANs of physical network ${physicalNetwork.name} (${physicalNetwork.vlan}) are in use`,
  );
}

/** Notes a VLAN chosen by hand; several networks may share one. */
export async function takeVlan(tx: Inside, physicalNetworkId: string, vlan: number, networkId: string): Promise<void> {
  await tx.db
    .insertInto('vlan')
    .values({ physicalnetwork: physicalNetworkId, vlan, network: networkId, pool: 0 })
    .execute();
}

/** Gives back the VLAN of a network. */
export async function releaseVlan(tx: Inside, networkId: string): Promise<void> {
  await tx.db.deleteFrom('vlan').where('network', '=', networkId).execute();
}

async function freeVlan(tx: Inside, physicalNetworkId: string, from: number, to: number): Promise<number | undefined> {
  if (from > to) return undefined;
  const used = (vlan: number) =>
    tx.db
      .selectFrom('vlan')
      .select('vlan')
      .where('physicalnetwork', '=', physicalNetworkId)
      .where('vlan', '=', vlan)
      .executeTakeFirst();
  if ((await used(from)) === undefined) return from;
  // The first used one whose successor is free: the database walks the dense beginning once.
  const edge = await tx.db
    .selectFrom('vlan as v')
    .select('v.vlan')
    .where('v.physicalnetwork', '=', physicalNetworkId)
    .where('v.vlan', '>=', from)
    .where('v.vlan', '<', to)
    .where((eb) =>
      eb.not(
        eb.exists(
          eb
            .selectFrom('vlan as w')
            .select('w.vlan')
            .where('w.physicalnetwork', '=', physicalNetworkId)
            .whereRef('w.vlan', '=', eb('v.vlan', '+', 1)),
        ),
      ),
    )
    .orderBy('v.vlan')
    .limit(1)
    .executeTakeFirst();
  return edge === undefined ? undefined : edge.vlan + 1;
}
