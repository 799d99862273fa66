// Balancers inside: an address of a network that leads to several of its instances, reached from the network itself and from the VPC's
// other tiers. Each hypervisor spreads what its own instances send, so there is no machine in between. Members are in balancer-member.ts.
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { formatIp, ip as addressOf } from '../../lib/ip.ts';
import { AllocationError, allocateAddress } from '../../store/allocate.ts';
import type { Tables } from '../../store/schema.ts';
import { visible } from '../access.ts';
import { knownIds, refuseHidden } from '../known.ts';
import { containing, listParams, named, ownedRows, page } from '../list.ts';
import { type WriteRoom, jobCommand, listCommand } from '../room.ts';
import { balancersAt, dropInternalBalancer } from './internal-balancer-removal.ts';
import { internalBalancerView, showInternalBalancers } from './internal-balancer-view.ts';
import { isByOvn, needService } from './public-service.ts';
import { checkPort, portProtocol } from './rule-conflict.ts';
import { refuseManyRules } from './rule-count.ts';

const object = { kind: 'object', key: 'loadbalancer', view: internalBalancerView } as const;

export const createLoadBalancer = jobCommand({
  name: 'createLoadBalancer',
  summary: 'Makes a balancer at an address inside a network; assignToLoadBalancerRule says which instances it leads to',
  roles: WRITERS,
  event: 'INTERNALLB.CREATE',
  answer: object,
  params: z.object({
    name: param.text('Its name'),
    description: param.text('Its description', 4096).optional(),
    scheme: param.text('Internal'),
    algorithm: param.text(
      'roundrobin or source. roundrobin takes no turns: a hash of both ends of each connection chooses the member',
    ),
    networkid: param.ref('network', 'The network of the instances'),
    sourceipaddressnetworkid: param.ref('network', 'The network of its address: the same'),
    sourceipaddress: param
      .address('Its address, such as that of another balancer with another port; any free one where it is left out')
      .optional(),
    sourceport: param.integer('Its port'),
    instanceport: param.integer('Port of the instances'),
    protocol: param.text('tcp, as where it is left out, or udp').optional(),
    fordisplay: param.flag('Only true').optional(),
  }),
  async job(room, want) {
    refuseHidden(want);
    if (want.scheme.toLowerCase() !== 'internal') {
      throw refuse(
        'parameter',
        `Invalid value for scheme parameter: ${want.scheme}. It can be Internal; for balancers at public addresses use createLoadBalancerRule`,
      );
    }
    const algorithm = readAlgorithm(want.algorithm);
    checkPort(want.sourceport, 'sourceport');
    checkPort(want.instanceport, 'instanceport');
    const protocol = portProtocol(want.protocol ?? 'tcp', 'load balancing');
    const network = await visible(room, 'network', want.networkid, 'networkid');
    const at = await visible(room, 'network', want.sourceipaddressnetworkid, 'sourceipaddressnetworkid');
    if (at.id !== network.id) {
      throw refuse(
        'parameter',
        `Unable to create a load balancer at an address of ${at.name} for instances of ${network.name}: both are one network here. Instances of the VPC's other tiers reach it there`,
      );
    }
    const offering = await needService(room, network, 'Lb', 'a load balancer');
    if (!isByOvn(offering)) {
      throw refuse(
        'parameter',
        `Unable to create a load balancer; router nodes route for network ${network.name} (offering ${offering.name}), and what its instances send each other does not pass them. Use a tier, or a network of an offering by OVN`,
      );
    }
    await refuseManyRules(room.db, 'internalbalancer', network.id, network.name);
    const id = newId();
    const sourceip = await sourceAddress(room, network, want.sourceipaddress, { protocol, port: want.sourceport }, id);
    await room.tx.insert('internalbalancer', {
      id,
      name: want.name,
      description: want.description ?? '',
      network: network.id,
      sourceip,
      protocol,
      publicport: want.sourceport,
      privateport: want.instanceport,
      algorithm,
      state: 'Add',
      account: network.account,
      domain: network.domain,
      created: new Date().toISOString(),
    });
    return {
      id,
      about: { type: 'LoadBalancer', id },
      view: 'loadbalancer',
      enters: [{ kind: 'internalbalancer', id, state: 'Active' }],
      text: `creating internal load balancer ${want.name} for ${protocol} ${want.sourceport} of ${sourceip}`,
    };
  },
});

