// createPrivateGateway in both dialects: Cosmic names a Private network; CloudStack gives gateway, netmask and a VLAN, for which
// a Private network is found or made that goes again with its last gateway. Both end in the same checks.
import { z } from 'zod';
import { ADMINS } from '../api/command.ts';
import { refuse } from '../api/error.ts';
import * as param from '../api/param.ts';
import { newId } from '../lib/id.ts';
import {
  type Cidr,
  FORBIDDEN,
  cidr,
  contains,
  formatCidr,
  ip,
  last,
  lengthOfNetmask,
  overlaps,
  parseCidr,
} from '../lib/ip.ts';
import { addressPlan, allocateAddress, takeVlan } from '../store/allocate.ts';
import type { Tables } from '../store/schema.ts';
import { existing, visible } from './access.ts';
import { DEFAULT_DENY, globalAcl, usableAcl } from './acl-access.ts';
import { asRefusal, checkVlan, physicalNetworkFor, readVlan } from './network-segment.ts';
import { privateGatewayView } from './private-gateway.ts';
import { type Room, type WriteRoom, jobCommand } from './room.ts';

type Vpc = Tables['vpc'];
type Network = Tables['network'];

const params = z.object({
  ipaddress: param.address("The gateway's own address on the Private network"),
  vpcid: param.ref('vpc', 'The VPC'),
  networkid: param.ref('network', 'The Private network; instead of gateway, netmask and vlan').optional(),
  gateway: param.address('Next hop of routes that name this private gateway; with netmask and vlan').optional(),
  netmask: param.netmask('Netmask of the network; with gateway and vlan').optional(),
  vlan: param.text('VLAN of the network; with gateway and netmask; for root').optional(),
  associatednetworkid: param.ref('network', 'The Private network; with gateway and netmask').optional(),
  networkofferingid: param.ref('networkoffering', 'Offering of the network that is made for vlan').optional(),
  physicalnetworkid: param.ref('physicalnetwork', 'The physical network that carries the VLAN; for root').optional(),
  bypassvlanoverlapcheck: param.flag('Take the VLAN whatever else is on it; for root').optional(),
  sourcenatsupported: param.flag('Kept and shown; addresses are never translated between VPCs').optional(),
  aclid: param.ref('acl', 'Its ACL list; default_deny where it is left out').optional(),
});

type Want = z.infer<typeof params>;

export const createPrivateGateway = jobCommand({
  name: 'createPrivateGateway',
  summary: 'Connects a VPC to a Private network',
  roles: ADMINS,
  event: 'PRIVATE.GATEWAY.CREATE',
  answer: { kind: 'object', key: 'privategateway', view: privateGatewayView },
  params,
  async job(room, want) {
    const vpc = await visible(room, 'vpc', want.vpcid, 'vpcid');
    if (vpc.state !== 'Enabled')
      throw refuse('parameter', `Unable to find Enabled VPC by id specified: ${vpc.name} is ${vpc.state}`);
    const network = await networkFor(room, want, vpc);
    await checkMeeting(room, vpc, network);
    await checkAddress(room, vpc, network, want.ipaddress);
    const acl =
      want.aclid === undefined ? await globalAcl(room, DEFAULT_DENY) : await usableAcl(room, want.aclid, 'aclid');
    if (acl.vpc !== null && acl.vpc !== vpc.id) {
      throw refuse(
        'parameter',
        `Private gateway and network acl are not in the same vpc: ${acl.name} is not a list of ${vpc.name}`,
      );
    }
    const id = newId();
    try {
      await allocateAddress(room.tx, network, want.ipaddress, 'gateway', id);
    } catch (error) {
      throw asRefusal(
        error,
        'parameter',
        (text) =>
          `The requested ip address ${want.ipaddress} is not available in private network ${network.name}: ${text}`,
      );
    }
    await room.tx.insert('privategateway', {
      id,
      vpc: vpc.id,
      network: network.id,
      ip: want.ipaddress,
      acl: acl.id,
      sourcenat: want.sourcenatsupported === true ? 1 : 0,
      gateway: want.gateway ?? null,
      netmask: want.netmask ?? null,
      account: vpc.account,
      domain: vpc.domain,
      state: 'Creating',
      created: new Date().toISOString(),
    });
    return {
      id,
      about: { type: 'PrivateGateway', id },
      view: 'privategateway',
      enters: [{ kind: 'privategateway', id, state: 'Ready' }],
      text: `creating private gateway ${want.ipaddress} of VPC ${vpc.name} on network ${network.name}`,
    };
  },
});

