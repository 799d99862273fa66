// Rules of one public address that cannot stand beside each other: the same port twice, a port beside static NAT, and, without
// conserve mode, one address for two purposes.
import { refuse } from '../../api/error.ts';
import type { Db } from '../../store/open.ts';
import type { Tables } from '../../store/schema.ts';
import type { PublicIp } from './public-ip-view.ts';

export type Purpose = 'PortForwarding' | 'LoadBalancing' | 'StaticNat';

/** Ports of a protocol on the outside, both included. */
export interface PortRange {
  readonly protocol: string;
  readonly from: number;
  readonly to: number;
}

interface Other extends PortRange {
  readonly id: string;
  readonly purpose: Purpose;
}

/** The rules that have ports of an address. */
export async function portRulesOf(db: Db, publicip: string): Promise<Other[]> {
  const forwards = await db.selectFrom('portforward').selectAll().where('publicip', '=', publicip).execute();
  const balancers = await db.selectFrom('loadbalancer').selectAll().where('publicip', '=', publicip).execute();
  return [
    ...forwards.map(({ id, protocol, publicport, publicendport }) => ({
      id,
      protocol,
      from: publicport,
      to: publicendport,
      purpose: 'PortForwarding' as const,
    })),
    ...balancers.map(({ id, protocol, publicport }) => ({
      id,
      protocol,
      from: publicport,
      to: publicport,
      purpose: 'LoadBalancing' as const,
    })),
  ];
}

/** Refuses with 537 a rule whose ports another rule of the address has; it is named. */
export async function refuseConflict(db: Db, address: PublicIp, wanted: PortRange): Promise<void> {
  const other = (await portRulesOf(db, address.id)).find(
    (rule) => rule.protocol === wanted.protocol && rule.from <= wanted.to && wanted.from <= rule.to,
  );
  if (other === undefined) return;
  const what = other.purpose === 'PortForwarding' ? 'port forwarding' : 'load balancer';
  throw refuse(
    'conflict',
    `The range specified, ${wanted.from}-${wanted.to}, conflicts with rule ${other.id} which has ${other.from}-${other.to}: a ${what} rule for ${other.protocol} on ${address.ip}. Choose other ports, or another address`,
  );
}

/** Refuses, where the offering has no conserve mode, a second purpose for an address. */
export async function refuseSecondPurpose(
  db: Db,
  address: PublicIp,
  purpose: Purpose,
  offering: Pick<Tables['networkoffering'], 'name' | 'conservemode'>,
): Promise<void> {
  if (offering.conservemode === 1) return;
  const other =
    address.issourcenat === 1
      ? 'SourceNat'
      : (await portRulesOf(db, address.id)).find((rule) => rule.purpose !== purpose)?.purpose;
  if (other === undefined) return;
  throw refuse(
    'parameter',
    `Public address ${address.ip} serves ${other} and cannot serve ${purpose} as well: offering ${offering.name} has no conserve mode, so an address has one purpose. Acquire another address`,
  );
}

/** A port number of tcp or udp; refuses others. */
export function checkPort(port: number, what: string): void {
  if (port >= 1 && port <= 65_535) return;
  throw refuse('parameter', `${what} is an invalid value: ${port}; ports are numbers from 1 to 65535`);
}

/** tcp or udp, in lower case. */
export function portProtocol(text: string, what: string, more = ''): 'tcp' | 'udp' {
  const protocol = text.toLowerCase();
  if (protocol === 'tcp' || protocol === 'udp') return protocol;
  throw refuse('parameter', `Invalid protocol ${text} for ${what}: it can be tcp or udp${more}`);
}
