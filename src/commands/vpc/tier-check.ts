// Whether a new tier fits its VPC: offering, ACL list, addresses, owner. Part of createNetwork, in CloudStack's order.
import { refuse } from '../../api/error.ts';
import { cidr, covers, overlaps } from '../../lib/ip.ts';
import { offers, servicesOf } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { readNumber } from '../../store/setting.ts';
import { usableAcl } from './acl-access.ts';
import type { Addresses } from '../network/network-address.ts';
import type { Owner } from '../owner.ts';
import type { Room } from '../room.ts';

/** A tier about to be made. */
interface NewTier {
  readonly want: { readonly aclid?: string | undefined; readonly networkdomain?: string | undefined };
  readonly offering: Tables['networkoffering'];
  readonly vpc: Tables['vpc'];
  /** Undefined for one without IPv4. */
  readonly addresses: Addresses | undefined;
  readonly owner: Owner;
  readonly zone: Tables['zone'];
}

/** Refuses a tier that does not fit its VPC. */
export async function checkTier(room: Room, { want, offering, vpc, addresses, owner, zone }: NewTier): Promise<void> {
  if (vpc.state !== 'Enabled')
    throw refuse('parameter', `Unable to find Enabled VPC by id specified: ${vpc.name} is ${vpc.state}`);
  if (vpc.zone !== zone.id) throw refuse('parameter', `VPC ${vpc.name} is in another zone than ${zone.name}`);
  if (offering.forvpc === 0)
    throw refuse('parameter', `Network offering can't be used for VPC networks: ${offering.name}`);
  if (offering.conservemode === 1)
    throw refuse('parameter', `Only networks with conserve mode Off can belong to VPC: ${offering.name} has it on`);
  await checkServices(room, offering, vpc);
  if (want.aclid !== undefined) {
    const acl = await usableAcl(room, want.aclid, 'aclid');
    if (acl.vpc !== null && acl.vpc !== vpc.id)
      throw refuse('parameter', `ACL: ${acl.name} do not belong to the VPC ${vpc.name}`);
    if (!offers(offering, 'NetworkACL')) {
      throw refuse(
        'parameter',
        `Cannot apply NetworkACL. Network Offering does not support NetworkACL service: ${offering.name}`,
      );
    }
  }
  const tiers = await room.db.selectFrom('network').select(['name', 'cidr']).where('vpc', '=', vpc.id).execute();
  const most = await readNumber(room.db, 'vpc.max.networks');
  if (tiers.length >= most) {
    throw refuse(
      'failed',
      `Number of networks per VPC can't extend ${most}; increase it using global config vpc.max.networks: ${vpc.name} has ${tiers.length}`,
    );
  }
  if (addresses !== undefined) checkRange(addresses.cidr, vpc, tiers);
  if (owner.account.id !== vpc.account) {
    throw refuse(
      'parameter',
      `Vpc ${vpc.name} owner is different from the network owner ${owner.account.name}: leave account and domainid out`,
    );
  }
  if (want.networkdomain !== undefined && want.networkdomain !== vpc.networkdomain) {
    throw refuse(
      'parameter',
      `Network domain of the new network should match network domain of vpc ${vpc.name}: ${vpc.networkdomain}`,
    );
  }
}

function checkRange(
  text: string,
  vpc: Tables['vpc'],
  tiers: readonly Pick<Tables['network'], 'name' | 'cidr'>[],
): void {
  const prefix = cidr(text);
  if (!covers(cidr(vpc.cidr), prefix))
    throw refuse('parameter', `Network cidr ${text} is not within vpc ${vpc.name} cidr ${vpc.cidr}`);
  const crossed = tiers.find((tier) => tier.cidr !== null && overlaps(cidr(tier.cidr), prefix));
  if (crossed !== undefined) {
    throw refuse(
      'parameter',
      `Network cidr ${text} crosses other network cidr ${crossed.cidr} belonging to the same vpc ${vpc.name}: that of tier ${crossed.name}`,
    );
  }
}

async function checkServices(room: Room, offering: Tables['networkoffering'], vpc: Tables['vpc']): Promise<void> {
  const vpcOffering = await room.db
    .selectFrom('vpcoffering')
    .select(['name', 'services', 'internetprotocol'])
    .where('id', '=', vpc.offering)
    .executeTakeFirstOrThrow();
  const families = vpcOffering.internetprotocol;
  const fits = families === 'dualstack' || families === offering.internetprotocol;
  if (!fits) {
    throw refuse(
      'parameter',
      `Network offering ${offering.name} has internetprotocol ${offering.internetprotocol}, and VPC ${vpc.name} is of offering ${vpcOffering.name}, which has ${families}: use an offering of the same, or a VPC offering with dualstack`,
    );
  }
  const supported = new Set(servicesOf(vpcOffering).map(({ name }) => name));
  const missing = servicesOf(offering).find(({ name }) => !supported.has(name));
  if (missing !== undefined) {
    throw refuse(
      'parameter',
      `Service/provider combination ${missing.name}/${missing.provider} is not supported by VPC ${vpc.name}, whose offering has ${[...supported].join(', ')}`,
    );
  }
}
