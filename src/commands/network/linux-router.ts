// The rows of listRouters that are machines: a leg of a router node in a network, with what the node says of it.
import * as field from '../../api/field.ts';
import { cidr, netmask } from '../../lib/ip.ts';
import type { NodeFacts } from '../../protocol/document.ts';
import { findingsOf } from '../../store/router-states.ts';
import type { Tables } from '../../store/schema.ts';
import { visibleRows } from '../access.ts';
import { namesOf, ownersOf } from '../join.ts';
import type { Room } from '../room.ts';
import { type RouterView, nicOf, routerName, seesHosts } from './router-view.ts';

type LegRow = Tables['networkrouter'];

/** A leg, its network and its node. */
export interface LinuxRouter {
  readonly leg: LegRow;
  readonly network: Tables['network'];
  readonly host: Tables['host'];
}

/** The Linux router with this id, if the caller may see its network. */
export async function linuxRouter(room: Room, id: string): Promise<LinuxRouter | undefined> {
  const leg = await room.db.selectFrom('networkrouter').selectAll().where('id', '=', id).executeTakeFirst();
  if (leg === undefined) return undefined;
  const network = await room.db
    .selectFrom('network')
    .selectAll()
    .where('id', '=', leg.network)
    .where(visibleRows(room.call.caller, 'network'))
    .executeTakeFirst();
  if (network === undefined) return undefined;
  const host = await room.db.selectFrom('host').selectAll().where('id', '=', leg.host).executeTakeFirstOrThrow();
  return { leg, network, host };
}

/** The Linux routers of networks, in the networks' order, the preferred master of each first. */
export async function showLinuxRouters(room: Room, networks: readonly Tables['network'][]): Promise<RouterView[]> {
  if (networks.length === 0) return [];
  const { db } = room;
  const ids = networks.map(({ id }) => id);
  const legs = await db
    .selectFrom('networkrouter')
    .selectAll()
    .where('network', 'in', ids)
    .orderBy('priority', 'desc')
    .execute();
  if (legs.length === 0) return [];
  const byNetwork = Map.groupBy(legs, ({ network }) => network);
  const hosts = new Map(
    (
      await db
        .selectFrom('host')
        .selectAll()
        .where('id', 'in', [...new Set(legs.map(({ host }) => host))])
        .execute()
    ).map((host) => [host.id, host]),
  );
  const outside = new Map(
    (
      await db
        .selectFrom('publicip')
        .innerJoin('publicrange', 'publicrange.id', 'publicip.publicrange')
        .select(['publicip.network', 'publicip.ip', 'publicrange.netmask', 'publicrange.gateway'])
        .where('publicip.network', 'in', ids)
        .where('publicip.issourcenat', '=', 1)
        .execute()
    ).map((row) => [row.network, row]),
  );
  const zones = new Map(
    (
      await db
        .selectFrom('zone')
        .selectAll()
        .where('id', 'in', [...new Set(networks.map(({ zone }) => zone))])
        .execute()
    ).map((zone) => [zone.id, zone]),
  );
  const offerings = await namesOf(
    db,
    'networkoffering',
    networks.map(({ offering }) => offering),
  );
  const owner = await ownersOf(db, networks);
  const root = seesHosts(room);
  return networks.flatMap((network) => {
    const own = byNetwork.get(network.id) ?? [];
    const zone = zones.get(network.zone);
    const side = outside.get(network.id);
    return own.map((leg) => {
      const host = hosts.get(leg.host);
      const up = host?.state === 'Up';
      return field.compact<RouterView>({
        id: leg.id,
        name: routerName(leg.id),
        state: up ? 'Running' : 'Stopped',
        role: 'VIRTUAL_ROUTER',
        // What a silent node said last is not how it is.
        redundantstate: up ? (leg.state ?? 'UNKNOWN') : 'UNKNOWN',
        isredundantrouter: own.length > 1,
        requiresupgrade: false,
        version: versionOf(host),
        zoneid: network.zone,
        zonename: zone?.name,
        hostid: root ? leg.host : undefined,
        hostname: root ? host?.name : undefined,
        linklocalip: root ? host?.underlayip : undefined,
        publicip: side?.ip,
        publicnetmask: side?.netmask,
        gateway: side?.gateway,
        guestnetworkid: network.id,
        guestnetworkname: network.name,
        guestipaddress: leg.ip,
        guestnetmask: network.cidr === null ? undefined : netmask(cidr(network.cidr)),
        networkdomain: network.networkdomain,
        serviceofferingname: offerings.get(network.offering),
        dns1: network.dns1 ?? zone?.dns1,
        dns2: network.dns1 === null ? zone?.dns2 : network.dns2,
        created: field.clientDate(leg.created),
        nic: [
          nicOf(leg.id, {
            networkid: network.id,
            name: network.name,
            cidr: network.cidr,
            ip: leg.ip,
            type: network.guesttype,
          }),
        ],
        // They name the node and its interfaces.
        findings: root ? findingsOf(leg) : undefined,
        ...owner(network),
      });
    });
  });
}

function versionOf(host: Tables['host'] | undefined): string | undefined {
  if (host === undefined || host.facts === null) return undefined;
  return (JSON.parse(host.facts) as Partial<NodeFacts>).version;
}
