// What goes when something else goes: the rules of a public address, of a network, and of an interface of an instance. Called by
// whoever removes these.
import type { Tx } from '../../store/write.ts';
import { tidyCheckAddress } from './balancer-check.ts';
import { dropInternalBalancer } from './internal-balancer-removal.ts';

type RuleTable = 'portforward' | 'firewallrule' | 'loadbalancer';

/** Kind of the tags of each rule. */
export const RULE_TAGS: Readonly<Record<RuleTable, string>> = {
  portforward: 'PortForwardingRule',
  firewallrule: 'FirewallRule',
  loadbalancer: 'LoadBalancer',
};

/** Removes a rule with its tags, its members, and the holes in the firewall that were made for it. */
export async function dropRule(tx: Tx, table: RuleTable, id: string): Promise<void> {
  await tx.db.deleteFrom('tag').where('kind', '=', RULE_TAGS[table]).where('resource', '=', id).execute();
  if (table === 'loadbalancer') {
    const members = await tx.db.selectFrom('balancermember').select('id').where('loadbalancer', '=', id).execute();
    for (const member of members) await tx.remove('balancermember', member.id);
  }
  if (table !== 'firewallrule') {
    const { publicip, network } = await tx.db
      .selectFrom(table)
      .select(['publicip', 'network'])
      .where('id', '=', id)
      .executeTakeFirstOrThrow();
    const holes = await tx.db.selectFrom('firewallrule').select('id').where('related', '=', id).execute();
    for (const hole of holes) await dropRule(tx, 'firewallrule', hole.id);
    await tx.remove(table, id);
    if (table === 'loadbalancer') await tidyCheckAddress(tx, network);
    await giveBackToVpc(tx, publicip);
    return;
  }
  await tx.remove(table, id);
}

/** An address of a VPC leads to a tier as long as something of it does: with its last rule it is the VPC's again. */
export async function giveBackToVpc(tx: Tx, publicip: string): Promise<void> {
  const row = await tx.db.selectFrom('publicip').selectAll().where('id', '=', publicip).executeTakeFirst();
  if (row === undefined || row.vpc === null || row.network === null || row.nic !== null) return;
  for (const table of ['portforward', 'loadbalancer'] as const) {
    const rule = await tx.db.selectFrom(table).select('id').where('publicip', '=', publicip).executeTakeFirst();
    if (rule !== undefined) return;
  }
  await tx.update('publicip', publicip, { network: null });
}

/** Removes all rules of a public address. */
export async function dropRulesOfAddress(tx: Tx, publicip: string): Promise<void> {
  await dropAll(tx, ['portforward', 'loadbalancer', 'firewallrule'], 'publicip', publicip);
}

/** Removes all rules of a network. */
export async function dropRulesOfNetwork(tx: Tx, network: string): Promise<void> {
  await dropAll(tx, ['portforward', 'loadbalancer', 'firewallrule'], 'network', network);
  const inside = await tx.db.selectFrom('internalbalancer').selectAll().where('network', '=', network).execute();
  for (const row of inside) await dropInternalBalancer(tx, row);
}

async function dropAll(
  tx: Tx,
  tables: readonly RuleTable[],
  column: 'publicip' | 'network',
  value: string,
): Promise<void> {
  for (const table of tables) {
    const rows = await tx.db.selectFrom(table).select('id').where(column, '=', value).execute();
    for (const row of rows) await dropRule(tx, table, row.id);
  }
}

/** Removes what leads to an interface that goes: its port forwards, its places in load balancers, its static NAT. */
export async function dropRulesOfNic(tx: Tx, nic: string): Promise<void> {
  const forwards = await tx.db.selectFrom('portforward').select('id').where('nic', '=', nic).execute();
  for (const row of forwards) await dropRule(tx, 'portforward', row.id);
  const members = await tx.db.selectFrom('balancermember').select('id').where('nic', '=', nic).execute();
  for (const row of members) await tx.remove('balancermember', row.id);
  const inside = await tx.db.selectFrom('internalmember').select('id').where('nic', '=', nic).execute();
  for (const row of inside) await tx.remove('internalmember', row.id);
  const addresses = await tx.db.selectFrom('publicip').select('id').where('nic', '=', nic).execute();
  for (const row of addresses) await endStaticNat(tx, row.id);
}

/** Ends the static NAT of an address, with the holes in its firewall: they were for the instance. */
export async function endStaticNat(tx: Tx, publicip: string): Promise<void> {
  await dropAll(tx, ['firewallrule'], 'publicip', publicip);
  await tx.update('publicip', publicip, { nic: null, vmip: null, moved: await tx.generation() });
  await giveBackToVpc(tx, publicip);
}
