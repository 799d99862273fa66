// A guest network outside any VPC: a switch, with a router of its own if the offering has one, and without any if not. Then it is
// the segment, its instances and, where offered, DHCP; who routes is somebody else's machine, which needs nothing here.
import { cidr, ip } from '../lib/ip.ts';
import type { GuestNetwork } from '../model/intent.ts';
import { hostsOf, type Kind } from './kind.ts';
import { networkKey } from './names.ts';
import { switchRows } from './network-switch.ts';
import { routerOf } from './router.ts';
import type { Connected } from './routing.ts';
import { sourceCheck } from './source-check.ts';

export const guestNetworkKind: Kind<GuestNetwork> = {
  kind: 'guest network',
  owns: (intent) => [...intent.networks.values()].filter((network) => network.kind === 'guest'),
  compile(network, fabric) {
    const key = networkKey(network.id);
    const hosts = hostsOf(network.nics);
    const { id, gateway, cidr: range } = network;
    if (!network.routed || gateway === undefined || range === undefined) {
      return {
        key,
        rows: switchRows(key, network, fabric, { routerPorts: [] }),
        findings: [],
        chassis: hosts,
        shares: [],
      };
    }
    const prefix = cidr(range);
    const own: Connected = {
      id,
      kind: 'tier',
      networkId: id,
      prefix,
      own: ip(gateway),
      label: `network ${network.name}`,
    };
    const routing = { connected: [own], paths: [], table: [{ prefix, via: [own] }], findings: [] };
    const router = routerOf(
      key,
      id,
      fabric,
      [{ id, address: gateway, network: { id, cidr: range, segment: network.segment } }],
      [],
      sourceCheck(key, id, routing),
    );
    return {
      key,
      rows: [...router.rows, ...switchRows(key, network, fabric, { routerPorts: [id] })],
      findings: [],
      chassis: [...hosts, ...router.chassis],
      shares: [],
    };
  },
};
