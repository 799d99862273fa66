// Who has which address, as far as we know: instances, devices, routers and gateways of networks in one list, and where each is. What a
// scan finds is held against it, and listWhoHasThisIp answers from it.
import { sql } from 'kysely';
import { routedBy, servicesOf } from '../model/network-service.ts';
import type { Db } from './open.ts';

export type KnownKind = 'instance' | 'device' | 'router' | 'gateway' | 'vpc';

/** One address in one network, and whose it is. */
export interface Known {
  readonly kind: KnownKind;
  /** Of the card, member, leg or gateway that has the address. */
  readonly id: string;
  readonly network: string;
  /** Empty where it has none. */
  readonly ip: string;
  /** Undefined where a router answers whose MAC we did not choose, and where nobody has found it. */
  readonly mac: string | undefined;
  /** Set where no machine of ours is known to have the address: it is a gateway's that somebody else is to bring. */
  readonly vacant?: true;
  /** Of the instance, device or router. */
  readonly owner: { readonly id: string; readonly name: string };
  /** A further address of a card. */
  readonly secondary: boolean;
  /** `hypervisor h1`, `port 7 of switch sw`: for operators. */
  readonly place: string | undefined;
  readonly state: string;
  readonly account: string;
  readonly domain: string;
  readonly created: string;
}

export interface InventoryFilter {
  /** Only of these networks. */
  readonly networks?: readonly string[];
  readonly ip?: string;
  readonly mac?: string;
}

/** Everything known that fits, cards first. A network's gateway is listed where nobody else in the list has its address. */
export async function inventory(db: Db, filter: InventoryFilter): Promise<Known[]> {
  if (filter.networks?.length === 0) return [];
  const found = [...(await cards(db, filter)), ...(await members(db, filter)), ...(await legs(db, filter))];
  const gateways = filter.mac === undefined ? await gatewaysOf(db, filter) : [];
  const taken = new Set(found.map(({ network, ip }) => `${network}/${ip}`));
  return [...found, ...gateways.filter(({ network, ip }) => !taken.has(`${network}/${ip}`))];
}

async function cards(db: Db, { networks, ip, mac }: InventoryFilter): Promise<Known[]> {
  let query = db
    .selectFrom('nic')
    .innerJoin('instance', 'instance.id', 'nic.instance')
    .leftJoin('host', 'host.id', 'instance.host')
    .select(['nic.id', 'nic.network', 'nic.ip', 'nic.mac', 'nic.created'])
    .select([
      'instance.id as instance',
      'instance.displayname as name',
      'instance.state',
      'instance.account',
      'instance.domain',
    ])
    .select('host.name as host')
    .where('instance.state', '!=', 'Expunging');
  let further = db
    .selectFrom('nicaddress')
    .innerJoin('nic', 'nic.id', 'nicaddress.nic')
    .select(['nicaddress.nic', 'nicaddress.ip']);
  if (networks !== undefined) {
    query = query.where('nic.network', 'in', [...networks]);
    further = further.where('nic.network', 'in', [...networks]);
  }
  if (mac !== undefined) {
    query = query.where('nic.mac', '=', mac);
    further = further.where('nic.mac', '=', mac);
  }
  if (ip !== undefined) {
    const holders = db.selectFrom('nicaddress').select('nic').where('ip', '=', ip);
    query = query.where((eb) => eb.or([eb('nic.ip', '=', ip), eb('nic.id', 'in', holders)]));
    further = further.where('nicaddress.ip', '=', ip);
  }
  const rows = await query.orderBy('nic.created').orderBy('nic.id').execute();
  const more = Map.groupBy(await further.execute(), ({ nic }) => nic);
  return rows.flatMap((row) => {
    const of = (address: string, secondary: boolean): Known => ({
      kind: 'instance',
      id: row.id,
      network: row.network,
      ip: address,
      mac: row.mac,
      owner: { id: row.instance, name: row.name },
      secondary,
      place: row.host === null ? undefined : `hypervisor ${row.host}`,
      state: row.state,
      account: row.account,
      domain: row.domain,
      created: row.created,
    });
    const main = ip === undefined || row.ip === ip ? [of(row.ip ?? '', false)] : [];
    return [...main, ...(more.get(row.id) ?? []).map((address) => of(address.ip, true))];
  });
}

