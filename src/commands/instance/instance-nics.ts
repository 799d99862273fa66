// Which networks a new instance gets an interface in, with what address: all checks, and the allocation, at the time of the call.
import { sql } from 'kysely';
import { refuse } from '../../api/error.ts';
import { isUuid, macOf, newId } from '../../lib/id.ts';
import { parseIp } from '../../lib/ip.ts';
import { formatIp6, parseIp6 } from '../../lib/ip6.ts';
import { cardAddress } from '../../model/ipv6.ts';
import { AllocationError, allocateAddress } from '../../store/allocate.ts';
import type { Tables } from '../../store/schema.ts';
import { unknownId } from '../access.ts';
import { readMac } from '../known.ts';
import { isSharedWith, usableRows } from '../network/network-access.ts';
import { hasMac } from '../network/network-mac.ts';
import type { Owner } from '../owner.ts';
import type { JobAnswer, Room, WriteRoom } from '../room.ts';

type NetworkRow = Tables['network'];

/** An interface that is asked for. The first one is the default: its network's gateway is the instance's. */
export interface NicWish {
  readonly network: NetworkRow;
  readonly ip: string | undefined;
  /** Lower case, with colons. */
  readonly mac: string | undefined;
  readonly ip6?: string | undefined;
}

interface NicWant {
  readonly networkids?: readonly string[] | undefined;
  readonly iptonetworklist?: readonly Readonly<Record<string, string>>[] | undefined;
  readonly ipaddress?: string | undefined;
  readonly macaddress?: string | undefined;
  readonly ip6address?: string | undefined;
}

/** What is asked for, in order, with every network checked for this owner and zone. */
export async function wishedNics(room: Room, want: NicWant, zone: Tables['zone'], owner: Owner): Promise<NicWish[]> {
  const asked = want.iptonetworklist === undefined ? fromIds(want) : fromMap(room, want);
  if (asked.length === 0) {
    throw refuse(
      'parameter',
      'Please provide at least one network ID: networkids names the networks the instance gets an interface in',
    );
  }
  const ids = asked.map((nic) => nic.networkid);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined)
    throw refuse('parameter', `Network ${twice} is named twice: an instance has one interface in a network`);
  const found = await room.db
    .selectFrom('network')
    .selectAll()
    .where('id', 'in', ids)
    .where(usableRows(room.call.caller))
    .execute();
  const networks = new Map(found.map((network) => [network.id, network]));
  const wishes: NicWish[] = [];
  for (const { networkid, ip, mac, ip6 } of asked) {
    const network = networks.get(networkid);
    if (network === undefined) throw unknownId(room, 'networkids', networkid);
    await checkNetwork(room, network, zone, owner);
    if (ip !== undefined) refuseNoAddresses(network);
    if (mac !== undefined && (await hasMac(room, network, mac)))
      throw refuse(
        'parameter',
        `The requested MAC-Address is already taken! ${mac}: another interface or device of network ${network.name} has it, or its router. Choose another, or leave it out`,
      );
    if (ip6 !== undefined) checkAddress6(network, ip6, mac);
    wishes.push({ network, ip, mac, ip6 });
  }
  return wishes;
}

interface Asked {
  readonly networkid: string;
  readonly ip: string | undefined;
  readonly mac: string | undefined;
  readonly ip6: string | undefined;
}

function fromIds({ networkids = [], ipaddress, macaddress, ip6address }: NicWant): Asked[] {
  const mac = macaddress === undefined ? undefined : readMac(macaddress);
  return networkids.map((networkid, index) => ({
    networkid,
    ip: index === 0 ? ipaddress : undefined,
    mac: index === 0 ? mac : undefined,
    ip6: index === 0 && ip6address !== '' ? ip6address : undefined,
  }));
}

