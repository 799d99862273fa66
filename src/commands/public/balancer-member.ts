// The instances a load balancer leads to, at a public address or inside: assigning, removing and listing them.
import { sql } from 'kysely';
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { isUuid, newId } from '../../lib/id.ts';
import { formatIp, parseIp } from '../../lib/ip.ts';
import type { Tables } from '../../store/schema.ts';
import { unknownId, visible, visibleRows } from '../access.ts';
import { instanceView, showInstances } from '../instance/instance-view.ts';
import { holds, pageOf, pageParams } from '../list.ts';
import { type Plan, type Room, type WriteRoom, jobCommand, listCommand } from '../room.ts';
import type { LoadBalancer } from './balancer-view.ts';
import { type TargetWording, targetIn } from './rule-target.ts';

const memberParams = {
  virtualmachineids: param.list('The instances, each by its main address', 'instance').optional(),
  vmidipmap: param.map('The instances with addresses: vmidipmap[0].vmid and vmidipmap[0].vmip').optional(),
};

interface Wanted {
  readonly instance: string;
  /** The instance's main address where it is left out. */
  readonly ip: string | undefined;
}

/** The members named, each once. */
function wantedMembers(
  room: Room,
  want: {
    readonly virtualmachineids?: readonly string[] | undefined;
    readonly vmidipmap?: readonly Readonly<Record<string, string>>[] | undefined;
  },
): Wanted[] {
  const members: Wanted[] = (want.virtualmachineids ?? []).map((instance) => ({ instance, ip: undefined }));
  for (const [index, entry] of (want.vmidipmap ?? []).entries()) {
    const instance = entry['vmid'] ?? '';
    if (!isUuid(instance)) throw unknownId(room, `vmidipmap[${index}].vmid`, instance);
    const text = entry['vmip'];
    const parsed = text === undefined || text === '' ? undefined : parseIp(text);
    if (text !== undefined && text !== '' && parsed === undefined)
      throw refuse('parameter', `Invalid address ${text.slice(0, 40)} in vmidipmap[${index}].vmip`);
    members.push({ instance, ip: parsed === undefined ? undefined : formatIp(parsed) });
  }
  if (members.length === 0) {
    throw refuse(
      'parameter',
      "Both instanceids and vmidipmap  can't be null: name the instances in virtualmachineids, or with their addresses in vmidipmap",
    );
  }
  return members;
}

/** Members of one rule: all of them stand in what its gateway nodes and hypervisors are told. */
const MOST_MEMBERS = 256;

const wording: TargetWording = {
  invalid: (id) => `Invalid instance id specified: ${id}`,
  elsewhere: "VM with id specified cannot be added because it doesn't belong in the same network.",
};

/** A rule at a public address, or a balancer inside: both have members. */
interface Balancer extends Pick<LoadBalancer, 'id' | 'name' | 'network' | 'account'> {
  readonly table: 'balancermember' | 'internalmember';
  readonly column: 'loadbalancer' | 'internalbalancer';
}

async function balancerWith(room: Room, id: string): Promise<Balancer> {
  const inside = await room.db
    .selectFrom('internalbalancer')
    .select(['id', 'name', 'network', 'account'])
    .where('id', '=', id)
    .where(visibleRows(room.call.caller, 'internalbalancer'))
    .executeTakeFirst();
  if (inside !== undefined) return { ...inside, table: 'internalmember', column: 'internalbalancer' };
  const { name, network, account } = await visible(room, 'loadbalancer', id);
  return { id, name, network, account, table: 'balancermember', column: 'loadbalancer' };
}

async function addMember(room: WriteRoom, rule: Balancer, nic: string, ip: string): Promise<void> {
  const member = { id: newId(), nic, ip, created: new Date().toISOString() };
  if (rule.table === 'internalmember') await room.tx.insert('internalmember', { ...member, internalbalancer: rule.id });
  else await room.tx.insert('balancermember', { ...member, loadbalancer: rule.id });
}

export const assignToLoadBalancerRule = jobCommand({
  name: 'assignToLoadBalancerRule',
  summary: 'Has a load balancer rule lead to instances, too',
  roles: WRITERS,
  event: 'LB.ASSIGN.TO.RULE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('loadbalancer', 'The rule'), ...memberParams }),
  async job(room, want) {
    const rule = await balancerWith(room, want.id);
    const network = await visible(room, 'network', rule.network);
    const members = await membersOf(room, rule);
    const names: string[] = [];
    const wanted = wantedMembers(room, want);
    if (members.length + wanted.length > MOST_MEMBERS) {
      throw refuse(
        'parameter',
        `Unable to assign ${wanted.length} instances to load balancer rule ${rule.name}: it leads to ${members.length}, and can lead to at most ${MOST_MEMBERS}. Remove some with removeFromLoadBalancerRule, or make another rule`,
      );
    }
    for (const { instance, ip } of wanted) {
      const owner = await visible(room, 'instance', instance, 'virtualmachineids');
      if (owner.account !== rule.account)
        throw refuse(
          'permission',
          `Cannot add virtual machines that do not belong to the same owner.: ${owner.hostname} is another account's than load balancer rule ${rule.name}`,
        );
      const target = await targetIn(room, network, instance, ip, wording, 'virtualmachineids');
      if (members.some((member) => member.nic === target.nic.id && member.ip === target.ip))
        throw refuse('parameter', `VM ${owner.hostname} with ${target.ip} is already mapped to load balancer.`);
      await addMember(room, rule, target.nic.id, target.ip);
      members.push({ id: '', nic: target.nic.id, ip: target.ip, instance: owner.id });
      names.push(owner.hostname);
    }
    return {
      about: { type: 'LoadBalancer', id: rule.id },
      text: `assigning ${names.join(', ')} to load balancer rule ${rule.name}`,
    };
  },
});