async function members(db: Db, { networks, ip, mac }: InventoryFilter): Promise<Known[]> {
  let query = db
    .selectFrom('member')
    .innerJoin('device', 'device.id', 'member.device')
    .innerJoin('switchport', 'switchport.id', 'member.switchport')
    .innerJoin('switch', 'switch.id', 'switchport.switch')
    .select([
      'member.id',
      'member.network',
      'member.ip',
      'member.state',
      'member.account',
      'member.domain',
      'member.created',
    ])
    .select(['device.id as device', 'device.name', 'switchport.name as port', 'switch.name as switch'])
    .select(sql<string | null>`coalesce(member.mac, device.mac)`.as('mac'));
  if (networks !== undefined) query = query.where('member.network', 'in', [...networks]);
  if (ip !== undefined) query = query.where('member.ip', '=', ip);
  if (mac !== undefined) query = query.where(sql`coalesce(member.mac, device.mac)`, '=', mac);
  return (await query.orderBy('member.created').execute()).map((row) => ({
    kind: 'device',
    id: row.id,
    network: row.network,
    ip: row.ip ?? '',
    mac: row.mac ?? undefined,
    owner: { id: row.device, name: row.name },
    secondary: false,
    place: `port ${row.port} of switch ${row.switch}`,
    state: row.state,
    account: row.account,
    domain: row.domain,
    created: row.created,
  }));
}

/** Router nodes and VPCs by their own addresses. */
async function legs(db: Db, { networks, ip, mac }: InventoryFilter): Promise<Known[]> {
  if (mac !== undefined) return [];
  let nodes = db
    .selectFrom('networkrouter')
    .innerJoin('host', 'host.id', 'networkrouter.host')
    .innerJoin('network', 'network.id', 'networkrouter.network')
    .select([
      'networkrouter.id',
      'networkrouter.network',
      'networkrouter.ip',
      'networkrouter.state',
      'networkrouter.created',
    ])
    .select(['host.id as host', 'host.name', 'network.account', 'network.domain']);
  let gateways = db
    .selectFrom('privategateway')
    .innerJoin('vpc', 'vpc.id', 'privategateway.vpc')
    .select(['privategateway.id', 'privategateway.network', 'privategateway.ip', 'privategateway.state'])
    .select(['privategateway.account', 'privategateway.domain', 'privategateway.created', 'vpc.id as vpc', 'vpc.name']);
  if (networks !== undefined) {
    nodes = nodes.where('networkrouter.network', 'in', [...networks]);
    gateways = gateways.where('privategateway.network', 'in', [...networks]);
  }
  if (ip !== undefined) {
    nodes = nodes.where('networkrouter.ip', '=', ip);
    gateways = gateways.where('privategateway.ip', '=', ip);
  }
  const routers = (await nodes.orderBy('networkrouter.created').execute()).map(({ host, name, ...row }): Known => ({
    ...row,
    kind: 'router',
    mac: undefined,
    owner: { id: host, name },
    secondary: false,
    place: `router node ${name}`,
    state: row.state ?? 'UNKNOWN',
  }));
  const vpcs = (await gateways.orderBy('privategateway.created').execute()).map(({ vpc, name, ...row }): Known => ({
    ...row,
    kind: 'vpc',
    mac: undefined,
    owner: { id: vpc, name },
    secondary: false,
    place: undefined,
  }));
  return [...routers, ...vpcs];
}

async function gatewaysOf(db: Db, { networks, ip }: InventoryFilter): Promise<Known[]> {
  let query = db
    .selectFrom('network')
    .innerJoin('networkoffering', 'networkoffering.id', 'network.offering')
    .leftJoin('vpc', 'vpc.id', 'network.vpc')
    .select([
      'networkoffering.services',
      'network.id',
      'network.name',
      'network.gateway',
      'network.state',
      'network.account',
      'network.domain',
      'network.created',
    ])
    .select(['vpc.id as vpc', 'vpc.name as vpcname'])
    .where('network.gateway', 'is not', null);
  if (networks !== undefined) query = query.where('network.id', 'in', [...networks]);
  if (ip !== undefined) query = query.where('network.gateway', '=', ip);
  return (await query.orderBy('network.created').execute()).map((row) => ({
    kind: row.vpc === null ? 'gateway' : 'vpc',
    id: row.id,
    network: row.id,
    ip: row.gateway!,
    mac: undefined,
    ...(row.vpc === null && routedBy(servicesOf(row)) === 'None' ? { vacant: true } : {}),
    owner: row.vpc === null ? { id: row.id, name: row.name } : { id: row.vpc, name: row.vpcname ?? row.vpc },
    secondary: false,
    place: undefined,
    state: row.state,
    account: row.account,
    domain: row.domain,
    created: row.created,
  }));
}

