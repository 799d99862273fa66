// Firewall rules as answers show them: holes in front of a public address, and rules for what leaves a network.
import { z } from 'zod';
import * as field from '../../api/field.ts';
import type { Tables } from '../../store/schema.ts';
import { tagView, tagsOf } from '../join.ts';
import type { Room } from '../room.ts';
import { RULE_TAGS } from './rule-removal.ts';

export type FirewallRule = Tables['firewallrule'];

export const firewallRuleView = z.object({
  id: field.string('id of the rule'),
  traffictype: field.string('Ingress: towards a public address; Egress: out of a network'),
  protocol: field.string('tcp, udp, icmp or all'),
  startport: field.integer('first port'),
  endport: field.integer('last port'),
  icmptype: field.integer('ICMP type; -1 for all'),
  icmpcode: field.integer('ICMP code; -1 for all'),
  cidrlist: field.string('where it may come from, comma-separated'),
  destcidrlist: field.string('Egress: where it may go to, comma-separated'),
  ipaddressid: field.string('Ingress: the public address'),
  ipaddress: field.string('Ingress: that address as text'),
  networkid: field.string('the network'),
  state: field.string('Add, or Active once it is realized'),
  fordisplay: field.boolean('true'),
  tags: field.list('its tags', tagView),
});

export type FirewallRuleView = z.infer<typeof firewallRuleView>;

/** Rules as their answers show them. Ports are numbers here: the Go clients read them so. */
export async function showFirewallRules(room: Room, rows: readonly FirewallRule[]): Promise<FirewallRuleView[]> {
  if (rows.length === 0) return [];
  const ips = await addressTexts(
    room,
    rows.map((row) => row.publicip),
  );
  const tags = await tagsOf(
    room.db,
    RULE_TAGS.firewallrule,
    rows.map((row) => row.id),
  );
  return rows.map((row) =>
    field.compact<FirewallRuleView>({
      id: row.id,
      traffictype: row.direction,
      protocol: row.protocol,
      startport: row.startport,
      endport: row.endport,
      icmptype: row.icmptype,
      icmpcode: row.icmpcode,
      cidrlist: row.cidrlist,
      destcidrlist: row.direction === 'Egress' || row.family === 6 ? row.destcidrlist : undefined,
      ipaddressid: row.publicip,
      ipaddress: row.publicip === null ? undefined : ips.get(row.publicip),
      networkid: row.network,
      state: row.state,
      fordisplay: true,
      tags: tags(row.id),
    }),
  );
}

/** id -> address, of public addresses. */
export async function addressTexts(room: Room, ids: Iterable<string | null>): Promise<Map<string, string>> {
  const wanted = [...new Set(ids)].filter((id) => id !== null);
  if (wanted.length === 0) return new Map();
  const rows = await room.db.selectFrom('publicip').select(['id', 'ip']).where('id', 'in', wanted).execute();
  return new Map(rows.map((row) => [row.id, row.ip]));
}

/** The rule with this id as a job's result shows it. */
export async function viewFirewallRule(room: Room, id: string): Promise<FirewallRuleView | undefined> {
  return (
    await showFirewallRules(room, await room.db.selectFrom('firewallrule').selectAll().where('id', '=', id).execute())
  )[0];
}
