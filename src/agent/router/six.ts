// What a router node's kernel has to hold for networks with IPv6: the router's addresses, its way out, settings. Nothing is translated, so
// the source of a packet says whose table routes it, and no marks are needed.
import { cidr6, formatCidr6, formatHost6, ip6 } from '../../lib/ip6.ts';
import type { RouterSpec, RouterSpec6 } from '../../protocol/document.ts';
import type { Item } from './item.ts';
import {
  insideDevice,
  isPair,
  labelOf,
  outsideDevice,
  PREFERENCE,
  PROTOCOL,
  setting,
  spoken,
  tableOf,
} from './names.ts';
import type { RouterContext } from './names.ts';

/** A network that has IPv6. */
export type Spec6 = RouterSpec & { readonly six: RouterSpec6 };

export function withSix(specs: readonly RouterSpec[]): Spec6[] {
  return specs.filter((spec): spec is Spec6 => spec.six !== undefined);
}

/** An address of the router, in ip(8)'s words, with the device it is on. */
export interface Address6 {
  /** With its prefix length. */
  readonly host: string;
  readonly device: string;
  /** In items' words. */
  readonly words: string;
}

/** All of the router's addresses in one network and outside for it: at a pair, those that go from node to node. */
export function addresses6({ vlan, six }: RouterSpec, context: RouterContext): Address6[] {
  if (six === undefined) return [];
  const { cidr, gateway, link, uplink } = six;
  const inside = insideDevice(vlan, context);
  const addresses = [`${link}/64`, formatHost6(ip6(gateway), cidr6(cidr))].map((host) => ({
    host,
    device: inside,
    words: `addr ${host} dev ${inside}`,
  }));
  if (uplink === undefined) return addresses;
  const host = `${uplink.address}/${uplink.prefixLength}`;
  const device = outsideDevice(uplink.vlan, context);
  return [...addresses, { host, device, words: `addr ${host} dev ${device} label ${labelOf(device)}` }];
}

/** For the node, once there is such a network. */
export function nodeItems6(specs: readonly RouterSpec[], context: RouterContext): Item[] {
  const six = withSix(specs);
  if (six.length === 0) return [];
  const outside = six.flatMap((spec) =>
    spec.six.uplink === undefined ? [] : [outsideDevice(spec.six.uplink.vlan, context)],
  );
  return [
    sysctl(
      undefined,
      'net.ipv6.conf.all.forwarding=1',
      `${context.node} routes IPv6`,
      'IPv6 forwarding was switched off; switched on again',
    ),
    ...[...new Set(outside)].flatMap((device) => [
      sysctl(
        undefined,
        `${setting('ipv6.conf', device, 'disable_ipv6')}=0`,
        `${device} leads IPv6 out and in`,
        `IPv6 was switched off on ${device}; switched on again`,
      ),
      forwarding(undefined, device),
    ]),
    ...[...new Set(six.flatMap((spec) => proxies6(spec, context)).map(deviceOf))].flatMap(answering),
  ];
}

function deviceOf({ words }: Item): string {
  return / dev (\S+)/.exec(words)![1]!;
}

export function items6(spec: RouterSpec, context: RouterContext): Item[] {
  const { id, vlan, six } = spec;
  if (six === undefined) return [];
  const device = insideDevice(vlan, context);
  const name = spoken(spec.name);
  const prefix = formatCidr6(cidr6(six.cidr));
  const own = isPair(spec) ? [] : addresses6(spec, context);
  return [
    // Before it is switched on: machines know the router by the address that goes from node to node, and by no other.
    sysctl(
      id,
      `${setting('ipv6.conf', device, 'addr_gen_mode')}=1`,
      `${device} has the router's link-local address and none of its own`,
      `addr_gen_mode of ${device} was changed; set again`,
    ),
    sysctl(
      id,
      `${setting('ipv6.conf', device, 'accept_ra')}=0`,
      `${context.node} is the router of ${name} and listens to no other`,
      `accept_ra was switched on on ${device}; switched off again`,
    ),
    sysctl(
      id,
      `${setting('ipv6.conf', device, 'disable_ipv6')}=0`,
      `${name} has IPv6`,
      `IPv6 was switched off on ${device}; switched on again`,
    ),
    forwarding(id, device),
    ...own.map(({ host, device: at, words }): Item => ({
      kind: 'ip',
      words,
      owner: id,
      reason: at === device ? `the router of ${name}` : `upstream sends ${prefix} there`,
      lost: `${at} had lost ${host}; put back`,
    })),
    ...waysOut(spec as Spec6, context),
  ];
}

