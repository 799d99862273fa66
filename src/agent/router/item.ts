// What a router node's kernel has to hold, as a list of things each of which is there or not: addresses, routes, rules, proxied
// neighbours, settings. The words are those of ip(8), so that adding, removing and finding them all speak of the same text.
import { cidr, formatCidr, formatHost, ip } from '../../lib/ip.ts';
import type { RouterSpec } from '../../protocol/document.ts';
import {
  FALLBACK_TABLE,
  hex,
  insideDevice,
  isPair,
  labelOf,
  MARK_LOCAL,
  markOf,
  outsideDevice,
  outsideDevices,
  PREFERENCE,
  PROTOCOL,
  setting,
  spoken,
  tableOf,
  type RouterContext,
} from './names.ts';
import { items6, nodeItems6, proxies6 } from './six.ts';

/** One thing the kernel holds. */
export interface Item {
  /** For `ip`: object and arguments without the verb. For `sysctl`: KEY=VALUE, in the slash form of sysctl(8). */
  readonly kind: 'ip' | 'sysctl';
  readonly words: string;
  /** The network it is for; undefined: for the node. */
  readonly owner: string | undefined;
  readonly reason: string;
  /** What to tell when it was there and is not any more; ends a sentence that begins with the node's name. */
  readonly lost: string;
  /** The address is new on this device: others have to learn it. */
  readonly announce?: { readonly device: string; readonly address: string };
}

/** On the node's outside devices, for its being there: nobody is answered for it (RFC 1122), nothing is sent from it. */
const HOLDER = '127.122.0.1';

/** The items of all networks and of the node. `master`: ids of the networks whose addresses are here. */
export function itemsOf(specs: readonly RouterSpec[], master: ReadonlySet<string>, context: RouterContext): Item[] {
  if (specs.length === 0) return [];
  const items = [...nodeItems(specs, context), ...nodeItems6(specs, context)];
  const routed = specs.filter((spec) => spec.mode === 'ROUTED');
  for (const spec of specs) {
    items.push(...settingsOf(spec, context), ...addressesOf(spec, context), ...routesOf(spec, routed, context));
    items.push(...items6(spec, context));
    if (master.has(spec.id)) items.push(...proxiesOf(spec, context), ...proxies6(spec, context));
  }
  // Settings first, so that the steps of a kind stand together and share a process.
  return distinct([...items.filter(({ kind }) => kind === 'sysctl'), ...items.filter(({ kind }) => kind === 'ip')]);
}

function nodeItems(specs: readonly RouterSpec[], context: RouterContext): Item[] {
  const sysctl = (words: string, reason: string, lost: string): Item => ({
    kind: 'sysctl',
    words,
    owner: undefined,
    reason,
    lost,
  });
  const items = [
    sysctl('net.ipv4.ip_forward=1', `${context.node} routes`, 'forwarding was switched off; switched on again'),
    sysctl(
      'net.ipv4.ip_nonlocal_bind=1',
      'balancers listen on, and announcements speak for, addresses that are at the peer just now',
      'ip_nonlocal_bind was 0; set again',
    ),
    ip(
      `rule pref ${PREFERENCE.local} fwmark ${hex(MARK_LOCAL)} lookup main suppress_prefixlength 0 protocol ${PROTOCOL}`,
      'what is translated to an instance goes to its network, whoever asked',
    ),
  ];
  if (context.ipvs)
    items.push(
      sysctl(
        'net.ipv4.vs.conntrack=1',
        'what IPVS balances is tracked, or its answers would be dropped as belonging to nothing',
        'net.ipv4.vs.conntrack was 0; set again',
      ),
    );
  if (context.ipvs && specs.some((spec) => spec.publicAddresses.some(({ balancers }) => balancers.length > 0)))
    items.push(
      sysctl(
        'net.ipv4.vs.conntrack=1',
        "the kernel's balancers tell the packet filter what they translate",
        'net.ipv4.vs.conntrack was 0; set again',
      ),
    );
  if (specs.some(isPair))
    items.push(
      sysctl(
        'net.netfilter.nf_conntrack_tcp_be_liberal=1',
        'sessions that were at the peer are taken over in the middle of their windows',
        'nf_conntrack_tcp_be_liberal was 0; set again',
      ),
    );
  const way = specs.flatMap((spec) => wayOut(spec, context) ?? [])[0];
  if (way !== undefined)
    items.push(
      ip(
        `route default via ${way.gateway} dev ${way.device} table ${FALLBACK_TABLE} proto ${PROTOCOL} onlink`,
        'the node itself asks name servers',
      ),
      ip(
        `rule pref ${PREFERENCE.fallback} lookup ${FALLBACK_TABLE} protocol ${PROTOCOL}`,
        'only where the node has no default route of its own',
      ),
    );
  const devices = new Map<string, boolean>([[context.outside, false]]);
  for (const spec of specs) for (const device of outsideDevices(spec, context)) devices.set(device, false);
  if (specs.some((spec) => spec.mode === 'ROUTED')) devices.set(context.outside, true);
  for (const [device, proxies] of devices) {
    items.push(
      ip(
        `addr ${HOLDER}/32 dev ${device} label ${labelOf(device)}`,
        `the kernel forgets all routes of a device that loses its last address, as ${device} would at a takeover`,
      ),
    );
    items.push(...deviceSettings(device).map(([words, reason]) => sysctl(words, reason, changed(words, device))));
    if (proxies)
      items.push(
        sysctl(
          `${setting('ipv4.neigh', device, 'proxy_delay')}=0`,
          `requests for the instances' addresses arrive on ${device}: they are answered at once, not after up to 0.8 s`,
          `proxy_delay of ${device} was changed; set to 0 again`,
        ),
      );
  }
  return items;

  function ip(words: string, reason: string): Item {
    return { kind: 'ip', words, owner: undefined, reason, lost: `"ip ${words}" was gone; put back` };
  }
}

