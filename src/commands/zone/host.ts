// Hosts: the hypervisors, and the Linux routers beside them. They come by themselves, with a token (join-token.ts); what is asked of them here is to show and to go.
import { z } from 'zod';
import { ROOT, WATCHERS } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import type { NodeFacts } from '../../protocol/document.ts';
import type { HostTable } from '../../store/schema/zone.ts';
import { existing, visible } from '../access.ts';
import { namesOf } from '../join.ts';
import { containing, named, page, pageParams } from '../list.ts';
import { idsOf } from '../../store/gateway-claims.ts';
import { EMPTY, maintenanceOf, namesOfUnits } from '../../store/maintenance.ts';
import { placeIn } from './pod.ts';
import { type Room, type WriteRoom, listCommand, writeCommand } from '../room.ts';

export const hostView = z.object({
  id: field.string('id of the host'),
  name: field.string('its name'),
  state: field.string('Connecting (has not joined yet), Up, Down or Alert'),
  resourcestate: field.string(
    'Enabled or Disabled: whether new instances may be placed on it; PrepareForMaintenance while it is being emptied, Maintenance once it is',
  ),
  leftonit: field.string('what still stands in the way of its maintenance; for root'),
  type: field.string(
    'Routing: it runs instances; LinuxRouter: it routes for networks; Gateway: it carries the way out of routers; Witness: it makes a majority for two of those',
  ),
  ipaddress: field.string('address of its tunnel endpoint; for root'),
  zoneid: field.string('its zone'),
  zonename: field.string('name of its zone'),
  podid: field.string('its pod'),
  podname: field.string('name of its pod'),
  clusterid: field.string('its cluster'),
  clustername: field.string('name of its cluster'),
  clustertype: field.string('CloudManaged'),
  hypervisor: field.string('KVM'),
  version: field.string('version of its agent'),
  cpunumber: field.integer('processors it has'),
  cpuallocated: field.string('share of them promised to running instances'),
  memorytotal: field.long('memory it has, in bytes'),
  memoryallocated: field.long('memory promised to running instances, in bytes'),
  details: field.map('versions of its parts; for root'),
  abilities: field.map('what it can do: true, or why not; for root'),
  hahost: field.boolean('false'),
  islocalstorageactive: field.boolean('false'),
  lastpinged: field.date('when it was heard last'),
  disconnected: field.date('when it was heard last, while it is Down'),
  created: field.date('when its first join token was made'),
});

/** Hosts as their answers show them. Addresses and versions are root's business alone. */
export async function showHosts(room: Room, rows: readonly HostTable[]): Promise<z.infer<typeof hostView>[]> {
  const zones = await namesOf(
    room.db,
    'zone',
    rows.map((row) => row.zone),
  );
  const promised = await promisedOn(
    room,
    rows.map((row) => row.id),
  );
  const root = room.call.caller.role === 'admin';
  const leaving = root ? await maintenanceOf(room.db) : new Map<string, string>();
  return rows.map((row) => {
    const facts = row.facts === null ? undefined : (JSON.parse(row.facts) as Partial<NodeFacts>);
    const { cpus, memory } = promised.get(row.id) ?? { cpus: 0, memory: 0 };
    const lastseen = row.lastseen === null ? undefined : field.clientDate(row.lastseen);
    return field.compact<z.infer<typeof hostView>>({
      id: row.id,
      name: row.name,
      state: row.state,
      resourcestate: row.resourcestate,
      leftonit: leaving.get(row.id),
      type: TYPES[row.kind] ?? row.kind,
      ipaddress: root ? row.underlayip : undefined,
      zoneid: row.zone,
      zonename: zones.get(row.zone),
      ...placeIn({ id: row.zone, name: zones.get(row.zone) ?? '' }),
      clustertype: 'CloudManaged',
      hypervisor: row.kind === 'hypervisor' ? 'KVM' : undefined,
      version: facts?.version,
      cpunumber: facts?.cpus,
      cpuallocated: facts?.cpus === undefined ? undefined : `${Math.round((100 * cpus) / facts.cpus)}%`,
      memorytotal: facts?.memoryMb === undefined ? undefined : facts.memoryMb * MIB,
      memoryallocated: memory * MIB,
      details: root && facts !== undefined ? versionsOf(facts) : undefined,
      abilities: root ? abilitiesOf(facts?.abilities) : undefined,
      hahost: false,
      islocalstorageactive: false,
      lastpinged: lastseen,
      disconnected: row.state === 'Down' ? lastseen : undefined,
      created: field.clientDate(row.created),
    });
  });
}

const MIB = 1024 * 1024;

/** kind -> type as CloudStack's clients know it. */
const TYPES: Readonly<Record<string, string>> = {
  hypervisor: 'Routing',
  router: 'LinuxRouter',
  gateway: 'Gateway',
  witness: 'Witness',
};

function abilitiesOf(abilities: NodeFacts['abilities']): Record<string, string> | undefined {
  if (abilities === undefined) return undefined;
  return Object.fromEntries(Object.entries(abilities).map(([name, can]) => [name, String(can)]));
}

