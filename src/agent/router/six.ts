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
  ];
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
