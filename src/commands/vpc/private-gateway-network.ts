// Which network a private gateway is meant to be on: a Private network that is named, or, in CloudStack's dialect, one that is
// found or made for a VLAN.
import { refuse } from '../../api/error.ts';
import { newId } from '../../lib/id.ts';
import { FORBIDDEN, formatCidr, lengthOfNetmask, overlaps, parseCidr } from '../../lib/ip.ts';
import { takeVlan } from '../../store/allocate.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, visible } from '../access.ts';
import { checkVlan, physicalNetworkFor, readVlan } from '../network/network-segment.ts';
import type { Room, WriteRoom } from '../room.ts';

type Vpc = Tables['vpc'];
type Network = Tables['network'];

/** The parameters of createPrivateGateway that say where. */
interface NetworkWant {
  readonly ipaddress: string;
  readonly networkid?: string | undefined;
  readonly gateway?: string | undefined;
  readonly netmask?: string | undefined;
  readonly vlan?: string | undefined;
  readonly associatednetworkid?: string | undefined;
  readonly networkofferingid?: string | undefined;
  readonly physicalnetworkid?: string | undefined;
  readonly bypassvlanoverlapcheck?: boolean | undefined;
}

/** The network meant, by whichever dialect is spoken. */
export async function networkFor(room: WriteRoom, want: NetworkWant, vpc: Vpc): Promise<Network> {
  const { role } = room.call.caller;
  if (role !== 'admin' && (want.vlan !== undefined || want.bypassvlanoverlapcheck === true)) {
    throw refuse(
      'permission',
      'Only ROOT admin is allowed to specify vlanId or bypass vlan overlap check: create a Private network and name it by networkid',
    );
  }
  if (want.networkid !== undefined) {
    if (want.gateway !== undefined || want.netmask !== undefined) {
      throw refuse(
        'parameter',
        'Gateway/netmask fields are not supported anymore: leave them out with networkid, the network has them',
      );
    }
    if (want.vlan !== undefined || want.associatednetworkid !== undefined) {
      throw refuse('parameter', 'networkid names the network: leave vlan and associatednetworkid out');
    }
    return namedNetwork(room, want.networkid, 'networkid', vpc);
  }
  if (want.gateway === undefined || want.netmask === undefined) {
    const missing = want.gateway !== undefined ? 'netmask' : want.netmask !== undefined ? 'gateway' : 'networkid';
    throw refuse(
      'parameter',
      `Unable to execute API command createprivategateway due to missing parameter ${missing}: name a Private network by networkid, or give gateway, netmask and vlan`,
    );
  }
  if (want.vlan !== undefined && want.associatednetworkid !== undefined) {
    throw refuse('parameter', 'vlanId and associatedNetworkId are mutually exclusive');
  }
  if (want.associatednetworkid !== undefined)
    return namedNetwork(room, want.associatednetworkid, 'associatednetworkid', vpc);
  if (want.vlan === undefined) throw refuse('parameter', 'One of vlanId and associatedNetworkId must be specified');
  return implicitNetwork(room, want, vpc, want.vlan);
}

async function namedNetwork(room: Room, id: string, paramName: string, vpc: Vpc): Promise<Network> {
  const network = await visible(room, 'network', id, paramName);
  if (network.guesttype !== 'Private' || network.cidr === null) {
    const kind = network.vpc === null ? network.guesttype : 'a tier of a VPC';
    throw refuse(
      'parameter',
      `The private network specified could not be found: network ${network.name} is ${kind}, a private gateway can be on a network of type Private only`,
    );
  }
  if (network.domain !== vpc.domain && room.call.caller.role !== 'admin') {
    throw refuse(
      'parameter',
      `VPC '${vpc.name}' does not have permission to operate on private network '${network.name}' as they need to belong to the same domain.`,
    );
  }
  return network;
}

