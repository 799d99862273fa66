// createPrivateGateway in both dialects: Cosmic names a Private network; CloudStack gives gateway, netmask and a VLAN, for which
// a Private network is found or made that goes again with its last gateway. Both end in the same checks.
import { z } from 'zod';
import { ADMINS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { type Cidr, cidr, contains, ip, last, overlaps } from '../../lib/ip.ts';
import { addressPlan, allocateAddress } from '../../store/allocate.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, visible } from '../access.ts';
import { DEFAULT_DENY, globalAcl, usableAcl } from './acl-access.ts';
import { asRefusal } from '../network/network-segment.ts';
import { networkFor } from './private-gateway-network.ts';
import { privateGatewayView } from './private-gateway.ts';
import { type Room, jobCommand } from '../room.ts';
import { refuseVpnClash } from '../vpn/vpn-place.ts';

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
  await refuseVpnClash(room.db, { vpc: vpc.id, network: null }, prefix, `Private network ${network.name}`);
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
