// A guest network outside any VPC: a switch, with a router of its own if the offering has one, and without any if not. Then it is
// the segment, its instances and, where offered, DHCP; who routes is somebody else's machine, which needs nothing here.
import { cidr, ip, overlaps, usable } from '../lib/ip.ts';
import type { GuestNetwork } from '../model/intent.ts';
import { networkFilter6 } from './filter6.ts';
import { guestFilter } from './guest-filter.ts';
import { hostsOf, type Kind } from './kind.ts';
import { networkKey } from './names.ts';
import { switchRows } from './network-switch.ts';
import { publicPart } from './public-part.ts';
import { routerOf } from './router.ts';
import { pathRow, type Connected, type Path } from './routing.ts';
import { legAddress, sixOfNetwork } from './six.ts';
import { sourceCheck } from './source-check.ts';

export const guestNetworkKind: Kind<GuestNetwork> = {
  kind: 'guest network',
  owns: (intent) => [...intent.networks.values()].filter((network) => network.kind === 'guest'),
  compile(network, fabric) {
    const key = networkKey(network.id);
    const hosts = hostsOf(network.nics);
    const { id, gateway, cidr: range } = network;
    const address = legAddress(network);
    if (!network.routed || address === undefined) {
      return {
        key,
        rows: switchRows(key, network, fabric, { routerPorts: [] }),
        findings: [],
        chassis: hosts,
        shares: [],
      };
    }
    const own = gateway === undefined || range === undefined ? [] : [connectedOf(network, range, gateway)];
    const paths = pathsOf(network, own);
    const table = [...own, ...paths]
      .map((one) => ({ prefix: one.prefix, via: own }))
      .toSorted((a, b) => b.prefix.length - a.prefix.length || a.prefix.base - b.prefix.base);
    const part = publicPart(network, [network], { connected: own, paths, table, findings: [] }, fabric);
    const six = sixOfNetwork(key, network, part);
    const legs = [{ id, address, network }, ...part.legs];
    const router = routerOf(key, id, fabric, legs, {
      ...part.routerRows,
      static_routes: [...paths.map((path) => pathRow(key, path)), ...part.routerRows.static_routes, ...six.routes],
      policies: [...sourceCheck(key, id, part.routing), ...part.routerRows.policies, ...six.policies],
    });
    const acls = [...guestFilter(key, network), ...networkFilter6(key, network)];
    const { loadBalancers } = part;
    return {
      key,
      rows: [
        ...router.rows,
        ...switchRows(key, network, fabric, { routerPorts: [id], acls, loadBalancers }),
        ...part.rows,
      ],
      findings: [],
      chassis: [...hosts, ...router.chassis],
      shares: [],
    };
  },
};

function connectedOf({ id, name }: GuestNetwork, range: string, gateway: string): Connected {
  return { id, kind: 'tier', networkId: id, prefix: cidr(range), own: ip(gateway), label: `network ${name}` };
}

/** Networks behind devices: whoever asks the router, such as a client of its VPN, is sent on to the device. */
function pathsOf({ routes }: GuestNetwork, [segment]: readonly Connected[]): readonly Path[] {
  if (segment === undefined) return [];
  return routes.flatMap(({ id, cidr: text, via }): Path[] => {
    const prefix = cidr(text);
    const nextHop = ip(via);
    const fits = usable(segment.prefix, nextHop) && nextHop !== segment.own && !overlaps(prefix, segment.prefix);
    return fits && prefix.length > 0 ? [{ id, prefix, nextHop, via: segment }] : [];
  });
}