function versionsOf(facts: Partial<NodeFacts>): Record<string, string> {
  return field.compact<Record<string, string>>({
    ovs: facts.ovs,
    ovn: facts.ovn,
    kernel: facts.kernel,
    hostname: facts.hostname,
    physicalnetworks: facts.wires?.join(','),
  });
}

/** Host id -> processors and MiB that its wanted-running instances were promised. */
async function promisedOn(
  room: Room,
  hosts: readonly string[],
): Promise<Map<string, { cpus: number; memory: number }>> {
  if (hosts.length === 0) return new Map();
  const rows = await room.db
    .selectFrom('instance')
    .innerJoin('serviceoffering', 'serviceoffering.id', 'instance.serviceoffering')
    .select(['instance.host'])
    .select(({ fn }) => [fn.sum<number>('cpunumber').as('cpus'), fn.sum<number>('memory').as('memory')])
    .where('instance.host', 'in', hosts)
    .where('instance.power', '=', 'running')
    .groupBy('instance.host')
    .execute();
  return new Map(rows.map((row) => [row.host ?? '', { cpus: Number(row.cpus), memory: Number(row.memory) }]));
}

export const listHosts = listCommand({
  name: 'listHosts',
  summary: 'Lists hosts',
  roles: WATCHERS,
  key: 'host',
  view: hostView,
  params: z.object({
    id: param.ref('host', 'The host with this id').optional(),
    name: param.text('The host of this name').optional(),
    zoneid: param.ref('zone', 'In this zone').optional(),
    podid: param.ref('pod', 'In this pod').optional(),
    clusterid: param.ref('cluster', 'In this cluster').optional(),
    state: param.text('Connecting, Up, Down or Alert').optional(),
    resourcestate: param.text('Enabled, Disabled, PrepareForMaintenance or Maintenance').optional(),
    type: param.text('Routing, LinuxRouter, Gateway or Witness; all where it is left out').optional(),
    hypervisor: param.text('KVM').optional(),
    hahost: param.flag('Only false matches').optional(),
    virtualmachineid: param.ref('instance', 'Hosts this instance could move to').optional(),
    details: param.list('Accepted; everything is shown').optional(),
    ...pageParams,
  }),
  async list(room, want) {
    if (want.id !== undefined) await existing(room, 'host', want.id);
    if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
    let query = room.db.selectFrom('host').selectAll();
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.name !== undefined) query = query.where(named('name', want.name));
    if (want.keyword !== undefined) query = query.where(containing('name', want.keyword));
    if (want.zoneid !== undefined) query = query.where('zone', '=', want.zoneid);
    if (want.state !== undefined) query = query.where(named('state', want.state));
    if (want.resourcestate !== undefined) query = query.where(named('resourcestate', want.resourcestate));
    if (want.podid !== undefined || want.clusterid !== undefined) {
      query = query.where('zone', 'in', await zonesAt(room, want.podid, want.clusterid));
    }
    if (want.virtualmachineid !== undefined) {
      const instance = await visible(room, 'instance', want.virtualmachineid, 'virtualmachineid');
      query = query
        .where('zone', '=', instance.zone)
        .where('kind', '=', 'hypervisor')
        .where('state', '=', 'Up')
        .where('resourcestate', '=', 'Enabled');
      if (instance.host !== null) query = query.where('id', '!=', instance.host);
    }
    const type = want.type?.toLowerCase();
    const [kind] = Object.entries(TYPES).find(([, name]) => name.toLowerCase() === type) ?? [];
    const none = (type !== undefined && kind === undefined) || want.hahost === true;
    if (none || (want.hypervisor ?? 'KVM').toLowerCase() !== 'kvm') return { count: 0, rows: [] };
    if (kind !== undefined) query = query.where('kind', '=', kind);
    if (want.hypervisor !== undefined) query = query.where('kind', '=', 'hypervisor');
    const { count, rows } = await page(query.orderBy('name'), want);
    return { count, rows: await showHosts(room, rows) };
  },
});

/** Ids of the zones that show this pod and this cluster; never empty, so that it can stand in a query. */
async function zonesAt(room: Room, podid: string | undefined, clusterid: string | undefined): Promise<string[]> {
  const zones = await room.db.selectFrom('zone').select(['id', 'name']).execute();
  const found = zones.filter((zone) => {
    const place = placeIn(zone);
    return (podid === undefined || place.podid === podid) && (clusterid === undefined || place.clusterid === clusterid);
  });
  return ['', ...found.map((zone) => zone.id)];
}

