// Load balancer rules: a port of a public address leads to one of several instances. Which instances is in balancer-member.ts, how
// clients stay with one and how dead ones are found in balancer-policy.ts.
import { type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import type { Tables } from '../../store/schema.ts';
import { existing, visible } from '../access.ts';
import { knownIds, refuseHidden } from '../known.ts';
import { containing, listParams, named, ownedRows, page, taggedRows } from '../list.ts';
import { forParams } from '../owner.ts';
import { refuseOtherOwner } from './address-owner.ts';
import { jobCommand, listCommand } from '../room.ts';
import { refuseVpnPorts } from '../vpn/vpn-ports.ts';
import { loadBalancerView, showLoadBalancers } from './balancer-view.ts';
import { openFirewall } from './firewall-make.ts';
import { readCidrs } from './port-forward.ts';
import { heldAddress } from './public-ip-view.ts';
import { isByOvn, needService } from './public-service.ts';
import { checkPort, refuseConflict, refuseSecondPurpose } from './rule-conflict.ts';
import { refuseManyRules } from './rule-count.ts';
import { RULE_TAGS, dropRule } from './rule-removal.ts';
import { refuseOtherWire } from './served-wire.ts';
import { publicSide } from './rule-target.ts';

const object = { kind: 'object', key: 'loadbalancer', view: loadBalancerView } as const;

const ALGORITHMS = ['roundrobin', 'leastconn', 'source'];

function readAlgorithm(text: string): string {
  const algorithm = ALGORITHMS.find((name) => name === text.toLowerCase());
  if (algorithm === undefined)
    throw refuse('parameter', `Invalid algorithm: ${text}. It can be ${ALGORITHMS.join(', ')}`);
  return algorithm;
}

/** tcp, udp, or tcp-proxy: tcp whose members are told the client's address. */
function readProtocol(text: string): 'tcp' | 'udp' | 'tcp-proxy' {
  const protocol = text.toLowerCase();
  if (protocol === 'tcp' || protocol === 'udp' || protocol === 'tcp-proxy') return protocol;
  throw refuse(
    'parameter',
    `Invalid protocol ${text} for load balancing: it can be tcp, udp or tcp-proxy. LB service provider cannot support this rule otherwise: it takes no certificates, so what is encrypted goes through as it is`,
  );
}

/** On the wire tcp-proxy is tcp. */
export function wireProtocol(protocol: string): 'tcp' | 'udp' {
  return protocol === 'udp' ? 'udp' : 'tcp';
}

/** Where OVN routes, connections are counted by a program that knows no datagrams. */
function refuseUncounted(
  protocol: string,
  algorithm: string,
  offering: Pick<Tables['networkoffering'], 'services'>,
): void {
  if (algorithm !== 'leastconn' || protocol !== 'udp' || !isByOvn(offering)) return;
  throw refuse(
    'parameter',
    'Invalid algorithm: leastconn cannot be used for udp: datagrams make no connections to count. Use roundrobin or source',
  );
}

export const createLoadBalancerRule = jobCommand({
  name: 'createLoadBalancerRule',
  summary: 'Leads a port of a public address to several instances; assignToLoadBalancerRule says which',
  roles: WRITERS,
  event: 'LB.CREATE',
  answer: object,
  params: z.object({
    name: param.text('Its name'),
    algorithm: param.text(
      'roundrobin, leastconn or source. Where OVN routes, roundrobin takes no turns: a hash of both ends of each connection chooses the member',
    ),
    publicport: param.integer('Port outside'),
    privateport: param.integer('Port of the instances'),
    publicipid: param.ref('publicip', 'The public address').optional(),
    networkid: param.ref('network', 'The network, for an address that has none yet').optional(),
    zoneid: param.ref('zone', 'Accepted: that of the address').optional(),
    protocol: param
      .text('tcp, as where it is left out, udp, or tcp-proxy: members are told the client by the PROXY protocol')
      .optional(),
    description: param.text('Its description', 4096).optional(),
    cidrlist: param.list('Where it may be used from; everywhere where it is left out').optional(),
    openfirewall: param
      .flag('Open the firewall for it, as where it is left out; the hole goes with the rule')
      .optional(),
    clienttimeout: param.integer('Not offered').optional(),
    servertimeout: param.integer('Not offered').optional(),
    fordisplay: param.flag('Only true').optional(),
    ...forParams,
  }),
  async job(room, want) {
    if (want.publicipid === undefined) {
      throw refuse(
        'parameter',
        'Unable to create load balancer rule, invalid IP address id specified: give publicipid, an address acquired with associateIpAddress. Addresses are not acquired by themselves',
      );
    }
    refuseHidden(want);
    refuseTimeouts(want);
    const algorithm = readAlgorithm(want.algorithm);
    const protocol = readProtocol(want.protocol ?? 'tcp');
    checkPort(want.publicport, 'publicPort');
    checkPort(want.privateport, 'privatePort');
    const address = await heldAddress(room, want.publicipid, 'publicipid');
    if (want.networkid !== undefined && address.network !== null && address.network !== want.networkid) {
      const network = await visible(room, 'network', want.networkid, 'networkid');
      throw refuse(
        'parameter',
        `Ip address ${address.ip} is not assigned to the network ${network.name}: leave networkid out, or take an address of that network`,
      );
    }
    await refuseOtherOwner(room, want, address, ['load balancer rule', 'rules']);
    const side = await publicSide(room, want.publicipid, want.networkid, {
      param: 'publicipid',
      doing: 'create load balancer rule',
    });
    const offering = await needService(room, side.network, 'Lb', 'a load balancer rule');
    await refuseOtherWire(room.db, side.address, offering, 'a load balancer rule');
    refuseUncounted(protocol, algorithm, offering);
    if (address.nic !== null) {
      throw refuse(
        'parameter',
        `Unable to create load balancer rule; specified sourceip id has static nat enabled: all of ${address.ip} leads to one instance. Disable it first, or acquire another address`,
      );
    }
    const cidrlist = readCidrs(want.cidrlist);
    const outside = { protocol: wireProtocol(protocol), from: want.publicport, to: want.publicport };
    await refuseConflict(room.db, address, outside);
    await refuseVpnPorts(room.db, address, outside);
    await refuseSecondPurpose(room.db, address, 'LoadBalancing', offering);
    await refuseManyRules(room.db, 'loadbalancer', address.id, address.ip);
    const id = newId();
    await room.tx.insert('loadbalancer', {
      id,
      name: want.name,
      description: want.description ?? '',
      publicip: address.id,
      network: side.network.id,
      protocol,
      publicport: want.publicport,
      privateport: want.privateport,
      algorithm,
      cidrlist,
      stickiness: null,
      healthcheck: null,
      state: 'Add',
      account: address.account,
      domain: address.domain,
      created: new Date().toISOString(),
    });
    const hole = await openFirewall(
      room,
      side,
      offering,
      { openfirewall: want.openfirewall, related: id, cidrlist },
      outside,
    );
    return {
      id,
      about: { type: 'LoadBalancer', id },
      view: 'loadbalancer',
      enters: [...side.enters, { kind: 'loadbalancer', id, state: 'Active' }, ...hole],
      text: `creating load balancer rule ${want.name} for ${protocol} ${want.publicport} of ${address.ip}`,
    };
  },
});

function refuseTimeouts(want: {
  readonly clienttimeout?: number | undefined;
  readonly servertimeout?: number | undefined;
}): void {
  if (want.clienttimeout === undefined && want.servertimeout === undefined) return;
  throw refuse(
    'parameter',
    'clienttimeout and servertimeout are not offered: connections are passed on as long as both ends keep them. Leave them out',
  );
}

export const updateLoadBalancerRule = jobCommand({
  name: 'updateLoadBalancerRule',
  summary: 'Changes a load balancer rule',
  roles: WRITERS,
  event: 'LB.UPDATE',
  answer: object,
  params: z.object({
    id: param.ref('loadbalancer', 'The rule'),
    name: param.text('New name').optional(),
    description: param.text('New description', 4096).optional(),
    algorithm: param.text('roundrobin, leastconn or source').optional(),
    protocol: param.text('tcp, udp or tcp-proxy: that it has').optional(),
    cidrlist: param.list('Where it may be used from').optional(),
    clienttimeout: param.integer('Not offered').optional(),
    servertimeout: param.integer('Not offered').optional(),
    fordisplay: param.flag('Only true').optional(),
    customid: param.text('Not offered').optional(),
  }),
  async job(room, want) {
    const rule = await visible(room, 'loadbalancer', want.id);
    refuseHidden(want);
    refuseTimeouts(want);
    const patch: Partial<Tables['loadbalancer']> = {};
    if (want.algorithm !== undefined) {
      patch.algorithm = readAlgorithm(want.algorithm);
      const network = await visible(room, 'network', rule.network, 'id');
      refuseUncounted(rule.protocol, patch.algorithm, await needService(room, network, 'Lb', 'a load balancer rule'));
    }
    if (want.cidrlist !== undefined) patch.cidrlist = readCidrs(want.cidrlist);
    if (want.protocol !== undefined && readProtocol(want.protocol) !== rule.protocol) {
      throw refuse(
        'parameter',
        `The protocol of load balancer rule ${rule.name} is ${rule.protocol} and cannot be changed: make another rule`,
      );
    }
    const onWire = Object.keys(patch).length > 0;
    if (onWire) patch.state = 'Add';
    if (want.name !== undefined) patch.name = want.name;
    if (want.description !== undefined) patch.description = want.description;
    if (onWire) await room.tx.update('loadbalancer', rule.id, patch);
    // Name and description change nothing on the network.
    else if (Object.keys(patch).length > 0)
      await room.tx.db.updateTable('loadbalancer').set(patch).where('id', '=', rule.id).execute();
    return {
      about: { type: 'LoadBalancer', id: rule.id },
      view: 'loadbalancer',
      ...(onWire ? { enters: [{ kind: 'loadbalancer' as const, id: rule.id, state: 'Active' }] } : {}),
      text: `updating load balancer rule ${want.name ?? rule.name}`,
    };
  },
});

export const deleteLoadBalancerRule = jobCommand({
  name: 'deleteLoadBalancerRule',
  summary: 'Deletes a load balancer rule, with the hole in the firewall that was made for it',
  roles: WRITERS,
  event: 'LB.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('loadbalancer', 'The rule') }),
  async job(room, want) {
    const rule = await visible(room, 'loadbalancer', want.id);
    await dropRule(room.tx, 'loadbalancer', rule.id);
    return { about: { type: 'LoadBalancer', id: rule.id }, text: `deleting load balancer rule ${rule.name}` };
  },
});

export const listLoadBalancerRules = listCommand({
  name: 'listLoadBalancerRules',
  summary: 'Lists load balancer rules',
  roles: EVERYBODY,
  key: 'loadbalancerrule',
  view: loadBalancerView,
  params: z.object({
    id: param.ref('loadbalancer', 'The rule with this id').optional(),
    name: param.text('Rules of this name').optional(),
    publicipid: param.ref('publicip', 'Rules of this public address').optional(),
    networkid: param.ref('network', 'Rules of this network').optional(),
    virtualmachineid: param.ref('instance', 'Rules that lead to this instance').optional(),
    zoneid: param.ref('zone', 'Rules in this zone').optional(),
    fordisplay: param.flag('Whether they are shown to their owner: all are').optional(),
    ...listParams,
  }),
  async list(room, want) {
    await knownIds(room, want, {
      id: 'loadbalancer',
      publicipid: 'publicip',
      networkid: 'network',
      virtualmachineid: 'instance',
    });
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    const pointed =
      want.networkid !== undefined || want.publicipid !== undefined || want.virtualmachineid !== undefined;
    let query = room.db
      .selectFrom('loadbalancer')
      .selectAll()
      .where(await ownedRows(room, 'loadbalancer', pointed ? { ...want, listall: true } : want))
      .where(taggedRows('loadbalancer', RULE_TAGS.loadbalancer, want.tags));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    if (want.publicipid !== undefined) query = query.where('publicip', '=', want.publicipid);
    if (want.networkid !== undefined) query = query.where('network', '=', want.networkid);
    if (want.zoneid !== undefined)
      query = query.where(
        'network',
        'in',
        room.db.selectFrom('network').select('network.id').where('network.zone', '=', want.zoneid),
      );
    if (want.virtualmachineid !== undefined) {
      const members = room.db
        .selectFrom('balancermember')
        .innerJoin('nic', 'nic.id', 'balancermember.nic')
        .select('balancermember.loadbalancer')
        .where('nic.instance', '=', want.virtualmachineid);
      query = query.where('id', 'in', members);
    }
    if (want.fordisplay === false) query = query.where(sql<SqlBool>`1 = 0`);
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id'), want);
    return { count, rows: await showLoadBalancers(room, rows) };
  },
});
