// A store with two tenants, their networks and three hypervisors, made of plain rows: what the instance commands need of a cloud.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Caller } from '../api/command.ts';
import { newId } from '../lib/id.ts';
import { silentLog } from '../lib/log.ts';
import { type Store, openStore } from '../store/open.ts';
import type { Tables } from '../store/schema.ts';
import { settle } from '../store/settle.ts';
import { createRegistry, views } from './index.ts';
import type { InstanceView } from './instance-view.ts';

const now = (): string => new Date().toISOString();
const CALLERS = {
  admin: { type: 1, role: 'admin', domain: 'ROOT' },
  acmeAdmin: { type: 2, role: 'domain-admin', domain: 'ROOT/acme' },
  acmeUser: { type: 0, role: 'user', domain: 'ROOT/acme' },
  globexAdmin: { type: 2, role: 'domain-admin', domain: 'ROOT/globex' },
  readonly: { type: 4, role: 'readonly', domain: 'ROOT' },
} as const;

export type Who = keyof typeof CALLERS;

/** The parts of the cloud that tests name. Closed by `await using`. */
export interface Cloud extends AsyncDisposable {
  readonly store: Store;
  readonly zone: string;
  readonly small: string;
  readonly medium: string;
  readonly plainTemplate: string;
  readonly passwordTemplate: string;
  readonly hosts: readonly string[];
  /** Adds a network of an account: cidr 10.N.0.0/24 unless given. */
  network(who: Who, row?: Partial<Tables['network']>): Promise<string>;
  call(who: Who, command: string, params?: Record<string, unknown>): Promise<Record<string, unknown>>;
  /** Plays the reconciler: everything asked for so far is realized. */
  realize(): Promise<void>;
  /** What a job's result would show now. */
  result(who: Who, jobid: unknown): Promise<Record<string, unknown> | undefined>;
}

