// dnsmasq's files: leases and names of all networks by one process. What changes often (leases, names) is in files it reads again
// on SIGHUP; the rest needs a restart, some 50 ms in which nobody is answered. It is what advertises the router in IPv6, too. Pure.
import { cidr, formatCidr, formatIp, netmask } from '../../lib/ip.ts';
import { cidr6, formatIp6, SLAAC_LENGTH } from '../../lib/ip6.ts';
import type { RouterSpec } from '../../protocol/document.ts';
import { insideDevice, type RouterContext } from './names.ts';
import { type Spec6, withSix } from './six.ts';

export interface DnsmasqFiles {
  readonly conf: string;
  readonly hosts: string;
  readonly names: string;
}

/** The files; undefined when no network has DHCP, DNS or IPv6 from here. */
export function dnsmasqFiles(specs: readonly RouterSpec[], context: RouterContext): DnsmasqFiles | undefined {
  const served = specs.filter((spec) => spec.dhcp !== undefined || spec.dns !== undefined || spec.six !== undefined);
  if (served.length === 0) return undefined;
  const { directory } = context;
  const user = context.canDropRoot ? 'dnsmasq' : 'root';
  const asking = served.filter((spec) => spec.dns !== undefined);
  const servers = new Set(asking.flatMap((spec) => spec.dns!.servers));
  const domains = new Set(asking.flatMap((spec) => domainOf(spec) ?? []));
  const conf = [
    '# Written by trunkline; changes are undone.',
    `user=${user}`,
    `group=${user === 'root' ? 'root' : 'nogroup'}`,
    // Addresses come and go with VRRP: it listens on what is there, on these interfaces only.
    'bind-dynamic',
    'except-interface=lo',
    ...served.map((spec) => `interface=${insideDevice(spec.vlan, context)}`),
    // That would forbid advertisements, too; who has no range is not answered by DHCP anyway.
    ...served
      .filter((spec) => spec.dhcp === undefined && spec.six === undefined)
      .map((spec) => `no-dhcp-interface=${insideDevice(spec.vlan, context)}`),
    ...(asking.length === 0 ? ['port=0'] : []),
    'no-resolv',
    'no-hosts',
    'domain-needed',
    'bogus-priv',
    'localise-queries',
    ...[...servers].map((server) => `server=${server}`),
    ...[...domains].map((domain) => `local=/${domain}/`),
    `addn-hosts=${directory}/dnsmasq.names`,
    // Only known machines get an address, always the same one: the two nodes of a pair need not know each other's leases.
    `dhcp-hostsfile=${directory}/dnsmasq.hosts`,
    `dhcp-leasefile=${directory}/dnsmasq.leases`,
    'dhcp-authoritative',
    'dhcp-ignore=tag:!known',
    'no-ping',
    'quiet-dhcp',
    ...served.flatMap((spec) => ranges(spec)),
    ...advertisements(withSix(served), context),
    '',
  ].join('\n');
  return { conf, hosts: served.flatMap(leases).join(''), names: asking.flatMap(names).join('') };
}

/** dnsmasq's own tag for what arrives on an interface is the interface's name; ours is shorter and says the network. */
function tag(spec: RouterSpec): string {
  return `n${spec.vlan}`;
}

function ranges(spec: RouterSpec): string[] {
  if (spec.dhcp === undefined) return [];
  const prefix = cidr(spec.cidr);
  const option = (name: string, ...values: (string | number)[]): string =>
    `dhcp-option=tag:${tag(spec)},${name},${values.join(',')}`;
  const servers = spec.dns === undefined ? spec.dhcp.dns : [spec.gateway];
  const routes = spec.routes.flatMap(({ cidr: to, via }) => [formatCidr(cidr(to)), via]);
  const domain = domainOf(spec);
  return [
    `dhcp-range=set:${tag(spec)},${formatIp(prefix.base)},static,${netmask(prefix)},1h`,
    option('option:router', spec.gateway),
    ...(servers.length === 0 ? [] : [option('option:dns-server', ...servers)]),
    option('option:mtu', spec.dhcp.mtu),
    ...(domain === undefined ? [] : [option('option:domain-name', domain)]),
    // Who takes classless routes looks at no other router option (RFC 3442): the default route is repeated.
    ...(routes.length === 0 ? [] : [option('option:classless-static-route', ...routes, '0.0.0.0/0', spec.gateway)]),
  ];
}

/** Seconds: between advertisements that nobody asked for, and for how long a machine may keep the router, and its address. */
const ADVERTISED = { interval: 30, router: 1800, address: 86_400 } as const;

/**
 * It advertises a prefix where it sees an address of it, so of a pair only who has the router's addresses does; they are all the device
 * has, so advertisements come from the link-local one of them.
 */
function advertisements(specs: readonly Spec6[], context: RouterContext): string[] {
  if (specs.length === 0) return [];
  return [
    'enable-ra',
    // Resolvers are told in IPv4.
    'dhcp-option=option6:dns-server',
    ...specs.flatMap(({ vlan, six }) => [
      `dhcp-range=${formatIp6(cidr6(six.cidr).base)},ra-only,${SLAAC_LENGTH},${ADVERTISED.address}`,
      `ra-param=${insideDevice(vlan, context)},mtu:${six.mtu},${ADVERTISED.interval},${ADVERTISED.router}`,
    ]),
  ];
}

/**
 * No tags: they come from the range, and Debian 12's dnsmasq (2.90-4~deb12u2) dies when it reads this file again after a machine with
 * one got its lease. A machine in another network than its own is not `known` there, so it gets nothing.
 */
function leases(spec: RouterSpec): string[] {
  return (spec.dhcp?.leases ?? []).map(
    ({ mac, ip, hostname }) => `${[mac, ip, ...(isKeyword(hostname) ? [] : [hostname])].join(',')}\n`,
  );
}

/** What dnsmasq(8), dhcp-host, takes for something else than a name: a machine called `ignore` would get no address at all. */
function isKeyword(hostname: string): boolean {
  return /^(|ignore|infinite|[0-9]+[smhdw]?)$/.test(hostname);
}

function names(spec: RouterSpec): string[] {
  const domain = domainOf(spec);
  return (spec.dhcp?.leases ?? [])
    .filter(({ hostname }) => hostname !== '')
    .map(
      ({ ip, hostname }) => `${[ip, ...(domain === undefined ? [] : [`${hostname}.${domain}`]), hostname].join(' ')}\n`,
    );
}

function domainOf(spec: RouterSpec): string | undefined {
  const domain = spec.dns?.domain ?? spec.dhcp?.domain ?? '';
  return domain === '' ? undefined : domain;
}
