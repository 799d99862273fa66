// From rows to what the hypervisors serve in a network, and what an instance is told at its start. Pure.
import type { FirstBoot, NetworkService, ToldBy } from '../model/first-boot.ts';
import { type OfferedService, isServedByNodes, CONFIG_DRIVE } from '../model/network-service.ts';
import type { Row, Rows } from './intent-rows.ts';

/** By service, its provider. */
type Providers = ReadonlyMap<string, string>;

/** Undefined where nothing is served, or no address was left to serve it at. `resolvers`: the zone's. */
export function serviceOf(
  row: Pick<Row<'network'>, 'serviceip'>,
  providers: Providers,
  resolvers: readonly string[],
): NetworkService | undefined {
  if (row.serviceip === null) return undefined;
  const serves = (name: OfferedService['name']): boolean => {
    const provider = providers.get(name);
    return provider !== undefined && isServedByNodes({ name, provider });
  };
  const [dns, userData] = [serves('Dns'), serves('UserData')];
  return dns || userData ? { ip: row.serviceip, dns, userData, resolvers } : undefined;
}

/** `offering`: the name of its size. */
export function firstBootOf(
  rows: Rows,
  row: Row<'instance'>,
  offering: string,
  providersOf: (network: Row<'network'>) => Providers,
): FirstBoot {
  const { userdata, keypairs, onetimepassword } = row;
  const told = toldBy(rows, row, providersOf);
  return {
    toldBy: told,
    zone: rows.zone.get(row.zone)?.name ?? '',
    offering,
    publicKeys: keypairs === null ? [] : (JSON.parse(keypairs) as string[]),
    ...(userdata === null || userdata === '' ? {} : { userData: userdata }),
    ...(row.passwordturn > 0 ? { asksPassword: true } : {}),
    ...(onetimepassword === null || told === 'hypervisor'
      ? {}
      : { password: { turn: row.passwordturn, sealed: onetimepassword } }),
  };
}

function toldBy(rows: Rows, { id }: Row<'instance'>, providersOf: (network: Row<'network'>) => Providers): ToldBy {
  const card = rows.nic.by('instance', id).find((nic) => nic.isdefault === 1);
  const network = card === undefined ? undefined : rows.network.get(card.network);
  if (network === undefined) return 'hypervisor';
  const providers = providersOf(network);
  if (providers.get('UserData') === CONFIG_DRIVE) return 'drive';
  return serviceOf(network, providers, [])?.userData === true ? 'service' : 'hypervisor';
}