/** Who is meant, for sentences: `instance vm1`, `the gateway`. */
export function nameOf({ kind, owner }: Pick<Known, 'kind' | 'owner'>): string {
  switch (kind) {
    case 'instance':
    case 'device':
      return `${kind} ${owner.name}`;
    case 'router':
      return `router ${owner.name}`;
    case 'vpc':
      return `the router of VPC ${owner.name}`;
    case 'gateway':
      return `the gateway of network ${owner.name}`;
    default:
      return kind satisfies never;
  }
}

/** What a sighting is, held against what is known of its network. */
export type Identity =
  /** Ours, with an address that is its own. */
  | { readonly is: 'ours'; readonly known: Known }
  /** Ours by its MAC, with an address it was not given. */
  | { readonly is: 'elsewhere'; readonly known: Known }
  /** The address is somebody else's: of `known`. */
  | { readonly is: 'impostor'; readonly known: Known }
  /** Where `known` is expected, but nobody knows by which MAC: this may be it, or anybody. */
  | { readonly is: 'unconfirmed'; readonly known: Known }
  | { readonly is: 'stranger' };

/** `all`: what is known of the network the sighting was made in. */
export function identify(all: readonly Known[], seen: { readonly ip: string; readonly mac: string }): Identity {
  const same = all.find(({ ip, mac }) => ip === seen.ip && mac === seen.mac);
  if (same !== undefined) return { is: 'ours', known: same };
  const there = all.find(({ ip }) => ip === seen.ip);
  const card = all.find(({ mac }) => mac === seen.mac);
  if (there !== undefined && there.mac === undefined && card === undefined) {
    // Our routers come with MACs of their own: the address tells. A device's that was never found could be anybody's.
    const expected = there.kind === 'device' || there.vacant === true;
    return { is: expected ? 'unconfirmed' : 'ours', known: there };
  }
  if (there !== undefined && there.vacant !== true) return { is: 'impostor', known: there };
  return card === undefined ? { is: 'stranger' } : { is: 'elsewhere', known: card };
}

interface NetworkPlace {
  readonly physicalnetwork: string | null;
  readonly vlan: number | null;
}

/**
 * Where a MAC is plugged in, by the MAC tables of the switches that carry the network: a port for machines comes before the cable of a
 * hypervisor, and uplinks say nothing. Undefined where no switch has seen it.
 */
export async function placesIn(db: Db, network: NetworkPlace): Promise<(mac: string) => string | undefined> {
  const { physicalnetwork, vlan } = network;
  if (physicalnetwork === null || vlan === null) return () => undefined;
  const switches = await db
    .selectFrom('switch')
    .select(['id', 'name', 'actual'])
    .where('physicalnetwork', '=', physicalnetwork)
    .where('actual', 'is not', null)
    .orderBy('name')
    .execute();
  if (switches.length === 0) return () => undefined;
  const ports = await db
    .selectFrom('switchport')
    .leftJoin('host', 'host.id', 'switchport.host')
    .select(['switchport.switch', 'switchport.name', 'switchport.role', 'host.name as host'])
    .where(
      'switchport.switch',
      'in',
      switches.map(({ id }) => id),
    )
    .execute();
  const found = new Map<string, { readonly place: string; readonly rank: number }>();
  for (const one of switches) {
    const { macs } = JSON.parse(one.actual!) as { macs?: { port: string; vlan: number; mac: string }[] };
    for (const entry of macs ?? []) {
      if (entry.vlan !== vlan) continue;
      const port = ports.find(({ switch: id, name }) => id === one.id && name === entry.port);
      const rank = rankOf(port?.role);
      if (rank === undefined || (found.get(entry.mac)?.rank ?? 9) <= rank) continue;
      const host = port?.host == null ? '' : ` (${port.role} ${port.host})`;
      found.set(entry.mac, { place: `port ${entry.port} of switch ${one.name}${host}`, rank });
    }
  }
  return (mac) => found.get(mac)?.place;
}

function rankOf(role: string | undefined): number | undefined {
  if (role === 'uplink') return undefined;
  if (role === 'access' || role === undefined) return 0;
  return 1;
}
