// Empties hosts that are to go into maintenance, a step at a time: called by the clock, it looks at what is left and does what can be done
// now. Nothing of it is remembered, so a restart of the server in between loses nothing.
import type { Log } from '../../lib/log.ts';
import { newId } from '../../lib/id.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { EMPTY, hostsToEmpty, whatIsLeft } from '../../store/maintenance.ts';
import type { Store } from '../../store/open.ts';
import type { Tables } from '../../store/schema.ts';
import type { Tx } from '../../store/write.ts';
import { recordEvent } from '../event-record.ts';
import { leastLoaded, sendTo } from '../instance/instance-migrate.ts';
import { type WriteRoom, entersWhenRealized } from '../room.ts';

type Host = Tables['host'];

/** Instances on their way from a host at once: each takes memory and wire of two hosts. */
const AT_ONCE = 4;

const NOBODY = { accountId: BUILT_IN.adminAccount, domainId: BUILT_IN.rootDomain, userId: '' };

/** One step for each host that is being emptied. Gives the names of those that became empty. */
export async function emptyHosts(store: Store, log: Log): Promise<string[]> {
  if ((await hostsToEmpty(store.db)).length === 0) return [];
  return store.write(async (tx) => {
    const done: string[] = [];
    for (const host of await hostsToEmpty(tx.db)) if (await emptyOne(store, tx, host, log)) done.push(host.name);
    return done;
  });
}

async function emptyOne(store: Store, tx: Tx, host: Host, log: Log): Promise<boolean> {
  const { carried, instances, routed } = await whatIsLeft(tx.db, host);
  // Gateways first: what follows is about instances, which then leave by ways that stay.
  if (carried.length > 0 || routed.length > 0) return false;
  if (instances.length > 0) {
    const moving = instances.filter(({ state }) => state === 'Migrating').length;
    const next = instances.filter(({ state }) => state === 'Running').slice(0, Math.max(0, AT_ONCE - moving));
    for (const { id } of next) await sendAway(store, tx, host, id, log);
    return false;
  }
  // On the network nothing changes: it is left alone already. Who waits is told.
  await tx.db.updateTable('host').set({ resourcestate: EMPTY }).where('id', '=', host.id).execute();
  await tx.generation();
  await recordEvent(tx, NOBODY, {
    type: 'MAINT.PREPARE',
    state: 'Completed',
    text: `host ${host.name} is empty and in Maintenance: it may be switched off`,
    about: { type: 'Host', id: host.id },
  });
  return true;
}

async function sendAway(store: Store, tx: Tx, host: Host, id: string, log: Log): Promise<void> {
  const instance = await tx.db.selectFrom('instance').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  const room = roomOf(store, tx, log);
  const to = await leastLoaded(room, instance, host).catch((error: unknown) => {
    log.warn({ host: host.name, instance: instance.hostname, err: error }, 'an instance can go nowhere for now');
    return undefined;
  });
  if (to === undefined) return;
  await sendTo(room, instance, host, to);
  await entersWhenRealized(tx, { kind: 'instance', id, state: 'Running' });
  await recordEvent(tx, NOBODY, {
    type: 'VM.MIGRATE',
    state: 'Started',
    text: `migrating instance ${instance.hostname} from ${host.name} to ${to.name}: ${host.name} goes into maintenance`,
    about: { type: 'VirtualMachine', id },
  });
}

/** What commands see, for what no caller asked. */
function roomOf(store: Store, tx: Tx, log: Log): WriteRoom {
  const caller = {
    ...NOBODY,
    username: 'system',
    accountName: 'system',
    accountType: 1,
    role: 'admin' as const,
    domainPath: 'ROOT',
  };
  const call = { caller, request: newId(), command: 'prepareHostForMaintenance', given: new Set<string>() };
  return { store, db: tx.db, tx, call, log };
}
