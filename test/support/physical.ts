// A switch with a port that is granted to a tenant, and a device of his attached by it: what tests of the whole API need of the
// physical side. Nobody is behind the switch: what is asked of it stays on its way.
import { BUILT_IN } from '../../src/model/built-in.ts';
import type { Body, Cloud, Who } from './cloud.ts';

export interface PhysicalThings {
  readonly switch: string;
  readonly switchport: string;
  /** The network, on a VLAN. */
  readonly wire: string;
  readonly device: string;
  readonly networkmember: string;
  readonly networkroute: string;
}

/** `number` tells the things of several tenants apart: names and addresses hold it. */
export async function makePhysical(cloud: Cloud, who: Who, number: number): Promise<PhysicalThings> {
  const { callAs, doAs } = cloud;
  const idIn = (answer: Body, key: string): string => String((answer[key] as Body)['id']);
  const zoneid = BUILT_IN.zone;
  const networkofferingid = String(
    ((await callAs('admin', 'listNetworkOfferings', { name: 'NoServices' }))['networkoffering'] as Body[])[0]!['id'],
  );
  const wire = idIn(
    await callAs(who, 'createNetwork', {
      name: `wire${number}`,
      zoneid,
      networkofferingid,
      cidr: `10.${200 + number}.0.0/24`,
    }),
    'network',
  );
  const switchid = idIn(
    await callAs('admin', 'addSwitch', {
      name: `sw${number}`,
      zoneid,
      physicalnetworkid: BUILT_IN.physicalNetwork,
      driver: 'instructions',
      nativevlan: '999',
      'details[0].dialect': 'cisco-ios',
    }),
    'switch',
  );
  const ports = (await callAs('admin', 'addSwitchPort', { switchid, name: 'p1' }))['switchport'] as Body[];
  const switchport = String(ports[0]!['id']);
  const { domainId, accountName } = await cloud.caller(who);
  await callAs('admin', 'grantSwitchPort', { id: switchport, domainid: domainId, account: accountName });
  const device = idIn(await callAs(who, 'registerDevice', { name: 'box', switchportid: switchport }), 'device');
  const networkmember = idIn(await doAs(who, 'attachDevice', { networkid: wire, deviceid: device }), 'networkmember');
  const route = { networkid: wire, deviceid: device, cidr: `192.168.${number}.0/24` };
  const networkroute = idIn(await doAs(who, 'createNetworkRoute', route), 'networkroute');
  return { switch: switchid, switchport, wire, device, networkmember, networkroute };
}
