// The host name of an instance: what it may look like, and that it is the only one of its name where names are looked up.
import { sql } from 'kysely';
import { refuse } from '../../api/error.ts';
import type { Tables } from '../../store/schema.ts';
import type { Room } from '../room.ts';

/** Names under which every network's resolvers answer with its gateway, and with where user data is. */
const RESERVED = ['data-server', 'gateway'];

const NAME = /^[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?$/i;

/** Refuses a name that cannot be a host name (RFC 1123 label that starts with a letter), and those that mean something else in every network. */
export function checkHostname(name: string): void {
  if (RESERVED.includes(name.toLowerCase())) {
    throw refuse(
      'parameter',
      `Invalid name. The name ${name} is taken in every network: instances find ${name.toLowerCase() === 'gateway' ? 'their gateway' : 'the server of their user data and passwords'} under it. Choose another name`,
    );
  }
  if (NAME.test(name)) return;
  throw refuse(
    'parameter',
    `Invalid name. Vm name can contain ASCII letters 'a' through 'z', the digits '0' through '9', and the hyphen ('-'), must be between 1 and 63 characters long, and can't start or end with "-" and can't start with digit: ${JSON.stringify(name.slice(0, 80))} does not`,
  );
}

/** Refuses a name that another instance has in one of these networks, or in a tier of the same VPC. */
export async function checkHostnameFree(
  room: Room,
  name: string,
  networks: readonly Pick<Tables['network'], 'id' | 'vpc'>[],
  self?: string,
): Promise<void> {
  if (networks.length === 0) return;
  const vpcs = networks.map((network) => network.vpc).filter((id) => id !== null);
  let query = room.db
    .selectFrom('instance')
    .innerJoin('nic', 'nic.instance', 'instance.id')
    .innerJoin('network', 'network.id', 'nic.network')
    // A tier has its VPC's domain.
    .leftJoin('vpc', 'vpc.id', 'network.vpc')
    .select(['network.name', 'network.networkdomain', 'vpc.networkdomain as vpcdomain'])
    .where(sql<boolean>`lower(${sql.ref('instance.hostname')}) = ${name.toLowerCase()}`)
    // A destroyed one keeps its row for a while; it must not keep the name from its successor.
    .where('instance.state', '!=', 'Destroyed')
    .where((eb) =>
      eb.or([
        eb(
          'network.id',
          'in',
          networks.map((network) => network.id),
        ),
        ...(vpcs.length === 0 ? [] : [eb('network.vpc', 'in', vpcs)]),
      ]),
    );
  if (self !== undefined) query = query.where('instance.id', '!=', self);
  const taken = await query.executeTakeFirst();
  if (taken === undefined) return;
  throw refuse(
    'parameter',
    `The vm with hostName ${name} already exists in the network domain: ${taken.networkdomain ?? taken.vpcdomain ?? '(none)'}; network=${taken.name}. Choose another name, or leave it out`,
  );
}
