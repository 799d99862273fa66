// The commands about firewall rules, both directions: createFirewallRule opens a public address, createEgressFirewallRule says
// what may leave a network, or may not where its offering lets everything out.
import { type SqlBool, sql } from 'kysely';
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { unknownId, visible } from '../access.ts';
import { knownIds, refuseHidden } from '../known.ts';
import { listParams, ownedRows, page, taggedRows } from '../list.ts';
import { type Room, jobCommand, listCommand } from '../room.ts';
import { addFirewallRule, checkSources, readFirewall, refuseSaid } from './firewall-make.ts';
import { type FirewallRule, firewallRuleView, showFirewallRules } from './firewall-view.ts';
import { heldAddress } from './public-ip-view.ts';
import { needService } from './public-service.ts';
import { refuseManyFirewallRules } from './rule-count.ts';
import { dropRule } from './rule-removal.ts';
import { publicSide } from './rule-target.ts';

type Direction = 'Ingress' | 'Egress';

const object = { kind: 'object', key: 'firewallrule', view: firewallRuleView } as const;

const ruleParams = {
  protocol: param.text('tcp, udp, icmp or all'),
  cidrlist: param.list('Where it may come from; 0.0.0.0/0 where it is left out').optional(),
  startport: param.integer('First port').optional(),
  endport: param.integer('Last port; the first where it is left out').optional(),
  icmptype: param.integer('ICMP type; -1 for all').optional(),
  icmpcode: param.integer('ICMP code; -1 for all').optional(),
  type: param.text('Accepted: User').optional(),
  fordisplay: param.flag('Only true').optional(),
};

export const createFirewallRule = jobCommand({
  name: 'createFirewallRule',
  summary:
    'Lets traffic in to a public address. Echo requests (ICMP) are answered at the router’s own address and by an instance with static NAT, not at addresses that only lead ports inside',
  roles: WRITERS,
  event: 'FIREWALL.OPEN',
  answer: object,
  params: z.object({ ipaddressid: param.ref('publicip', 'The public address'), ...ruleParams }),
  async job(room, want) {
    await refuseVpc(room, want.ipaddressid);
    const side = await publicSide(room, want.ipaddressid, undefined, {
      param: 'ipaddressid',
      doing: 'create firewall rule ',
    });
    await needService(room, side.network, 'Firewall', 'a firewall rule');
    refuseHidden(want);
    const said = readFirewall(want);
    const others = await room.db
      .selectFrom('firewallrule')
      .selectAll()
      .where('publicip', '=', side.address.id)
      .execute();
    refuseSaid(said, others);
    const { account, domain, ip } = side.address;
    // Holes made for other rules go with those, and are counted there.
    refuseManyFirewallRules(
      others.filter(({ related }) => related === null),
      ip,
    );
    const entering = await addFirewallRule(room, said, {
      direction: 'Ingress',
      network: side.network.id,
      publicip: side.address.id,
      account,
      domain,
    });
    return {
      id: entering.id,
      about: { type: 'FirewallRule', id: entering.id },
      view: 'firewallrule',
      enters: [...side.enters, entering],
      text: `opening ${ip} for ${said.protocol}${portsOf(said)} from ${said.cidrlist}`,
    };
  },
});

export const createEgressFirewallRule = jobCommand({
  name: 'createEgressFirewallRule',
  summary: 'Says what may leave a network, or may not where its offering lets everything out',
  roles: WRITERS,
  event: 'FIREWALL.EGRESS.OPEN',
  answer: object,
  params: z.object({
    networkid: param.ref('network', 'The network'),
    destcidrlist: param.list('Where it may go to; everywhere where it is left out').optional(),
    ...ruleParams,
  }),
  async job(room, want) {
    const network = await visible(room, 'network', want.networkid, 'networkid');
    if (network.guesttype === 'Shared')
      throw refuse('parameter', `Egress firewall rules are not supported for Shared  networks: ${network.name} is one`);
    await needService(room, network, 'Firewall', 'an egress firewall rule');
    refuseHidden(want);
    const said = readFirewall(want);
    checkSources(said, network);
    const others = await room.db
      .selectFrom('firewallrule')
      .selectAll()
      .where('network', '=', network.id)
      .where('direction', '=', 'Egress')
      .where('family', '=', 4)
      .execute();
    refuseSaid(said, others);
    refuseManyFirewallRules(others, `network ${network.name}`);
    const { account, domain } = network;
    const at = { direction: 'Egress', network: network.id, publicip: null, account, domain };
    const entering = await addFirewallRule(room, said, at);
    return {
      id: entering.id,
      about: { type: 'FirewallRule', id: entering.id },
      view: 'firewallrule',
      enters: [entering],
      text: `adding an egress rule of network ${network.name} for ${said.protocol}${portsOf(said)}`,
    };
  },
});

