// Settings of the cloud by name, with CloudStack's defaults: clients and tests look some of them up.
import { z } from 'zod';
import { ROOT, WATCHERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { parseVlanRanges } from '../../model/vlan-range.ts';
import type { Db } from '../../store/open.ts';
import type { ConfigurationTable } from '../../store/schema/record.ts';
import { containing, named, page, pageParams } from '../list.ts';
import { listCommand, writeCommand } from '../room.ts';

/** Every setting a fresh cloud has. Written once at first start; an update keeps what an operator chose. */
export const CONFIGURATIONS: readonly ConfigurationTable[] = [
  setting('default.page.size', '500', 'Advanced', 'Entries on a page where none are asked for; fixed', 0),
  setting('vpc.max.networks', '3', 'Advanced', 'Tiers a VPC can have', 1),
  setting(
    'network.guest.cidr.limit',
    '22',
    'Network',
    'Shortest prefix of a network that an account other than root makes',
    1,
  ),
  setting(
    'network.vlan.reserved',
    '',
    'Network',
    'VLANs that no network is ever given, such as 900-999,4000: neither from a pool nor by hand',
    1,
  ),
  setting(
    'network.vlan.tenants',
    '',
    'Network',
    'VLANs outside of the pool that admins of domains may name, such as 3000-3099; none where it is empty',
    1,
  ),
  setting(
    'vmnetwork.nic.max.secondary.ipaddresses',
    '256',
    'Network',
    'Secondary addresses a network interface can have',
    1,
  ),
  setting(
    'network.static.nat.distributed',
    'false',
    'Network',
    'Whether static NAT of instances on overlays is done on their hypervisor, past the gateway nodes, where that has the physical network: its switch ports must carry the VLANs of public addresses',
    1,
  ),
  setting('network.scan.interval', '60', 'Network', 'Seconds between two scans of a network', 1),
  setting('network.underlay.mtu', '1500', 'Network', 'Bytes of an IP packet that fit between the hypervisors', 1),
  setting('job.expire.minutes', '1440', 'Advanced', 'Minutes after which a finished job is forgotten', 1),
  setting(
    'job.cancel.threshold.minutes',
    '60',
    'Advanced',
    'Minutes a host may take to become empty until the job of prepareHostForMaintenance fails; other jobs fail after a minute',
    1,
  ),
  setting('event.purge.delay', '90', 'Advanced', 'Days after which an event is forgotten; 0 for never', 1),
  setting('network.gc.interval', '600', 'Advanced', 'Kept for clients; networks are tidied up at once', 0),
  setting('network.gc.wait', '600', 'Advanced', 'Kept for clients; networks are tidied up at once', 0),
  setting('expunge.delay', '86400', 'Advanced', 'Seconds from destroying an instance to expunging it', 1),
  setting('expunge.interval', '86400', 'Advanced', 'Kept for clients; see expunge.delay', 0),
  setting('account.cleanup.interval', '86400', 'Advanced', 'Kept for clients; accounts are removed at once', 0),
  setting('api.throttling.enabled', 'false', 'Advanced', 'Kept for clients; only failed tries are limited', 0),
  setting('api.throttling.max', '25', 'Advanced', 'Kept for clients', 0),
  setting('api.throttling.interval', '1', 'Advanced', 'Kept for clients', 0),
  setting(
    'incorrect.login.attempts.allowed',
    '5',
    'Advanced',
    'Failed logins after which a user is disabled; 0 for never',
    1,
  ),
  ...limits('account', 'Account Defaults', 'an account can have'),
  ...limits('domain', 'Domain Defaults', 'a domain can have, with those below it'),
  setting('site2site.vpn.vpngateway.connection.limit', '4', 'Network', 'Connections a VPN gateway can have', 1),
  setting('site2site.vpn.customergateway.subnets.limit', '10', 'Network', 'Subnets a VPN customer gateway can have', 1),
  setting(
    'vpn.weak.policies.allowed',
    'false',
    'Network',
    'Whether VPN customer gateways may use weak ciphers, hashes and groups',
    1,
  ),
  setting('remote.access.vpn.user.limit', '8', 'Network', 'VPN users an account can have', 1),
  setting('router.redundant.vrrp.interval', '1', 'Network', 'Kept for clients; gateways fail over by BFD', 0),
  setting(
    'router.redundantstate.dialect',
    'cosmic',
    'Network',
    'What listRouters calls the router that carries the way out: MASTER (cosmic) or PRIMARY (cloudstack)',
    1,
  ),
  setting('switch.review.interval', '10', 'Network', 'Seconds between two looks at a physical switch', 1),
  setting('json.content.type', 'application/json; charset=UTF-8', 'Advanced', 'Content type of answers; fixed', 0),
  setting('allow.user.expunge.recover.vm', 'true', 'Advanced', 'Whether users may expunge and recover instances', 1),
  setting('allow.user.view.destroyed.vm', 'true', 'Advanced', 'Whether users see destroyed instances', 1),
];

function setting(
  name: string,
  value: string,
  category: string,
  description: string,
  isdynamic: 0 | 1,
): ConfigurationTable {
  return { name, value, category, description, defaultvalue: value, isdynamic };
}

/** What accounts or domains can have where no limit is written down for them. */
function limits(of: 'account' | 'domain', category: string, whose: string): ConfigurationTable[] {
  const things = Object.entries({
    'user.vms': 'Instances',
    'public.ips': 'Public addresses',
    volumes: 'Volumes',
    templates: 'Templates',
    networks: 'Networks',
    vpcs: 'VPCs',
    cpus: 'CPUs',
    memory: 'MiB of memory',
    'primary.storage': 'GiB of volumes',
    'secondary.storage': 'GiB of templates',
  });
  return things.map(([name, what]) =>
    setting(`max.${of}.${name}`, '-1', category, `${what} ${whose}; -1: any number`, 1),
  );
}

/** The value of a setting: what an operator chose, or the default. */
export async function configured(db: Db, name: string): Promise<string> {
  const row = await db.selectFrom('configuration').select('value').where('name', '=', name).executeTakeFirst();
  const value = row?.value ?? CONFIGURATIONS.find((one) => one.name === name)?.value;
  if (value === undefined) throw new Error(`there is no setting ${name}`);
  return value;
}

export const configurationView = z.object({
  name: field.string('name of the setting'),
  value: field.string('its value'),
  category: field.string('what it belongs to'),
  description: field.string('what it means'),
  defaultvalue: field.string('the value a fresh cloud has'),
  isdynamic: field.boolean('whether it can be changed'),
});

/** Settings as answers show them. */
export function showConfigurations(rows: readonly ConfigurationTable[]): z.infer<typeof configurationView>[] {
  return rows.map(({ name, value, category, description, defaultvalue, isdynamic }) => ({
    name,
    value,
    category,
    description,
    defaultvalue,
    isdynamic: isdynamic === 1,
  }));
}

export const listConfigurations = listCommand({
  name: 'listConfigurations',
  summary: 'Lists the settings of the cloud',
  roles: WATCHERS,
  params: z.object({
    name: param.text('Name of a setting').optional(),
    category: param.text('Category of settings').optional(),
    ...pageParams,
  }),
  key: 'configuration',
  view: configurationView,
  async list(room, want) {
    let query = room.db.selectFrom('configuration').selectAll().orderBy('name');
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.category !== undefined) query = query.where(named('category', want.category));
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    const { count, rows } = await page(query, want);
    return { count, rows: showConfigurations(rows) };
  },
});

