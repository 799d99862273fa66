// What stands between a VPC and another site: addresses that both have, or that are elsewhere already; ends that cannot be told apart.
import { refuse } from '../../api/error.ts';
import { cidr, formatCidr, overlaps } from '../../lib/ip.ts';
import type { Room } from '../room.ts';
import { type CustomerGateway, refuseInside } from './customer-gateway-read.ts';
import { behindUsers, clashOf, occupiedAt } from './vpn-place.ts';
import type { VpnGateway } from './vpn-gateway.ts';

/** Refuses a connection of a VPN gateway to another end. `own`: the connection itself, where it is there already. */
export async function refuseSiteClash(
  room: Room,
  gateway: Pick<VpnGateway, 'id' | 'vpc' | 'account'>,
  other: CustomerGateway,
  own?: string,
): Promise<void> {
  const { db } = room;
  const vpc = await db.selectFrom('vpc').selectAll().where('id', '=', gateway.vpc).executeTakeFirstOrThrow();
  const networks = other.cidrlist.split(',');
  const inVpc = networks.find((text) => overlaps(cidr(text), cidr(vpc.cidr)));
  if (inVpc !== undefined)
    throw refuse(
      'parameter',
      `The subnets of customer gateway ${other.id}'s subnet ${inVpc} is overlapped with VPC cidr ${vpc.cidr}!: an address can be in one place only`,
    );
  const ownAddress = await db
    .selectFrom('publicip')
    .select('id')
    .where('vpc', '=', gateway.vpc)
    .where('ip', '=', other.gateway)
    .executeTakeFirst();
  if (ownAddress !== undefined)
    throw refuse(
      'parameter',
      `The customer gateway ip ${other.gateway} is invalid!: it is an address of VPC ${vpc.name} itself, and a connection needs another end`,
    );
  const { publickey } = await db
    .selectFrom('vpngateway')
    .select('publickey')
    .where('id', '=', gateway.id)
    .executeTakeFirstOrThrow();
  if (other.publickey === publickey)
    throw refuse(
      'parameter',
      `The publickey ${publickey} of customer gateway ${other.name} is that of VPC ${vpc.name}'s own VPN gateway: give the key of the other end ("wg pubkey" there; of another VPC, in its listVpnGateways)`,
    );
  const beside = await db
    .selectFrom('vpnconnection')
    .innerJoin('customergateway', 'customergateway.id', 'vpnconnection.customergateway')
    .selectAll('customergateway')
    .select('vpnconnection.id as connection')
    .where('vpnconnection.vpngateway', '=', gateway.id)
    .execute();
  for (const one of beside.filter(({ connection }) => connection !== own)) {
    for (const theirs of one.cidrlist.split(',')) {
      const mine = networks.find((text) => overlaps(cidr(text), cidr(theirs)));
      if (mine !== undefined)
        throw refuse(
          'parameter',
          `The new connection's remote subnet ${mine} is overlapped with existed VPN connection to customer gateway ${one.name}'s subnet ${theirs}`,
        );
    }
    refuseInside(other.cidrlist, one.gateway, `${one.gateway}, the address of customer gateway ${one.name}`);
    refuseInside(one.cidrlist, other.gateway, `${other.gateway}, the address of customer gateway ${other.name}`);
    if (one.kind === other.kind && (one.gateway === other.gateway || sameKey(one, other)))
      throw refuse(
        'conflict',
        `Connection ${one.connection} ends at ${one.gateway} already (customer gateway ${one.name}), and two with one peer cannot be told apart. Add the networks to that customer gateway`,
      );
  }
  const occupied = [
    ...(await occupiedAt(db, { vpc: gateway.vpc, network: null })),
    ...(await behindUsers(db, gateway.account)),
  ];
  for (const text of networks) {
    const clash = clashOf(
      occupied.filter(({ id }) => id !== own),
      cidr(text),
    );
    if (clash !== undefined)
      throw refuse(
        'conflict',
        `Subnet ${text} of customer gateway ${other.name} overlaps ${formatCidr(clash.prefix)}, which is ${clash.what}: an address can be in one place only`,
      );
  }
}

function sameKey(one: CustomerGateway, other: CustomerGateway): boolean {
  return one.publickey !== null && one.publickey === other.publickey;
}
