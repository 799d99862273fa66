// Rules of one public address that cannot stand beside each other: the same port twice, a port beside static NAT, and, without
// conserve mode, one address for two purposes.
import { refuse } from '../../api/error.ts';
import type { Db } from '../../store/open.ts';
import type { Tables } from '../../store/schema.ts';
import type { PublicIp } from './public-ip-view.ts';
import { isByOvn } from './public-service.ts';

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

/** A rule of an address, if it has any, of another purpose than this one. Not all are read: there may be thousands. */
export async function ruleOf(db: Db, publicip: string, otherThan?: Purpose): Promise<Other | undefined> {
  const [forward, balancer] = [forwardsOf(db, publicip), balancersOf(db, publicip)];
  return (
    (otherThan === 'PortForwarding' ? undefined : await first(forward.limit(1), 'PortForwarding')) ??
    (otherThan === 'LoadBalancing' ? undefined : await first(balancer.limit(1), 'LoadBalancing'))
  );
}

/** The rule of an address whose ports meet these. No two forwards of a protocol meet, so of them it can only be the last that begins before the end. */
async function ruleMeeting(db: Db, publicip: string, { protocol, from, to }: PortRange): Promise<Other | undefined> {
  const forwards = forwardsOf(db, publicip).where('protocol', '=', protocol).where('publicport', '<=', to);
  const last = await first(forwards.orderBy('publicport', 'desc').limit(1), 'PortForwarding');
  if (last !== undefined && last.to >= from) return last;
  // tcp-proxy is tcp on the wire.
  const alike = protocol === 'tcp' ? ['tcp', 'tcp-proxy'] : [protocol];
  const balancers = balancersOf(db, publicip).where('protocol', 'in', alike);
  return first(balancers.where('publicport', '<=', to).where('publicport', '>=', from).limit(1), 'LoadBalancing');
}

function forwardsOf(db: Db, publicip: string) {
  return db
    .selectFrom('portforward')
    .select(['id', 'protocol', 'publicport as from', 'publicendport as to'])
    .where('publicip', '=', publicip);
}

function balancersOf(db: Db, publicip: string) {
  return db
    .selectFrom('loadbalancer')
    .select(['id', 'protocol', 'publicport as from', 'publicport as to'])
    .where('publicip', '=', publicip);
}

async function first(
  query: { executeTakeFirst(): Promise<Omit<Other, 'purpose'> | undefined> },
  purpose: Purpose,
): Promise<Other | undefined> {
  const rule = await query.executeTakeFirst();
  return rule === undefined ? undefined : { ...rule, purpose };
}

/** Refuses with 537 a rule whose ports another rule of the address has; it is named. */
export async function refuseConflict(db: Db, address: PublicIp, wanted: PortRange): Promise<void> {
  const other = await ruleMeeting(db, address.id, wanted);
  if (other === undefined) return;
  const what = other.purpose === 'PortForwarding' ? 'port forwarding' : 'load balancer';
  throw refuse(
    'conflict',
    `The range specified, ${wanted.from}-${wanted.to}, conflicts with rule ${other.id} which has ${other.from}-${other.to}: a ${what} rule for ${other.protocol} on ${address.ip}. Choose other ports, or another address`,
  );
}

/** Where OVN forwards, each port is an entry of its own, in a table that every hypervisor has. */
const MOST_IN_RULE = 1024;
const MOST_ON_ADDRESS = 4096;

/** Refuses a forward of more ports than OVN should be given; router nodes have one rule for any range. */
export async function refuseManyPorts(
  db: Db,
  address: PublicIp,
  { from, to }: PortRange,
  offering: Pick<Tables['networkoffering'], 'services'>,
): Promise<void> {
  if (!isByOvn(offering)) return;
  const ports = to - from + 1;
  if (ports > MOST_IN_RULE) {
    throw refuse(
      'parameter',
      `Public port range is an invalid value: ${from}-${to}: it holds ${ports} ports, and one rule forwards at most ${MOST_IN_RULE} where OVN routes. For more, give the instance an address of its own with static NAT (enableStaticNat)`,
    );
  }
  const row = await db
    .selectFrom('portforward')
    .select(({ fn }) => [fn.sum<number>('publicendport').as('ends'), fn.sum<number>('publicport').as('starts')])
    .select(({ fn }) => fn.countAll<number>().as('rules'))
    .where('publicip', '=', address.id)
    .executeTakeFirstOrThrow();
  const has = Number(row.ends ?? 0) - Number(row.starts ?? 0) + Number(row.rules);
  if (has + ports <= MOST_ON_ADDRESS) return;
  throw refuse(
    'parameter',
    `Unable to create port forwarding rule for ${ports} ports on ${address.ip}: its rules have ${has} already, and one address forwards at most ${MOST_ON_ADDRESS} where OVN routes. Acquire another address, or use static NAT (enableStaticNat)`,
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
  const other = address.issourcenat === 1 ? 'SourceNat' : (await ruleOf(db, address.id, purpose))?.purpose;
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
