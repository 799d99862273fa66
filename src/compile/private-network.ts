// A Private network: a switch where private gateways of VPCs meet, and machines on its VLAN. It has no router, no instances and
// no DHCP; each gateway's router port belongs to its VPC, the switch's side of it belongs to the network.
import type { PrivateNetwork } from '../model/intent.ts';
import type { Kind } from './kind.ts';
import { networkKey } from './names.ts';
import { switchRows } from './network-switch.ts';

export const privateNetworkKind: Kind<PrivateNetwork> = {
  kind: 'private network',
  owns: (intent) => [...intent.networks.values()].filter((network) => network.kind === 'private'),
  compile(network, fabric) {
    const key = networkKey(network.id);
    const rows = switchRows(key, network, fabric, { routerPorts: network.members.map(({ id }) => id) });
    return { key, rows, findings: [], chassis: [], shares: [key] };
  },
};
