// What tests of switches and devices begin with: a cloud with a switch whose ports are a table in memory, and the loop that sets them.
import type { Body, Params, Who } from '../../../test/support/cloud.ts';
import { addHosts } from '../../../test/support/hosts.ts';
import { silentLog } from '../../lib/log.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { until } from '../../ovn/ovsdb-server.test-support.ts';
import { type ReviewSwitch, createSwitches } from '../../reconcile/switches.ts';
import { type TableSwitch, tableSwitches } from '../../reconcile/switches.test-support.ts';
import { createIntentCache } from '../../store/load.ts';
import { type NetworkCloud, openCloud } from '../network/network.test-support.ts';

export const NATIVE = 999;

export interface PhysicalCloud extends NetworkCloud {
  readonly switchid: string;
  /** The switch behind `sw`. */
  readonly table: TableSwitch;
  /** The switch behind another `tcp:` address. */
  tableAt(address: string): TableSwitch;
  /** Ids of hv1, hv2, hv3. */
  readonly hosts: readonly string[];
  /** An access port of `sw`, granted to a domain where one is named; its id. */
  port(name: string, grant?: Params): Promise<string>;
  /** A network without services on a VLAN from the pool; its id. */
  network(who: Who, name: string, cidr: string, more?: Params): Promise<string>;
  device(who: Who, name: string, more?: Params): Promise<string>;
  /** Attaches, lets the switch follow, and gives what the job ends with. */
  attach(who: Who, networkid: string, deviceid: string, more?: Params): Promise<Body>;
  /** Lets the switch follow all that was asked, and jobs end. */
  follow(): Promise<void>;
  /** Id of the domain of an account. */
  domainOf(who: Who): Promise<string>;
}

/** `more`: what else addSwitch is told; `drivers`: who looks at switches that are none of these tables. */
export async function openPhysical(more: Params = {}, drivers?: ReviewSwitch): Promise<PhysicalCloud> {
  const cloud = await openCloud();
  const hosts = await addHosts(cloud.store);
  const { at, review } = tableSwitches();
  const table = at('tcp:192.0.2.50:6640');
  const cache = createIntentCache(cloud.store);
  const switches = createSwitches({
    store: cloud.store,
    review: (document, options) =>
      (drivers === undefined || document.address.startsWith('tcp:') ? review : drivers)(document, options),
    log: silentLog(),
    intervalMs: 20,
  });
  let seen = 0;
  switches.onSeen(() => void seen++);
  const [physical] = await cloud.list('admin', 'listPhysicalNetworks');
  const added = await cloud.callAs('admin', 'addSwitch', {
    name: 'sw',
    zoneid: BUILT_IN.zone,
    physicalnetworkid: String(physical?.['id']),
    driver: 'ovsdb',
    url: 'tcp:192.0.2.50:6640',
    nativevlan: String(NATIVE),
    ...more,
  });
  const switchid = String((added['switch'] as Body)['id']);

  async function follow(): Promise<void> {
    const { intent } = await cache.refresh();
    await switches.update(intent);
    const before = seen;
    // The first may have begun earlier.
    await until(() => seen > before + 1, 'what was seen at two looks being written down');
    await cloud.settle();
  }

  const physicalCloud: PhysicalCloud = {
    ...cloud,
    [Symbol.asyncDispose]: async () => {
      await switches.close();
      await cloud[Symbol.asyncDispose]();
    },
    switchid,
    table,
    tableAt: at,
    hosts,
    async port(name, grant) {
      table.ports.set(name, { name, untagged: NATIVE, tagged: [] });
      const { switchport } = await cloud.callAs('admin', 'addSwitchPort', { switchid, name });
      const id = String((switchport as Body[])[0]?.['id']);
      if (grant !== undefined) await cloud.callAs('admin', 'grantSwitchPort', { id, ...grant });
      return id;
    },
    async network(who, name, cidr, params = {}) {
      const networkofferingid = cloud.offering('NoServices');
      const made = await cloud.callAs(who, 'createNetwork', {
        name,
        cidr,
        networkofferingid,
        zoneid: BUILT_IN.zone,
        ...params,
      });
      await cloud.settle();
      return String((made['network'] as Body)['id']);
    },
    async device(who, name, params = {}) {
      return String(((await cloud.callAs(who, 'registerDevice', { name, ...params }))['device'] as Body)['id']);
    },
    async attach(who, networkid, deviceid, params = {}) {
      const { jobid } = await cloud.callAs(who, 'attachDevice', { networkid, deviceid, ...params });
      await follow();
      const job = await cloud.callAs(who, 'queryAsyncJobResult', { jobid: String(jobid) });
      return (job['jobresult'] as Body)['networkmember'] as Body;
    },
    follow,
    domainOf: async (who) => (await cloud.caller(who)).domainId,
  };
  return physicalCloud;
}

/** acme's office network, with a port p1 for its devices. */
export async function office(cloud: PhysicalCloud): Promise<{ networkid: string; port: string; domainid: string }> {
  const domainid = await cloud.domainOf('acme-admin');
  const port = await cloud.port('p1', { domainid });
  return { networkid: await cloud.network('acme-admin', 'office', '10.1.1.0/24'), port, domainid };
}
