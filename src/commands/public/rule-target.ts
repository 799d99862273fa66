// What a rule leads to: an instance's interface in the network of the public address, and one of its addresses. And the address it
// begins at.
import { type Refusal, refuse } from '../../api/error.ts';
import { formatIp, parseIp } from '../../lib/ip.ts';
import type { Tables } from '../../store/schema.ts';
import { visible } from '../access.ts';
import { type Entering, type Room, type WriteRoom } from '../room.ts';
import { allocated, hasSourceNat } from './public-ip-give.ts';
import { type PublicIp, heldAddress } from './public-ip-view.ts';
import { hasOwnAddress, needService } from './public-service.ts';

/** Where a rule begins. */
export interface Side {
  readonly address: PublicIp;
  readonly network: Tables['network'];
  /** States to promise: of an address that is associated by this rule. */
  readonly enters: readonly Entering[];
}

/** What the kinds of rules call things in their refusals. */
export interface Wording {
  /** Name of the parameter that holds the public address. */
  readonly param: string;
  /** `create a port forwarding rule`. */
  readonly doing: string;
}

/**
 * The public address of a new rule, with the network it leads to: its own, or that of `networkid` for one that was acquired without
 * a network, or for a VPC; there `instanceId` may tell it, too. Refuses an address that leads to another network than the one named.
 */
export async function publicSide(
  room: WriteRoom,
  id: string,
  networkid: string | undefined,
  { param, doing }: Wording,
  instanceId?: string,
): Promise<Side> {
  const address = await heldAddress(room, id, param);
  const named = networkid === undefined ? undefined : await visible(room, 'network', networkid, 'networkid');
  if (named !== undefined && address.vpc !== null && named.vpc !== address.vpc) {
    throw refuse(
      'parameter',
      `Invalid network Id=${named.id}. IP is associated with a different network than passed network id: ${address.ip} is VPC ${await nameOf(room, address.vpc)}'s, and ${named.name} is no tier of it`,
    );
  }
  if (address.network === null) {
    const network = named ?? (await tierOf(room, address, instanceId));
    if (network !== undefined)
      return address.vpc === null ? attach(room, address, network) : useIn(room, address, network);
    const help =
      address.vpc === null
        ? `give networkid for ${address.ip}, or acquire an address for the network`
        : `${address.ip} is VPC ${await nameOf(room, address.vpc)}'s and leads to no tier yet. Give networkid, one of its tiers`;
    throw refuse('parameter', `Unable to ${doing}; ip with specified id is not associated with any network: ${help}`);
  }
  if (named?.id === address.network) return { address, network: named, enters: [] };
  const network = await room.db
    .selectFrom('network')
    .selectAll()
    .where('id', '=', address.network)
    .executeTakeFirstOrThrow();
  if (named !== undefined) {
    const why =
      address.vpc === null
        ? `is not ${named.name}'s. Leave networkid out`
        : `leads to tier ${network.name} already, and an address leads to one tier. Delete its rules there, or acquire another address for the VPC`;
    throw refuse(
      'parameter',
      `Invalid network Id=${named.id}. IP is associated with a different network than passed network id: ${address.ip} ${why}`,
    );
  }
  return { address, network, enters: [] };
}

async function nameOf(room: Room, vpc: string): Promise<string> {
  return (await room.db.selectFrom('vpc').select('name').where('id', '=', vpc).executeTakeFirstOrThrow()).name;
}

/** The tier of the address's VPC that an instance is in, where it is in one only. */
async function tierOf(
  room: Room,
  address: PublicIp,
  instanceId: string | undefined,
): Promise<Tables['network'] | undefined> {
  if (address.vpc === null || instanceId === undefined) return undefined;
  const instance = await visible(room, 'instance', instanceId, 'virtualmachineid');
  const tiers = await room.db
    .selectFrom('network')
    .selectAll()
    .where('vpc', '=', address.vpc)
    .where('id', 'in', room.db.selectFrom('nic').select('nic.network').where('nic.instance', '=', instance.id))
    .execute();
  return tiers.length === 1 ? tiers[0] : undefined;
}

