// Taking a host out of use without a loss, and back: its roles move away, then its instances; when it is empty it is in Maintenance and may
// be switched off. What could not move is refused before anything does; the moving is host-evacuation.ts's.
import { z } from 'zod';
import { ROOT } from '../../api/command.ts';
import { Refusal, refuse } from '../../api/error.ts';
import * as param from '../../api/param.ts';
import { EMPTY, EMPTYING, canServe, carriersAmong, namesOfUnits, whatIsLeft } from '../../store/maintenance.ts';
import type { Tables } from '../../store/schema.ts';
import { endJob } from '../../store/settle.ts';
import { existing } from '../access.ts';
import { leastLoaded } from '../instance/instance-migrate.ts';
import { legsOf, moveLeg } from '../network/network-router.ts';
import { some } from '../network/network.ts';
import { type Room, type WriteRoom, jobCommand } from '../room.ts';
import { hostView, showHosts } from './host.ts';

type Host = Tables['host'];

/** The host with this id as a job's result shows it. */
export async function viewHost(room: Room, id: string): Promise<z.infer<typeof hostView> | undefined> {
  return (await showHosts(room, await room.db.selectFrom('host').selectAll().where('id', '=', id).execute()))[0];
}

export const prepareHostForMaintenance = jobCommand({
  name: 'prepareHostForMaintenance',
  summary:
    'Takes a host out of use: routers and gateways on it move to others, then its instances; done when it is empty',
  roles: ROOT,
  event: 'MAINT.PREPARE',
  answer: { kind: 'object', key: 'host', view: hostView },
  params: z.object({ id: param.ref('host', 'The host') }),
  async job(room, want) {
    const host = await existing(room, 'host', want.id);
    if (host.resourcestate === EMPTYING || host.resourcestate === EMPTY) {
      throw refuse(
        'parameter',
        `Host ${host.name} is in state ${host.resourcestate} already. To use it again, call cancelHostMaintenance`,
      );
    }
    await refuseLastCarrier(room, host);
    await refuseStuckInstances(room, host);
    await room.tx.update('host', host.id, { resourcestate: EMPTYING });
    await yieldLegs(room, host);
    return { about: { type: 'Host', id: host.id }, view: 'host', text: `taking host ${host.name} out of use` };
  },
});

export const cancelHostMaintenance = jobCommand({
  name: 'cancelHostMaintenance',
  summary:
    'Takes a host into use again; what moved away stays where it is, but for gateways, which come back to where they belong',
  roles: ROOT,
  event: 'MAINT.CANCEL',
  answer: { kind: 'object', key: 'host', view: hostView },
  params: z.object({ id: param.ref('host', 'The host') }),
  async job(room, want) {
    const host = await existing(room, 'host', want.id);
    if (host.resourcestate !== EMPTYING && host.resourcestate !== EMPTY) {
      throw refuse(
        'parameter',
        `Unable to cancel maintenance of host ${host.name}: it is ${host.resourcestate}, not in maintenance`,
      );
    }
    await room.tx.update('host', host.id, { resourcestate: 'Enabled' });
    await failWaiting(room, host);
    return { about: { type: 'Host', id: host.id }, view: 'host', text: `taking host ${host.name} into use again` };
  },
});

/** Whoever waits for the host to be empty waits for nothing now. */
async function failWaiting(room: WriteRoom, host: Host): Promise<void> {
  const jobs = await room.tx.db
    .selectFrom('job')
    .selectAll()
    .where('cmd', '=', 'prepareHostForMaintenance')
    .where('instanceid', '=', host.id)
    .where('status', '=', 0)
    .execute();
  const text = `host ${host.name} was to go into maintenance, and is used again: cancelHostMaintenance was called`;
  for (const job of jobs) await endJob(room.tx, job, 2, text);
}

/** A way out that nobody else could carry would be cut off by whoever switches the host off then. */
async function refuseLastCarrier(room: Room, host: Host): Promise<void> {
  const claims = await room.db.selectFrom('gatewayclaim').select('unit').where('host', '=', host.id).execute();
  const carried = await namesOfUnits(room.db, claims);
  if (carried.length === 0) return;
  const zone = await room.db.selectFrom('host').selectAll().where('zone', '=', host.zone).execute();
  if (carriersAmong(zone).some(({ id }) => id !== host.id)) return;
  throw refuse(
    'failed',
    `Host ${host.name} cannot go into maintenance: it carries the way out of ${some(carried)}, and no other ${host.kind} that is Up and in use could. Start one, or add one with createJoinToken kind=${host.kind}`,
  );
}

async function refuseStuckInstances(room: Room, host: Host): Promise<void> {
  const { instances } = await whatIsLeft(room.db, host);
  if (instances.length === 0) return;
  if (host.state !== 'Up') {
    throw refuse(
      'failed',
      `Host ${host.name} cannot go into maintenance: it is ${host.state}, and only a host that answers can hand over its instances: ${some(instances.map(({ hostname }) => hostname))}. Start its agent, or stop them`,
    );
  }
  const stuck: string[] = [];
  let why = '';
  for (const { id, hostname } of instances) {
    const row = await room.db.selectFrom('instance').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
    if (row.migratefrom === host.id) continue;
    try {
      await leastLoaded(room, row, host);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      stuck.push(hostname);
      why = error.message;
    }
  }
  if (stuck.length === 0) return;
  throw refuse(
    'failed',
    `Host ${host.name} cannot go into maintenance: ${stuck.length} of its instances can go nowhere: ${some(stuck)}. ${why}`,
  );
}

/**
 * A router node yields: where the network has a second node, that one becomes the master by precedence, without a lost packet; else the
 * leg goes to another node.
 */
async function yieldLegs(room: WriteRoom, host: Host): Promise<void> {
  const own = await room.db.selectFrom('networkrouter').selectAll().where('host', '=', host.id).execute();
  for (const leg of own) {
    const network = await room.db
      .selectFrom('network')
      .selectAll()
      .where('id', '=', leg.network)
      .executeTakeFirstOrThrow();
    let yields = false;
    for (const peer of await legsOf(room, leg.network)) {
      if (peer.id === leg.id) continue;
      const at = await existing(room, 'host', peer.host);
      if (!canServe(at)) continue;
      yields = true;
      if (peer.priority > leg.priority) break;
      await room.tx.update('networkrouter', leg.id, { priority: peer.priority });
      await room.tx.update('networkrouter', peer.id, { priority: leg.priority });
      break;
    }
    if (yields || (await moveLeg(room, leg, network)) !== undefined) continue;
    throw refuse(
      'failed',
      `Host ${host.name} cannot go into maintenance: it routes for network ${network.name}, and no other router node is Up, Enabled and free to route for ${network.cidr}. Start one, or add one with createJoinToken kind=router`,
    );
  }
}