/** What comes in to a VPC is judged by lists, not by a firewall. */
async function refuseVpc(room: Room, id: string): Promise<void> {
  const address = await heldAddress(room, id, 'ipaddressid');
  if (address.vpc === null) return;
  const { name } = await room.db
    .selectFrom('vpc')
    .select('name')
    .where('id', '=', address.vpc)
    .executeTakeFirstOrThrow();
  throw refuse(
    'parameter',
    `Unable to create firewall rule ; Firewall service is not supported for addresses of VPCs: ${address.ip} is VPC ${name}'s, where network ACL lists rule. Give the address one (replaceNetworkACLList with publicipid), or change that of the tier it leads to (createNetworkACL)`,
  );
}

function portsOf({ startport, endport }: Pick<FirewallRule, 'startport' | 'endport'>): string {
  if (startport === null) return '';
  return startport === endport ? ` ${startport}` : ` ${startport}-${endport}`;
}

function removal(name: 'deleteFirewallRule' | 'deleteEgressFirewallRule', direction: Direction, event: string) {
  return jobCommand({
    name,
    summary: direction === 'Ingress' ? 'Closes what a firewall rule opened' : 'Deletes an egress firewall rule',
    roles: WRITERS,
    event,
    answer: { kind: 'success' },
    params: z.object({ id: param.ref('firewallrule', 'The rule') }),
    async job(room, want) {
      const rule = await ruleOf(room, want.id, direction);
      await dropRule(room.tx, 'firewallrule', rule.id);
      return {
        about: { type: 'FirewallRule', id: rule.id },
        text: `deleting the ${direction === 'Ingress' ? 'firewall' : 'egress firewall'} rule for ${rule.protocol}${portsOf(rule)}`,
      };
    },
  });
}

export const deleteFirewallRule = removal('deleteFirewallRule', 'Ingress', 'FIREWALL.CLOSE');
export const deleteEgressFirewallRule = removal('deleteEgressFirewallRule', 'Egress', 'FIREWALL.EGRESS.CLOSE');

function change(name: 'updateFirewallRule' | 'updateEgressFirewallRule', direction: Direction, event: string) {
  return jobCommand({
    name,
    summary: 'Changes a firewall rule: nothing of it can be changed, it is shown to its owner always',
    roles: WRITERS,
    event,
    answer: object,
    params: z.object({
      id: param.ref('firewallrule', 'The rule'),
      fordisplay: param.flag('Only true').optional(),
      customid: param.text('Not offered').optional(),
    }),
    async job(room, want) {
      const rule = await ruleOf(room, want.id, direction);
      refuseHidden(want);
      return { about: { type: 'FirewallRule', id: rule.id }, view: 'firewallrule', text: `updating rule ${rule.id}` };
    },
  });
}

export const updateFirewallRule = change('updateFirewallRule', 'Ingress', 'FIREWALL.UPDATE');
export const updateEgressFirewallRule = change('updateEgressFirewallRule', 'Egress', 'FIREWALL.EGRESS.UPDATE');

async function ruleOf(room: Room, id: string, direction: Direction): Promise<FirewallRule> {
  const rule = await visible(room, 'firewallrule', id);
  if (rule.direction !== direction || rule.family !== 4) throw unknownId(room, 'id', id);
  return rule;
}

function rules(name: 'listFirewallRules' | 'listEgressFirewallRules', direction: Direction) {
  return listCommand({
    name,
    summary:
      direction === 'Ingress' ? 'Lists firewall rules of public addresses' : 'Lists egress firewall rules of networks',
    roles: EVERYBODY,
    key: 'firewallrule',
    view: firewallRuleView,
    params: z.object({
      id: param.ref('firewallrule', 'The rule with this id').optional(),
      networkid: param.ref('network', 'Rules of this network').optional(),
      ipaddressid: param.ref('publicip', 'Rules of this public address').optional(),
      fordisplay: param.flag('Whether they are shown to their owner: all are').optional(),
      ...listParams,
    }),
    async list(room, want) {
      await knownIds(room, want, { networkid: 'network', ipaddressid: 'publicip' });
      if (want.id !== undefined) await ruleOf(room, want.id, direction);
      // Whoever names an address or a network means its rules, whoever's they are.
      const pointed = want.networkid !== undefined || want.ipaddressid !== undefined;
      let query = room.db
        .selectFrom('firewallrule')
        .selectAll()
        .where(await ownedRows(room, 'firewallrule', pointed ? { ...want, listall: true } : want))
        .where(taggedRows('firewallrule', 'FirewallRule', want.tags))
        .where('direction', '=', direction)
        .where('family', '=', 4);
      if (want.id !== undefined) query = query.where('id', '=', want.id);
      if (want.networkid !== undefined) query = query.where('network', '=', want.networkid);
      if (want.ipaddressid !== undefined) query = query.where('publicip', '=', want.ipaddressid);
      if (want.keyword !== undefined) query = query.where('protocol', '=', want.keyword.toLowerCase());
      if (want.fordisplay === false) query = query.where(sql<SqlBool>`1 = 0`);
      const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id'), want);
      return { count, rows: await showFirewallRules(room, rows) };
    },
  });
}

export const listFirewallRules = rules('listFirewallRules', 'Ingress');
export const listEgressFirewallRules = rules('listEgressFirewallRules', 'Egress');
