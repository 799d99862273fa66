// createNetwork: one command for tiers of VPCs, Private networks, and networks that stand alone. Its checks come in CloudStack's
// order, because clients' tests look for the first text that applies.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { cidr } from '../../lib/ip.ts';
import { offers } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { readNumber } from '../../store/setting.ts';
import { existing, visible } from '../access.ts';
import { checkNetworkDomain, defaultNetworkDomain, openZone } from '../known.ts';
import { type Addresses, checkRfc1918, readAddresses } from './network-address.ts';
import { checkVlan, physicalNetworkFor, segmentWish, takeSegment } from './network-segment.ts';
import { networkView, showNetworks } from './network-view.ts';
import { type Owner, forParams, ownerOf } from '../owner.ts';
import { type WriteRoom, writeCommand } from '../room.ts';
import { checkTier } from '../vpc/tier-check.ts';

type Offering = Tables['networkoffering'];

const params = z.object({
  name: param.text('Name of the network'),
  displaytext: param.text('Description; the name where it is left out').optional(),
  networkofferingid: param.ref('networkoffering', 'The offering'),
  zoneid: param.ref('zone', 'The zone'),
  physicalnetworkid: param.ref('physicalnetwork', 'The physical network that carries it').optional(),
  vpcid: param.ref('vpc', 'The VPC it becomes a tier of').optional(),
  cidr: param.text('Its CIDR; instead of gateway and netmask').optional(),
  gateway: param.text('Its gateway').optional(),
  netmask: param.text('Its netmask').optional(),
  startip: param.text('First address that is handed out').optional(),
  endip: param.text('Last address that is handed out').optional(),
  ipexclusionlist: param.text('Addresses that are never handed out: 10.1.1.2-10.1.1.9,10.1.1.20', 4096).optional(),
  vlan: param.text('Its VLAN, with an offering that lets it be chosen').optional(),
  bypassvlanoverlapcheck: param.flag('Take the VLAN whatever else is on it; for root').optional(),
  aclid: param.ref('acl', 'The ACL list of a tier').optional(),
  dns1: param.address('First resolver').optional(),
  dns2: param.address('Second resolver').optional(),
  networkdomain: param.text('Its network domain').optional(),
  acltype: param.text('Account').optional(),
  subdomainaccess: param.flag('Not offered: a network belongs to an account').optional(),
  displaynetwork: param.flag('Whether it is shown to its owner; for root').optional(),
  isolatedpvlan: param.text('Not offered').optional(),
  ip6cidr: param.text('Not offered').optional(),
  ip6gateway: param.text('Not offered').optional(),
  startipv6: param.text('Not offered').optional(),
  endipv6: param.text('Not offered').optional(),
  ...forParams,
});

type Want = z.infer<typeof params>;

