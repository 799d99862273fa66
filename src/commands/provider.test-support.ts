// A cloud as it is after its first start with the demo's accounts, and calls in the name of each: for the provider's commands.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Caller } from '../api/command.ts';
import { Refusal } from '../api/error.ts';
import { newId } from '../lib/id.ts';
import { silentLog } from '../lib/log.ts';
import { type Store, openStore } from '../store/open.ts';
import type { Tables } from '../store/schema.ts';
import { type Bootstrapped, bootstrap } from './bootstrap.ts';
import { createRegistry, views } from './index.ts';
import { roleOf } from './role.ts';

export type Row = Record<string, unknown>;

export interface ProviderCloud extends AsyncDisposable {
  readonly store: Store;
  readonly made: Bootstrapped;
  caller(who: string): Promise<Caller>;
  call(who: string, command: string, params?: Record<string, unknown>): Promise<Row>;
  /** As admin: the rows of a list. */
  rows(command: string, key: string, params?: Record<string, unknown>): Promise<Row[]>;
  /** As admin: what a job's result shows. */
  result(answer: Row): Promise<Row>;
  /** A network row of an account, on a VLAN if one is given. */
  network(who: string, more?: Partial<Tables['network']>, pool?: 0 | 1): Promise<string>;
}

export async function openProviderCloud(): Promise<ProviderCloud> {
  const directory = await mkdtemp(join(tmpdir(), 'trunkline-provider-'));
  const store = await openStore(join(directory, 'state.db'), randomBytes(32));
  const made = await bootstrap(store, { demo: true });
  const registry = createRegistry({ store, log: silentLog(), caFingerprint: 'ab'.repeat(32) });

  async function caller(who: string): Promise<Caller> {
    const row = await store.db
      .selectFrom('user')
      .innerJoin('account', 'account.id', 'user.account')
      .innerJoin('domain', 'domain.id', 'user.domain')
      .select(['user.id as userId', 'account.id as accountId', 'account.type as accountType', 'domain.id as domainId', 'domain.path as domainPath'])
      .where('user.username', '=', who)
      .executeTakeFirstOrThrow();
    return { ...row, username: who, accountName: who, role: roleOf(row.accountType).role };
  }

  async function call(who: string, name: string, params: Record<string, unknown> = {}): Promise<Row> {
    const command = registry.get(name);
    assert.ok(command, `${name} is a command`);
    const as = await caller(who);
    assert.ok(command.roles.includes(as.role), `${who} may call ${name}`);
    const given = new Set(Object.keys(params));
    return command.run({ caller: as, request: newId(), command: name, given }, command.params.parse(params));
  }

  return {
    store,
    made,
    caller,
    call,
    async rows(command, key, params = {}) {
      return ((await call('admin', command, params))[key] ?? []) as Row[];
    },
    async result(answer) {
      const job = await store.db.selectFrom('job').selectAll().where('id', '=', String(answer['jobid'])).executeTakeFirstOrThrow();
      const room = {
        store,
        db: store.db,
        log: silentLog(),
        call: { caller: await caller('admin'), request: '', command: 'queryAsyncJobResult', given: new Set<string>() },
      };
      return ((await views[job.view ?? '']?.(room, job.instanceid ?? '')) ?? {}) as Row;
    },
    async network(who, more = {}, pool = 1) {
      const owner = await caller(who);
      const id = newId();
      const offering = await store.db.selectFrom('networkoffering').select('id').orderBy('sort').executeTakeFirstOrThrow();
      await store.write(async (tx) => {
        await tx.insert('network', {
          id,
          name: `net-${id.slice(0, 4)}`,
          displaytext: 'net',
          zone: made.ids.zone,
          physicalnetwork: made.ids.physicalNetwork,
          account: owner.accountId,
          domain: owner.domainId,
          offering: offering.id,
          guesttype: 'Isolated',
          segment: 'vlan',
          state: 'Implemented',
          restartrequired: 0,
          displaynetwork: 1,
          implicit: 0,
          created: new Date().toISOString(),
          ...more,
        } as Tables['network']);
        const vlan = more.vlan ?? undefined;
        if (vlan !== undefined) await tx.insert('vlan', { physicalnetwork: made.ids.physicalNetwork, vlan, network: id, pool });
      });
      return id;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
}

/** The text of the refusal that a call ends with; fails when it is none. */
export async function refusal(work: Promise<unknown>): Promise<{ readonly kind: string; readonly text: string }> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Refusal, `a refusal, not ${String(error)}`);
  return { kind: error.kind, text: error.message };
}