export const updateHost = writeCommand({
  name: 'updateHost',
  summary: 'Lets new instances be placed on a host, or not',
  roles: ROOT,
  event: 'HOST.EDIT',
  answer: { kind: 'object', key: 'host', view: hostView },
  params: z.object({
    id: param.ref('host', 'The host'),
    allocationstate: param.text('Enable or Disable').optional(),
  }),
  async write(room, want) {
    const host = await existing(room, 'host', want.id);
    if (want.allocationstate === undefined) return { host: (await showHosts(room, [host]))[0] };
    const resourcestate = { enable: 'Enabled', enabled: 'Enabled', disable: 'Disabled', disabled: 'Disabled' }[
      want.allocationstate.toLowerCase()
    ];
    if (host.resourcestate !== 'Enabled' && host.resourcestate !== 'Disabled') {
      throw refuse(
        'parameter',
        `Host ${host.name} is in state ${host.resourcestate}: call cancelHostMaintenance to use it again`,
      );
    }
    if (resourcestate === undefined)
      throw refuse('parameter', `Invalid allocation state: ${want.allocationstate}. Supported are: Enable, Disable`);
    await room.tx.update('host', host.id, { resourcestate });
    return { host: (await showHosts(room, [{ ...host, resourcestate }]))[0] };
  },
});

export const deleteHost = writeCommand({
  name: 'deleteHost',
  summary: 'Removes a host that carries no instances; its certificate is worth nothing from then on',
  roles: ROOT,
  event: 'HOST.DELETE',
  answer: { kind: 'success' },
  params: z.object({ id: param.ref('host', 'The host') }),
  async write(room, want) {
    const host = await existing(room, 'host', want.id);
    const on = await room.db
      .selectFrom('instance')
      .select('name')
      // One that is on its way from here still runs here, unless the host is gone anyway.
      .where((eb) =>
        eb.or([eb('host', '=', host.id), ...(host.state === 'Up' ? [eb('migratefrom', '=', host.id)] : [])]),
      )
      .orderBy('name')
      .limit(6)
      .execute();
    if (on.length > 0) {
      const names = firstOf(on.map((instance) => instance.name));
      throw refuse(
        'failed',
        `Unable to delete the host ${host.name} as there are instances on it: ${names}. Stop or destroy them first`,
      );
    }
    await refuseRouting(room, host);
    await refuseCarrying(room, host);
    await refuseCabled(room, host);
    await forgetRoles(room, host);
    await room.tx.db.deleteFrom('scan').where('host', '=', host.id).execute();
    const were = await room.db.selectFrom('instance').select('id').where('lasthost', '=', host.id).execute();
    for (const instance of were) await room.tx.update('instance', instance.id, { lasthost: null });
    const left = await room.db.selectFrom('instance').select('id').where('migratefrom', '=', host.id).execute();
    for (const instance of left) await room.tx.update('instance', instance.id, { migratefrom: null });
    await room.tx.remove('host', host.id);
    return undefined;
  },
});

async function refuseRouting(room: Room, host: HostTable): Promise<void> {
  const legs = await room.db
    .selectFrom('networkrouter')
    .innerJoin('network', 'network.id', 'networkrouter.network')
    .select('network.name')
    .where('networkrouter.host', '=', host.id)
    .orderBy('network.name')
    .execute();
  if (legs.length === 0) return;
  throw refuse(
    'failed',
    `Unable to delete the host ${host.name} as it routes for ${legs.length} networks: ${firstOf(legs.map((leg) => leg.name))}. Have them moved away with prepareHostForMaintenance and destroyRouter, or delete them first`,
  );
}

/** One that is Down carries nothing any more, whatever was heard last. */
async function refuseCarrying(room: Room, host: HostTable): Promise<void> {
  if (host.state !== 'Up' || host.resourcestate === EMPTY) return;
  const claims = await room.db.selectFrom('gatewayclaim').select('unit').where('host', '=', host.id).execute();
  const carried = await namesOfUnits(room.db, claims);
  if (carried.length === 0) return;
  throw refuse(
    'failed',
    `Unable to delete the host ${host.name} as it carries the way out of ${firstOf(carried)}. Have it carried elsewhere first: prepareHostForMaintenance`,
  );
}

async function forgetRoles(room: WriteRoom, host: HostTable): Promise<void> {
  await room.tx.db.deleteFrom('gatewayclaim').where('host', '=', host.id).execute();
  for (const table of ['vpc', 'network'] as const) {
    const rows = await room.db
      .selectFrom(table)
      .select(['id', 'gatewayavoid'])
      .where('gatewayavoid', 'like', `%${host.id}%`)
      .execute();
    for (const { id, gatewayavoid } of rows) {
      const left = idsOf(gatewayavoid).filter((one) => one !== host.id);
      await room.tx.update(table, id, { gatewayavoid: left.join(',') });
    }
  }
}

/** A port that is said to be this host's cable would be nobody's. */
async function refuseCabled(room: Room, host: HostTable): Promise<void> {
  const ports = await room.db
    .selectFrom('switchport')
    .innerJoin('switch', 'switch.id', 'switchport.switch')
    .select(['switchport.name', 'switch.name as on'])
    .where('switchport.host', '=', host.id)
    .orderBy('switch.name')
    .orderBy('switchport.name')
    .execute();
  if (ports.length === 0) return;
  throw refuse(
    'failed',
    `Unable to delete the host ${host.name} as it is behind switch ports: ${firstOf(ports.map((port) => `${port.name} of ${port.on}`))}. Remove them or change their role first`,
  );
}

function firstOf(names: readonly string[]): string {
  return `${names.slice(0, 5).join(', ')}${names.length > 5 ? ', …' : ''}`;
}
