// What tests of the public side begin with: a cloud with hypervisors, router nodes and a range of public addresses, and short names
// for the calls that make things.
import assert from 'node:assert/strict';
import { type Body, type Params, type Who } from '../../../test/support/cloud.ts';
import { addHosts, addRouters } from '../../../test/support/hosts.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { type NetworkCloud, openCloud as openBare } from '../network/network.test-support.ts';

export interface PublicCloud extends NetworkCloud {
  /** Ids of r1, r2, … */
  readonly routers: readonly string[];
  /** Id of the range 203.0.113.10-203.0.113.19. */
  readonly range: string;
  /** A network of an offering (default LinuxRouter); gives its row as listNetworks shows it. */
  network(who: Who, name: string, params?: Params, offering?: string): Promise<Body>;
  /** A network, by its id; realized. */
  net(who: Who, name: string, params?: Params, offering?: string): Promise<string>;
  /** Acquires an address for a network; realized. */
  address(who: Who, networkid: string, more?: Params): Promise<Body>;
  /** Deploys an instance into networks; gives its id. */
  instance(who: Who, name: string, networkids: string, more?: Params): Promise<string>;
  /** A job's result object by its key. */
  made(who: Who, command: string, params: Params, key: string): Promise<Body>;
}

export async function openCloud({ routers = 2, endip = '203.0.113.19' } = {}): Promise<PublicCloud> {
  const cloud = await openBare();
  await addHosts(cloud.store);
  const ids = await addRouters(cloud.store, routers);
  const { vlan } = (await cloud.callAs('admin', 'createVlanIpRange', {
    zoneid: BUILT_IN.zone,
    startip: '203.0.113.10',
    endip,
    gateway: '203.0.113.1',
    netmask: '255.255.255.0',
  })) as { vlan: { id: string } };
  const guest = await cloud.guest();
  let subnet = 0;
  const network = async (who: Who, name: string, params: Params = {}, offering = 'LinuxRouter'): Promise<Body> => {
    const answer = await cloud.callAs(who, 'createNetwork', {
      name,
      zoneid: BUILT_IN.zone,
      networkofferingid: cloud.offering(offering),
      cidr: `10.50.${++subnet}.0/24`,
      ...params,
    });
    return answer['network'] as Body;
  };
  const made = async (who: Who, command: string, params: Params, key: string): Promise<Body> => {
    const object = (await cloud.doAs(who, command, params))[key];
    assert.ok(object, `${command} answers with ${key}`);
    return object as Body;
  };
  return {
    ...cloud,
    [Symbol.asyncDispose]: () => cloud[Symbol.asyncDispose](),
    routers: ids,
    range: vlan.id,
    network,
    made,
    async net(who, name, params = {}, offering = 'LinuxRouter') {
      const { id } = await network(who, name, params, offering);
      await cloud.settle();
      return String(id);
    },
    address: (who, networkid, more = {}) => made(who, 'associateIpAddress', { networkid, ...more }, 'ipaddress'),
    async instance(who, name, networkids, more = {}) {
      const { id } = await cloud.callAs(who, 'deployVirtualMachine', {
        zoneid: BUILT_IN.zone,
        name,
        networkids,
        ...guest,
        ...more,
      });
      await cloud.settle();
      return String(id);
    },
  };
}
