// What can be done to a router that is no machine: who carries its way out is changed, and nothing else. Inside, every hypervisor goes
// on routing, whatever is asked here.
import { refuse } from '../../api/error.ts';
import { canServe } from '../../store/maintenance.ts';
import type { Tables } from '../../store/schema.ts';
import { visibleRows } from '../access.ts';
import type { Room, WriteRoom } from '../room.ts';
import { type OvnRouter, routersOfNetworks, routersOfVpcs } from './ovn-router.ts';
import { onNode, seesHosts } from './router-view.ts';
import { type Place, type Standing, isOut, othersOf, routerIds, standingsOf } from './router-place.ts';

export interface FoundRouter {
  readonly router: OvnRouter;
  readonly standing: Standing;
  readonly place: Place;
}

/** The router with this id, if the caller may see its VPC or network. Ids follow from theirs, so all of them are tried. */
export async function ovnRouter(room: Room, id: string): Promise<FoundRouter | undefined> {
  const vpc = await ownerOf(room, 'vpc', id);
  const network = vpc === undefined ? await ownerOf(room, 'network', id) : undefined;
  const [router] = [
    ...(vpc === undefined ? [] : await routersOfVpcs(room, [vpc])),
    ...(network === undefined ? [] : await routersOfNetworks(room, [network])),
  ];
  if (router === undefined) return undefined;
  const standing = (await standingsOf(room, [router.subject])).get(router.owner.id)!;
  const place = standing.places.find((one) => one.id === id);
  return place === undefined ? undefined : { router, standing, place };
}

async function ownerOf<T extends 'vpc' | 'network'>(
  room: Room,
  table: T,
  router: string,
): Promise<Tables[T] | undefined> {
  const rows = await room.db
    .selectFrom(table as 'vpc')
    .select('id')
    .where(visibleRows(room.call.caller, table))
    .execute();
  const found = rows.find(({ id }) => routerIds(id).includes(router));
  if (found === undefined) return undefined;
  const row = await room.db
    .selectFrom(table as 'vpc')
    .selectAll()
    .where('id', '=', found.id)
    .executeTakeFirst();
  return row as Tables[T] | undefined;
}

/** The host of the place does not carry it any more, as long as another can. Refuses for the last one. Answers what is done. */
export async function stopOvnRouter(room: WriteRoom, { router, standing, place }: FoundRouter): Promise<string> {
  const { host } = place;
  const what = nameOf(router);
  if (!place.running) return `the router of ${what} is stopped already`;
  if (host === undefined || !(await hasWayOut(room, router))) {
    throw refuse(
      'failed',
      `The router of ${what} cannot be stopped: it is no machine, every hypervisor routes for itself, and there is no way out that a node would carry. To cut traffic off, ${cutOff(router)}`,
    );
  }
  if (othersOf(standing, [host.id]).length === 0) {
    throw refuse(
      'failed',
      `The router of ${what} cannot be stopped ${onNode(room, host)}: no other node could carry its way out, and stopping it would cut ${what} off from outside${seesHosts(room) ? whyNot(standing, host.id) : ''}. ${seesHosts(room) ? 'Start another gateway node (createJoinToken kind=gateway) or startRouter' : 'Call startRouter'} where it was stopped; to cut it off on purpose, ${cutOff(router)}`,
    );
  }
  await setCarriers(room, router, { gatewayavoid: [...standing.avoided, host.id].join(',') });
  return `stopping the router of ${what} ${onNode(room, host)}`;
}

/** Its host may carry it again. */
export async function startOvnRouter(room: WriteRoom, { router, standing, place }: FoundRouter): Promise<string> {
  const { host } = place;
  const what = nameOf(router);
  if (host !== undefined && host.state !== 'Up') {
    throw refuse(
      'failed',
      `The router of ${what} ${onNode(room, host)} cannot be started from here: the node is ${host.state}. ${seesHosts(room) ? `Start its agent; the way out is carried by ${carrierOf(standing)}` : 'The operator has to start its agent'}`,
    );
  }
  const left = standing.avoided.filter((id) => id !== host?.id);
  if (left.length === standing.avoided.length) await lookAgain(room, router);
  else await setCarriers(room, router, { gatewayavoid: left.join(',') });
  return `starting the router of ${what}${host === undefined ? '' : ` ${onNode(room, host)}`}`;
}

/** Has the next node of the group carry the way out, where this one does; else everything is looked at again. */
export async function turnOvnRouter(room: WriteRoom, found: FoundRouter, doing: string): Promise<string> {
  const { router, standing, place } = found;
  const what = nameOf(router);
  if (!place.running && place.host !== undefined && standing.avoided.includes(place.host.id)) {
    throw refuse('failed', `The router of ${what} ${onNode(room, place.host)} is Stopped: start it with startRouter`);
  }
  const { claim, avoided } = standing;
  // The compiler's ring: those that are avoided or leaving are left out when it is turned.
  const ring = standing.group.filter((host) => !avoided.includes(host.id) && !isOut(host));
  const next = ring.findIndex((host) => host.id !== claim?.host && canServe(host));
  if (place.role !== 'MASTER' || claim === undefined || next < 0) {
    await lookAgain(room, router);
    return `${doing} the router of ${what}`;
  }
  await setCarriers(room, router, { gatewayturn: router.subject.row.gatewayturn + next });
  const way = seesHosts(room) ? `from node ${place.host?.name ?? 'nowhere'} to ${ring[next]!.name}` : 'to another node';
  return `${doing} the router of ${what}: its way out goes ${way}`;
}

async function setCarriers(
  room: WriteRoom,
  { subject }: OvnRouter,
  patch: { readonly gatewayavoid?: string; readonly gatewayturn?: number },
): Promise<void> {
  await room.tx.update(subject.kind, subject.row.id, patch);
}

async function lookAgain(room: WriteRoom, { subject }: OvnRouter): Promise<void> {
  await room.tx.touch(subject.kind, subject.row.id);
}

async function hasWayOut(room: Room, { subject }: OvnRouter): Promise<boolean> {
  const address = await room.db
    .selectFrom('publicip')
    .select('id')
    .where(subject.kind, '=', subject.row.id)
    .where('state', 'in', ['Allocating', 'Allocated'])
    .executeTakeFirst();
  return address !== undefined;
}

function nameOf({ subject }: OvnRouter): string {
  return subject.kind === 'vpc' ? `VPC ${subject.row.name}` : `network ${subject.row.name}`;
}

function cutOff({ subject }: OvnRouter): string {
  return subject.kind === 'vpc'
    ? 'give its tiers the ACL list default_deny'
    : 'remove its firewall rules, or stop its instances';
}

function carrierOf({ claim, candidates }: Standing): string {
  return candidates.find(({ id }) => id === claim?.host)?.name ?? 'nobody';
}

/** Why the others do not help: ` (g2 is Down)`. */
function whyNot({ candidates, avoided }: Standing, without: string): string {
  const others = candidates
    .filter(({ id }) => id !== without)
    .map(({ id, name, state, resourcestate }) =>
      avoided.includes(id) ? `${name} was stopped` : `${name} is ${state === 'Up' ? resourcestate : state}`,
    );
  return others.length === 0 ? '' : ` (${others.join(', ')})`;
}