/** CloudStack's hidden network: the one with this VLAN and CIDR, else made now. */
async function implicitNetwork(room: WriteRoom, want: NetworkWant, vpc: Vpc, vlanText: string): Promise<Network> {
  const vlan = readVlan(vlanText);
  // The address says which network the VPC's leg is in: clients give gateways that lie elsewhere, and mean it.
  const prefix = parseCidr(`${want.ipaddress}/${lengthOfNetmask(want.netmask!) ?? 32}`)!;
  const text = formatCidr(prefix);
  if (prefix.length > 30 || FORBIDDEN.some((range) => overlaps(range, prefix))) {
    throw refuse(
      'parameter',
      `Network cidr ${text} of address ${want.ipaddress} and netmask ${want.netmask} cannot be a Private network's`,
    );
  }
  const zone = await existing(room, 'zone', vpc.zone, 'zoneid');
  const offering = await implicitOffering(room, want);
  const physical = await physicalNetworkFor(room, zone, want.physicalnetworkid, offering);
  const same = await room.db
    .selectFrom('network')
    .selectAll()
    .where('implicit', '=', 1)
    .where('physicalnetwork', '=', physical.id)
    .where('vlan', '=', vlan)
    .where('cidr', '=', text)
    .where('domain', '=', vpc.domain)
    .executeTakeFirst();
  if (same !== undefined) {
    const own = await room.db
      .selectFrom('privategateway')
      .select('id')
      .where('network', '=', same.id)
      .where('vpc', '=', vpc.id)
      .executeTakeFirst();
    if (own !== undefined) {
      throw refuse(
        'parameter',
        `Private network for the vlan: ${vlan} and cidr ${text} already exists for Vpc ${vpc.name} in zone ${zone.name}`,
      );
    }
    return same;
  }
  const id = newId();
  await checkVlan(
    room,
    zone,
    physical,
    { id, guesttype: 'Private', domain: vpc.domain },
    vlan,
    want.bypassvlanoverlapcheck === true,
  );
  const network: Network = {
    id,
    name: `vpc-${vpc.name}-privateNetwork`,
    displaytext: `made for the private gateway ${want.ipaddress} of VPC ${vpc.name}`,
    zone: zone.id,
    physicalnetwork: physical.id,
    account: vpc.account,
    domain: vpc.domain,
    offering: offering.id,
    guesttype: 'Private',
    vpc: null,
    cidr: text,
    gateway: null,
    startip: null,
    endip: null,
    segment: 'vlan',
    vlan,
    acl: null,
    networkdomain: null,
    ipexclusionlist: null,
    dns1: null,
    dns2: null,
    state: 'Setup',
    restartrequired: 0,
    gatewayturn: 0,
    gatewayavoid: '',
    serviceip: null,
    ip6cidr: null,
    ip6gateway: null,
    dhcpoptions: null,
    displaynetwork: 1,
    implicit: 1,
    shared: null,
    guestcidr: null,
    created: new Date().toISOString(),
  };
  await room.tx.insert('network', network);
  await takeVlan(room.tx, physical.id, vlan, id);
  return network;
}

async function implicitOffering(room: Room, want: NetworkWant): Promise<Tables['networkoffering']> {
  if (want.networkofferingid === undefined) {
    const found = await room.db
      .selectFrom('networkoffering')
      .selectAll()
      .where('guesttype', '=', 'Private')
      .where('specifyvlan', '=', 1)
      .where('state', '=', 'Enabled')
      .orderBy('isdefault', 'desc')
      .orderBy('sort')
      .orderBy('id')
      .executeTakeFirst();
    if (found === undefined) {
      throw refuse(
        'parameter',
        'There is no enabled network offering of type Private that lets the VLAN be chosen: an operator has to create one',
      );
    }
    return found;
  }
  const offering = await existing(room, 'networkoffering', want.networkofferingid, 'networkofferingid');
  if (offering.guesttype !== 'Private' || offering.specifyvlan !== 1) {
    throw refuse(
      'parameter',
      `Network offering ${offering.name} cannot be used for a private gateway on a given VLAN: it must be of type Private with specifyVlan=true`,
    );
  }
  if (offering.state !== 'Enabled') {
    throw refuse(
      'parameter',
      `Can't use specified network offering id as its stat is not Enabled: ${offering.name} is ${offering.state}`,
    );
  }
  return offering;
}