/** Settings any device needs that we route through. */
function deviceSettings(device: string): [string, string][] {
  const of = (name: string, value: number): string => `${setting('ipv4.conf', device, name)}=${value}`;
  return [
    [of('forwarding', 1), `${device} takes part in routing`],
    [
      of('rp_filter', 2),
      `answers may come from networks that have tables of their own; forged sources are dropped by the rules`,
    ],
    [of('arp_ignore', 1), `${device} answers for its own addresses only, not for those of other networks`],
    [of('arp_announce', 2), `${device} asks in the name of its own address`],
  ];
}

function changed(words: string, device: string): string {
  if (words.includes('.forwarding=')) return `forwarding was switched off on ${device}; switched on again`;
  return `${words.replace(/=.*/, '')} was changed; set again`;
}

function settingsOf(spec: RouterSpec, context: RouterContext): Item[] {
  const device = insideDevice(spec.vlan, context);
  const all: [string, string][] = [
    ...deviceSettings(device),
    [
      `${setting('ipv4.conf', device, 'src_valid_mark')}=1`,
      `sources of ${device} are checked by the network's own table`,
    ],
    [
      `${setting('ipv4.conf', device, 'proxy_arp')}=0`,
      `who asks on ${device} is in ${spoken(spec.name)} and asks its members themselves`,
    ],
  ];
  if (spec.six === undefined)
    all.push([
      `${setting('ipv6.conf', device, 'disable_ipv6')}=1`,
      `${spoken(spec.name)} has no IPv6 here: no link-local address either`,
    ]);
  return all.map(([words, reason]) => ({
    kind: 'sysctl',
    words,
    owner: spec.id,
    reason,
    lost: words.includes('.proxy_arp=')
      ? `proxy_arp was switched on on ${device}, the wrong side: requests from outside arrive on ${context.outside}; switched off again`
      : changed(words, device),
  }));
}

/** Addresses the driver puts itself; those that go from node to node are keepalived's. */
function addressesOf(spec: RouterSpec, context: RouterContext): Item[] {
  const device = insideDevice(spec.vlan, context);
  const prefix = cidr(spec.cidr);
  const name = spoken(spec.name);
  const own = [...new Set(isPair(spec) ? [spec.ip] : [spec.ip, spec.gateway])];
  const items = own.map((address): Item => {
    const host = formatHost(ip(address), prefix);
    return {
      kind: 'ip',
      words: `addr ${host} dev ${device}`,
      owner: spec.id,
      reason: address === spec.gateway ? `the gateway of ${name}` : `${context.node}'s own address in ${name}`,
      lost: `${device} had lost ${host}; put back`,
      ...(address === spec.gateway ? { announce: { device, address } } : {}),
    };
  });
  if (isPair(spec)) return items;
  for (const { ip: address, vlan } of spec.publicAddresses) {
    const outside = outsideDevice(vlan, context);
    items.push({
      kind: 'ip',
      words: publicAddress(address, outside),
      owner: spec.id,
      reason: `public address of ${name}`,
      lost: `${outside} had lost the public address ${address}; put back`,
      announce: { device: outside, address },
    });
  }
  return items;
}