function fromMap(room: Room, want: NicWant): Asked[] {
  if (want.networkids !== undefined || want.ipaddress !== undefined || want.macaddress !== undefined) {
    throw refuse(
      'parameter',
      "ipToNetworkMap can't be specified along with networkIds or ipAddress: give addresses in iptonetworklist only",
    );
  }
  return (want.iptonetworklist ?? []).map((entry, index) => {
    const networkid = entry['networkid'] ?? '';
    if (!isUuid(networkid)) throw unknownId(room, `iptonetworklist[${index}].networkid`, networkid);
    const ip = entry['ip'] === '' ? undefined : entry['ip'];
    if (ip !== undefined && parseIp(ip) === undefined)
      throw refuse('parameter', `Invalid specified IPv4 address ${ip}`);
    const ip6 = entry['ipv6'] === '' ? undefined : entry['ipv6'];
    return { networkid, ip, mac: entry['mac'] ? readMac(entry['mac']) : undefined, ip6 };
  });
}

/** An instance makes its IPv6 address of its MAC address: only that one can be asked for. */
function checkAddress6(network: NetworkRow, text: string, mac: string | undefined): void {
  const address = parseIp6(text);
  if (address === undefined) throw refuse('parameter', `Invalid specified IPv6 address ${text}`);
  if (network.ip6cidr === null)
    throw refuse('parameter', `Network ${network.name} has no IPv6: leave the IPv6 address ${text} out`);
  const own = mac === undefined ? undefined : cardAddress(network.ip6cidr, mac);
  if (own === formatIp6(address)) return;
  throw refuse(
    'parameter',
    own === undefined
      ? `IPv6 addresses are made by the instances themselves, of their MAC address (SLAAC), so ${text} cannot be given: leave it out, or choose the MAC address that it follows from`
      : `The IPv6 address ${text} is not the one that follows from MAC address ${mac} in network ${network.name} (SLAAC), which is ${own}: give that one, or leave it out`,
  );
}

/** Refuses a network that an owner's instance in this zone cannot be in. */
export async function checkNetwork(
  room: Room,
  network: NetworkRow,
  zone: Pick<Tables['zone'], 'id' | 'name'>,
  owner: Owner,
): Promise<void> {
  const named = `${network.name} (${network.id})`;
  if (network.guesttype === 'Private') {
    throw refuse(
      'parameter',
      `Deploying VMs in a network of type Private is not possible. Network ${named} connects VPCs by their private gateways; deploy into a tier of a VPC instead`,
    );
  }
  if (network.zone !== zone.id)
    throw refuse('parameter', `Network id=${network.id} doesn't belong to zone ${zone.name}`);
  if (network.account === owner.account.id) return;
  if (network.shared !== null && !(await isSharedWith(room, network, owner.domain))) {
    throw refuse(
      'permission',
      `Shared network id=${network.id} is not available in domain id=${owner.domain.id}: ${network.name} is for another domain than the instance's (${owner.domain.path})`,
    );
  }
  if (network.shared === null) {
    throw refuse(
      'permission',
      `Unable to use network with id= ${network.id}, permission denied: it belongs to another account than the instance will (${owner.account.name}). Name the network's owner with account and domainid`,
    );
  }
}

/** Refuses a wish for an address in a network that has none. */
export function refuseNoAddresses(network: Pick<NetworkRow, 'name' | 'cidr' | 'ip6cidr'>): void {
  if (network.cidr !== null) return;
  if (network.ip6cidr !== null) {
    throw refuse(
      'parameter',
      `Network ${network.name} has no IPv4 addresses to choose from: instances make their IPv6 addresses by themselves there. Leave the address out`,
    );
  }
  throw refuse(
    'parameter',
    `Network ${network.name} has no addresses to choose from: it is of type L2, where instances bring their own. Leave the address out`,
  );
}

/** Adds the interfaces, taking an address for each. Refuses with 533 when a network has none left. */
export async function addNics(
  room: WriteRoom,
  instanceId: string,
  wishes: readonly NicWish[],
  created: string,
): Promise<void> {
  for (const [deviceid, wish] of wishes.entries())
    await addNic(room, instanceId, wish, { deviceid, isdefault: deviceid === 0 ? 1 : 0, created });
}