function readAlgorithm(text: string): string {
  const algorithm = text.toLowerCase();
  if (algorithm === 'roundrobin' || algorithm === 'source') return algorithm;
  if (algorithm === 'leastconn') {
    throw refuse(
      'parameter',
      'Invalid algorithm: leastconn. Each hypervisor spreads what its own instances send, and none knows how many connections there are in all. Use roundrobin or source, or a rule at a public address',
    );
  }
  throw refuse('parameter', `Invalid algorithm: ${text}. It can be roundrobin or source`);
}

/** Takes the address, or shares that of other balancers, whose ports differ. */
async function sourceAddress(
  room: WriteRoom,
  network: Tables['network'],
  wanted: string | undefined,
  { protocol, port }: { readonly protocol: string; readonly port: number },
  owner: string,
): Promise<string> {
  if (wanted !== undefined) {
    const sourceip = formatIp(addressOf(wanted));
    const there = await balancersAt(room.tx, network.id, sourceip);
    const other = there.find((one) => one.protocol === protocol && one.publicport === port);
    if (other !== undefined) {
      throw refuse(
        'conflict',
        `The range specified, ${port}-${port}, conflicts with rule ${other.id} which has ${port}-${port}: load balancer ${other.name} has ${protocol} ${port} of ${sourceip}. Choose another port, or another address`,
      );
    }
    if (there.length > 0) return sourceip;
  }
  try {
    return await allocateAddress(room.tx, network, wanted, 'balancer', owner);
  } catch (error) {
    if (!(error instanceof AllocationError)) throw error;
    if (error.problem === 'full')
      throw refuse(
        'capacity',
        `Insufficient address capacity: network ${network.name} has no address left for a load balancer`,
      );
    throw refuse('parameter', `Unable to use ${wanted} as the address of a load balancer: ${error.message}`);
  }
}

export const deleteLoadBalancer = jobCommand({
  name: 'deleteLoadBalancer',
  summary: 'Deletes a balancer inside a network',
  roles: WRITERS,
  event: 'INTERNALLB.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('internalbalancer', 'The balancer') }),
  async job(room, want) {
    const row = await visible(room, 'internalbalancer', want.id);
    await dropInternalBalancer(room.tx, row);
    return { about: { type: 'LoadBalancer', id: row.id }, text: `deleting internal load balancer ${row.name}` };
  },
});

export const listLoadBalancers = listCommand({
  name: 'listLoadBalancers',
  summary: 'Lists balancers inside networks',
  roles: EVERYBODY,
  key: 'loadbalancer',
  view: internalBalancerView,
  params: z.object({
    id: param.ref('internalbalancer', 'The balancer with this id').optional(),
    name: param.text('Balancers of this name').optional(),
    scheme: param.text('Internal').optional(),
    sourceipaddress: param.text('Balancers at this address').optional(),
    sourceipaddressnetworkid: param.ref('network', 'Balancers at addresses of this network').optional(),
    networkid: param.ref('network', 'Balancers of this network').optional(),
    fordisplay: param.flag('Whether they are shown to their owner: all are').optional(),
    ...listParams,
  }),
  async list(room, want) {
    await knownIds(room, want, {
      id: 'internalbalancer',
      networkid: 'network',
      sourceipaddressnetworkid: 'network',
    });
    if (want.fordisplay === false || (want.scheme !== undefined && want.scheme.toLowerCase() !== 'internal'))
      return { count: 0, rows: [] };
    const pointed = want.networkid !== undefined || want.sourceipaddressnetworkid !== undefined;
    let query = room.db
      .selectFrom('internalbalancer')
      .selectAll()
      .where(await ownedRows(room, 'internalbalancer', pointed ? { ...want, listall: true } : want));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    if (want.sourceipaddress !== undefined) query = query.where('sourceip', '=', want.sourceipaddress);
    for (const network of [want.networkid, want.sourceipaddressnetworkid])
      if (network !== undefined) query = query.where('network', '=', network);
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id'), want);
    return { count, rows: await showInternalBalancers(room, rows) };
  },
});
