// What of the public side leads to an address of an interface: rules that would lead nowhere if it went.
import { refuse } from '../../api/error.ts';
import type { Room } from '../room.ts';

/** Uses of an interface's addresses, or of one of them: how each is called in refusals. */
interface Use {
  readonly kind: 'port forwarding rule' | 'static NAT' | 'load balancing rule';
  /** The rule's id, or for static NAT that of the public address. */
  readonly id: string;
  readonly ip: string;
}

async function usesOf(room: Room, nic: string, ip?: string): Promise<Use[]> {
  const { db } = room;
  const forwards = await db.selectFrom('portforward').select(['id', 'vmip as ip']).where('nic', '=', nic).execute();
  const nats = await db.selectFrom('publicip').select(['id', 'vmip as ip']).where('nic', '=', nic).execute();
  const members = await db
    .selectFrom('balancermember')
    .select(['loadbalancer as id', 'ip'])
    .where('nic', '=', nic)
    .execute();
  const inside = await db
    .selectFrom('internalmember')
    .select(['internalbalancer as id', 'ip'])
    .where('nic', '=', nic)
    .execute();
  const uses: Use[] = [
    ...forwards.map((row) => ({ kind: 'port forwarding rule' as const, ...row })),
    ...nats.flatMap((row) => (row.ip === null ? [] : [{ kind: 'static NAT' as const, id: row.id, ip: row.ip }])),
    ...[...members, ...inside].map((row) => ({ kind: 'load balancing rule' as const, ...row })),
  ];
  return uses.filter((use) => ip === undefined || use.ip === ip);
}

/** Refuses to take a secondary address away while something leads to it. */
export async function refuseUsedAddress(room: Room, nic: string, ip: string): Promise<void> {
  const [use] = await usesOf(room, nic, ip);
  if (use === undefined) return;
  const help = `(${use.id}). Remove it first`;
  switch (use.kind) {
    case 'port forwarding rule':
      throw refuse(
        'parameter',
        `Can't remove the secondary ip ${ip} is associate with the port forwarding rule ${help}`,
      );
    case 'static NAT':
      throw refuse(
        'parameter',
        `Can' remove the ip ${ip}is associate with static NAT rule public IP address id ${use.id}: call disableStaticNat first`,
      );
    case 'load balancing rule':
      throw refuse('parameter', `Can't remove the secondary ip ${ip} is mapped to load balancing rule ${help}`);
    default:
      use.kind satisfies never;
  }
}

/** Refuses `what` for an interface while something leads to one of its addresses, or to `ip`. */
export async function refuseUsedNic(room: Room, nic: string, what: string, ip?: string): Promise<void> {
  const uses = await usesOf(room, nic, ip);
  if (uses.length === 0) return;
  const named = uses.slice(0, 5).map((use) => `${use.kind} ${use.id} to ${use.ip}`);
  throw refuse(
    'parameter',
    `${what}, nic has associated Port forwarding or Load balancer or Static NAT rules.: ${named.join(', ')}. Remove them first`,
  );
}
