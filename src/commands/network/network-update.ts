// updateNetwork: names, resolvers, which addresses instances get, and the offering where nothing runs.
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { cidr, contains, covers, formatCidr, ip, sameCidr } from '../../lib/ip.ts';
import { addressPlan } from '../../store/allocate.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, visible } from '../access.ts';
import { checkNetworkDomain } from '../known.ts';
import { type Entering, type Room, type WriteRoom, jobCommand } from '../room.ts';
import { refuseSharedBy } from './network-access.ts';
import { checkExclusion } from './network-address.ts';
import { bootOptions, bootParams } from './network-boot.ts';
import { checkedOffering } from './network-offering-change.ts';
import { assignRouters } from './network-router.ts';
import { networkView } from './network-view.ts';
import { changeSourceNat } from '../public/source-nat-change.ts';
import { refuseForeignNames } from './network-names.ts';

export const updateNetwork = jobCommand({
  name: 'updateNetwork',
  summary: 'Changes a network',
  roles: WRITERS,
  event: 'NETWORK.UPDATE',
  answer: { kind: 'object', key: 'network', view: networkView },
  params: z.object({
    id: param.ref('network', 'The network'),
    name: param.text('New name').optional(),
    displaytext: param.text('New description').optional(),
    networkdomain: param.text('New network domain').optional(),
    networkofferingid: param.ref('networkoffering', 'New offering').optional(),
    changecidr: param.flag('Accepted; the CIDR of a network does not change').optional(),
    guestvmcidr: param
      .prefix(
        'The part of its CIDR that instances get addresses from; the rest is reserved. The whole CIDR reserves nothing',
      )
      .optional(),
    displaynetwork: param.flag('Whether it is shown to its owner; for root').optional(),
    sourcenatipaddress: param
      .address('The one of its public addresses that becomes its source NAT address; the one before stays with it')
      .optional(),
    dns1: param.address('First resolver').optional(),
    dns2: param.address('Second resolver').optional(),
    ...bootParams,
    ipexclusionlist: param.text('Addresses that are never handed out: 10.1.1.2-10.1.1.9,10.1.1.20', 4096).optional(),
  }),
  async job(room, want) {
    const network = await visible(room, 'network', want.id);
    if (network.implicit === 1)
      throw refuse('parameter', "Can't update system networks: it belongs to the private gateway it was made for");
    refuseSharedBy(room, network, 'update');
    const patch: Partial<Tables['network']> = {};
    if (want.name !== undefined && want.name !== '') patch.name = want.name;
    if (want.displaytext !== undefined) patch.displaytext = want.displaytext;
    if (want.networkdomain !== undefined) {
      patch.networkdomain = checkedDomain(network, want.networkdomain);
      const offering = await existing(room, 'networkoffering', network.offering);
      await refuseForeignNames(room, { ...network, ...patch }, offering);
    }
    if (want.dns1 !== undefined || want.dns2 !== undefined) {
      if (network.cidr === null || network.guesttype === 'Private')
        throw refuse('parameter', `Network of type ${network.guesttype} does not support setting DNS servers`);
      if (want.dns1 !== undefined) patch.dns1 = want.dns1;
      if (want.dns2 !== undefined) patch.dns2 = want.dns2;
    }
    if (want.dhcptftpserver !== undefined || want.dhcpbootfilename !== undefined)
      patch.dhcpoptions = bootOptions(network, await existing(room, 'networkoffering', network.offering), want);
    if (want.displaynetwork !== undefined && room.call.caller.role === 'admin')
      patch.displaynetwork = want.displaynetwork ? 1 : 0;
    if (want.ipexclusionlist !== undefined)
      patch.ipexclusionlist = await checkedExclusion(room, network, want.ipexclusionlist);
    if (want.guestvmcidr !== undefined) {
      if (want.networkofferingid !== undefined)
        throw refuse(
          'parameter',
          'Cannot specify guestvmcidr and networkofferingid at the same time: change one after the other',
        );
      patch.guestcidr = await checkedReservation(room, network, want.guestvmcidr);
    }
    if (want.networkofferingid !== undefined && want.networkofferingid !== network.offering) {
      const offering = await checkedOffering(room, network, want.networkofferingid);
      patch.offering = offering.id;
      await assignRouters(room, network, offering);
    }
    if (Object.keys(patch).length > 0) await room.tx.update('network', network.id, patch);
    const enters =
      want.sourcenatipaddress === undefined ? [] : await otherSourceNat(room, network, want.sourcenatipaddress);
    return {
      about: { type: 'Network', id: network.id },
      view: 'network',
      enters,
      text: `updating network ${network.name}`,
    };
  },
});

