// A network of a tenant behind a router node, with a public address and one rule of each kind: what tests of the whole API need of
// the public side.
import { BUILT_IN } from '../../src/model/built-in.ts';
import type { Body, Cloud, Params, Who } from './cloud.ts';
import { addRouters } from './hosts.ts';
import { idOf, makeInstance } from './story.ts';

export interface PublicThings {
  /** The network behind the router node. */
  readonly behind: string;
  readonly publicip: string;
  readonly portforward: string;
  readonly firewallrule: string;
  readonly loadbalancer: string;
  readonly stickinesspolicy: string;
  readonly healthcheckpolicy: string;
}

/** What the operator adds first: two router nodes, and public addresses. */
export async function openPublicSide(cloud: Cloud): Promise<void> {
  await addRouters(cloud.store);
  await cloud.callAs('admin', 'createVlanIpRange', {
    zoneid: BUILT_IN.zone,
    startip: '203.0.113.10',
    endip: '203.0.113.50',
    gateway: '203.0.113.1',
    netmask: '255.255.255.0',
  });
}

/** `number` tells the networks of several tenants apart. */
export async function makePublic(cloud: Cloud, who: Who, number = 1): Promise<PublicThings> {
  const networkofferingid = await idOf(cloud, who, 'listNetworkOfferings', 'networkoffering', { name: 'LinuxRouter' });
  const { network } = (await cloud.callAs(who, 'createNetwork', {
    name: 'behind',
    zoneid: BUILT_IN.zone,
    networkofferingid,
    cidr: `10.${150 + number}.0.0/24`,
  })) as { network: Body };
  const networkid = String(network['id']);
  const virtualmachineid = await makeInstance(cloud, who, networkid);
  const made = async (command: string, params: Params): Promise<string> => {
    const { id } = await cloud.callAs(who, command, params);
    await cloud.settle();
    return String(id);
  };
  const ipaddressid = await made('associateIpAddress', { networkid });
  const loadbalancer = await made('createLoadBalancerRule', {
    publicipid: ipaddressid,
    name: 'lb',
    algorithm: 'roundrobin',
    publicport: '80',
    privateport: '80',
  });
  await made('assignToLoadBalancerRule', { id: loadbalancer, virtualmachineids: virtualmachineid });
  await made('createEgressFirewallRule', { networkid, protocol: 'tcp', startport: '80' });
  return {
    behind: networkid,
    publicip: ipaddressid,
    portforward: await made('createPortForwardingRule', {
      ipaddressid,
      virtualmachineid,
      protocol: 'tcp',
      publicport: '22',
      privateport: '22',
    }),
    firewallrule: await made('createFirewallRule', { ipaddressid, protocol: 'icmp', icmptype: '8', icmpcode: '0' }),
    loadbalancer,
    stickinesspolicy: await made('createLBStickinessPolicy', {
      lbruleid: loadbalancer,
      name: 'stay',
      methodname: 'SourceBased',
    }),
    healthcheckpolicy: await made('createLBHealthCheckPolicy', { lbruleid: loadbalancer }),
  };
}
