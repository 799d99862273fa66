// What a rule leads to: an instance's interface in the network of the public address, and one of its addresses. And the address it
// begins at.
import { type Refusal, refuse } from '../../api/error.ts';
import { formatIp, parseIp } from '../../lib/ip.ts';
import type { Tables } from '../../store/schema.ts';
import { visible } from '../access.ts';
import { type Entering, type Room, type WriteRoom } from '../room.ts';
import { allocated } from './public-ip-give.ts';
import { type PublicIp, heldAddress } from './public-ip-view.ts';
import { needService, vpcHasNoPublicSide } from './public-service.ts';

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
 * a network. Refuses an address that leads to another network than the one named.
 */
export async function publicSide(
  room: WriteRoom,
  id: string,
  networkid: string | undefined,
  { param, doing }: Wording,
): Promise<Side> {
  const address = await heldAddress(room, id, param);
  if (address.vpc !== null) {
    const vpc = await room.db.selectFrom('vpc').select('name').where('id', '=', address.vpc).executeTakeFirstOrThrow();
    throw vpcHasNoPublicSide(vpc.name, `${doing} for`);
  }
  const named = networkid === undefined ? undefined : await visible(room, 'network', networkid, 'networkid');
  if (address.network === null) {
    if (named === undefined) {
      throw refuse(
        'parameter',
        `Unable to ${doing}; ip with specified id is not associated with any network: give networkid for ${address.ip}, or acquire an address for the network`,
      );
    }
    return attach(room, address, named);
  }
  if (named !== undefined && named.id !== address.network) {
    throw refuse(
      'parameter',
      `Invalid network Id=${named.id}. IP is associated with a different network than passed network id: ${address.ip} is not ${named.name}'s. Leave networkid out`,
    );
  }
  const network = await room.db
    .selectFrom('network')
    .selectAll()
    .where('id', '=', address.network)
    .executeTakeFirstOrThrow();
  return { address, network, enters: [] };
}

async function attach(room: WriteRoom, address: PublicIp, network: Tables['network']): Promise<Side> {
  await needService(room, network, 'SourceNat', 'an association of a public address');
  if (network.account !== address.account) {
    throw refuse(
      'parameter',
      `The owner of the network is not the same as owner of the IP: ${address.ip} cannot lead to network ${network.name}`,
    );
  }
  const patch = { network: network.id, state: 'Allocating', moved: await room.tx.generation() };
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
