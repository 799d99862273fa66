// How networks look in answers: on their own, and as the tiers of a VPC.
import { z } from 'zod';
import * as field from '../../api/field.ts';
import { cidr, first, formatIp, last, netmask } from '../../lib/ip.ts';
import { type OfferedService, type RoutedBy, isRedundant, routedBy, servicesOf } from '../../model/network-service.ts';
import type { Tables } from '../../store/schema.ts';
import { type NotRealized, notRealized, notRealizedView } from '../physical/carriage.ts';
import { namesOf, ownerFields, ownersOf, tagView, tagsOf } from '../join.ts';
import { ip4RouteView, ip4RoutesOf } from '../public/ip4-routes.ts';
import type { Room } from '../room.ts';
import { ip6RouteView, ip6RoutesOf } from './ipv6-route.ts';
import { bootFields } from './network-boot.ts';
import { silentRouters } from './router-silence.ts';

export const serviceView = z.object({
  name: field.string('name of the service'),
  provider: field.list('who provides it', z.object({ name: field.string('name of the provider') })),
  capability: field.list('what it can do', z.object({ name: field.string('name'), value: field.string('value') })),
});

/** Services of an offering as answers show them. */
export function showServices(services: readonly OfferedService[]): z.infer<typeof serviceView>[] {
  return services.map(({ name, provider }) => ({ name, provider: [{ name: provider }], capability: [] }));
}

export const networkView = z.object({
  id: field.string('id of the network'),
  name: field.string('its name'),
  displaytext: field.string('its description'),
  type: field.string('Isolated, Shared, L2 or Private'),
  state: field.string('Allocated, Implementing, Implemented or Setup'),
  traffictype: field.string('Guest'),
  broadcastdomaintype: field.string('Vlan, or Overlay for a tunnel between the hypervisors'),
  broadcasturi: field.string('vlan://N; for root'),
  vlan: field.string('its VLAN; for root'),
  cidr: field.string('its CIDR; where a part is reserved, the rest of it'),
  networkcidr: field.string('the whole CIDR, where a part is reserved'),
  reservediprange: field.string('addresses that instances do not get, where a part of the CIDR is reserved'),
  gateway: field.string('its gateway'),
  netmask: field.string('its netmask'),
  startip: field.string('first address that is handed out, where one was given'),
  endip: field.string('last address that is handed out, where one was given'),
  ipexclusionlist: field.string('addresses that are never handed out'),
  dns1: field.string('first resolver, where the network has its own'),
  dns2: field.string('second resolver, where the network has its own'),
  dhcptftpserver: field.string('boot server that its DHCP names, where one was given'),
  dhcpbootfilename: field.string('boot file that its DHCP names, where one was given'),
  networkdomain: field.string('its network domain'),
  zoneid: field.string('its zone'),
  zonename: field.string('name of its zone'),
  physicalnetworkid: field.string('the physical network that carries it'),
  networkofferingid: field.string('its offering'),
  networkofferingname: field.string('name of its offering'),
  networkofferingdisplaytext: field.string('description of its offering'),
  networkofferingavailability: field.string('availability of its offering'),
  networkofferingconservemode: field.boolean('whether one address may serve several purposes'),
  service: field.list('its services', serviceView),
  routedby: field.string('who routes for it: Ovn, LinuxRouter (router nodes), or None of ours'),
  redundantrouter: field.boolean('whether it has two routers'),
  egressdefaultpolicy: field.boolean('whether traffic out is free without a rule'),
  vpcid: field.string('the VPC it is a tier of'),
  vpcname: field.string('name of that VPC'),
  aclid: field.string('its ACL list'),
  aclname: field.string('name of its ACL list'),
  acltype: field.string('Account, or Domain where a whole domain may use it'),
  ip4routing: field.string('Static, where its addresses are not translated and OVN routes'),
  ip4routes: field.list('then: what upstream has to send where', ip4RouteView),
  internetprotocol: field.string('ipv4, dualstack or ipv6'),
  ip6cidr: field.string('its IPv6 prefix: instances make their addresses in it by themselves'),
  ip6gateway: field.string('its gateway in IPv6'),
  ip6routing: field.string('Static, where it has IPv6: nothing is translated, upstream sends to its router'),
  ip6routes: field.list('then: what upstream has to send where', ip6RouteView),
  ip6firewall: field.boolean('whether what comes in by IPv6 needs an IPv6 firewall rule'),
  related: field.string('its id'),
  issystem: field.boolean('whether it was made for a private gateway and goes with it'),
  isdefault: field.boolean('whether it is the default network of its account'),
  ispersistent: field.boolean('whether it is there without instances'),
  specifyipranges: field.boolean('whether its range is given by hand'),
  specifyvlan: field.boolean('whether its VLAN is given by hand'),
  subdomainaccess: field.boolean('whether domains below may use it'),
  strechedl2subnet: field.boolean('whether it spans zones'),
  restartrequired: field.boolean('whether it needs a restart'),
  canusefordeploy: field.boolean('whether instances can be deployed in it'),
  displaynetwork: field.boolean('whether it is shown to its owner'),
  notrealized: field.list('what of it is not realized: where, since when and why', notRealizedView),
  created: field.date('when it was made'),
  ...ownerFields,
  tags: field.list('its tags', tagView),
});

