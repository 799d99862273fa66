// Public addresses: acquiring, releasing and changing them. Listing is in public-ip-list.ts.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { offers } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { visible } from '../access.ts';
import { openZone, refuseHidden } from '../known.ts';
import { type Owner, forParams, ownerOf } from '../owner.ts';
import { type JobAnswer, type Room, type WriteRoom, jobCommand } from '../room.ts';
import { allocated, giveAddress, hasSourceNat, takeBack } from './public-ip-give.ts';
import { heldAddress, publicIpView } from './public-ip-view.ts';
import { hasOwnAddress, needVpcSourceNat } from './public-service.ts';

const object = { kind: 'object', key: 'ipaddress', view: publicIpView } as const;

export const associateIpAddress = jobCommand({
  name: 'associateIpAddress',
  summary: 'Acquires a public address, for a network or for later',
  roles: WRITERS,
  event: 'NET.IPASSIGN',
  answer: object,
  params: z.object({
    networkid: param.ref('network', 'The network it will lead to').optional(),
    vpcid: param.ref('vpc', 'The VPC it will lead to').optional(),
    zoneid: param.ref('zone', 'Without a network: the zone it is acquired in').optional(),
    ipaddress: param.address('This very address').optional(),
    isportable: param.flag('Only false: portable addresses are not offered').optional(),
    regionid: param.integer('Accepted: there is one region').optional(),
    fordisplay: param.flag('Only true').optional(),
    ...forParams,
  }),
  async job(room, want) {
    if (want.isportable === true) throw refuse('parameter', 'Portable addresses are not offered: leave isportable out');
    refuseHidden(want);
    // Whoever gives both means the VPC, as in CloudStack.
    if (want.vpcid !== undefined) return forVpc(room, want, await visible(room, 'vpc', want.vpcid, 'vpcid'));
    const network =
      want.networkid === undefined ? undefined : await visible(room, 'network', want.networkid, 'networkid');
    const offering = network === undefined ? undefined : await checkNetwork(room, network);
    if (network === undefined && want.zoneid === undefined) {
      throw refuse(
        'parameter',
        'Unable to figure out zone to assign IP to. Please specify either zoneId, or networkId, or vpcId in the call',
      );
    }
    const zone = await openZone(room, network?.zone ?? want.zoneid!);
    const owner = await holderOf(room, want, network && { ...network, name: `network ${network.name}` });
    const issourcenat =
      network !== undefined &&
      offering !== undefined &&
      hasOwnAddress(network, offering) &&
      !(await hasSourceNat(room, 'network', network.id));
    const row = await giveAddress(room, {
      zone,
      owner,
      network: network?.id ?? null,
      issourcenat,
      wanted: want.ipaddress,
    });
    return {
      id: row.id,
      about: { type: 'IpAddress', id: row.id },
      view: 'ipaddress',
      ...(network === undefined ? {} : { enters: [allocated(row)] }),
      text: `acquiring public address ${row.ip}${network === undefined ? '' : ` for network ${network.name}`}`,
    };
  },
});

interface ForWhom extends Pick<Parameters<typeof ownerOf>[1], 'account' | 'domainid' | 'projectid'> {
  readonly ipaddress?: string | undefined;
}

/** The first address of a VPC that has no source NAT address becomes it. */
async function forVpc(room: WriteRoom, want: ForWhom, vpc: Tables['vpc']): Promise<JobAnswer> {
  if (vpc.state !== 'Enabled') throw refuse('parameter', `Invalid VPC id provided: ${vpc.name} is ${vpc.state}`);
  await needVpcSourceNat(room, vpc);
  const zone = await openZone(room, vpc.zone);
  const owner = await holderOf(room, want, { ...vpc, name: `VPC ${vpc.name}` });
  const issourcenat = !(await hasSourceNat(room, 'vpc', vpc.id));
  const row = await giveAddress(room, { zone, owner, vpc: vpc.id, issourcenat, wanted: want.ipaddress });
  return {
    id: row.id,
    about: { type: 'IpAddress', id: row.id },
    view: 'ipaddress',
    enters: [allocated(row)],
    text: `acquiring public address ${row.ip} for VPC ${vpc.name}`,
  };
}

