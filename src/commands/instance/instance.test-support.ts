// What the tests of instance commands share: a cloud with three hypervisors, networks as plain rows (so that any state of one can
// be had), and the few calls every test makes.
import assert from 'node:assert/strict';
import { newId } from '../../lib/id.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import type { Tables } from '../../store/schema.ts';
import {
  type Body,
  type Cloud as Base,
  type Params,
  type Who,
  openCloud as openBase,
} from '../../../test/support/cloud.ts';
import { addHosts } from '../../../test/support/hosts.ts';
import type { InstanceView } from './instance-view.ts';

export type { Who };

export interface Cloud extends Base {
  readonly zone: string;
  readonly small: string;
  readonly medium: string;
  readonly plainTemplate: string;
  readonly passwordTemplate: string;
  /** Ids of hv1, hv2, hv3. */
  readonly hosts: readonly string[];
  /** Adds a network of an account: cidr 10.N.0.0/24 unless given. `bare`: of an offering without services. */
  network(who: Who, row?: Partial<Tables['network']>, bare?: 'bare'): Promise<string>;
  /** The instance that a job's result shows. */
  result(who: Who, jobid: unknown): Promise<InstanceView | undefined>;
}

export async function openCloud(): Promise<Cloud> {
  const base = await openBase();
  const hosts = await addHosts(base.store);
  const idOf = async (table: 'serviceoffering' | 'template', name: string): Promise<string> =>
    (await base.store.db.selectFrom(table).select('id').where('name', '=', name).executeTakeFirstOrThrow()).id;
  const offerings = { full: newId(), bare: newId() };
  await base.store.write(async (tx) => {
    const some = await tx.db.selectFrom('networkoffering').selectAll().limit(1).executeTakeFirstOrThrow();
    const services = (names: string[]): string =>
      JSON.stringify(names.map((name) => ({ name, provider: 'VirtualRouter' })));
    await tx.insert('networkoffering', {
      ...some,
      id: offerings.full,
      name: 'with services',
      services: services(['Dhcp', 'UserData']),
    });
    await tx.insert('networkoffering', { ...some, id: offerings.bare, name: 'without services', services: '[]' });
  });
  let subnet = 0;
  return {
    ...base,
    [Symbol.asyncDispose]: () => base[Symbol.asyncDispose](),
    zone: BUILT_IN.zone,
    small: await idOf('serviceoffering', 'Small Instance'),
    medium: await idOf('serviceoffering', 'Medium Instance'),
    plainTemplate: await idOf('template', 'tiny linux kvm'),
    passwordTemplate: await idOf('template', 'tiny linux kvm with password'),
    hosts,
    async network(who, row = {}, bare) {
      const id = newId();
      const caller = await base.caller(who);
      const prefix = `10.${++subnet}.0`;
      await base.store.write((tx) =>
        tx.insert('network', {
          id,
          name: `net${subnet}`,
          displaytext: `net${subnet}`,
          zone: BUILT_IN.zone,
          physicalnetwork: null,
          account: caller.accountId,
          domain: caller.domainId,
          offering: bare === undefined ? offerings.full : offerings.bare,
          guesttype: 'Isolated',
          vpc: null,
          cidr: `${prefix}.0/24`,
          gateway: `${prefix}.1`,
          startip: null,
          endip: null,
          segment: 'overlay',
          vlan: null,
          acl: null,
          networkdomain: 'cs.internal',
          ipexclusionlist: null,
          dns1: null,
          dns2: null,
          state: 'Allocated',
          restartrequired: 0,
          gatewayturn: 0,
          gatewayavoid: '',
          serviceip: null,
          ip6cidr: null,
          ip6gateway: null,
          displaynetwork: 1,
          implicit: 0,
          created: new Date().toISOString(),
          ...row,
        }),
      );
      return id;
    },
    async result(who, jobid) {
      const job = await base.callAs(who, 'queryAsyncJobResult', { jobid: String(jobid) });
      return (job['jobresult'] as { virtualmachine?: InstanceView } | undefined)?.virtualmachine;
    },
  };
}

export interface Deployed {
  readonly id: string;
  readonly jobid: string;
}

/** Deploys a small instance into the networks. */
export async function deploy(cloud: Cloud, who: Who, networkids: string, more: Params = {}): Promise<Deployed> {
  const fixed = { zoneid: cloud.zone, serviceofferingid: cloud.small, templateid: cloud.plainTemplate };
  const answer: Body = await cloud.callAs(who, 'deployVirtualMachine', { ...fixed, networkids, ...more });
  return { id: String(answer['id']), jobid: String(answer['jobid']) };
}

/** All instances the caller sees. */
export async function listed(cloud: Cloud, who: Who, params: Params = {}): Promise<InstanceView[]> {
  const body = await cloud.callAs(who, 'listVirtualMachines', { listall: 'true', ...params });
  return (body['virtualmachine'] ?? []) as InstanceView[];
}

/** The one instance with this id. */
export async function only(cloud: Cloud, who: Who, id: string): Promise<InstanceView> {
  const [instance] = await listed(cloud, who, { id });
  assert.ok(instance, `instance ${id} is listed`);
  return instance;
}
