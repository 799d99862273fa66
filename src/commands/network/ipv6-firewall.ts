// The IPv6 firewall of networks outside VPCs. Addresses are the instances' own there, so a rule is of the network, in either direction, and
// not of a public address: nothing comes in without one, and what goes out follows the offering.
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { cidr6, covers6, formatCidr6 } from '../../lib/ip6.ts';
import type { Tables } from '../../store/schema.ts';
import { unknownId, visible } from '../access.ts';
import { knownIds, refuseHidden } from '../known.ts';
import { listParams, ownedRows, page, taggedRows } from '../list.ts';
import { type FirewallRule, firewallRuleView, showFirewallRules } from '../public/firewall-view.ts';
import { needService } from '../public/public-service.ts';
import { refuseManyFirewallRules } from '../public/rule-count.ts';
import { dropRule } from '../public/rule-removal.ts';
import { type Room, jobCommand, listCommand } from '../room.ts';
import { type RuleWant, readRule } from '../vpc/acl-rule.ts';

const object = { kind: 'object', key: 'firewallrule', view: firewallRuleView } as const;

const ruleParams = {
  cidrlist: param.list('Where it may come from; ::/0 where it is left out').optional(),
  startport: param.integer('First port').optional(),
  endport: param.integer('Last port; the first where it is left out').optional(),
  icmptype: param.integer('ICMPv6 type; -1 for all').optional(),
  icmpcode: param.integer('ICMPv6 code; -1 for all').optional(),
  traffictype: param.text('Ingress, as where it is left out, or Egress').optional(),
  fordisplay: param.flag('Only true').optional(),
};

/** What a rule says, without whose it is. */
type Said = Pick<
  FirewallRule,
  'direction' | 'protocol' | 'startport' | 'endport' | 'icmptype' | 'icmpcode' | 'cidrlist' | 'destcidrlist'
>;

const NUMBERS: Readonly<Record<string, string>> = { '6': 'tcp', '17': 'udp', '58': 'icmp' };
const NAMES = ['tcp', 'udp', 'icmp', 'all'];

function readSaid(want: RuleWant & { readonly destcidrlist?: readonly string[] }, was?: Said): Said {
  const before = was === undefined ? undefined : { ...was, traffictype: was.direction, action: 'Allow' };
  const { protocol: typed, traffictype: direction, ...rule } = readRule(want, before, 6);
  const protocol = NUMBERS[typed] ?? typed;
  if (!NAMES.includes(protocol)) {
    throw refuse('parameter', `Invalid protocol: ${typed}. An IPv6 firewall rule is for one of ${NAMES.join(', ')}`);
  }
  const destinations = want.destcidrlist ?? [];
  const destcidrlist =
    destinations.length === 0 ? (was?.destcidrlist ?? '') : readRule({ cidrlist: destinations }, undefined, 6).cidrlist;
  const { startport, endport, icmptype, icmpcode, cidrlist } = rule;
  return { direction, protocol, startport, endport, icmptype, icmpcode, cidrlist, destcidrlist };
}

/** Refuses ends that are not in the network where they have to be: such a rule would never match. */
function checkInside({ direction, cidrlist, destcidrlist }: Said, network: Tables['network']): void {
  if (network.ip6cidr === null) return;
  const own = cidr6(network.ip6cidr);
  const [inner, param] = direction === 'Egress' ? [cidrlist, 'cidrlist'] : [destcidrlist, 'destcidrlist'];
  const foreign = inner.split(',').find((text) => {
    const prefix = text === '' ? undefined : cidr6(text);
    return prefix !== undefined && prefix.length > 0 && !covers6(own, prefix);
  });
  if (foreign === undefined) return;
  throw refuse(
    'parameter',
    `${foreign} is not within the network: what ${direction === 'Egress' ? 'leaves' : 'comes in to'} ${network.name} has its ${direction === 'Egress' ? 'source' : 'destination'} in ${network.ip6cidr}. Give a part of it in ${param}, or ::/0`,
  );
}

/** The network, if it has an IPv6 firewall; else refuses. */
async function needFirewall(room: Room, id: string): Promise<Tables['network']> {
  const network = await visible(room, 'network', id, 'networkid');
  if (network.vpc !== null) {
    throw refuse(
      'parameter',
      `Unable to create IPv6 firewall rule; tiers of VPCs have network ACL lists instead: add an item with IPv6 CIDRs to the list of ${network.name} (createNetworkACL)`,
    );
  }
  if (network.ip6cidr === null) {
    throw refuse(
      'parameter',
      `Unable to create IPv6 firewall rule; network ${network.name} has no IPv6. Use a network of an offering with internetprotocol dualstack or ipv6`,
    );
  }
  await needService(room, network, 'Firewall', 'an IPv6 firewall rule');
  return network;
}

