// What tests of VPCs and networks begin with: an open cloud with short names for the calls that make things.
import assert from 'node:assert/strict';
import { type Body, type Cloud, type Params, type Who, openCloud as openBare } from '../../../test/support/cloud.ts';
import { Refusal } from '../../api/error.ts';
import type { Caller } from '../../api/command.ts';
import { BUILT_IN } from '../../model/built-in.ts';

export interface NetworkCloud extends Cloud {
  /** Id of a network or VPC offering by name. */
  offering(name: string): string;
  vpc(who: Who, name: string, cidr: string, more?: Params): Promise<string>;
  tier(who: Who, vpcid: string, cidr: string, more?: Params): Promise<Body>;
  privateNetwork(who: Who, name: string, cidr: string, more?: Params): Promise<Body>;
  /** A network outside of VPCs, by the name of its offering. */
  networkOf(who: Who, name: string, offering: string, more?: Params): Promise<Body>;
  /** Deploys an instance; gives its id. */
  deploy(who: Who, networkids: string, more?: Params): Promise<string>;
  /** Joins a VPC to a Private network; gives the gateway's id. */
  join(who: Who, vpcid: string, networkid: string, ipaddress: string, more?: Params): Promise<string>;
  route(who: Who, vpcid: string, cidr: string, nexthop: string): Promise<string>;
  /** What an instance is deployed from. */
  guest(): Promise<{ serviceofferingid: string; templateid: string }>;
  /** The rows of a list. */
  list(who: Who, command: string, params?: Params): Promise<Body[]>;
  /** That the call is refused with a text that holds `text`, and that nothing was changed. */
  refused(who: Who | Caller, command: string, params: Params, text: string | RegExp, status?: number): Promise<void>;
}

const TIER_OFFERING = 'DefaultIsolatedNetworkOfferingForVpcNetworks';
const PRIVATE_OFFERING = 'DefaultPrivateGatewayNetworkOffering';

export async function openCloud(): Promise<NetworkCloud> {
  const cloud = await openBare();
  const offerings = new Map<string, string>();
  for (const table of ['networkoffering', 'vpcoffering'] as const) {
    for (const row of await cloud.store.db.selectFrom(table).select(['id', 'name']).execute())
      offerings.set(row.name, row.id);
  }
  const offering = (name: string): string => {
    const id = offerings.get(name);
    assert.ok(id, `there is an offering called ${name}`);
    return id;
  };
  const network = async (who: Who, params: Params): Promise<Body> =>
    (await cloud.callAs(who, 'createNetwork', { zoneid: BUILT_IN.zone, ...params }))['network'] as Body;
  const made = async (who: Who, command: string, params: Params): Promise<string> => {
    const { id } = await cloud.callAs(who, command, params);
    await cloud.settle();
    return String(id);
  };
  return {
    ...cloud,
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
    offering,
    vpc: (who, name, cidr, more = {}) =>
      made(who, 'createVPC', {
        name,
        displaytext: name,
        cidr,
        zoneid: BUILT_IN.zone,
        vpcofferingid: offering('Default VPC offering'),
        ...more,
      }),
    tier: (who, vpcid, cidr, more = {}) =>
      network(who, { name: `tier-${cidr}`, vpcid, cidr, networkofferingid: offering(TIER_OFFERING), ...more }),
    privateNetwork: (who, name, cidr, more = {}) =>
      network(who, { name, cidr, networkofferingid: offering(PRIVATE_OFFERING), ...more }),
    networkOf: (who, name, of, more = {}) => network(who, { name, networkofferingid: offering(of), ...more }),
    async deploy(who, networkids, more = {}) {
      const params = { zoneid: BUILT_IN.zone, networkids, ...(await guestOf(cloud)), ...more };
      return made(who, 'deployVirtualMachine', params);
    },
    join: (who, vpcid, networkid, ipaddress, more = {}) =>
      made(who, 'createPrivateGateway', { vpcid, networkid, ipaddress, ...more }),
    route: (who, vpcid, cidr, nexthop) => made(who, 'createStaticRoute', { vpcid, cidr, nexthop }),
    guest: () => guestOf(cloud),
    async list(who, command, params = {}) {
      const { count: _, ...rest } = await cloud.callAs(who, command, params);
      return (Object.values(rest)[0] as Body[] | undefined) ?? [];
    },
    async refused(who, command, params, text, status = 431) {
      const before = await contents(cloud);
      await assert.rejects(cloud.callAs(who, command, params), (error: unknown) => {
        assert.ok(error instanceof Refusal, String(error));
        if (typeof text === 'string') assert.ok(error.message.includes(text), `"${error.message}" holds "${text}"`);
        else assert.match(error.message, text);
        assert.equal(error.status, status, error.message);
        return true;
      });
      assert.deepEqual(await contents(cloud), before);
    },
  };
}

async function guestOf(cloud: Cloud): Promise<{ serviceofferingid: string; templateid: string }> {
  const size = await cloud.store.db
    .selectFrom('serviceoffering')
    .select('id')
    .orderBy('sort')
    .executeTakeFirstOrThrow();
  const image = await cloud.store.db
    .selectFrom('template')
    .select('id')
    .where('passwordenabled', '=', 0)
    .executeTakeFirstOrThrow();
  return { serviceofferingid: size.id, templateid: image.id };
}

/** Everything a refused call could have left behind. */
async function contents(cloud: Cloud): Promise<unknown> {
  const tables = [
    'vpc',
    'network',
    'vlan',
    'address',
    'instance',
    'nic',
    'nicaddress',
    'privategateway',
    'staticroute',
    'acl',
    'aclitem',
    'job',
    'event',
    'transition',
    'change',
    'publicip',
    'portforward',
    'firewallrule',
    'loadbalancer',
  ] as const;
  const counts: Record<string, unknown> = {};
  for (const table of tables) {
    counts[table] = await cloud.store.db
      .selectFrom(table)
      .select((eb) => eb.fn.countAll().as('count'))
      .executeTakeFirstOrThrow();
  }
  return counts;
}

/** The text every unknown id gets. */
export function unknown(param: string, id: string): string {
  return `Invalid parameter ${param} value=${id} due to incorrect long value format, or entity does not exist`;
}

export const NOBODY = '00000000-0000-4000-8000-000000000000';