export async function openCloud(): Promise<Cloud> {
  const directory = await mkdtemp(join(tmpdir(), 'trunkline-instance-'));
  const store = await openStore(join(directory, 'state.db'), randomBytes(32));
  const registry = createRegistry({ store, log: silentLog(), caFingerprint: '0'.repeat(64) } as Parameters<
    typeof createRegistry
  >[0]);
  const ids = {
    zone: newId(),
    small: newId(),
    medium: newId(),
    plain: newId(),
    withPassword: newId(),
    offering: newId(),
    bare: newId(),
  };
  const hosts = [newId(), newId(), newId()];
  const callers = {} as Record<Who, Caller>;
  await store.write(async (tx) => {
    const domains = new Map<string, string>();
    for (const path of ['ROOT', 'ROOT/acme', 'ROOT/globex']) {
      const id = newId();
      domains.set(path, id);
      const name = path.split('/').at(-1)!;
      await tx.insert('domain', {
        id,
        name,
        path,
        parent: null,
        level: path.split('/').length - 1,
        networkdomain: null,
        state: 'Active',
        created: now(),
      });
    }
    for (const [who, { type, role, domain }] of Object.entries(CALLERS)) {
      const accountId = newId();
      await tx.insert('account', {
        id: accountId,
        name: who,
        domain: domains.get(domain)!,
        type,
        state: 'enabled',
        networkdomain: null,
        isdefault: 0,
        created: now(),
      });
      callers[who as Who] = {
        userId: newId(),
        username: who,
        accountId,
        accountName: who,
        accountType: type,
        role,
        domainId: domains.get(domain)!,
        domainPath: domain,
      };
    }
    await tx.insert('zone', {
      id: ids.zone,
      name: 'zone1',
      dns1: '8.8.8.8',
      internaldns1: '8.8.8.8',
      networktype: 'Advanced',
      allocationstate: 'Enabled',
      created: now(),
    } as Tables['zone']);
    for (const [index, id] of hosts.entries()) {
      await tx.insert('host', {
        id,
        zone: ids.zone,
        name: `hv${index + 1}`,
        underlayip: `192.0.2.${index + 1}`,
        state: 'Up',
        resourcestate: 'Enabled',
        serial: '1',
        created: now(),
      } as Tables['host']);
    }
    for (const [id, name, cpunumber, memory] of [
      [ids.small, 'Small Instance', 1, 512],
      [ids.medium, 'Medium Instance', 1, 1024],
    ] as const) {
      await tx.insert('serviceoffering', {
        id,
        name,
        displaytext: name,
        cpunumber,
        cpuspeed: 500,
        memory,
        offerha: 0,
        issystem: 0,
        removed: 0,
        sort: 0,
        created: now(),
      } as Tables['serviceoffering']);
    }
    for (const [id, passwordenabled, rootpassword] of [
      [ids.plain, 0, 'password'],
      [ids.withPassword, 1, null],
    ] as const) {
      await tx.insert('template', {
        id,
        name: `template ${passwordenabled}`,
        displaytext: 'template',
        account: callers.admin.accountId,
        domain: callers.admin.domainId,
        ostypename: 'Other Linux (64-bit)',
        format: 'QCOW2',
        hypervisor: 'KVM',
        size: 1_048_576,
        templatetype: 'BUILTIN',
        passwordenabled,
        sshkeyenabled: 0,
        ispublic: 1,
        isfeatured: 1,
        isextractable: 0,
        isdynamicallyscalable: 0,
        isready: 1,
        rootpassword,
        removed: 0,
        created: now(),
      } as Tables['template']);
    }
    for (const [id, services] of [
      [ids.offering, ['Dhcp', 'UserData']],
      [ids.bare, []],
    ] as const) {
      await tx.insert('networkoffering', {
        id,
        name: `offering with ${services.length} services`,
        displaytext: 'offering',
        guesttype: 'Isolated',
        services: JSON.stringify(services.map((name) => ({ name, provider: 'VirtualRouter' }))),
        specifyvlan: 0,
        specifyipranges: 0,
        conservemode: 1,
        ispersistent: 0,
        isdefault: 0,
        forvpc: 0,
        egressdefaultpolicy: 1,
        availability: 'Optional',
        state: 'Enabled',
        segment: 'overlay',
        sort: 0,
        created: now(),
      } as Tables['networkoffering']);
    }
  });
  let generation = 0;
  let subnet = 0;
  return {
    store,
    zone: ids.zone,
    small: ids.small,
    medium: ids.medium,
    plainTemplate: ids.plain,
    passwordTemplate: ids.withPassword,
    hosts,
    async network(who, row = {}) {
      const id = newId();
      const base = `10.${++subnet}.0`;
      const services = row.offering !== 'bare';
      await store.write((tx) =>
        tx.insert('network', {
          id,
          name: `net${subnet}`,
          displaytext: `net${subnet}`,
          zone: ids.zone,
          account: callers[who].accountId,
          domain: callers[who].domainId,
          guesttype: 'Isolated',
          cidr: `${base}.0/24`,
          gateway: `${base}.1`,
          segment: 'overlay',
          networkdomain: 'cs.internal',
          state: 'Allocated',
          restartrequired: 0,
          displaynetwork: 1,
          implicit: 0,
          created: now(),
          ...row,
          offering: services ? ids.offering : ids.bare,
        } as Tables['network']),
      );
      return id;
    },
    async call(who, command, params = {}) {
      const known = registry.get(command)!;
      const call = { caller: callers[who], request: newId(), command, given: new Set(Object.keys(params)) };
      return known.run(call, known.params.parse(params));
    },
    async realize() {
      const top = await store.db
        .selectFrom('counter')
        .select('value')
        .where('name', '=', 'generation')
        .executeTakeFirstOrThrow();
      const generations = Array.from({ length: top.value - generation }, (_, index) => generation + index + 1);
      generation = top.value;
      await settle(store, generations, []);
    },
    async result(who, jobid) {
      const job = await store.db
        .selectFrom('job')
        .selectAll()
        .where('id', '=', String(jobid))
        .executeTakeFirstOrThrow();
      const room = {
        store,
        db: store.db,
        log: silentLog(),
        call: { caller: callers[who], request: '', command: 'queryAsyncJobResult', given: new Set<string>() },
      };
      const shown = job.view === null ? undefined : await views[job.view]!(room, job.instanceid!, job.cmd);
      return (shown ?? (job.result === null ? undefined : JSON.parse(job.result))) as
        | Record<string, unknown>
        | undefined;
    },
    async [Symbol.asyncDispose]() {
      await store.close();
      await rm(directory, { recursive: true });
    },
  };
}

export type Deployed = { readonly id: string; readonly jobid: string };

/** Deploys a small instance into the networks. */
export async function deploy(
  cloud: Cloud,
  who: Who,
  networkids: string,
  more: Record<string, unknown> = {},
): Promise<Deployed> {
  const params = {
    zoneid: cloud.zone,
    serviceofferingid: cloud.small,
    templateid: cloud.plainTemplate,
    networkids,
    ...more,
  };
  return (await cloud.call(who, 'deployVirtualMachine', params)) as Deployed;
}

/** All instances the caller sees. */
export async function listed(cloud: Cloud, who: Who, params: Record<string, unknown> = {}): Promise<InstanceView[]> {
  const body = await cloud.call(who, 'listVirtualMachines', { listall: 'true', ...params });
  return (body['virtualmachine'] ?? []) as InstanceView[];
}

/** The one instance with this id. */
export async function only(cloud: Cloud, who: Who, id: string): Promise<InstanceView> {
  const [instance] = await listed(cloud, who, { id });
  assert.ok(instance, `instance ${id} is listed`);
  return instance;
}
