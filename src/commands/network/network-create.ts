// createNetwork: one command for tiers of VPCs, Private networks, and networks that stand alone. Its checks come in CloudStack's
// order, because clients' tests look for the first text that applies.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { offers } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { checkLimits } from '../account/resource-count.ts';
import { existing, reaches, unknownId, visible } from '../access.ts';
import { checkNetworkDomain, defaultNetworkDomain, openZone } from '../known.ts';
import { checkFamilies, ipv6For } from './ipv6-network.ts';
import { NO_ADDRESSES } from './network-address.ts';
import { bootOptions, bootParams } from './network-boot.ts';
import {
  addressesOf,
  checkGuestType,
  checkOutsideVpc,
  checkPublic,
  checkRole,
  checkSize,
  checkUnsupported,
  defaultCidr,
  sharedOf,
} from './network-check.ts';
import { assignRouters } from './network-router.ts';
import { giveServiceAddress } from './service-address.ts';
import { checkVlan, physicalNetworkFor, segmentWish, takeSegment } from './network-segment.ts';
import { networkView, showNetworks } from './network-view.ts';
import { refusePublicOverlap } from './public-overlap.ts';
import { type Owner, forParams, ownerOf } from '../owner.ts';
import { type WriteRoom, entersWhenRealized, writeCommand } from '../room.ts';
import { checkTier } from '../vpc/tier-check.ts';

type Offering = Tables['networkoffering'];

