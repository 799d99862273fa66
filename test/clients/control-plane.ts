// The whole control plane on a loopback port, for clients that are not ours: API, accounts, store. No OVN stands below it: what
// is asked for counts as realized at once, so that jobs end; the same scripts run over the lab with real packets.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '../../src/api/app.ts';
import { serveApi } from '../../src/api/serve.ts';
import { type Bootstrapped, bootstrap } from '../../src/commands/bootstrap.ts';
import { createRegistry } from '../../src/commands/index.ts';
import { createAccounts } from '../../src/commands/session.ts';
import { newId } from '../../src/lib/id.ts';
import { silentLog } from '../../src/lib/log.ts';
import { type Store, openStore } from '../../src/store/open.ts';
import { pending, settle } from '../../src/store/settle.ts';

export interface ControlPlane extends AsyncDisposable {
  readonly endpoint: string;
  readonly accounts: Bootstrapped['credentials'];
  readonly store: Store;
}

/** Starts it with the demo's accounts and three hypervisors that are up. */
export async function startControlPlane(): Promise<ControlPlane> {
  const directory = await mkdtemp(join(tmpdir(), 'trunkline-clients-'));
  const store = await openStore(join(directory, 'state.db'), randomBytes(32));
  const { credentials, ids } = await bootstrap(store, { demo: true });
  await addHosts(store, ids.zone);
  const settling = settleAtOnce(store);
  const house = { store, log: silentLog(), caFingerprint: '0'.repeat(64) };
  const app = createApp({ registry: createRegistry(house), accounts: createAccounts(house), log: house.log });
  const served = await serveApi(app, { port: 0 });
  return {
    endpoint: served.url,
    accounts: credentials,
    store,
    async [Symbol.asyncDispose]() {
      await served.close();
      await settling.stop();
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
}

async function addHosts(store: Store, zone: string): Promise<void> {
  await store.write(async (tx) => {
    for (const number of [1, 2, 3]) {
      await tx.insert('host', {
        id: newId(),
        zone,
        name: `hv${number}`,
        underlayip: `192.0.2.${number}`,
        state: 'Up',
        resourcestate: 'Enabled',
        secret: null,
        secretexpires: null,
        serial: `${number}`,
        facts: null,
        lastseen: null,
        created: new Date().toISOString(),
      });
    }
  });
}

/** After each change everything that waits is realized, and each new route is Active. */
function settleAtOnce(store: Store): { stop(): Promise<void> } {
  let running = Promise.resolve();
  store.write.onChange(() => {
    running = running.then(async () => {
      const generations = (await pending(store)).map((one) => one.generation);
      const routes = await store.db.selectFrom('staticroute').select('id').where('state', '=', 'Add').execute();
      await settle(
        store,
        generations,
        routes.map(({ id }) => ({ id, state: 'Active', reason: null })),
      );
    });
  });
  return { stop: () => running };
}
