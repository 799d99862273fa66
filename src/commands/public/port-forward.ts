// Port forwarding: ports of a public address lead to an instance.
import { type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import type { Tables } from '../../store/schema.ts';
import { visible } from '../access.ts';
import { tagView, tagsOf } from '../join.ts';
import { knownIds, refuseHidden } from '../known.ts';
import { listParams, ownedRows, page, taggedRows } from '../list.ts';
import { type Room, jobCommand, listCommand } from '../room.ts';
import { refuseVpnPorts } from '../vpn/vpn-ports.ts';
import { readRule } from '../vpc/acl-rule.ts';
import { openFirewall } from './firewall-make.ts';
import { addressTexts } from './firewall-view.ts';
import { instancesBehind } from './public-ip-view.ts';
import { needService } from './public-service.ts';
import { checkPort, portProtocol, refuseConflict, refuseManyPorts, refuseSecondPurpose } from './rule-conflict.ts';
import { refuseManyRules } from './rule-count.ts';
import { RULE_TAGS, dropRule } from './rule-removal.ts';
import { type TargetWording, publicSide, targetIn } from './rule-target.ts';
import { refuseOtherWire } from './served-wire.ts';

export const portForwardView = z.object({
  id: field.string('id of the rule'),
  ipaddressid: field.string('the public address'),
  ipaddress: field.string('that address as text'),
  protocol: field.string('tcp or udp'),
  publicport: field.string('first port outside'),
  publicendport: field.string('last port outside'),
  privateport: field.string('first port of the instance'),
  privateendport: field.string('last port of the instance'),
  virtualmachineid: field.string('the instance'),
  virtualmachinename: field.string('its name'),
  virtualmachinedisplayname: field.string('its display name'),
  vmguestip: field.string('its address'),
  networkid: field.string('the network'),
  cidrlist: field.string('where it may be used from, comma-separated; empty: from everywhere'),
  state: field.string('Add, or Active once it is realized'),
  fordisplay: field.boolean('true'),
  tags: field.list('its tags', tagView),
});

type PortForwardView = z.infer<typeof portForwardView>;

/** Rules as their answers show them. Ports are text: the Go clients read them so. */
export async function showPortForwards(room: Room, rows: readonly Tables['portforward'][]): Promise<PortForwardView[]> {
  if (rows.length === 0) return [];
  const ips = await addressTexts(
    room,
    rows.map((row) => row.publicip),
  );
  const instances = await instancesBehind(
    room.db,
    rows.map((row) => row.nic),
  );
  const tags = await tagsOf(
    room.db,
    RULE_TAGS.portforward,
    rows.map((row) => row.id),
  );
  return rows.map((row) => {
    const instance = instances.get(row.nic);
    return field.compact<PortForwardView>({
      id: row.id,
      ipaddressid: row.publicip,
      ipaddress: ips.get(row.publicip),
      protocol: row.protocol,
      publicport: String(row.publicport),
      publicendport: String(row.publicendport),
      privateport: String(row.privateport),
      privateendport: String(row.privateendport),
      virtualmachineid: instance?.id,
      virtualmachinename: instance?.hostname,
      virtualmachinedisplayname: instance?.displayname,
      vmguestip: row.vmip,
      networkid: row.network,
      cidrlist: row.cidrlist,
      state: row.state,
      fordisplay: true,
      tags: tags(row.id),
    });
  });
}

/** The rule with this id as a job's result shows it. */
export async function viewPortForward(room: Room, id: string): Promise<PortForwardView | undefined> {
  return (
    await showPortForwards(room, await room.db.selectFrom('portforward').selectAll().where('id', '=', id).execute())
  )[0];
}

const object = { kind: 'object', key: 'portforwardingrule', view: portForwardView } as const;

function wording(address: string): TargetWording {
  return {
    invalid: (id) =>
      `Unable to create port forwarding rule on address ${address}, invalid virtual machine id specified (${id}).`,
    elsewhere: `Unable to create port forwarding rule on address ${address}: Vm doesn't belong to network associated with ipAddress`,
  };
}

interface Ports {
  readonly publicport: number;
  readonly publicendport: number;
  readonly privateport: number;
  readonly privateendport: number;
}

function readPorts(want: {
  readonly publicport: number;
  readonly privateport: number;
  readonly publicendport?: number | undefined;
  readonly privateendport?: number | undefined;
}): Ports {
  const { publicport, privateport } = want;
  const publicendport = want.publicendport ?? publicport;
  const privateendport = want.privateendport ?? privateport + (publicendport - publicport);
  checkPort(publicport, 'publicPort');
  checkPort(publicendport, 'publicEndPort');
  checkPort(privateport, 'privatePort');
  checkPort(privateendport, 'privateEndPort');
  if (publicport > publicendport || privateport > privateendport)
    throw refuse(
      'parameter',
      `Start port can't be bigger than end port: ${publicport}-${publicendport} leads to ${privateport}-${privateendport}`,
    );
  if (publicendport - publicport !== privateendport - privateport) {
    throw refuse(
      'parameter',
      `Source port and destination port ranges should be of equal sizes.: ${publicport}-${publicendport} and ${privateport}-${privateendport} are not`,
    );
  }
  // The ports of a range are led on unchanged.
  if (publicport !== publicendport && publicport !== privateport) {
    throw refuse(
      'parameter',
      `Private port start should be equal to public port start: a range keeps its ports, ${publicport} cannot become ${privateport}. Make a rule for each port`,
    );
  }
  return { publicport, publicendport, privateport, privateendport };
}

export const createPortForwardingRule = jobCommand({
  name: 'createPortForwardingRule',
  summary: 'Leads ports of a public address to an instance',
  roles: WRITERS,
  event: 'NET.RULEADD',
  answer: object,
  params: z.object({
    ipaddressid: param.ref('publicip', 'The public address'),
    protocol: param.text('tcp or udp'),
    publicport: param.integer('First port outside'),
    privateport: param.integer('First port of the instance'),
    virtualmachineid: param.ref('instance', 'The instance'),
    publicendport: param.integer('Last port outside; the first where it is left out').optional(),
    privateendport: param.integer('Last port of the instance').optional(),
    cidrlist: param.list('Where it may be used from; everywhere where it is left out').optional(),
    openfirewall: param
      .flag('Open the firewall for it, as where it is left out; the hole goes with the rule')
      .optional(),
    networkid: param
      .ref(
        'network',
        'The network, for an address that has none yet; in a VPC the tier, where the instance is in several',
      )
      .optional(),
    vmguestip: param.address('Which of the addresses of the instance; its main one where it is left out').optional(),
    fordisplay: param.flag('Only true').optional(),
  }),
  async job(room, want) {
    const wordings = { param: 'ipaddressid', doing: 'create port forwarding rule' };
    const side = await publicSide(room, want.ipaddressid, want.networkid, wordings, want.virtualmachineid);
    const { address, network } = side;
    const offering = await needService(room, network, 'PortForwarding', 'a port forwarding rule');
    await refuseOtherWire(room.db, address, offering, 'a port forwarding rule');
    refuseHidden(want);
    if (address.nic !== null) {
      throw refuse(
        'parameter',
        `Unable to create port forwarding rule; ip id=${address.id} has static nat enabled: all of ${address.ip} leads to one instance. Disable it first, or acquire another address`,
      );
    }
    const protocol = portProtocol(want.protocol, 'port forwarding');
    const ports = readPorts(want);
    const cidrlist = readCidrs(want.cidrlist);
    const target = await targetIn(room, network, want.virtualmachineid, want.vmguestip, wording(address.ip));
    const outside = { protocol, from: ports.publicport, to: ports.publicendport };
    await refuseManyPorts(room.db, address, outside, offering);
    await refuseConflict(room.db, address, outside);
    await refuseVpnPorts(room.db, address, outside);
    await refuseSecondPurpose(room.db, address, 'PortForwarding', offering);
    await refuseManyRules(room.db, 'portforward', address.id, address.ip);
    const id = newId();
    await room.tx.insert('portforward', {
      id,
      publicip: address.id,
      network: network.id,
      protocol,
      ...ports,
      nic: target.nic.id,
      vmip: target.ip,
      cidrlist,
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
      about: { type: 'PortForwardingRule', id },
      view: 'portforwardingrule',
      enters: [...side.enters, { kind: 'portforward', id, state: 'Active' }, ...hole],
      text: `forwarding ${protocol} ${ports.publicport} of ${address.ip} to ${target.ip}:${ports.privateport} of ${target.instance.hostname}`,
    };
  },
});

/** Sources as the row holds them; empty: everywhere. */
export function readCidrs(list: readonly string[] | undefined): string {
  if (list === undefined || list.length === 0) return '';
  return readRule({ cidrlist: list }).cidrlist;
}

export const updatePortForwardingRule = jobCommand({
  name: 'updatePortForwardingRule',
  summary: 'Leads a port forwarding rule elsewhere',
  roles: WRITERS,
  event: 'NET.RULEMODIFY',
  answer: object,
  params: z.object({
    id: param.ref('portforward', 'The rule'),
    privateport: param.integer('First port of the instance').optional(),
    privateendport: param.integer('Last port of the instance').optional(),
    virtualmachineid: param.ref('instance', 'The instance').optional(),
    vmguestip: param.address('Which of its addresses').optional(),
    cidrlist: param.list('Where it may be used from').optional(),
    fordisplay: param.flag('Only true').optional(),
    customid: param.text('Not offered').optional(),
  }),
  async job(room, want) {
    const rule = await visible(room, 'portforward', want.id);
    refuseHidden(want);
    const address = await visible(room, 'publicip', rule.publicip);
    const network = await visible(room, 'network', rule.network);
    const patch: Partial<Tables['portforward']> = {};
    if (want.privateport !== undefined || want.privateendport !== undefined) {
      const { privateport, privateendport } = readPorts({
        publicport: rule.publicport,
        publicendport: rule.publicendport,
        privateport: want.privateport ?? rule.privateport,
        privateendport: want.privateendport,
      });
      Object.assign(patch, { privateport, privateendport });
    }
    if (want.cidrlist !== undefined) patch.cidrlist = readCidrs(want.cidrlist);
    if (want.virtualmachineid !== undefined || want.vmguestip !== undefined) {
      const instance = want.virtualmachineid ?? (await instancesBehind(room.db, [rule.nic])).get(rule.nic)!.id;
      const target = await targetIn(room, network, instance, want.vmguestip, wording(address.ip));
      Object.assign(patch, { nic: target.nic.id, vmip: target.ip });
    }
    const changed = Object.keys(patch).length > 0;
    if (changed) await room.tx.update('portforward', rule.id, { ...patch, state: 'Add' });
    return {
      about: { type: 'PortForwardingRule', id: rule.id },
      view: 'portforwardingrule',
      ...(changed ? { enters: [{ kind: 'portforward' as const, id: rule.id, state: 'Active' }] } : {}),
      text: `updating the forwarding of ${rule.protocol} ${rule.publicport} of ${address.ip}`,
    };
  },
});

export const deletePortForwardingRule = jobCommand({
  name: 'deletePortForwardingRule',
  summary: 'Deletes a port forwarding rule, with the hole in the firewall that was made for it',
  roles: WRITERS,
  event: 'NET.RULEDELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('portforward', 'The rule') }),
  async job(room, want) {
    const rule = await visible(room, 'portforward', want.id);
    await dropRule(room.tx, 'portforward', rule.id);
    return {
      about: { type: 'PortForwardingRule', id: rule.id },
      text: `deleting the forwarding of ${rule.protocol} ${rule.publicport}`,
    };
  },
});

export const listPortForwardingRules = listCommand({
  name: 'listPortForwardingRules',
  summary: 'Lists port forwarding rules',
  roles: EVERYBODY,
  key: 'portforwardingrule',
  view: portForwardView,
  params: z.object({
    id: param.ref('portforward', 'The rule with this id').optional(),
    ipaddressid: param.ref('publicip', 'Rules of this public address').optional(),
    networkid: param.ref('network', 'Rules of this network').optional(),
    fordisplay: param.flag('Whether they are shown to their owner: all are').optional(),
    ...listParams,
  }),
  async list(room, want) {
    await knownIds(room, want, { id: 'portforward', ipaddressid: 'publicip', networkid: 'network' });
    const pointed = want.networkid !== undefined || want.ipaddressid !== undefined;
    let query = room.db
      .selectFrom('portforward')
      .selectAll()
      .where(await ownedRows(room, 'portforward', pointed ? { ...want, listall: true } : want))
      .where(taggedRows('portforward', RULE_TAGS.portforward, want.tags));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.ipaddressid !== undefined) query = query.where('publicip', '=', want.ipaddressid);
    if (want.networkid !== undefined) query = query.where('network', '=', want.networkid);
    if (want.keyword !== undefined) query = query.where('protocol', '=', want.keyword.toLowerCase());
    if (want.fordisplay === false) query = query.where(sql<SqlBool>`1 = 0`);
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id'), want);
    return { count, rows: await showPortForwards(room, rows) };
  },
});