/** The words of a public address on an outside device, driver's or keepalived's: the label says whose it is. */
export function publicAddress(address: string, device: string): string {
  return `addr ${address}/32 dev ${device} label ${labelOf(device)}`;
}

/** Next hop and device outside: of the source NAT address, else of any public address, else what the configuration says. */
export function wayOut(spec: RouterSpec, context: RouterContext): { gateway: string; device: string } | undefined {
  const address = spec.publicAddresses.find(({ sourceNat }) => sourceNat) ?? spec.publicAddresses[0];
  if (address !== undefined) return { gateway: address.gateway, device: outsideDevice(address.vlan, context) };
  return context.gateway === undefined ? undefined : { gateway: context.gateway, device: context.outside };
}

/** The network's own table: itself, what lies behind its members, networks with public addresses, and its way out. */
function routesOf(spec: RouterSpec, routed: readonly RouterSpec[], context: RouterContext): Item[] {
  const device = insideDevice(spec.vlan, context);
  const name = spoken(spec.name);
  const tail = `table ${tableOf(spec.vlan)} proto ${PROTOCOL}`;
  const items: Item[] = [];
  const put = (words: string, reason: string, lost: string): void => {
    items.push({ kind: 'ip', words, owner: spec.id, reason, lost });
  };
  const route = (to: string, path: string, reason: string): void =>
    put(`route ${to} ${path}`, reason, `the route of ${name} to ${to} was gone; put back`);
  route(formatCidr(cidr(spec.cidr)), `dev ${device} ${tail} scope link`, `${name} itself`);
  for (const { cidr: to, via } of spec.routes)
    route(formatCidr(cidr(to)), `via ${via} dev ${device} ${tail}`, `behind a member of ${name}`);
  for (const other of routed)
    if (other.id !== spec.id)
      route(
        formatCidr(cidr(other.cidr)),
        `dev ${insideDevice(other.vlan, context)} ${tail} scope link`,
        `${spoken(other.name)} has public addresses`,
      );
  const out = wayOut(spec, context);
  if (out !== undefined)
    route('default', `via ${out.gateway} dev ${out.device} ${tail} onlink`, `the way out of ${name}`);
  for (const address of spec.publicAddresses) {
    const net = formatCidr(cidr(`${address.ip}/${address.prefixLength}`));
    if (address.prefixLength < 32)
      route(
        net,
        `dev ${outsideDevice(address.vlan, context)} ${tail} scope link`,
        `neighbours of the public address ${address.ip}`,
      );
    put(
      `rule pref ${PREFERENCE.from} from ${address.ip} lookup ${tableOf(spec.vlan)} protocol ${PROTOCOL}`,
      `answers of ${address.ip} leave by the way of ${name}`,
      `the routing rule of ${address.ip} was gone; put back`,
    );
  }
  put(
    `rule pref ${PREFERENCE.mark} fwmark ${hex(markOf(spec.vlan))} lookup ${tableOf(spec.vlan)} protocol ${PROTOCOL}`,
    `packets of ${name} are routed by its own table`,
    `the routing rule of ${name} was gone; put back`,
  );
  return items;
}

/** ROUTED: one entry an address and no blanket proxy_arp, which would answer for everything the node has a route to. */
function proxiesOf(spec: RouterSpec, context: RouterContext): Item[] {
  return proxied(spec, context).map((address): Item => ({
    kind: 'ip',
    words: `neigh proxy ${address} dev ${context.outside} protocol ${PROTOCOL}`,
    owner: spec.id,
    reason: `requests for ${address} arrive on ${context.outside}: that is where they are answered, not on ${insideDevice(spec.vlan, context)}`,
    lost: `${context.outside} did not answer for ${address} any more (proxy entry gone); put back`,
    announce: { device: context.outside, address },
  }));
}

/** Addresses answered for on the outside interface. */
export function proxied(spec: RouterSpec, context: RouterContext): string[] {
  if (spec.mode !== 'ROUTED') return [];
  const own = new Set([
    spec.ip,
    spec.gateway,
    ...spec.peers,
    ...(context.gateway === undefined ? [] : [context.gateway]),
  ]);
  return [...new Set(spec.routable)].filter((address) => !own.has(address));
}

/** The same thing wanted twice (a public range's network, by two addresses) is one thing. */
function distinct(items: readonly Item[]): Item[] {
  return [...new Map(items.toReversed().map((item) => [item.words, item])).values()].toReversed();
}