export type NetworkView = z.infer<typeof networkView>;

const UNIT_TEXT = { vlan: 'Vlan', overlay: 'Overlay' } as const;

/** Networks as their answers show them. The VLAN is shown to root alone: it says where on the wire a tenant is. */
export async function showNetworks(room: Room, rows: readonly Tables['network'][]): Promise<NetworkView[]> {
  if (rows.length === 0) return [];
  const { db } = room;
  const root = room.call.caller.role === 'admin';
  const owner = await ownersOf(db, rows);
  const zones = await namesOf(
    db,
    'zone',
    rows.map((row) => row.zone),
  );
  const acls = await namesOf(
    db,
    'acl',
    rows.map((row) => row.acl),
  );
  const vpcs = await vpcsOf(room, rows);
  const offerings = await offeringsOf(room, rows);
  const uncarried = await notRealized(room, rows);
  const silent = await silentRouters(room, rows);
  const ip4routes = await ip4RoutesOf(db, rows);
  const ip6routes = await ip6RoutesOf(db, rows);
  const tags = await tagsOf(
    db,
    'Network',
    rows.map((row) => row.id),
  );
  return rows.map((row) => {
    const offering = offerings.get(row.offering);
    const vpc = row.vpc === null ? undefined : vpcs.get(row.vpc);
    const vlan = root && row.vlan !== null ? String(row.vlan) : undefined;
    return field.compact<NetworkView>({
      id: row.id,
      name: row.name,
      displaytext: row.displaytext,
      type: row.guesttype,
      state: row.state,
      traffictype: 'Guest',
      broadcastdomaintype: UNIT_TEXT[row.segment === 'overlay' ? 'overlay' : 'vlan'],
      broadcasturi: vlan === undefined ? undefined : `vlan://${vlan}`,
      vlan,
      cidr: row.guestcidr ?? row.cidr,
      networkcidr: row.guestcidr === null ? undefined : row.cidr,
      reservediprange: row.guestcidr === null || row.cidr === null ? undefined : besides(row.cidr, row.guestcidr),
      gateway: row.gateway,
      netmask: row.cidr === null || row.guesttype === 'Private' ? undefined : netmask(cidr(row.cidr)),
      startip: row.startip,
      endip: row.endip,
      ipexclusionlist: row.ipexclusionlist,
      dns1: row.dns1,
      dns2: row.dns2,
      ...bootFields(row),
      networkdomain: row.networkdomain ?? vpc?.networkdomain,
      zoneid: row.zone,
      zonename: zones.get(row.zone),
      physicalnetworkid: row.physicalnetwork,
      networkofferingid: row.offering,
      networkofferingname: offering?.name,
      networkofferingdisplaytext: offering?.displaytext,
      networkofferingavailability: offering?.availability,
      networkofferingconservemode: offering?.conservemode === 1,
      service: offering?.service ?? [],
      routedby: row.vpc === null ? (offering?.routedby ?? 'None') : 'Ovn',
      redundantrouter: offering?.redundant === true,
      egressdefaultpolicy: offering?.egressdefaultpolicy === 1,
      vpcid: row.vpc,
      vpcname: vpc?.name,
      aclid: row.acl,
      aclname: row.acl === null ? undefined : acls.get(row.acl),
      acltype: row.shared === null ? 'Account' : 'Domain',
      ip4routing: ip4routes.has(row.id) ? 'Static' : undefined,
      ip4routes: ip4routes.get(row.id),
      internetprotocol: offering?.internetprotocol,
      ...(row.ip6cidr === null ? {} : ip6Fields(row, ip6routes.get(row.id), offering)),
      related: row.id,
      issystem: row.implicit === 1,
      isdefault: false,
      ispersistent: offering?.ispersistent === 1,
      specifyipranges: offering?.specifyipranges === 1,
      specifyvlan: offering?.specifyvlan === 1,
      subdomainaccess: row.shared === 'Subdomains',
      strechedl2subnet: false,
      restartrequired: row.restartrequired === 1,
      canusefordeploy: row.guesttype !== 'Private',
      displaynetwork: row.displaynetwork === 1,
      notrealized: lacksOf(uncarried.get(row.id), silent.get(row.id)),
      created: field.clientDate(row.created),
      ...owner(row),
      tags: tags(row.id),
    });
  });
}