async function otherSourceNat(room: WriteRoom, network: Tables['network'], ip: string): Promise<Entering[]> {
  if (network.vpc !== null)
    throw refuse('parameter', `Network ${network.name} is a tier: its VPC has the source NAT address (updateVPC)`);
  const { conservemode } = await existing(room, 'networkoffering', network.offering);
  const whose = { of: 'network', id: network.id, name: network.name, conserve: conservemode === 1 } as const;
  return changeSourceNat(room, whose, ip);
}

function checkedDomain(network: Tables['network'], name: string): string {
  checkNetworkDomain(name);
  if (network.guesttype !== 'Isolated') {
    throw refuse(
      'parameter',
      `NetworkOffering and domain suffix upgrade can be perfomed for Isolated networks only; ${network.name} is of type ${network.guesttype}`,
    );
  }
  if (network.vpc !== null)
    throw refuse('parameter', `Network ${network.name} is a tier: its network domain is that of its VPC`);
  return name;
}

async function checkedExclusion(room: Room, network: Tables['network'], text: string): Promise<string | null> {
  if (text.trim() === '') return null;
  if (network.cidr === null)
    throw refuse('parameter', `Network ${network.name} has no CIDR that addresses could be excluded from`);
  const excluded = checkExclusion(text, network.cidr);
  const active = await room.db.selectFrom('address').select(['ip', 'kind']).where('network', '=', network.id).execute();
  const hit = active.find((row) => excluded.some((range) => ip(row.ip) >= range.from && ip(row.ip) <= range.to));
  if (hit?.kind === 'service') {
    throw refuse(
      'parameter',
      `Active IP ${hit.ip} exist in ipExclusionList. It is the network's service address (DHCP, names, metadata), which stays: leave it out of the list`,
    );
  }
  if (hit !== undefined) throw refuse('parameter', `Active IP ${hit.ip} exist in ipExclusionList.`);
  return text;
}

/** The part of the CIDR that instances get addresses from, as the row keeps it: null for all of it. */
async function checkedReservation(room: Room, network: Tables['network'], text: string): Promise<string | null> {
  if (network.guesttype !== 'Isolated' || network.cidr === null) {
    throw refuse(
      'parameter',
      `Can only allow IP Reservation in networks with guest type Isolated; ${network.name} is of type ${network.guesttype}. Use ipexclusionlist`,
    );
  }
  if (network.state !== 'Implemented') {
    throw refuse(
      'parameter',
      `The network must be in Implemented state. IP Reservation cannot be applied in ${network.state} state; ipexclusionlist can`,
    );
  }
  const [whole, part] = [cidr(network.cidr), cidr(text)];
  if (!covers(whole, part)) {
    throw refuse(
      'parameter',
      `Invalid value of Guest VM CIDR. For IP Reservation, Guest VM CIDR  should be a subset of network CIDR : ${network.cidr}; ${text} is not`,
    );
  }
  if (sameCidr(whole, part)) return null;
  const active = await room.db
    .selectFrom('address')
    .select('ip')
    .where('network', '=', network.id)
    .where('kind', 'in', ['nic', 'secondary'])
    .execute();
  const outside = active.map((row) => row.ip).find((address) => !contains(part, ip(address)));
  if (outside !== undefined) {
    throw refuse(
      'parameter',
      `Active IPs like ${outside} exist outside the Guest VM CIDR. Cannot apply reservation : ${formatCidr(part)} must hold the addresses of all instances`,
    );
  }
  const guestcidr = formatCidr(part);
  const plan = addressPlan({ ...network, guestcidr });
  if (plan.from > plan.to) {
    throw refuse(
      'parameter',
      `Guest VM CIDR ${guestcidr} has no address in the range ${network.startip ?? ''}-${network.endip ?? ''} of network ${network.name}`,
    );
  }
  return guestcidr;
}
