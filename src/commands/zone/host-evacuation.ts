// Empties hosts that are to go into maintenance, a step at a time: called by the clock, it looks at what is left and does what can be done
// now. Nothing is remembered but what was logged, so a restart of the server in between loses nothing.
import { Refusal } from '../../api/error.ts';
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

export interface Evacuation {
  /** One step for each host that is being emptied. Gives the names of those that became empty. */
  look(): Promise<string[]>;
}

/** What came of one step. */
interface Step {
  /** Names of hosts that became empty. */
  readonly empty: string[];
  /** Ids of the instances that are still to go. */
  readonly left: Set<string>;
  /** Those that can go nowhere for now. */
  readonly stuck: { readonly id: string; readonly instance: string; readonly host: string; readonly reason: string }[];
}

export function createEvacuation(store: Store, log: Log): Evacuation {
  /** Instance -> why it can go nowhere, as it was logged. */
  const told = new Map<string, string>();

  async function emptyOne(tx: Tx, host: Host, { empty, left, stuck }: Step): Promise<void> {
    const { carried, instances, routed } = await whatIsLeft(tx.db, host);
    for (const { id } of instances) left.add(id);
    // Gateways first: what follows is about instances, which then leave by ways that stay.
    if (carried.length > 0 || routed.length > 0) return;
    if (instances.length === 0) {
      await enterMaintenance(tx, host);
      empty.push(host.name);
      return;
    }
    // One that does not answer can hand over nothing: its instances would be on their way for ever.
    if (host.state !== 'Up') return;
    const room = roomOf(store, tx, log);
    let moving = instances.filter(({ state }) => state === 'Migrating').length;
    for (const { id, hostname } of instances.filter(({ state }) => state === 'Running')) {
      if (moving >= AT_ONCE) return;
      const reason = await sendAway(room, host, id);
      if (reason === undefined) moving++;
      else stuck.push({ id, instance: hostname, host: host.name, reason });
    }
  }

  return {
    async look() {
      if ((await hostsToEmpty(store.db)).length === 0) return [];
      const { empty, left, stuck } = await store.write(async (tx) => {
        const step: Step = { empty: [], left: new Set(), stuck: [] };
        for (const host of await hostsToEmpty(tx.db)) await emptyOne(tx, host, step);
        return step;
      });
      for (const id of told.keys()) if (!left.has(id)) told.delete(id);
      for (const { id, ...one } of stuck) {
        if (told.get(id) !== one.reason) log.warn(one, 'an instance can go nowhere for now');
        told.set(id, one.reason);
      }
      return empty;
    },
  };
}

async function enterMaintenance(tx: Tx, host: Host): Promise<void> {
  // On the network nothing changes: it is left alone already. Who waits is told.
  await tx.db.updateTable('host').set({ resourcestate: EMPTY }).where('id', '=', host.id).execute();
  await tx.generation();
  await recordEvent(tx, NOBODY, {
    type: 'MAINT.PREPARE',
    state: 'Completed',
    text: `host ${host.name} is empty and in Maintenance: it may be switched off`,
    about: { type: 'Host', id: host.id },
  });
}

/** Sends an instance to another host; why not, where it can go nowhere. */
async function sendAway(room: WriteRoom, host: Host, id: string): Promise<string | undefined> {
  const { tx } = room;
  const instance = await tx.db.selectFrom('instance').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  const to = await leastLoaded(room, instance, host).catch((error: unknown) => {
    if (error instanceof Refusal) return error.message;
    throw error;
  });
  if (typeof to === 'string') return to;
  await sendTo(room, instance, host, to);
  await entersWhenRealized(tx, { kind: 'instance', id, state: 'Running' });
  await recordEvent(tx, NOBODY, {
    type: 'VM.MIGRATE',
    state: 'Started',
    text: `migrating instance ${instance.hostname} from ${host.name} to ${to.name}: ${host.name} goes into maintenance`,
    about: { type: 'VirtualMachine', id },
  });
  return undefined;
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