export const createNetwork = writeCommand({
  name: 'createNetwork',
  summary: 'Creates a network: a tier of a VPC, a Private network, or one that stands alone',
  roles: WRITERS,
  event: 'NETWORK.CREATE',
  answer: { kind: 'object', key: 'network', view: networkView },
  params,
  async write(room, want) {
    const offering = await existing(room, 'networkoffering', want.networkofferingid, 'networkofferingid');
    checkGuestType(want, offering);
    const zone = await openZone(room, want.zoneid);
    const physical = await physicalNetworkFor(room, zone, want.physicalnetworkid);
    checkAclType(want, offering);
    checkRole(room, want, offering);
    const vpc = want.vpcid === undefined ? undefined : await visible(room, 'vpc', want.vpcid, 'vpcid');
    const addresses = addressesOf(want, offering, zone, vpc);
    checkUnsupported(want);
    await checkSize(room, addresses);
    if (
      want.startip !== undefined &&
      offering.specifyipranges === 0 &&
      vpc === undefined &&
      offers(offering, 'SourceNat')
    ) {
      throw refuse(
        'parameter',
        `Network offering with specified id doesn't support adding multiple ip ranges: leave startip and endip out with ${offering.name}`,
      );
    }
    const owner = await ownerFor(room, want, vpc);
    if (want.networkdomain !== undefined) checkNetworkDomain(want.networkdomain);
    if (vpc === undefined) checkOutsideVpc(want, offering);
    else await checkTier(room, { want, offering, vpc, addresses, owner, zone });
    if (offering.state !== 'Enabled') {
      throw refuse(
        'parameter',
        `Can't use specified network offering id as its stat is not Enabled: ${offering.name} is ${offering.state}`,
      );
    }
    const wish = segmentWish(offering, want.vlan);
    const id = newId();
    if (wish.kind === 'vlan') {
      const bypass = want.bypassvlanoverlapcheck === true && room.call.caller.role === 'admin';
      await checkVlan(
        room,
        zone,
        physical,
        { id, guesttype: offering.guesttype, domain: owner.domain.id },
        wish.vlan,
        bypass,
      );
    }
    if (offering.guesttype !== 'Shared') checkRfc1918(addresses.cidr);
    const row: Tables['network'] = {
      id,
      name: want.name,
      displaytext: want.displaytext ?? want.name,
      zone: zone.id,
      physicalnetwork: physical.id,
      account: owner.account.id,
      domain: owner.domain.id,
      offering: offering.id,
      guesttype: offering.guesttype,
      vpc: vpc?.id ?? null,
      ...addresses,
      segment: wish.kind === 'overlay' ? 'overlay' : 'vlan',
      vlan: wish.kind === 'vlan' ? wish.vlan : null,
      acl: want.aclid ?? null,
      networkdomain: domainOf(want, offering, zone, owner),
      dns1: want.dns1 ?? null,
      dns2: want.dns2 ?? null,
      // A VLAN that was given is there already; everything else is being made while we answer.
      state: wish.kind === 'vlan' ? 'Setup' : 'Implementing',
      restartrequired: 0,
      displaynetwork: want.displaynetwork === false && room.call.caller.role === 'admin' ? 0 : 1,
      implicit: 0,
      created: new Date().toISOString(),
    };
    await room.tx.insert('network', row);
    const vlan = await takeSegment(room, physical, id, wish);
    if (wish.kind === 'pool') await room.tx.db.updateTable('network').set({ vlan }).where('id', '=', id).execute();
    if (row.state === 'Implementing') await entersWhenRealized(room, id);
    return { network: (await showNetworks(room, [{ ...row, vlan }]))[0] };
  },
});

/** createNetwork is synchronous in every client, so there is no job to carry the lasting state. */
async function entersWhenRealized({ tx }: WriteRoom, id: string): Promise<void> {
  await tx.db
    .insertInto('transition')
    .values({ generation: await tx.generation(), kind: 'network', id, state: 'Implemented' })
    .execute();
}

function checkGuestType(want: Want, { guesttype }: Offering): void {
  if (guesttype !== 'Private') return;
  const { startip, endip, vpcid, gateway, netmask } = want;
  if ([startip, endip, vpcid, gateway, netmask].some((value) => value !== undefined)) {
    throw refuse(
      'parameter',
      "StartIp/endIp/vpcId/gateway/netmask can't be specified for guest type Private: give its cidr, and connect VPCs by private gateways",
    );
  }
  if (want.dns1 !== undefined || want.dns2 !== undefined)
    throw refuse('parameter', 'Network of type Private does not support setting DNS servers');
  if (want.aclid !== undefined)
    throw refuse(
      'parameter',
      'A network of type Private has no ACL list: each private gateway on it has one of its own',
    );
}

function checkAclType({ acltype, subdomainaccess }: Want, { guesttype }: Offering): void {
  if (subdomainaccess === true)
    throw refuse(
      'parameter',
      'Parameter subDomainAccess can be specified only with aclType=Domain, which is not offered: a network belongs to one account',
    );
  if (acltype === undefined) return;
  const kind = acltype.toLowerCase();
  if (kind !== 'account' && kind !== 'domain')
    throw refuse('parameter', 'Incorrect aclType specified. Check the API documentation for supported types: Account');
  if (kind === 'account') return;
  if (guesttype === 'Isolated') throw refuse('parameter', 'AclType should be Account for network of type Isolated');
  throw refuse(
    'parameter',
    'AclType Domain is not offered: a network belongs to one account. Name it by account and domainid',
  );
}

