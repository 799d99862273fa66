// Pods and clusters: places that clients expect inside a zone. Ours has no such places, so each zone shows one of each,
// with ids that follow from the zone's.
import { z } from 'zod';
import { ROOT, WATCHERS } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { derivedId } from '../../lib/id.ts';
import type { ZoneTable } from '../../store/schema/zone.ts';
import { existing, unknownId } from '../access.ts';
import { pageOf, pageParams } from '../list.ts';
import { type Room, listCommand } from '../room.ts';

export const podView = z.object({
  id: field.string('id of the pod'),
  name: field.string('its name'),
  zoneid: field.string('its zone'),
  zonename: field.string('name of its zone'),
  allocationstate: field.string('that of its zone'),
});

export const clusterView = z.object({
  id: field.string('id of the cluster'),
  name: field.string('its name'),
  podid: field.string('its pod'),
  podname: field.string('name of its pod'),
  zoneid: field.string('its zone'),
  zonename: field.string('name of its zone'),
  hypervisortype: field.string('KVM'),
  clustertype: field.string('CloudManaged'),
  allocationstate: field.string('that of its zone'),
  managedstate: field.string('Managed'),
});

type ZoneName = Pick<ZoneTable, 'id' | 'name'>;

/** The one pod and the one cluster of a zone: what hosts are shown to be in. */
export function placeIn(zone: ZoneName): { podid: string; podname: string; clusterid: string; clustername: string } {
  return {
    podid: derivedId(`pod/${zone.id}`),
    podname: `${zone.name}-pod`,
    clusterid: derivedId(`cluster/${zone.id}`),
    clustername: `${zone.name}-cluster`,
  };
}

function showPod(zone: ZoneTable): z.infer<typeof podView> {
  const { podid, podname } = placeIn(zone);
  return { id: podid, name: podname, zoneid: zone.id, zonename: zone.name, allocationstate: zone.allocationstate };
}

function showCluster(zone: ZoneTable): z.infer<typeof clusterView> {
  const { podid, podname, clusterid, clustername } = placeIn(zone);
  return {
    id: clusterid,
    name: clustername,
    podid,
    podname,
    zoneid: zone.id,
    zonename: zone.name,
    hypervisortype: 'KVM',
    clustertype: 'CloudManaged',
    allocationstate: zone.allocationstate,
    managedstate: 'Managed',
  };
}

const placeParams = {
  name: param.text('The one of this name').optional(),
  zoneid: param.ref('zone', 'In this zone').optional(),
  allocationstate: param.text('Enabled or Disabled').optional(),
  showcapacities: param.flag('Accepted; capacities are not shown').optional(),
  ...pageParams,
};

export const listPods = listCommand({
  name: 'listPods',
  summary: 'Lists pods: one for each zone',
  roles: ROOT,
  key: 'pod',
  view: podView,
  params: z.object({ id: param.ref('pod', 'The pod with this id').optional(), ...placeParams }),
  async list(room, want) {
    return pageOf(await chosen(room, want, showPod), want);
  },
});

export const listClusters = listCommand({
  name: 'listClusters',
  summary: 'Lists clusters: one for each zone',
  roles: WATCHERS,
  key: 'cluster',
  view: clusterView,
  params: z.object({
    id: param.ref('cluster', 'The cluster with this id').optional(),
    podid: param.ref('pod', 'In this pod').optional(),
    hypervisor: param.text('KVM').optional(),
    clustertype: param.text('CloudManaged').optional(),
    managedstate: param.text('Managed').optional(),
    ...placeParams,
  }),
  async list(room, want) {
    const clusters = await chosen(room, want, showCluster);
    return pageOf(
      clusters.filter(
        (cluster) =>
          (want.podid === undefined || cluster.podid === want.podid) &&
          same(want.hypervisor, cluster.hypervisortype) &&
          same(want.clustertype, cluster.clustertype) &&
          same(want.managedstate, cluster.managedstate),
      ),
      want,
    );
  },
});

interface PlaceWant {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly zoneid?: string | undefined;
  readonly allocationstate?: string | undefined;
  readonly keyword?: string | undefined;
}

interface Place {
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly allocationstate?: string | undefined;
}

async function chosen<P extends Place>(room: Room, want: PlaceWant, show: (zone: ZoneTable) => P): Promise<P[]> {
  if (want.zoneid !== undefined) await existing(room, 'zone', want.zoneid, 'zoneid');
  let query = room.db.selectFrom('zone').selectAll();
  if (want.zoneid !== undefined) query = query.where('id', '=', want.zoneid);
  const places = (await query.orderBy('created').orderBy('id').execute()).map(show);
  if (want.id !== undefined && !places.some((place) => place.id === want.id)) throw unknownId(room, 'id', want.id);
  return places.filter(
    (place) =>
      (want.id === undefined || place.id === want.id) &&
      same(want.name, place.name) &&
      same(want.allocationstate, place.allocationstate) &&
      (want.keyword === undefined || (place.name ?? '').toLowerCase().includes(want.keyword.toLowerCase())),
  );
}

/** Whether a text asked for is the one shown, in any case; true when none was asked for. */
function same(wanted: string | undefined, shown: string | undefined): boolean {
  return wanted === undefined || wanted.toLowerCase() === shown?.toLowerCase();
}
