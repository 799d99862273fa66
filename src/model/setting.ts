// Settings of the cloud: names and defaults (CloudStack's, since clients and tests look some of them up), which of them can be changed,
// and which values they take. The one table: who reads a setting names no default.
import { parseCidr } from '../lib/ip.ts';
import { parseCidr6 } from '../lib/ip6.ts';
import { parseVlanRanges } from './vlan-range.ts';

/** Why a setting cannot have a value, as a sentence; undefined where it can. */
type Rule = (name: string, value: string) => string | undefined;

export interface Setting<N extends string = string, V extends string = string> {
  readonly name: N;
  /** Its default. A setting keeps the kind of it: a number stays a number; -1 means any number. */
  readonly value: V;
  readonly category: string;
  readonly description: string;
  /** Whether it can be changed; the others are here because clients ask for them. */
  readonly isdynamic: 0 | 1;
  readonly rule?: Rule;
}

const atLeast =
  (least: number): Rule =>
  (name, value) =>
    Number(value) < least ? `${name} must be at least ${least}; got ${value}` : undefined;

const between =
  (from: number, to: number, why: string): Rule =>
  (name, value) =>
    Number(value) < from || Number(value) > to ? `${name} must be ${from} to ${to}: ${why}; got ${value}` : undefined;

/** What a gateway is told of is a thousand prefixes at most (protocol/vpn-schema.ts), and networks are among them. */
const fewRoutes = between(0, 900, 'gateways are told of no more');

const oneOf =
  (...words: readonly string[]): Rule =>
  (name, value) =>
    words.includes(value) ? undefined : `${name} must be ${words.join(' or ')}; got ${value}`;

const vlanRanges: Rule = (_, value) => {
  const parsed = parseVlanRanges(value);
  return 'problem' in parsed ? parsed.problem : undefined;
};

const prefixes: Rule = (name, value) => {
  const bad = value
    .split(',')
    .map((part) => part.trim())
    .find((part) => part !== '' && parseCidr(part) === undefined && parseCidr6(part) === undefined);
  return bad === undefined
    ? undefined
    : `${name} must be networks separated by commas, such as 10.0.0.0/8,2001:db8::/32; ${bad} is none`;
};

/** Every setting there is. */
export const SETTINGS = [
  setting('default.page.size', '500', 'Advanced', 'Entries on a page where none are asked for; fixed', 0),
  setting('vpc.max.networks', '3', 'Advanced', 'Tiers a VPC can have', 1),
  setting('vpc.max.static.routes', '500', 'Network', 'Static routes a VPC can have', 1, fewRoutes),
  setting('network.max.routes', '500', 'Network', 'Networks that can be behind devices of a network', 1, fewRoutes),
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
    vlanRanges,
  ),
  setting(
    'network.vlan.tenants',
    '',
    'Network',
    'VLANs outside of the pool that admins of domains may name, such as 3000-3099; none where it is empty',
    1,
    vlanRanges,
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
  setting(
    'network.underlay.mtu',
    '1500',
    'Network',
    'Bytes of an IP packet that fit between the hypervisors',
    1,
    between(1280, 9216, 'IPv6 needs 1280 bytes on every wire, and no switch carries more than 9216'),
  ),
  setting('job.expire.minutes', '1440', 'Advanced', 'Minutes after which a finished job is forgotten', 1, atLeast(1)),
  setting(
    'job.cancel.threshold.minutes',
    '60',
    'Advanced',
    'Minutes a host may take to become empty until the job of prepareHostForMaintenance fails; other jobs fail after a minute',
    1,
    atLeast(1),
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
  setting(
    'denied.routes',
    '',
    'Network',
    'Networks that no static route may lead to, such as 10.0.0.0/8,2001:db8::/32',
    1,
    prefixes,
  ),
  setting('blacklisted.routes', '', 'Network', 'The same by the name that older clients know', 1, prefixes),
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
    oneOf('cosmic', 'cloudstack'),
  ),
  setting('switch.review.interval', '10', 'Network', 'Seconds between two looks at a physical switch', 1, atLeast(1)),
  setting('json.content.type', 'application/json; charset=UTF-8', 'Advanced', 'Content type of answers; fixed', 0),
  setting('allow.user.expunge.recover.vm', 'true', 'Advanced', 'Whether users may expunge and recover instances', 1),
  setting('allow.user.view.destroyed.vm', 'true', 'Advanced', 'Whether users see destroyed instances', 1),
];

type Known = (typeof SETTINGS)[number];
export type SettingName = Known['name'];
export type NumberSetting = Extract<Known, { readonly value: `${number}` }>['name'];
export type FlagSetting = Extract<Known, { readonly value: 'true' | 'false' }>['name'];

const BY_NAME: ReadonlyMap<string, Setting> = new Map(SETTINGS.map((one) => [one.name, one]));

/** The setting of this name; undefined where there is none. */
export function settingNamed(name: string): Setting | undefined {
  return BY_NAME.get(name);
}

/** What a setting is: what was stored for it, or its default where nothing was, or nothing it could be. */
export function settingValue(name: SettingName, stored: string | undefined): string {
  const setting = BY_NAME.get(name)!;
  return stored === undefined || settingProblem(setting, stored) !== undefined ? setting.value : stored;
}

/** Why a setting cannot have a value, as a sentence; undefined where it can. */
export function settingProblem({ name, value: byDefault, rule }: Setting, value: string): string | undefined {
  if (/^\d+$/.test(byDefault) && !/^\d{1,9}$/.test(value))
    return `${name} must be a whole number, such as ${byDefault}; got ${value}`;
  if (byDefault === '-1' && !/^(-1|\d{1,9})$/.test(value))
    return `${name} must be a whole number, or -1 for any number; got ${value}`;
  if (/^(true|false)$/.test(byDefault) && !/^(true|false)$/.test(value))
    return `${name} must be true or false; got ${value}`;
  return rule?.(name, value);
}

function setting<const N extends string, const V extends string>(
  name: N,
  value: V,
  category: string,
  description: string,
  isdynamic: 0 | 1,
  rule?: Rule,
): Setting<N, V> {
  return { name, value, category, description, isdynamic, ...(rule === undefined ? {} : { rule }) };
}

/** What accounts or domains can have where no limit is written down for them. */
function limits<const O extends 'account' | 'domain'>(
  of: O,
  category: string,
  whose: string,
): Setting<`max.${O}.${string}`, '-1'>[] {
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
    setting(`max.${of}.${name}` as const, '-1', category, `${what} ${whose}; -1: any number`, 1),
  );
}