async function checkNetwork(room: Room, network: Tables['network']): Promise<Tables['networkoffering']> {
  if (network.vpc !== null) {
    throw refuse(
      'parameter',
      "Can't assign ip to the network directly when network belongs to VPC.Specify vpcId to associate ip address to VPC",
    );
  }
  if (network.guesttype === 'Shared') {
    throw refuse(
      'parameter',
      `Associate IP address can only be called on the shared networks in the advanced zone with Firewall/Source Nat/Static Nat/Port Forwarding/Load balancing services enabled, which is not offered: ${network.name} is Shared. Use an Isolated network`,
    );
  }
  const offering = await room.db
    .selectFrom('networkoffering')
    .selectAll()
    .where('id', '=', network.offering)
    .executeTakeFirstOrThrow();
  if (network.guesttype === 'Isolated' && offers(offering, 'SourceNat')) return offering;
  // Where nothing is translated, the router still has one address of its own.
  if (hasOwnAddress(network, offering) && !(await hasSourceNat(room, 'network', network.id))) return offering;
  throw refuse(
    'parameter',
    `In zone of type Advanced ip address can be associated only to the network of guest type Isolated with the SourceNat enabled: ${network.name} is of type ${network.guesttype}${network.guesttype === 'Isolated' ? ` without SourceNat (offering ${offering.name})` : ''}`,
  );
}

/** An address for a network or a VPC is its owner's, whoever acquires it for him. */
async function holderOf(
  room: Room,
  want: Parameters<typeof ownerOf>[1],
  whose: { readonly account: string; readonly domain: string; readonly name: string } | undefined,
): Promise<{ account: string; domain: string }> {
  const named = want.account !== undefined || want.domainid !== undefined;
  if (whose !== undefined && !named) return whose;
  const owner: Owner = await ownerOf(room, want);
  if (whose !== undefined && whose.account !== owner.account.id) {
    throw refuse(
      'parameter',
      `The owner of the network is not the same as owner of the IP: ${whose.name} is another account's than ${owner.account.name}. Leave account and domainid out`,
    );
  }
  return { account: owner.account.id, domain: owner.domain.id };
}

export const disassociateIpAddress = jobCommand({
  name: 'disassociateIpAddress',
  summary: 'Releases a public address; its rules go with it',
  roles: WRITERS,
  event: 'NET.IPRELEASE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('publicip', 'The address') }),
  async job(room, want) {
    const row = await heldAddress(room, want.id, 'id');
    if (row.issourcenat === 1) {
      throw refuse(
        'parameter',
        `ip address is used for source nat purposes and can not be disassociated.: ${row.ip} goes with its ${row.vpc === null ? 'network' : 'VPC'}, or make another one of it the source NAT address first (${row.vpc === null ? 'updateNetwork' : 'updateVPC'} with sourcenatipaddress)`,
      );
    }
    const gateway = await room.db
      .selectFrom('vpngateway')
      .select('id')
      .where('publicip', '=', row.id)
      .executeTakeFirst();
    if (gateway !== undefined) {
      throw refuse(
        'parameter',
        `${row.ip} cannot be released: VPN gateway ${gateway.id} is there, and the other ends of its connections know that address. Delete the gateway first`,
      );
    }
    return {
      about: { type: 'IpAddress', id: row.id },
      enters: [await takeBack(room, row)],
      text: `releasing public address ${row.ip}`,
    };
  },
});

export const updateIpAddress = jobCommand({
  name: 'updateIpAddress',
  summary: 'Changes a public address: nothing of it can be changed, it is shown to its owner always',
  roles: WRITERS,
  event: 'NET.IPUPDATE',
  answer: object,
  params: z.object({
    id: param.ref('publicip', 'The address'),
    fordisplay: param.flag('Only true').optional(),
    customid: param.text('Not offered').optional(),
  }),
  async job(room, want) {
    const row = await heldAddress(room, want.id, 'id');
    refuseHidden(want);
    return { about: { type: 'IpAddress', id: row.id }, view: 'ipaddress', text: `updating public address ${row.ip}` };
  },
});
