// A whole cloud without a network, for tests: real state on a temporary file, every command, the HTTP application without a port.
// Jobs end when a test says so: `settle()` plays the reconciler that found everything realized.
import { type AppOptions, createApp } from '../../src/api/app.ts';
import type { Accounts } from '../../src/api/accounts.ts';
import type { Caller, Registry } from '../../src/api/command.ts';
import { decode } from '../../src/api/decode.ts';
import { refuse } from '../../src/api/error.ts';
import { mayUse, unavailable } from '../../src/api/list-apis.ts';
import { checkParameters } from '../../src/api/parameters.ts';
import { type Param, flatten, signedBody } from '../../src/client/sign.ts';
import type { Credential } from '../../src/commands/account/bootstrap-accounts.ts';
import { bootstrap } from '../../src/commands/server/bootstrap.ts';
import { createRegistry } from '../../src/commands/index.ts';
import type { House } from '../../src/commands/room.ts';
import { createAccounts } from '../../src/commands/account/session.ts';
import { newId } from '../../src/lib/id.ts';
import { silentLog } from '../../src/lib/log.ts';
import type { Store } from '../../src/store/open.ts';
import { pending, settle } from '../../src/store/settle.ts';
import {
  DATABASES,
  type Snapshot,
  type TestStore,
  openSqlite,
  snapshotOf,
} from '../../src/store/store.test-support.ts';

/** The demo's accounts, which every test cloud has. */
export type Who = 'admin' | 'acme-admin' | 'acme-user' | 'globex-admin' | 'readonly';

export type Params = Readonly<Record<string, Param>>;
export type Body = Record<string, unknown>;

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  /** What stands in the envelope. */
  readonly body: Body;
  /** Name of the envelope. */
  readonly envelope: string;
  readonly text: string;
}

export interface Cloud extends AsyncDisposable {
  readonly store: Store;
  /** Where the state is: a file, or the URL of a database. */
  readonly where: string;
  readonly house: House;
  readonly registry: Registry;
  readonly accounts: Accounts;
  readonly app: ReturnType<typeof createApp>;
  readonly credentials: Readonly<Record<Who, Credential>>;
  /** The caller behind an account, or behind the keys of a user made in a test. */
  caller(who: Who | Pick<Credential, 'apikey'>): Promise<Caller>;
  /** One call through role check and parameter check, without HTTP: the inner body, or throws the Refusal. */
  callAs(who: Who | Caller, command: string, params?: Params): Promise<Body>;
  /** The same, and what its job ends with when the network has followed. A job that fails throws. */
  doAs(who: Who | Caller, command: string, params?: Params): Promise<Body>;
  /** A signed POST through the application. */
  request(who: Who | Pick<Credential, 'apikey' | 'secretkey'>, command: string, params?: Params): Promise<Answered>;
  /** A request as it stands: nothing is added. */
  fetch(path: string, init?: RequestInit): Promise<Answered>;
  /** Everything asked for so far is realized: jobs are done, rows enter their lasting states, routes are Active. */
  settle(): Promise<void>;
}

/** `TRUNKLINE_TEST_CLOUD=postgres` runs every test of a cloud on the PostgreSQL of TRUNKLINE_TEST_POSTGRES instead of SQLite. */
const onPostgres = process.env['TRUNKLINE_TEST_CLOUD'] === 'postgres';

interface Bootstrapped {
  readonly opened: TestStore;
  readonly credentials: Readonly<Record<string, Credential>>;
}

async function bootstrapped(opened: TestStore): Promise<Bootstrapped> {
  return { opened, credentials: (await bootstrap(opened.store, { demo: true })).credentials };
}

let first: Promise<Snapshot & Pick<Bootstrapped, 'credentials'>> | undefined;

/** The state every test begins with is made once in a process, and copied. */
async function copied(): Promise<Bootstrapped> {
  first ??= (async () => {
    await using opened = await openSqlite();
    const { credentials } = await bootstrapped(opened);
    return { ...(await snapshotOf(opened)), credentials };
  })();
  const { credentials, ...snapshot } = await first;
  return { opened: await openSqlite(snapshot), credentials };
}

/** Opens a cloud with the demo's tenants. Close it with `await using`. */
export async function openCloud(options: { readonly log?: AppOptions['log'] } = {}): Promise<Cloud> {
  const { opened, credentials } = await (onPostgres ? bootstrapped(await DATABASES.at(-1)!.open()) : copied());
  const { store, where } = opened;
  const house: House = { store, log: options.log ?? silentLog(), caFingerprint: '0'.repeat(64) };
  const registry = createRegistry(house);
  const accounts = createAccounts(house);
  const app = createApp({ registry, accounts, log: house.log });

  async function caller(who: Who | Pick<Credential, 'apikey'>): Promise<Caller> {
    const { apikey } = typeof who === 'string' ? credentials[who]! : who;
    const known = await accounts.byApiKey(apikey);
    if (known === undefined) throw new Error(`nobody has the API key of ${typeof who === 'string' ? who : apikey}`);
    return known.caller;
  }

  async function callAs(who: Who | Caller, name: string, params: Params = {}): Promise<Body> {
    const asking = typeof who === 'string' ? await caller(who) : who;
    const command = registry.get(name);
    if (command === undefined || !mayUse(command, asking.role)) throw refuse('unsupported', unavailable(name));
    const query = flatten(params).map(([key, value]) => `${encodeURIComponent(key)}=${encodeURIComponent(value)}`);
    const { want, given } = checkParameters(command, decode(query.join('&'), ''));
    return command.run({ caller: asking, request: newId(), command: name, given }, want);
  }

  async function settleAll(): Promise<void> {
    const waiting = await pending(store);
    const routes = await store.db.selectFrom('staticroute').select('id').where('state', '=', 'Add').execute();
    await settle(
      store,
      waiting.map(({ generation }) => generation),
      routes.map(({ id }) => ({ id, state: 'Active', reason: null })),
    );
  }

  async function doAs(who: Who | Caller, command: string, params: Params = {}): Promise<Body> {
    const answer = await callAs(who, command, params);
    const jobid = answer['jobid'];
    if (typeof jobid !== 'string') return answer;
    await settleAll();
    const job = await callAs(who, 'queryAsyncJobResult', { jobid });
    if (job['jobstatus'] === 1) return job['jobresult'] as Body;
    throw new Error(`job of ${command} ended with ${JSON.stringify(job['jobresult'])}`);
  }

  async function answered(response: Response): Promise<Answered> {
    const text = await response.text();
    const [envelope = '', body = {}] = text.startsWith('{')
      ? Object.entries(JSON.parse(text) as Record<string, Body>)[0]!
      : [];
    return { status: response.status, headers: response.headers, body, envelope, text };
  }

  return {
    store,
    where,
    house,
    registry,
    accounts,
    app,
    credentials: credentials as Readonly<Record<Who, Credential>>,
    caller,
    callAs,
    doAs,
    async request(who, command, params = {}) {
      const keys = typeof who === 'string' ? credentials[who]! : who;
      const body = signedBody([['command', command], ...flatten(params)], keys, new Date(Date.now() + 60_000));
      return answered(
        await app.request('/client/api', {
          method: 'POST',
          body,
          headers: { 'content-type': 'application/x-www-form-urlencoded' },
        }),
      );
    },
    fetch: async (path, init) => answered(await app.request(path, init)),
    settle: settleAll,
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
    },
  };
}
