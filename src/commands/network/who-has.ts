// Who has an address or a MAC, from what we know ourselves: nothing is asked of the wire. What we do not know, a scan finds.
import { z } from 'zod';
import { WATCHERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { cidr, netmask } from '../../lib/ip.ts';
import { type InventoryFilter, type Known, inventory } from '../../store/inventory.ts';
import { visibleRows } from '../access.ts';
import { namesOf } from '../join.ts';
import { ownedRows, ownerParams, pageOf, pageParams } from '../list.ts';
import { type Page, type Plan, type Room, listCommand } from '../room.ts';

export const whoHasView = z.object({
  uuid: field.string('id of the interface, member, router leg or public address that has it'),
  ipaddress: field.string('the address'),
  macaddress: field.string('the MAC address, where it is known'),
  netmask: field.string('netmask of the network'),
  networkuuid: field.string('the network'),
  networkname: field.string('name of that network'),
  vpcuuid: field.string('its VPC, if the network is a tier'),
  vpcname: field.string('name of that VPC'),
  associatednetworkuuid: field.string('of a public address: the network it leads to'),
  associatednetworkname: field.string('name of that network'),
  virtualmachineuuid: field.string('the instance, device, router node or VPC that has it'),
  virtualmachinename: field.string('its name'),
  virtualmachinetype: field.string('User, Device, DomainRouter, VpcRouter or Gateway'),
  broadcasturi: field.string('the segment, for root: vlan://N'),
  mode: field.string('Dhcp or Static: how it got the address'),
  state: field.string('state of who has it'),
  created: field.date('since when it has it'),
  domainuuid: field.string('domain of its owner'),
  domainname: field.string('name of that domain'),
});

type WhoHas = z.infer<typeof whoHasView>;

const TYPES = {
  instance: 'User',
  device: 'Device',
  router: 'DomainRouter',
  vpc: 'VpcRouter',
  gateway: 'Gateway',
} as const;

async function show(room: Room, all: readonly Known[]): Promise<WhoHas[]> {
  const ids = [...new Set(all.map(({ network }) => network))];
  if (ids.length === 0) return [];
  const rows = await room.db
    .selectFrom('network')
    .select(['id', 'name', 'cidr', 'vpc', 'vlan', 'offering'])
    .where('id', 'in', ids)
    .execute();
  const networks = new Map(rows.map((row) => [row.id, row]));
  const vpcs = await namesOf(
    room.db,
    'vpc',
    rows.map(({ vpc }) => vpc),
  );
  const domains = await namesOf(
    room.db,
    'domain',
    all.map(({ domain }) => domain),
  );
  const services = new Map(
    (await room.db.selectFrom('networkoffering').select(['id', 'services']).execute()).map((row) => [
      row.id,
      row.services,
    ]),
  );
  return all.map((known) => {
    const network = networks.get(known.network);
    const dhcp = (services.get(network?.offering ?? '') ?? '').includes('"Dhcp"');
    return field.compact<WhoHas>({
      uuid: known.id,
      ipaddress: known.ip === '' ? undefined : known.ip,
      macaddress: known.mac,
      netmask: network?.cidr == null ? undefined : netmask(cidr(network.cidr)),
      networkuuid: known.network,
      networkname: network?.name,
      vpcuuid: network?.vpc,
      vpcname: network?.vpc == null ? undefined : vpcs.get(network.vpc),
      ...holderOf(room, known),
      virtualmachinetype: TYPES[known.kind],
      // Which VLAN carries a network is the operator's business.
      broadcasturi: room.call.caller.role === 'admin' && network?.vlan != null ? `vlan://${network.vlan}` : undefined,
      mode: known.kind === 'instance' && !known.secondary && dhcp ? 'Dhcp' : 'Static',
      state: known.state,
      created: field.clientDate(known.created),
      domainuuid: known.domain,
      domainname: domains.get(known.domain),
    });
  });
}

/** Who has it. Which machine a router is is the operator's business, as in listNetworkMembers. */
function holderOf(room: Room, known: Known): Pick<WhoHas, 'virtualmachineuuid' | 'virtualmachinename'> {
  const hidden = known.kind === 'router' && room.call.caller.role !== 'admin';
  return hidden
    ? { virtualmachineuuid: known.id, virtualmachinename: 'router' }
    : { virtualmachineuuid: known.owner.id, virtualmachinename: known.owner.name };
}

/** Public addresses, and whom they lead to. */
async function publicAddresses(room: Room, ip: string): Promise<WhoHas[]> {
  const rows = await room.db
    .selectFrom('publicip')
    .innerJoin('publicrange', 'publicrange.id', 'publicip.publicrange')
    .selectAll('publicip')
    .select(['publicrange.netmask', 'publicrange.vlan'])
    .where('publicip.ip', '=', ip)
    .where('publicip.state', '!=', 'Free')
    .where(visibleRows(room.call.caller, 'publicip'))
    .execute();
  const networks = await namesOf(
    room.db,
    'network',
    rows.map(({ network }) => network),
  );
  const vpcs = await namesOf(
    room.db,
    'vpc',
    rows.map(({ vpc }) => vpc),
  );
  const domains = await namesOf(
    room.db,
    'domain',
    rows.map(({ domain }) => domain),
  );
  const nicIds = rows.flatMap(({ nic }) => nic ?? []);
  const nics =
    nicIds.length === 0
      ? []
      : await room.db
          .selectFrom('nic')
          .innerJoin('instance', 'instance.id', 'nic.instance')
          .select(['nic.id', 'instance.id as instance', 'instance.displayname as name'])
          .where('nic.id', 'in', nicIds)
          .execute();
  return rows.map((row) => {
    const target = nics.find(({ id }) => id === row.nic);
    return field.compact<WhoHas>({
      uuid: row.id,
      ipaddress: row.ip,
      netmask: row.netmask,
      vpcuuid: row.vpc,
      vpcname: row.vpc === null ? undefined : vpcs.get(row.vpc),
      associatednetworkuuid: row.network,
      associatednetworkname: row.network === null ? undefined : networks.get(row.network),
      virtualmachineuuid: target?.instance,
      virtualmachinename: target?.name,
      virtualmachinetype: target === undefined ? undefined : 'User',
      broadcasturi: room.call.caller.role === 'admin' && row.vlan !== null ? `vlan://${row.vlan}` : undefined,
      mode: 'Static',
      state: row.state,
      created: field.clientDate(row.created),
      domainuuid: row.domain,
      domainname: domains.get(row.domain),
    });
  });
}

type Want = z.infer<z.ZodObject<typeof shared>>;
const shared = { uuid: param.text('The entry with this id').optional(), ...pageParams, ...ownerParams };

async function answer(room: Room, want: Want, filter: InventoryFilter): Promise<Page<WhoHas>> {
  const known = await inventory(room.db, filter);
  const allowed = await visibleOwners(room, want, known);
  const rows = await show(room, known.filter(allowed));
  const extra = filter.ip === undefined ? [] : await publicAddresses(room, filter.ip);
  const all = [...rows, ...extra].filter(({ uuid }) => want.uuid === undefined || uuid === want.uuid);
  return pageOf(all, want);
}

/** Which of them are the caller's to see, of those that he asks for. */
async function visibleOwners(room: Room, want: Want, known: readonly Known[]): Promise<(one: Known) => boolean> {
  const accounts = new Set(known.map(({ account }) => account));
  // A question for an address is one for all that the caller may see, unless he names an owner.
  const whole = want.account === undefined && want.domainid === undefined && want.listall === undefined;
  const meant = await ownedRows(room, 'owner', whole ? { ...want, listall: true } : want);
  if (accounts.size === 0) return () => false;
  const rows = await room.db
    .selectFrom((eb) =>
      eb
        .selectFrom('account')
        .select(['account.id as account', 'account.domain'])
        .where('account.id', 'in', [...accounts])
        .as('owner'),
    )
    .select('owner.account')
    .where(meant)
    .execute();
  const visible = new Set(rows.map(({ account }) => account));
  return ({ account }) => visible.has(account);
}

export const listWhoHasThisIp: Plan = listCommand({
  name: 'listWhoHasThisIp',
  summary:
    'Tells who has an address: instances, devices, routers and public addresses of all networks that the caller may see',
  roles: WATCHERS,
  params: z.object({ ipaddress: param.address('The address'), ...shared }),
  key: 'whohasthisip',
  view: whoHasView,
  list: (room, want) => answer(room, want, { ip: want.ipaddress }),
});

export const listWhoHasThisMac: Plan = listCommand({
  name: 'listWhoHasThisMac',
  summary: 'Tells who has a MAC address: instances and devices of all networks that the caller may see',
  roles: WATCHERS,
  params: z.object({ macaddress: param.text('The MAC address').optional(), ...shared }),
  key: 'whohasthismac',
  view: whoHasView,
  list(room, want) {
    if (want.macaddress === undefined && want.uuid === undefined)
      throw refuse('parameter', 'Name a macaddress such as 02:00:4c:9f:00:0b, or the uuid of an entry');
    const mac = want.macaddress === undefined ? undefined : wholeMac(want.macaddress);
    return answer(room, want, mac === undefined ? {} : { mac });
  },
});

/** A MAC address in any common form: 02:00:4c:9f:00:0b, 02-00-4C-9F-00-0B, 0200.4c9f.000b. */
function wholeMac(text: string): string {
  const mac = macPrefix(text);
  if (mac?.length === 17) return mac;
  throw refuse(
    'parameter',
    `${text} is no MAC address such as 02:00:4c:9f:00:0b; listNetworkNeighbors takes the first bytes of one`,
  );
}

/** The beginning of a MAC address in any common form as we write them, whole bytes; undefined when it is none. */
export function macPrefix(text: string): string | undefined {
  const hex = text.trim().toLowerCase().replaceAll(/[:.-]/g, '');
  if (!/^[0-9a-f]{2,12}$/.test(hex) || hex.length % 2 !== 0) return undefined;
  return hex.match(/../g)!.join(':');
}
