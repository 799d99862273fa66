// The port of what the hypervisors themselves serve in a network: names, metadata, passwords. One address for all, answered on the
// instance's own hypervisor, so that an answer crosses no wire and nobody waits for another machine.
import { cidr, formatCidr } from '../lib/ip.ts';
import type { Network } from '../model/intent.ts';
import type { DesiredRow } from './desired.ts';
import { aclRow } from './filter.ts';
import { PRIORITY } from './guard-rail.ts';
import { and } from './match.ts';
import { routerMac, row, rowId, servicePortName } from './names.ts';

/** Where guests of any cloud look for metadata. */
export const METADATA = '169.254.169.254';

/** The port; a localport is bound on every hypervisor that has an interface for it (ovn-nb(5) Logical_Switch_Port.type). */
export function servicePort(unit: string, network: Network): readonly DesiredRow[] {
  const { service, id } = network;
  if (service === undefined) return [];
  const name = servicePortName(id);
  return [
    row(
      'Logical_Switch_Port',
      rowId('Logical_Switch_Port', name),
      { id, unit },
      { name, type: 'localport', addresses: [`${routerMac(id, service.ip)} ${service.ip} ${METADATA}`] },
    ),
  ];
}

/**
 * Asking is open whatever lists say, and only to who is in the network: a router would lead others there, too. Answers belong to
 * what was asked and need no rule.
 */
export function serviceGuards(unit: string, network: Network, group: string): readonly DesiredRow[] {
  const { service, id } = network;
  if (service === undefined || network.cidr === undefined) return [];
  const to = `outport == "${servicePortName(id)}"`;
  const inside = and(to, `ip4.src == ${formatCidr(cidr(network.cidr))}`);
  const asking = and(`inport == @${group}`, `ip4.dst == {${service.ip}, ${METADATA}}`);
  return [
    aclRow(unit, id, 'open/service', 'from-lport', PRIORITY.open, asking, 'allow-related'),
    aclRow(unit, id, 'guard/service-inside', 'to-lport', PRIORITY.guard, inside, 'allow-related'),
    aclRow(unit, id, 'guard/service', 'to-lport', PRIORITY.open, and(to, 'ip'), 'drop'),
  ];
}