/** The network meant, by whichever dialect is spoken. */
async function networkFor(room: WriteRoom, want: Want, vpc: Vpc): Promise<Network> {
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
async function implicitNetwork(room: WriteRoom, want: Want, vpc: Vpc, vlanText: string): Promise<Network> {
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
  const physical = await physicalNetworkFor(room, zone, want.physicalnetworkid);
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
  const offering = await implicitOffering(room, want);
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
    displaynetwork: 1,
    implicit: 1,
    created: new Date().toISOString(),
  };
  await room.tx.insert('network', network);
  await takeVlan(room.tx, physical.id, vlan, id);
  return network;
}

async function implicitOffering(room: Room, want: Want): Promise<Tables['networkoffering']> {
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

/** Whether the VPC and the network, and the VPCs that are on it already, can meet: no address may mean two places. */
async function checkMeeting(room: Room, vpc: Vpc, network: Network): Promise<void> {
  const own = cidr(vpc.cidr);
  const prefix = cidr(network.cidr!);
  if (network.zone !== vpc.zone)
    throw refuse('parameter', `VPC ${vpc.name} and private network ${network.name} are in different zones`);
  if (overlaps(own, prefix)) {
    throw refuse(
      'parameter',
      `CIDR of the private network to be connected ${network.cidr} should be outside of the VPC super CIDR ${vpc.cidr}`,
    );
  }
  const others = await room.db
    .selectFrom('privategateway')
    .innerJoin('vpc', 'vpc.id', 'privategateway.vpc')
    .select(['vpc.id', 'vpc.name', 'vpc.cidr', 'vpc.domain'])
    .where('privategateway.network', '=', network.id)
    .execute();
  if (others.some((other) => other.id === vpc.id)) {
    throw refuse('parameter', `VPC with uuid ${vpc.id} is already connected to network '${network.name}'`);
  }
  const twin = others.find((other) => overlaps(cidr(other.cidr), own));
  if (twin !== undefined) {
    const name = twin.domain === vpc.domain ? `VPC ${twin.name} (${twin.cidr})` : 'a VPC of another domain';
    throw refuse(
      'parameter',
      `VPC ${vpc.name} (${vpc.cidr}) overlaps ${name}, which is already connected to private network ${network.name}: routes between them would be ambiguous. Connect VPCs with different CIDRs`,
    );
  }
  const connected = await room.db
    .selectFrom('privategateway')
    .innerJoin('network', 'network.id', 'privategateway.network')
    .select(['network.name', 'network.cidr'])
    .where('privategateway.vpc', '=', vpc.id)
    .execute();
  const crossed = connected.find((other) => other.cidr !== null && overlaps(cidr(other.cidr), prefix));
  if (crossed !== undefined) {
    throw refuse(
      'parameter',
      `CIDR of private network ${network.name} (${network.cidr}) overlaps that of private network ${crossed.name} (${crossed.cidr}), to which VPC ${vpc.name} is already connected`,
    );
  }
}

async function checkAddress(room: Room, vpc: Vpc, network: Network, text: string): Promise<void> {
  const prefix: Cidr = cidr(network.cidr!);
  const address = ip(text);
  if (!contains(prefix, address)) {
    throw refuse(
      'parameter',
      `The specified ip address for the private network ${text} should be within the CIDR of the private network ${network.cidr}`,
    );
  }
  if (address === prefix.base || address === last(prefix)) {
    const what = address === prefix.base ? 'network' : 'broadcast';
    throw refuse(
      'parameter',
      `The requested ip address ${text} is not available in private network ${network.name}: it is the ${what} address of ${network.cidr}`,
    );
  }
  const problem = addressPlan(network).refuses(address);
  if (problem !== undefined)
    throw refuse(
      'parameter',
      `The requested ip address ${text} is not available in private network ${network.name}: it ${problem}`,
    );
  const twin = await room.db
    .selectFrom('privategateway')
    .select('id')
    .where('network', '=', network.id)
    .where('ip', '=', text)
    .executeTakeFirst();
  if (twin !== undefined) {
    const zone = await existing(room, 'zone', vpc.zone, 'zoneid');
    throw refuse(
      'parameter',
      `Private IP address ${text} already used for private gateway in zone ${zone.name}: on private network ${network.name}`,
    );
  }
}