/** An address of a VPC leads to a tier from its first rule there to its last. */
async function useIn(room: WriteRoom, address: PublicIp, network: Tables['network']): Promise<Side> {
  const patch = { network: network.id, moved: await room.tx.generation() };
  await room.tx.update('publicip', address.id, patch);
  return { address: { ...address, ...patch }, network, enters: [] };
}

/** An address that was acquired for later. The first one of a network whose router has none of its own becomes that. */
async function attach(room: WriteRoom, address: PublicIp, network: Tables['network']): Promise<Side> {
  if (network.vpc !== null) {
    throw refuse(
      'parameter',
      `Can't assign ip to the network directly when network belongs to VPC.Specify vpcId to associate ip address to VPC: ${network.name} is a tier, and ${address.ip} was acquired for networks outside of VPCs. Acquire one with vpcid`,
    );
  }
  const offering = await needService(room, network, 'SourceNat', 'an association of a public address');
  if (network.account !== address.account) {
    throw refuse(
      'parameter',
      `The owner of the network is not the same as owner of the IP: ${address.ip} cannot lead to network ${network.name}`,
    );
  }
  const first = hasOwnAddress(network, offering) && !(await hasSourceNat(room, 'network', network.id));
  const patch = {
    network: network.id,
    state: 'Allocating',
    moved: await room.tx.generation(),
    ...(first ? { issourcenat: 1 as const } : {}),
  };
  await room.tx.update('publicip', address.id, patch);
  return { address: { ...address, ...patch }, network, enters: [allocated(address)] };
}

/** Where a rule ends. */
export interface Target {
  readonly instance: Pick<Tables['instance'], 'id' | 'hostname' | 'account'>;
  readonly nic: Tables['nic'];
  /** The interface's main address, or one of its further ones. */
  readonly ip: string;
}

/** Refusals of one kind of rule; each gets the instance's name. */
export interface TargetWording {
  readonly invalid: (id: string) => string;
  readonly elsewhere: string;
}

const GONE: ReadonlySet<string> = new Set(['Destroyed', 'Expunging', 'Error']);

/** The interface of an instance in a network, and the address of it that a rule leads to. */
export async function targetIn(
  room: Room,
  network: Pick<Tables['network'], 'id' | 'name'>,
  instanceId: string,
  guestIp: string | undefined,
  wording: TargetWording,
  param = 'virtualmachineid',
): Promise<Target> {
  const instance = await visible(room, 'instance', instanceId, param);
  if (GONE.has(instance.state)) {
    throw refuse('parameter', `${wording.invalid(instance.id)}: ${instance.hostname} is ${instance.state}`);
  }
  const nic = await room.db
    .selectFrom('nic')
    .selectAll()
    .where('instance', '=', instance.id)
    .where('network', '=', network.id)
    .executeTakeFirst();
  if (nic === undefined) {
    throw refuse(
      'parameter',
      `${wording.elsewhere}: ${instance.hostname} has no interface in ${network.name}. Give it one with addNicToVirtualMachine`,
    );
  }
  return { instance, nic, ip: await addressOf(room, nic, guestIp) };
}

async function addressOf(room: Room, nic: Tables['nic'], guestIp: string | undefined): Promise<string> {
  if (guestIp === undefined) {
    if (nic.ip === null) throw noAddress();
    return nic.ip;
  }
  const parsed = parseIp(guestIp);
  const ip = parsed === undefined ? guestIp : formatIp(parsed);
  if (ip === nic.ip) return ip;
  const further = await room.db.selectFrom('nicaddress').select('ip').where('nic', '=', nic.id).execute();
  if (further.some((row) => row.ip === ip)) return ip;
  const has = [nic.ip, ...further.map((row) => row.ip)].filter((one) => one !== null);
  throw refuse(
    'parameter',
    `IP Address is not in the VM nic's network : ${guestIp} is no address of the instance there, which has ${has.join(', ') || 'none'}. Add it with addIpToNic`,
  );
}

function noAddress(): Refusal {
  return refuse('parameter', 'The instance has no address in that network that a rule could lead to');
}
