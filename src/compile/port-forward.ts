// Port forwards as OVN has them: a load balancer for each address and protocol, whose entries have one member each. Few rows with many
// entries: a thousand forwards are one row. Who may use a forward is judged elsewhere, by its public port.
import type { PublicAddress, PublicSide } from '../model/public-side.ts';
import type { DesiredRow } from './desired.ts';
import { row, rowId } from './names.ts';

/**
 * Load_Balancer rows, for the router and for the switches of its networks: without those nobody inside reaches them. A forward that goes
 * takes its connections along (ovn-nb(5) options:ct_flush).
 */
export function forwardRows(unit: string, side: PublicSide): readonly DesiredRow[] {
  return side.addresses.flatMap((address) => [
    ...balancerOf(unit, address, 'tcp'),
    ...balancerOf(unit, address, 'udp'),
  ]);
}

function balancerOf(unit: string, address: PublicAddress, protocol: 'tcp' | 'udp'): readonly DesiredRow[] {
  const vips: Record<string, string> = {};
  for (const forward of address.forwards) {
    if (forward.protocol !== protocol) continue;
    // OVN knows no ranges here: each port is an entry.
    for (let port = forward.publicPort; port <= Math.max(forward.publicPort, forward.publicEndPort); port++)
      vips[`${address.ip}:${port}`] = `${forward.ip}:${forward.privatePort + port - forward.publicPort}`;
  }
  if (Object.keys(vips).length === 0) return [];
  const name = `forward-${address.id}-${protocol}`;
  const columns = { name, protocol: [protocol], vips, options: { ct_flush: 'true' } };
  return [row('Load_Balancer', rowId('Load_Balancer', name), { id: address.id, unit }, columns)];
}
