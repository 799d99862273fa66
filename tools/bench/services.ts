// What services at the edge cost: a thousand port forwards, translated and balanced streams, and VPCs that nobody uses; on a lab with two
// gateways and a witness.
import { join } from 'node:path';
import { field, rows, text } from '../../src/demo/answer.ts';
import { startCloud } from '../../src/demo/cloud.ts';
import { type Tenant, tenantOf } from '../../src/demo/tenant.ts';
import type { Caller } from '../../src/demo/cloud.ts';
import { createWire } from '../../src/demo/wire.ts';
import { topologyNamed } from '../../src/lab/start.ts';
import { benchForwards } from './forwards.ts';
import { benchIdle, benchIdleMemory } from './idle.ts';
import type { Row } from './measure.ts';
import { type PublicAddress, benchThroughput, leadIn } from './throughput.ts';

const PUBLIC = { vlan: '100', gateway: '203.0.113.1', netmask: '255.255.255.0' };
const ROUTED_CIDR = '172.20.0.0/24';

/** `only`: of `forwards`, `throughput` and `idle`. */
export async function benchServices(state: string, only: (name: string) => boolean): Promise<Row[]> {
  const cloud = await startCloud({
    state: join(state, 'services'),
    port: 0,
    log: () => undefined,
    topologyFile: topologyNamed('region'),
  });
  try {
    const admin = cloud.as('admin');
    const tenant = await tenantOf(cloud, 'acme-admin');
    const wire = createWire(cloud);
    const { zoneid } = tenant;
    await admin('createVlanIpRange', { zoneid, startip: '203.0.113.10', endip: '203.0.113.99', ...PUBLIC });
    const vpcid = await tenant.vpc('bench', '10.1.0.0/16');
    const networkid = await tenant.tier(vpcid, '10.1.1.1', 'default_allow');
    const web = await tenant.instance('web', networkid, 'h1');
    const associated = async (): Promise<PublicAddress> => {
      const row = field(await tenant.call('associateIpAddress', { vpcid }), 'ipaddress');
      return { id: text(row, 'id'), address: text(row, 'ipaddress') };
    };
    const own = await associated();
    const report: Row[] = [];
    if (only('throughput')) {
      const through = await leadIn(tenant, [own, await associated()], networkid, web.id);
      const network = await routedNetwork(admin, tenant);
      const routed = await tenant.instance('routed', network, 'h1');
      const legs = rows(
        await tenant.call('listPublicIpAddresses', { associatednetworkid: network }),
        'publicipaddress',
      );
      await wire.route('upstream', ROUTED_CIDR, text(legs[0], 'ipaddress'));
      report.push(...(await benchThroughput({ wire }, { routed, translated: web, through })));
    }
    if (only('forwards'))
      report.push(...(await benchForwards(cloud, { ipaddressid: own.id, networkid, virtualmachineid: web.id })));
    if (only('idle'))
      report.push(...(await benchIdle(cloud, zoneid)), ...(await benchIdleMemory(join(state, 'alone'))));
    return report;
  } finally {
    await cloud.stop();
  }
}

/** A network whose addresses nobody translates; its id. */
async function routedNetwork(admin: Caller, tenant: Tenant): Promise<string> {
  const provider = (service: string, index: number): Record<string, string> => ({
    [`serviceproviderlist[${index}].service`]: service,
    [`serviceproviderlist[${index}].provider`]: 'VirtualRouter',
  });
  await admin('createNetworkOffering', {
    name: 'Routed',
    displaytext: 'Routed',
    guestiptype: 'Isolated',
    traffictype: 'Guest',
    networkmode: 'ROUTED',
    supportedservices: 'Dhcp,Gateway',
    ...provider('Dhcp', 0),
    ...provider('Gateway', 1),
    enable: 'true',
  });
  return tenant.network('Routed', { cidr: ROUTED_CIDR });
}
