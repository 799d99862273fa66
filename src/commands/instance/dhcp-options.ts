// DHCP options of single cards: dhcpoptionsnetworklist of deployVirtualMachine and updateVirtualMachine, dhcpoptions of
// addNicToVirtualMachine.
import { type Refusal, refuse } from '../../api/error.ts';
import { freeMap } from '../../api/param.ts';
import { isUuid } from '../../lib/id.ts';
import { parseIp } from '../../lib/ip.ts';
import { DHCP_OPTIONS, type DhcpOption } from '../../model/dhcp-option.ts';
import { LINUX_ROUTER, servicesOf } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { unknownId } from '../access.ts';
import type { Room, WriteRoom } from '../room.ts';

const PARAM = 'dhcpoptionsnetworklist';
const CODES = Object.entries(DHCP_OPTIONS)
  .map(([code, { name }]) => `${code} (${name})`)
  .join(', ');

/** The parameter that commands take them by. */
export const dhcpOptionsParam = freeMap(
  `DHCP options of single cards: ${PARAM}[0].networkid=…&${PARAM}[0].dhcp:66=…; codes ${CODES}. A card whose network is named without any has none`,
);

/** The parameter for a card that is being added. */
export const cardOptionsParam = freeMap(`DHCP options of the card: dhcpoptions[0].dhcp:66=…; codes ${CODES}`);

type Entry = Readonly<Record<string, string>>;

/** Gives the instance's cards these options, instead of those they had. Cards that are not named keep theirs. */
export async function setDhcpOptions(
  room: WriteRoom,
  instance: string,
  entries: readonly Entry[] | undefined,
): Promise<void> {
  for (const [index, entry] of (entries ?? []).entries()) {
    const words = new Map(Object.entries(entry).map(([key, value]) => [key.toLowerCase(), value]));
    const network = words.get('networkid') ?? '';
    words.delete('networkid');
    if (!isUuid(network)) throw unknownId(room, `${PARAM}[${index}].networkid`, network);
    const nic = await room.db
      .selectFrom('nic')
      .select('id')
      .where('instance', '=', instance)
      .where('network', '=', network)
      .executeTakeFirst();
    if (nic === undefined)
      throw refuse(
        'parameter',
        `${PARAM}[${index}]: the instance has no interface in network ${network}, so no DHCP there`,
      );
    await setCardOptions(room, { id: nic.id, network }, [Object.fromEntries(words)]);
  }
}

/** Gives a card these options, instead of those it had; none: it has none. */
export async function setCardOptions(
  room: WriteRoom,
  card: { readonly id: string; readonly network: string },
  entries: readonly Entry[],
): Promise<void> {
  const options = Object.fromEntries(
    entries.flatMap((entry) => Object.entries(entry)).map(([key, value]) => optionOf(key.toLowerCase(), value.trim())),
  );
  const none = Object.keys(options).length === 0;
  if (!none) await requireOwnDhcp(room, card.network);
  await room.tx.update('nic', card.id, { dhcpoptions: none ? null : JSON.stringify(options) });
}

async function requireOwnDhcp(room: Room, id: string): Promise<void> {
  const network = await room.db
    .selectFrom('network')
    .innerJoin('networkoffering', 'networkoffering.id', 'network.offering')
    .select(['network.name', 'networkoffering.name as offering', 'networkoffering.services'])
    .where('network.id', '=', id)
    .executeTakeFirstOrThrow();
  refuseOthersDhcp(network.name, { name: network.offering, services: network.services });
}

/** Refuses options in a network where the hypervisors answer no DHCP: nobody would be told. */
export function refuseOthersDhcp(
  network: string,
  offering: Pick<Tables['networkoffering'], 'name' | 'services'>,
): void {
  const dhcp = servicesOf(offering).find(({ name }) => name === 'Dhcp');
  if (dhcp !== undefined && dhcp.provider !== LINUX_ROUTER) return;
  throw refuse(
    'parameter',
    `DHCP options cannot be set in network ${network}: ` +
      (dhcp === undefined
        ? `its offering ${offering.name} has no DHCP. Leave them out, or use a network whose offering has it`
        : `its Linux router answers there and is not told any. Leave them out, or use a network that needs no Linux router`),
  );
}

/** An option's value by its code, as it is kept. Refuses what is none of its kind. */
export function checkedOption(code: keyof typeof DHCP_OPTIONS, value: string): string {
  return optionOf(String(code), value.trim())[1];
}

function optionOf(key: string, value: string): [string, string] {
  const code = /^(?:dhcp:)?([0-9]{1,3})$/.exec(key)?.[1] ?? '';
  const option = DHCP_OPTIONS[code];
  if (option === undefined) {
    throw refuse(
      'parameter',
      `DHCP option ${key.slice(0, 40)} cannot be set: it is none of ${CODES}. What leads packets (gateway, routes, addresses) is the network's own`,
    );
  }
  const normal = normalized(option, value);
  if (normal === undefined) throw wrong(code, option, value);
  return [code, normal];
}

const LABEL = '[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?';
const DOMAIN = new RegExp(`^${LABEL}(\\.${LABEL})*$`);

/** As it is kept; undefined where it is none of its kind. */
function normalized({ kind, ovn }: DhcpOption, value: string): string | undefined {
  const parts = value.split(',').map((part) => part.trim());
  switch (kind) {
    case 'addresses':
      return parts.length <= 8 && parts.every((part) => parseIp(part) !== undefined) ? parts.join(',') : undefined;
    case 'domains':
      return value.length <= 200 && parts.every((part) => DOMAIN.test(part)) ? parts.join(',') : undefined;
    case 'mtu':
      return /^[0-9]{2,5}$/.test(value) && Number(value) >= 576 && Number(value) <= 65_535 ? value : undefined;
    case 'text':
      if (ovn === 'domain_name') return value.length <= 200 && DOMAIN.test(value) ? value : undefined;
      return /^[!#-[\]-~]{1,200}$/.test(value) ? value : undefined;
  }
}

const KINDS: Readonly<Record<DhcpOption['kind'], string>> = {
  addresses: 'up to 8 IPv4 addresses with commas between them',
  domains: 'domain names with commas between them',
  mtu: 'a number of bytes from 576 to 65535',
  text: 'up to 200 letters, digits and signs of ASCII without blanks, quotes and backslashes',
};

function wrong(code: string, { name, kind }: DhcpOption, value: string): Refusal {
  return refuse('parameter', `DHCP option ${code} (${name}) is to be ${KINDS[kind]}, not ${value.slice(0, 100)}`);
}