const forAll = param
  .notOffered('a setting is the same for the whole cloud, and would change there. Leave it out to change it for all')
  .optional();

export const updateConfiguration = writeCommand({
  name: 'updateConfiguration',
  summary: 'Changes a setting of the cloud',
  roles: ROOT,
  params: z.object({
    name: param.text('Name of the setting'),
    value: param.text('Its new value', 4096).optional(),
    zoneid: forAll,
    clusterid: forAll,
    storageid: forAll,
    domainid: forAll,
    accountid: forAll,
  }),
  answer: { kind: 'object', key: 'configuration', view: configurationView },
  event: 'CONFIGURATION.VALUE.EDIT',
  async write(room, want) {
    const row = await room.db.selectFrom('configuration').selectAll().where('name', '=', want.name).executeTakeFirst();
    if (row === undefined)
      throw refuse('parameter', `Config parameter with name ${want.name} doesn't exist; listConfigurations shows them`);
    if (want.value === undefined)
      throw refuse('parameter', `Name the new value of ${row.name}; it is ${row.value} now`);
    if (row.isdynamic === 0) throw refuse('parameter', `${row.name} cannot be changed: ${row.description}`);
    checkValue(row, want.value);
    await room.db.updateTable('configuration').set({ value: want.value }).where('name', '=', row.name).execute();
    // A setting is no row of the intent: the network follows it when it is looked at again.
    if (FOLLOWED.has(row.name)) await room.tx.generation();
    return { configuration: showConfigurations([{ ...row, value: want.value }])[0] };
  },
});

/** Settings that the network follows. */
const FOLLOWED: ReadonlySet<string> = new Set(['network.underlay.mtu', 'network.static.nat.distributed']);

/** Settings that are one word of a few. */
const WORDS: ReadonlyMap<string, readonly string[]> = new Map([
  ['router.redundantstate.dialect', ['cosmic', 'cloudstack']],
]);

/** Settings that are a number within bounds, and why. */
const BOUNDS: ReadonlyMap<string, { readonly from: number; readonly to: number; readonly why: string }> = new Map([
  [
    'network.underlay.mtu',
    { from: 1280, to: 9216, why: 'IPv6 needs 1280 bytes on every wire, and no switch carries more than 9216' },
  ],
]);

/** Settings that would do harm, or nothing, below a number. */
const LEAST: ReadonlyMap<string, number> = new Map([
  ['job.expire.minutes', 1],
  ['job.cancel.threshold.minutes', 1],
]);

/** A setting keeps the kind of its default: a number stays a number. */
function checkValue({ name, defaultvalue }: ConfigurationTable, value: string): void {
  if (/^\d+$/.test(defaultvalue) && !/^\d{1,9}$/.test(value))
    throw refuse('parameter', `${name} must be a whole number, such as ${defaultvalue}; got ${value}`);
  if (defaultvalue === '-1' && !/^(-1|\d{1,9})$/.test(value))
    throw refuse('parameter', `${name} must be a whole number, or -1 for any number; got ${value}`);
  const bounds = BOUNDS.get(name);
  if (bounds !== undefined && !(Number(value) >= bounds.from && Number(value) <= bounds.to))
    throw refuse('parameter', `${name} must be ${bounds.from} to ${bounds.to}: ${bounds.why}; got ${value}`);
  if (name === 'network.vlan.reserved' || name === 'network.vlan.tenants') {
    const parsed = parseVlanRanges(value);
    if ('problem' in parsed) throw refuse('parameter', parsed.problem);
  }
  const least = LEAST.get(name);
  if (least !== undefined && Number(value) < least)
    throw refuse('parameter', `${name} must be at least ${least}; got ${value}`);
  const words = WORDS.get(name);
  if (words !== undefined && !words.includes(value))
    throw refuse('parameter', `${name} must be ${words.join(' or ')}; got ${value}`);
  if (/^(true|false)$/.test(defaultvalue) && !/^(true|false)$/.test(value))
    throw refuse('parameter', `${name} must be true or false; got ${value}`);
}
