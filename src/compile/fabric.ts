// What the hypervisors need whatever tenants ask for: BFD between those that may carry router ports together, before the first
// such port exists. OVN starts BFD with a group's first port, and until the sessions are up, for 1 to 2 s, nobody carries it:
// right after its success a job's first packet would be lost (measured: 6 of 6; with the sessions up, 0 of 48).
import { formatIp, ip } from '../lib/ip.ts';
import type { Fabric } from '../model/intent.ts';
import { gatewayChassisRows, gatewayGroups } from './gateway-chassis.ts';
import type { Kind } from './kind.ts';
import { FABRIC, routerMac, routerName, routerPortName, row, rowId } from './names.ts';

/** Link-local addresses nobody can reach: a router port must have one. */
const FIRST_ADDRESS = ip('169.254.64.1');

export const fabricKind: Kind<Fabric> = {
  kind: 'fabric',
  owns: (intent) => [intent.fabric],
  /** A router that leads nowhere, with a port for every group of gateway chassis there can be. */
  compile(fabric) {
    const mark = { id: FABRIC, unit: FABRIC };
    const ports = gatewayGroups(fabric).map((chassis, i) => {
      const name = routerPortName(`${FABRIC}-${i + 1}`);
      const address = formatIp(FIRST_ADDRESS + i);
      const gateways = gatewayChassisRows(name, chassis, mark);
      const columns = {
        name,
        mac: routerMac(FABRIC, address),
        networks: [`${address}/32`],
        gateway_chassis: gateways.map(({ uuid }) => uuid),
      };
      return { port: row('Logical_Router_Port', rowId('Logical_Router_Port', name), mark, columns), gateways };
    });
    const name = routerName(FABRIC);
    const router = row('Logical_Router', rowId('Logical_Router', name), mark, {
      name,
      ports: ports.map(({ port }) => port.uuid),
      options: { dynamic_neigh_routers: 'true' },
    });
    const rows = ports.length === 0 ? [] : [router, ...ports.flatMap(({ port, gateways }) => [port, ...gateways])];
    return { key: FABRIC, rows, findings: [], chassis: [], shares: [] };
  },
};