function checkRole(room: WriteRoom, want: Want, { guesttype, name }: Offering): void {
  const { role } = room.call.caller;
  if (role === 'admin') return;
  if (guesttype === 'Shared' || guesttype === 'L2')
    throw refuse(
      'parameter',
      `Only Admins can create network with guest type ${guesttype}: ${name} is such an offering`,
    );
  if (role !== 'user') return;
  if (guesttype !== 'Isolated') {
    throw refuse(
      'parameter',
      `Regular user can create a network only from the network offering having traffic type Guest and network type Isolated with a service SourceNat enabled; ${name} is of type ${guesttype}. Ask an admin of your domain`,
    );
  }
  if (want.vlan !== undefined)
    throw refuse('parameter', 'Only ROOT admin and domain admins are allowed to specify vlanId');
}

/** Outside of VPCs, a network with a router gets this CIDR where neither caller nor zone says another. */
const DEFAULT_GUEST_CIDR = '10.1.1.0/24';

function addressesOf(want: Want, offering: Offering, zone: Tables['zone'], vpc: Tables['vpc'] | undefined): Addresses {
  const routed = vpc !== undefined || offers(offering, 'SourceNat') || offers(offering, 'Gateway');
  const addresses = readAddresses(want, routed);
  if (addresses !== undefined) return addresses;
  if (vpc !== undefined)
    throw refuse(
      'parameter',
      `Gateway/netmask are required when create network for VPC: or give cidr, a part of ${vpc.name}'s ${vpc.cidr}`,
    );
  if (offering.guesttype === 'Private') {
    throw refuse(
      'parameter',
      "Can't design network; netmask/gateway or cidr must be passed in: a Private network is given by its cidr, such as 172.16.0.0/24",
    );
  }
  if (offering.guesttype === 'Isolated' && offers(offering, 'SourceNat')) {
    return readAddresses({ ...want, cidr: zone.guestcidr ?? DEFAULT_GUEST_CIDR }, true)!;
  }
  throw refuse(
    'parameter',
    `StartIp/endIp/gateway/netmask are required when create network of type Shared and network of type Isolated with service SourceNat disabled: give gateway and netmask, or cidr; ${offering.name} is of type ${offering.guesttype}`,
  );
}

function checkUnsupported(want: Want): void {
  if ([want.ip6cidr, want.ip6gateway, want.startipv6, want.endipv6].some((value) => value !== undefined)) {
    throw refuse(
      'parameter',
      'Can only support create IPv6 network with advance shared network!, which is not offered: leave the IPv6 parameters out',
    );
  }
  if (want.isolatedpvlan !== undefined) {
    throw refuse(
      'parameter',
      'Can only support create Private VLAN network with advance shared network!, which is not offered: leave isolatedpvlan out',
    );
  }
}

async function checkSize(room: WriteRoom, addresses: Addresses): Promise<void> {
  if (room.call.caller.role === 'admin') return;
  const limit = await readNumber(room.db, 'network.guest.cidr.limit', 22);
  if (cidr(addresses.cidr).length < limit) {
    throw refuse('parameter', `Cidr size can't be less than ${limit}: ${addresses.cidr} is larger than a /${limit}`);
  }
}

/** A tier belongs to its VPC's owner, whoever makes it for him. */
async function ownerFor(room: WriteRoom, want: Want, vpc: Tables['vpc'] | undefined): Promise<Owner> {
  if (vpc === undefined || want.account !== undefined || want.domainid !== undefined || want.projectid !== undefined)
    return ownerOf(room, want);
  const account = await room.db
    .selectFrom('account')
    .selectAll()
    .where('id', '=', vpc.account)
    .executeTakeFirstOrThrow();
  const domain = await room.db.selectFrom('domain').selectAll().where('id', '=', vpc.domain).executeTakeFirstOrThrow();
  return { account, domain };
}

function checkOutsideVpc(want: Want, offering: Offering): void {
  if (offering.forvpc === 1)
    throw refuse(
      'parameter',
      `Network offering can be used for VPC networks only: give the vpcid that ${offering.name} needs`,
    );
  if (want.aclid !== undefined)
    throw refuse(
      'parameter',
      'Cannot apply NetworkACL. ACL lists are for tiers of a VPC: leave aclid out, or give vpcid',
    );
}

/** A tier's is its VPC's; a Private network has no names in it. */
function domainOf(want: Want, offering: Offering, zone: Tables['zone'], owner: Owner): string | null {
  if (want.vpcid !== undefined || offering.guesttype === 'Private') return null;
  return want.networkdomain ?? defaultNetworkDomain(owner, zone);
}