const params = z.object({
  name: param.text('Name of the network'),
  displaytext: param.text('Description; the name where it is left out').optional(),
  networkofferingid: param.ref('networkoffering', 'The offering'),
  zoneid: param.ref('zone', 'The zone'),
  physicalnetworkid: param.ref('physicalnetwork', 'The physical network that carries it').optional(),
  vpcid: param.ref('vpc', 'The VPC it becomes a tier of').optional(),
  cidr: param.text('Its CIDR; instead of gateway and netmask. None for type L2').optional(),
  gateway: param.text('Its gateway').optional(),
  netmask: param.text('Its netmask').optional(),
  startip: param.text('First address that is handed out').optional(),
  endip: param.text('Last address that is handed out').optional(),
  ipexclusionlist: param.text('Addresses that are never handed out: 10.1.1.2-10.1.1.9,10.1.1.20', 4096).optional(),
  vlan: param
    .text('Its VLAN, with an offering that lets it be chosen; who is not root names one of network.vlan.tenants')
    .optional(),
  bypassvlanoverlapcheck: param.flag('Take the VLAN whatever else is on it; for root').optional(),
  aclid: param.ref('acl', 'The ACL list of a tier').optional(),
  sourcenatipaddress: param
    .address('Its source NAT address, a free one of the public ranges; the next free one where it is left out')
    .optional(),
  dns1: param.address('First resolver').optional(),
  dns2: param.address('Second resolver').optional(),
  ...bootParams,
  networkdomain: param.text('Its network domain').optional(),
  acltype: param.text('Account, or Domain for a Shared network of a whole domain').optional(),
  subdomainaccess: param
    .flag('Whether the domains below may use it, too; with acltype=Domain (default true)')
    .optional(),
  displaynetwork: param.flag('Whether it is shown to its owner; for root').optional(),
  isolatedpvlan: param.text('Not offered').optional(),
  ip6cidr: param
    .text("Its /64, with an offering that has IPv6; for root. One of the zone's guest prefixes where it is left out")
    .optional(),
  ip6gateway: param.text('Its gateway in IPv6; the first address of ip6cidr where it is left out').optional(),
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
    const physical = await physicalNetworkFor(room, zone, want.physicalnetworkid, offering);
    const shared = sharedOf(want, offering);
    checkRole(room, want, offering);
    const vpc = want.vpcid === undefined ? undefined : await visible(room, 'vpc', want.vpcid, 'vpcid');
    checkFamilies(want, offering);
    const addresses = addressesOf(want, offering, await defaultCidr(room, zone, offering), vpc);
    checkUnsupported(want);
    if (addresses !== undefined) await checkSize(room, addresses);
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
    const owner = shared === null ? await ownerFor(room, want, vpc) : await domainFor(room, want.domainid);
    if (want.networkdomain !== undefined) checkNetworkDomain(want.networkdomain);
    if (vpc === undefined) checkOutsideVpc(want, offering);
    else await checkTier(room, { want, offering, vpc, addresses, owner, zone });
    if (offering.state !== 'Enabled') {
      throw refuse(
        'parameter',
        `Can't use specified network offering id as its stat is not Enabled: ${offering.name} is ${offering.state}`,
      );
    }
    if (shared === null)
      await checkLimits(room, { account: owner.account.id, domain: owner.domain.id }, { network: 1 });
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
    if (addresses !== undefined) {
      checkPublic(room, offering, addresses.cidr);
      await refusePublicOverlap(room, zone.id, offering, addresses.cidr);
    }
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
      ...(addresses ?? NO_ADDRESSES),
      segment: wish.kind === 'overlay' ? 'overlay' : 'vlan',
      vlan: wish.kind === 'vlan' ? wish.vlan : null,
      acl: want.aclid ?? null,
      networkdomain: domainOf(want, offering, zone, owner),
      dns1: want.dns1 ?? null,
      dns2: want.dns2 ?? null,
      state: firstState(offering, wish.kind === 'vlan'),
      restartrequired: 0,
      gatewayturn: 0,
      gatewayavoid: '',
      serviceip: null,
      ...(await ipv6For(room, want, offering, zone)),
      displaynetwork: want.displaynetwork === false && room.call.caller.role === 'admin' ? 0 : 1,
      implicit: 0,
      shared,
      guestcidr: null,
      dhcpoptions: bootOptions({ name: want.name, dhcpoptions: null }, offering, want),
      created: new Date().toISOString(),
    };
    await room.tx.insert('network', row);
    const vlan = await takeSegment(room, physical, id, wish);
    if (wish.kind === 'pool') await room.tx.db.updateTable('network').set({ vlan }).where('id', '=', id).execute();
    if (vpc !== undefined && want.sourcenatipaddress !== undefined)
      throw refuse(
        'parameter',
        `A tier has no source NAT address of its own: give sourcenatipaddress to VPC ${vpc.name}`,
      );
    await assignRouters(room, { ...row, vlan }, offering, want.sourcenatipaddress);
    row.serviceip = await giveServiceAddress(room.tx, row, offering);
    // createNetwork is synchronous in every client, so there is no job to carry the lasting state.
    if (row.state === 'Implementing') await entersWhenRealized(room.tx, { kind: 'network', id, state: 'Implemented' });
    return { network: (await showNetworks(room, [{ ...row, vlan }]))[0] };
  },
});

/**
 * A VLAN that was given is there already, and so is what many accounts share. Tiers, Private networks and persistent ones are
 * being made while we answer; others wait for their first instance.
 */
function firstState(offering: Offering, vlanGiven: boolean): 'Setup' | 'Implementing' | 'Allocated' {
  if (vlanGiven || offering.guesttype === 'Shared') return 'Setup';
  return offering.forvpc === 1 || offering.ispersistent === 1 || offering.guesttype === 'Private'
    ? 'Implementing'
    : 'Allocated';
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

/** The domain a Shared network is for: the one named, else the caller's. The network itself stays the caller's. */
async function domainFor(room: WriteRoom, id: string | undefined): Promise<Owner> {
  const { account, domain: own } = await ownerOf(room, {});
  if (id === undefined) return { account, domain: own };
  const domain = await existing(room, 'domain', id, 'domainid');
  if (domain.id !== own.id && !reaches(room.call.caller, domain.path)) throw unknownId(room, 'domainid', id);
  return { account, domain };
}

/** A tier's is its VPC's; a Private network has no names in it, nor has one without addresses. */
function domainOf(want: Want, offering: Offering, zone: Tables['zone'], owner: Owner): string | null {
  if (want.vpcid !== undefined || offering.guesttype === 'Private' || offering.guesttype === 'L2') return null;
  return want.networkdomain ?? defaultNetworkDomain(owner, zone);
}