/** By its source a packet is of the network. What is nearer than the default route is where it is for everybody: its own networks, and the wire outside. */
function waysOut({ id, vlan, name, six }: Spec6, context: RouterContext): Item[] {
  const prefix = formatCidr6(cidr6(six.cidr));
  const items: Item[] = [];
  const put = (words: string, reason: string, lost: string): void => {
    items.push({ kind: 'ip', words, owner: id, reason, lost });
  };
  for (const from of [prefix, ...(six.uplink === undefined ? [] : [six.uplink.address])]) {
    const lost = `a routing rule of ${from} was gone; put back`;
    put(
      `rule pref ${PREFERENCE.local} from ${from} lookup main suppress_prefixlength 0 protocol ${PROTOCOL}`,
      `what ${from} sends to a network here goes there at once`,
      lost,
    );
    put(
      `rule pref ${PREFERENCE.from} from ${from} lookup ${tableOf(vlan)} protocol ${PROTOCOL}`,
      `packets of ${from} leave by the way of ${spoken(name)}`,
      lost,
    );
  }
  if (six.uplink === undefined) return items;
  const { address, prefixLength, gateway } = six.uplink;
  const device = outsideDevice(six.uplink.vlan, context);
  const tail = `dev ${device} table ${tableOf(vlan)} proto ${PROTOCOL}`;
  put(
    `route ${formatCidr6(cidr6(`${address}/${prefixLength}`))} ${tail}`,
    `neighbours of ${address}`,
    `the route of ${spoken(name)} to its neighbours on ${device} was gone; put back`,
  );
  put(
    `route default via ${gateway} ${tail} onlink`,
    `the way out of ${spoken(name)} in IPv6`,
    `the default route of ${spoken(name)} in IPv6 was gone; put back`,
  );
  return items;
}

/** Addresses answered for outside, one entry each; there is no blanket mode in IPv6. Not at a pair: see docs/decisions/0014. */
export function proxies6(spec: RouterSpec, context: RouterContext): Item[] {
  const { six } = spec;
  if (six?.uplink === undefined || isPair(spec)) return [];
  const device = outsideDevice(six.uplink.vlan, context);
  return [...new Set(six.proxied)].map((address) => ({
    kind: 'ip',
    words: `neigh proxy ${address} dev ${device} protocol ${PROTOCOL}`,
    owner: spec.id,
    reason: `questions for ${address} arrive on ${device}: that is where they are answered, not on ${insideDevice(spec.vlan, context)}`,
    lost: `${device} did not answer for ${address} any more (proxy entry gone); put back`,
  }));
}

/** What the kernel needs to answer for listed addresses on a device, at once. Both switches answer for no other. */
function answering(device: string): Item[] {
  return [
    sysctl(
      undefined,
      'net.ipv6.conf.all.proxy_ndp=1',
      'who asks again whether an address is still here asks it and not everybody',
      'proxy_ndp was switched off; switched on again',
    ),
    sysctl(
      undefined,
      `${setting('ipv6.conf', device, 'proxy_ndp')}=1`,
      `questions for the instances' addresses arrive on ${device}`,
      `proxy_ndp was switched off on ${device}; switched on again`,
    ),
    sysctl(
      undefined,
      `${setting('ipv6.neigh', device, 'proxy_delay')}=0`,
      'they are answered at once, not after up to 0.8 s',
      `proxy_delay of ${device} was changed; set to 0 again`,
    ),
  ];
}

/** A machine that has a router on its list takes it off when the router says that it forwards nothing (RFC 4861, 7.2.5). */
function forwarding(owner: string | undefined, device: string): Item {
  return sysctl(
    owner,
    `${setting('ipv6.conf', device, 'forwarding')}=1`,
    `${device} takes part in routing`,
    `IPv6 forwarding was switched off on ${device}; switched on again`,
  );
}

function sysctl(owner: string | undefined, words: string, reason: string, lost: string): Item {
  return { kind: 'sysctl', words, owner, reason, lost };
}