/** Adds one interface with an address, in a network that has addresses; gives its id. */
export async function addNic(
  room: WriteRoom,
  instance: string,
  wish: NicWish,
  { deviceid, isdefault, created }: Pick<Tables['nic'], 'deviceid' | 'isdefault' | 'created'>,
): Promise<string> {
  const id = newId();
  const mac = wish.mac ?? macOf(id);
  await room.tx.insert('nic', {
    id,
    instance,
    network: wish.network.id,
    ip6: wish.network.ip6cidr === null ? null : cardAddress(wish.network.ip6cidr, mac),
    ip: wish.network.cidr === null ? null : await takeAddress(room, wish, id),
    mac,
    isdefault,
    deviceid,
    moved: await room.tx.generation(),
    created,
  });
  return id;
}

/** Notes that all addresses of an instance are somewhere else from now on: they are announced there. */
export async function moveAddresses(room: WriteRoom, instance: string): Promise<void> {
  const moved = await room.tx.generation();
  const nics = await room.db.selectFrom('nic').select('id').where('instance', '=', instance).execute();
  for (const { id } of nics) {
    await room.tx.update('nic', id, { moved });
    const further = await room.db.selectFrom('nicaddress').select('id').where('nic', '=', id).execute();
    for (const address of further) await room.tx.update('nicaddress', address.id, { moved });
  }
}

async function takeAddress(room: WriteRoom, { network, ip }: NicWish, nicId: string): Promise<string> {
  try {
    return await allocateAddress(room.tx, network, ip, 'nic', nicId);
  } catch (error) {
    if (!(error instanceof AllocationError)) throw error;
    if (error.problem === 'taken')
      throw refuse('parameter', `The requested IP is already taken! ${error.message}. Choose another, or leave it out`);
    throw refuse(
      'capacity',
      `Unable to acquire Guest IP address for network Ntwk[${network.id}|Guest]: ${error.message}`,
    );
  }
}

/** Networks come into use with the first instance that runs in them: the states they enter when that is realized. */
export async function implementNetworks(
  room: WriteRoom,
  networks: readonly Pick<NetworkRow, 'id' | 'state'>[],
): Promise<NonNullable<JobAnswer['enters']>> {
  const entered: { kind: 'network'; id: string; state: string }[] = [];
  for (const { id, state } of networks) {
    if (state !== 'Allocated') continue;
    await room.tx.update('network', id, { state: 'Implementing' });
    entered.push({ kind: 'network', id, state: 'Implemented' });
  }
  return entered;
}

/** Refuses what needs a service the default network's offering does not have. */
export async function requireService(
  room: Room,
  network: Pick<NetworkRow, 'name' | 'offering'>,
  service: string,
  why: string,
): Promise<void> {
  const offering = await room.db
    .selectFrom('networkoffering')
    .select(['name', 'services'])
    .where('id', '=', network.offering)
    .executeTakeFirstOrThrow();
  const services = JSON.parse(offering.services) as readonly { readonly name: string }[];
  if (services.some(({ name }) => name.toLowerCase() === service.toLowerCase())) return;
  throw refuse(
    'parameter',
    `Unable to deploy VM as ${why}, but there is no support for ${service} service in the default network ${network.name} (its offering is ${offering.name}). Leave it out, or name a network first whose offering has ${service}`,
  );
}

/** The networks an instance has interfaces in. */
export async function networksOf(room: Room, instanceId: string): Promise<Pick<NetworkRow, 'id' | 'vpc' | 'state'>[]> {
  return room.db
    .selectFrom('network')
    .select(['id', 'vpc', 'state'])
    .where(sql<boolean>`id in (select network from nic where instance = ${instanceId})`)
    .execute();
}