export const createIpv6FirewallRule = jobCommand({
  name: 'createIpv6FirewallRule',
  summary:
    'Lets IPv6 traffic in to a network, or says what may leave it, or may not where its offering lets everything out',
  roles: WRITERS,
  event: 'IPV6.FIREWALL.RULE.CREATE',
  answer: object,
  params: z.object({
    networkid: param.ref('network', 'The network'),
    protocol: param.text('tcp, udp, icmp or all'),
    destcidrlist: param.list('Where it may go to; everywhere where it is left out').optional(),
    ...ruleParams,
  }),
  async job(room, want) {
    const network = await needFirewall(room, want.networkid);
    refuseHidden(want);
    const said = readSaid(want as RuleWant);
    checkInside(said, network);
    const others = await rulesOf(room, network.id);
    refuseTwin(said, others);
    refuseManyFirewallRules(others, `network ${network.name}`);
    const id = newId();
    const { account, domain } = network;
    await room.tx.insert('firewallrule', {
      id,
      family: 6,
      network: network.id,
      publicip: null,
      ...said,
      related: null,
      state: 'Add',
      account,
      domain,
      created: new Date().toISOString(),
    });
    return {
      id,
      about: { type: 'FirewallRule', id },
      view: 'firewallrule',
      enters: [{ kind: 'firewallrule', id, state: 'Active' }],
      text: `adding an IPv6 ${said.direction.toLowerCase()} rule of network ${network.name} for ${said.protocol}`,
    };
  },
});

async function rulesOf(room: Room, network: string): Promise<FirewallRule[]> {
  return room.db
    .selectFrom('firewallrule')
    .selectAll()
    .where('network', '=', network)
    .where('family', '=', 6)
    .execute();
}

const canonical = (list: string): string =>
  list === ''
    ? '::/0'
    : list
        .split(',')
        .map((text) => formatCidr6(cidr6(text)))
        .toSorted()
        .join(',');

/** Refuses with 537 what another rule of the network says already; it is named. */
function refuseTwin(said: Said, others: readonly FirewallRule[]): void {
  const same = (other: FirewallRule): boolean =>
    (['direction', 'protocol', 'startport', 'endport', 'icmptype', 'icmpcode'] as const).every(
      (key) => other[key] === said[key],
    ) &&
    canonical(other.cidrlist) === canonical(said.cidrlist) &&
    canonical(other.destcidrlist) === canonical(said.destcidrlist);
  const twin = others.find(same);
  if (twin === undefined) return;
  throw refuse(
    'conflict',
    `There is already an IPv6 firewall rule that says the same: ${twin.direction} rule ${twin.id} for ${twin.protocol} from ${twin.cidrlist}`,
  );
}

export const updateIpv6FirewallRule = jobCommand({
  name: 'updateIpv6FirewallRule',
  summary: 'Changes an IPv6 firewall rule; what is left out stays',
  roles: WRITERS,
  event: 'IPV6.FIREWALL.RULE.UPDATE',
  answer: object,
  params: z.object({
    id: param.ref('firewallrule', 'The rule'),
    protocol: param.text('tcp, udp, icmp or all').optional(),
    customid: param.text('Not offered').optional(),
    ...ruleParams,
  }),
  async job(room, want) {
    const rule = await ruleOf(room, want.id);
    refuseHidden(want);
    const said = readSaid(want as RuleWant, rule);
    const network = await visible(room, 'network', rule.network, 'id');
    checkInside(said, network);
    refuseTwin(
      said,
      (await rulesOf(room, rule.network)).filter(({ id }) => id !== rule.id),
    );
    await room.tx.update('firewallrule', rule.id, said);
    return {
      about: { type: 'FirewallRule', id: rule.id },
      view: 'firewallrule',
      text: `changing an IPv6 firewall rule of network ${network.name}`,
    };
  },
});

export const deleteIpv6FirewallRule = jobCommand({
  name: 'deleteIpv6FirewallRule',
  summary: 'Deletes an IPv6 firewall rule',
  roles: WRITERS,
  event: 'IPV6.FIREWALL.RULE.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('firewallrule', 'The rule') }),
  async job(room, want) {
    const rule = await ruleOf(room, want.id);
    await dropRule(room.tx, 'firewallrule', rule.id);
    return {
      about: { type: 'FirewallRule', id: rule.id },
      text: `deleting the IPv6 ${rule.direction.toLowerCase()} rule for ${rule.protocol}`,
    };
  },
});

async function ruleOf(room: Room, id: string): Promise<FirewallRule> {
  const rule = await visible(room, 'firewallrule', id);
  if (rule.family !== 6) throw unknownId(room, 'id', id);
  return rule;
}

export const listIpv6FirewallRules = listCommand({
  name: 'listIpv6FirewallRules',
  summary: 'Lists IPv6 firewall rules of networks',
  roles: EVERYBODY,
  key: 'firewallrule',
  view: firewallRuleView,
  params: z.object({
    id: param.ref('firewallrule', 'The rule with this id').optional(),
    networkid: param.ref('network', 'Rules of this network').optional(),
    traffictype: param.text('Ingress or Egress').optional(),
    fordisplay: param.flag('Whether they are shown to their owner: all are').optional(),
    ...listParams,
  }),
  async list(room, want) {
    await knownIds(room, want, { networkid: 'network' });
    if (want.id !== undefined) await ruleOf(room, want.id);
    const pointed = want.networkid !== undefined;
    let query = room.db
      .selectFrom('firewallrule')
      .selectAll()
      .where(await ownedRows(room, 'firewallrule', pointed ? { ...want, listall: true } : want))
      .where(taggedRows('firewallrule', 'FirewallRule', want.tags))
      .where('family', '=', 6);
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.networkid !== undefined) query = query.where('network', '=', want.networkid);
    if (want.traffictype !== undefined)
      query = query.where('direction', '=', want.traffictype.toLowerCase() === 'egress' ? 'Egress' : 'Ingress');
    if (want.keyword !== undefined) query = query.where('protocol', '=', want.keyword.toLowerCase());
    if (want.fordisplay === false) return { count: 0, rows: [] };
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id'), want);
    return { count, rows: await showFirewallRules(room, rows) };
  },
});
