// Whose names a network may answer for. All networks of a router node share one DNS server, so a name that one tenant gives would be
// believed by the others: a tenant names things below what is his own, and never what another already uses.
import { refuse } from '../../api/error.ts';
import { LINUX_ROUTER, servicesOf } from '../../model/network-service.ts';
import type { NetworkOfferingTable } from '../../store/schema/offering.ts';
import type { NetworkTable } from '../../store/schema/network.ts';
import type { Room } from '../room.ts';

/** Domains that belong to nobody on the internet (RFC 2606, RFC 6762, RFC 8375, and ICANN's `internal`). */
const PRIVATE = ['internal', 'lan', 'home.arpa', 'local', 'test', 'example'];

/**
 * Refuses a network domain that would let its owner answer for somebody else's names, where a router node serves DNS for it. Root may give
 * any but one that another account's network uses.
 */
export async function refuseForeignNames(
  room: Room,
  network: Pick<NetworkTable, 'account' | 'domain' | 'zone' | 'networkdomain'>,
  offering: Pick<NetworkOfferingTable, 'services'>,
): Promise<void> {
  const { networkdomain: name } = network;
  if (name === null || name === '' || !servesNames(offering)) return;
  const others = await room.db
    .selectFrom('network')
    .innerJoin('networkoffering', 'networkoffering.id', 'network.offering')
    .select(['network.networkdomain', 'networkoffering.services'])
    .where('network.zone', '=', network.zone)
    .where('network.account', '!=', network.account)
    .where('network.networkdomain', 'is not', null)
    .execute();
  if (others.some((other) => servesNames(other) && nested(other.networkdomain!, name)))
    throw refuse(
      'parameter',
      `Network domain ${name} is in use by another account: its instances' names would be mixed up with theirs. Choose another, or leave networkdomain out`,
    );
  if (room.call.caller.role === 'admin') return;
  const own = await ownDomains(room, network);
  if ([...PRIVATE, ...own].some((suffix) => below(name, suffix))) return;
  throw refuse(
    'parameter',
    `Network domain ${name} is not yours to answer for. Choose one below ${[...own, ...PRIVATE].join(', ')}, leave networkdomain out, or ask an administrator to make ${name} the network domain of your account`,
  );
}

function servesNames(offering: { readonly services: string }): boolean {
  return servicesOf(offering).some(({ name, provider }) => name === 'Dns' && provider === LINUX_ROUTER);
}

/** The network domains that an administrator gave to the account, its domain and the zone. */
async function ownDomains(
  room: Room,
  { account, domain, zone }: Pick<NetworkTable, 'account' | 'domain' | 'zone'>,
): Promise<string[]> {
  const rows = [
    await room.db.selectFrom('account').select('networkdomain').where('id', '=', account).executeTakeFirst(),
    await room.db.selectFrom('domain').select('networkdomain').where('id', '=', domain).executeTakeFirst(),
    await room.db.selectFrom('zone').select('networkdomain').where('id', '=', zone).executeTakeFirst(),
  ];
  return rows.flatMap((row) => (row?.networkdomain == null || row.networkdomain === '' ? [] : [row.networkdomain]));
}

const below = (name: string, suffix: string): boolean => `.${name.toLowerCase()}`.endsWith(`.${suffix.toLowerCase()}`);

const nested = (a: string, b: string): boolean => below(a, b) || below(b, a);