export const removeFromLoadBalancerRule = jobCommand({
  name: 'removeFromLoadBalancerRule',
  summary: 'Has a load balancer rule no longer lead to instances',
  roles: WRITERS,
  event: 'LB.REMOVE.FROM.RULE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('loadbalancer', 'The rule'), ...memberParams }),
  async job(room, want) {
    const rule = await balancerWith(room, want.id);
    const members = await membersOf(room, rule);
    const names: string[] = [];
    for (const { instance, ip } of wantedMembers(room, want)) {
      const { hostname } = await visible(room, 'instance', instance, 'virtualmachineids');
      const gone = members.filter((member) => member.instance === instance && (ip === undefined || member.ip === ip));
      if (gone.length === 0) {
        throw refuse(
          'parameter',
          `The instance id: ${instance} is not configured  for LB rule id ${rule.id}: ${rule.name} does not lead to ${hostname}${ip === undefined ? '' : ` at ${ip}`}`,
        );
      }
      for (const member of gone) await room.tx.remove(rule.table, member.id);
      names.push(hostname);
    }
    return {
      about: { type: 'LoadBalancer', id: rule.id },
      text: `removing ${names.join(', ')} from load balancer rule ${rule.name}`,
    };
  },
});

interface MemberRow {
  readonly id: string;
  readonly nic: string;
  readonly ip: string;
  readonly instance: string;
}

async function membersOf(room: Room, { id, table, column }: Balancer): Promise<MemberRow[]> {
  const found = await sql<MemberRow>`
    select member.id, member.nic, member.ip, nic.instance from ${sql.table(table)} as member join nic on nic.id = member.nic
      where member.${sql.ref(column)} = ${id} order by member.created, member.id`.execute(room.db);
  return found.rows;
}

const params = z.object({
  id: param.ref('loadbalancer', 'The rule'),
  applied: param.flag('true, as where it is left out: those it leads to; false: the others of its network').optional(),
  lbvmips: param.flag('true: with their addresses, in another form').optional(),
  ...pageParams,
});

const mapView = z.object({
  loadbalancerruleinstance: field.object('the instance'),
  lbvmipaddresses: field.list('its addresses in the rule', z.string()),
});

type Want = z.infer<typeof params>;

/** Instances in their own form, or, with lbvmips, each with its addresses: then the answer's key is another, as in CloudStack. */
export const listLoadBalancerRuleInstances: Plan = (house) => {
  const common = {
    name: 'listLoadBalancerRuleInstances',
    summary: 'Lists the instances a load balancer rule leads to, or could lead to',
    roles: EVERYBODY,
    params,
  };
  const plain = listCommand({
    ...common,
    key: 'loadbalancerruleinstance',
    view: instanceView,
    async list(room, want) {
      const { count, rows } = pageOf(await chosen(room, want), want);
      return {
        count,
        rows: await showInstances(
          room,
          rows.map(({ row }) => row),
        ),
      };
    },
  })(house);
  const withIps = listCommand({
    ...common,
    key: 'lbrulevmidip',
    view: mapView,
    async list(room, want) {
      const { count, rows } = pageOf(await chosen(room, want), want);
      const shown = await showInstances(
        room,
        rows.map(({ row }) => row),
      );
      return {
        count,
        rows: rows.map(({ ips }, index) => ({
          loadbalancerruleinstance: { ...shown[index] },
          lbvmipaddresses: ips,
        })),
      };
    },
  })(house);
  return { ...plain, run: (call, want) => ((want as Want).lbvmips === true ? withIps : plain).run(call, want) };
};

async function chosen(room: Room, want: Want): Promise<{ row: Tables['instance']; ips: string[] }[]> {
  const rule = await balancerWith(room, want.id);
  const members = Map.groupBy(await membersOf(room, rule), ({ instance }) => instance);
  const applied = want.applied !== false;
  const nics = await room.db.selectFrom('nic').select(['instance', 'ip']).where('network', '=', rule.network).execute();
  const here = new Map(nics.map((nic) => [nic.instance, nic.ip]));
  const ids = [...here.keys()].filter((id) => members.has(id) === applied);
  if (ids.length === 0) return [];
  const rows = await room.db
    .selectFrom('instance')
    .selectAll()
    .where('id', 'in', ids)
    .where('account', '=', rule.account)
    .orderBy('created')
    .orderBy('id')
    .execute();
  return rows
    .filter((row) => holds(row.hostname, want.keyword))
    .filter((row) => applied || row.state !== 'Destroyed')
    .map((row) => ({
      row,
      ips: applied
        ? (members.get(row.id) ?? []).map(({ ip }) => ip)
        : [here.get(row.id) ?? ''].filter((ip) => ip !== ''),
    }));
}