function lacksOf(...lists: readonly (NotRealized[] | undefined)[]): NotRealized[] | undefined {
  const all = lists.flatMap((list) => list ?? []);
  return all.length === 0 ? undefined : all;
}

function ip6Fields(
  { ip6cidr, ip6gateway, vpc }: Tables['network'],
  routes: z.infer<typeof ip6RouteView>[] | undefined,
  offering: ShownOffering | undefined,
) {
  const ip6firewall = vpc === null && (offering?.service ?? []).some(({ name }) => name === 'Firewall');
  return { ip6cidr, ip6gateway, ip6routing: 'Static', ip6routes: routes, ip6firewall };
}

/** The addresses of a CIDR that are not in a part of it, as ranges. */
function besides(whole: string, part: string): string {
  const [outer, inner] = [cidr(whole), cidr(part)];
  const ranges = [
    [first(outer), first(inner) - 1],
    [last(inner) + 1, last(outer)],
  ] as const;
  return ranges
    .filter(([from, to]) => from <= to)
    .map(([from, to]) => `${formatIp(from)}-${formatIp(to)}`)
    .join(',');
}

async function vpcsOf(
  room: Room,
  rows: readonly Tables['network'][],
): Promise<Map<string, { name: string; networkdomain: string }>> {
  const ids = [...new Set(rows.map((row) => row.vpc).filter((id) => id !== null))];
  if (ids.length === 0) return new Map();
  const found = await room.db
    .selectFrom('vpc')
    .select(['id', 'name', 'networkdomain'])
    .where('id', 'in', ids)
    .execute();
  return new Map(found.map((row) => [row.id, row]));
}

type ShownOffering = Pick<
  Tables['networkoffering'],
  | 'name'
  | 'displaytext'
  | 'availability'
  | 'conservemode'
  | 'ispersistent'
  | 'specifyipranges'
  | 'specifyvlan'
  | 'egressdefaultpolicy'
  | 'internetprotocol'
> & {
  readonly routedby: RoutedBy;
  readonly redundant: boolean;
  readonly service: z.infer<typeof serviceView>[];
};

async function offeringsOf(room: Room, rows: readonly Tables['network'][]): Promise<Map<string, ShownOffering>> {
  const ids = [...new Set(rows.map((row) => row.offering))];
  const found = await room.db.selectFrom('networkoffering').selectAll().where('id', 'in', ids).execute();
  return new Map(
    found.map((row) => {
      const services = servicesOf(row);
      const about = { routedby: routedBy(services), redundant: isRedundant(row), service: showServices(services) };
      return [row.id, { ...row, ...about }];
    }),
  );
}
