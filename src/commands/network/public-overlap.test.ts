// CIDRs of networks beside the wires of public addresses.
import { test } from 'node:test';
import type { Params } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { type PublicCloud, openCloud } from '../public/public.test-support.ts';

const OVN = 'DefaultIsolatedNetworkOfferingWithSourceNatService';

const range = (third: number, from: number, to: number): Params => ({
  zoneid: BUILT_IN.zone,
  vlan: String(80 + third),
  startip: `10.0.${third}.${from}`,
  endip: `10.0.${third}.${to}`,
  gateway: `10.0.${third}.1`,
  netmask: '255.255.255.0',
});

/** createNetwork of an offering whose networks have addresses that nobody translates, by root. */
async function routed(cloud: PublicCloud): Promise<(cidr: string) => Params> {
  const { networkoffering } = (await cloud.callAs('admin', 'createNetworkOffering', {
    name: 'Routed',
    displaytext: 'Routed',
    guestiptype: 'Isolated',
    traffictype: 'Guest',
    supportedservices: 'Dhcp,Gateway',
    serviceproviderlist: ['Dhcp', 'Gateway'].map((service) => ({ service, provider: 'VirtualRouter' })),
    networkmode: 'ROUTED',
    enable: 'true',
  })) as { networkoffering: { id: string } };
  return (cidr) => ({ name: `n-${cidr}`, zoneid: BUILT_IN.zone, networkofferingid: networkoffering.id, cidr });
}

test('createNetwork refuses a network or tier of translated addresses on the wire of public ones', async () => {
  await using cloud = await openCloud();
  await cloud.callAs('admin', 'createVlanIpRange', range(5, 100, 120));
  const named = { name: 'web', zoneid: BUILT_IN.zone, networkofferingid: cloud.offering(OVN) };
  const met = "overlaps with the subnet 10.0.5.0/24 of the zone's public addresses";
  await cloud.refused('acme-admin', 'createNetwork', { ...named, cidr: '10.0.5.0/28' }, met);
  await cloud.refused('acme-admin', 'createNetwork', { ...named, cidr: '10.0.4.0/22' }, met);
  const vpcid = await cloud.vpc('acme-admin', 'blue', '10.0.0.0/16');
  const networkofferingid = cloud.offering('DefaultIsolatedNetworkOfferingForVpcNetworks');
  await cloud.refused(
    'acme-admin',
    'createNetwork',
    { ...named, networkofferingid, vpcid, cidr: '10.0.5.128/25' },
    met,
  );
  await cloud.net('acme-admin', 'beside', { cidr: '10.0.6.0/24' }, OVN);
  // Without a router nobody takes the addresses for his own.
  await cloud.networkOf('acme-admin', 'bare', 'NoServices', { cidr: '10.0.5.0/24', zoneid: BUILT_IN.zone });
});

test('a routed network may be a part of the wire, but for its gateway, what is given out, and other routed networks', async () => {
  await using cloud = await openCloud();
  await cloud.callAs('admin', 'createVlanIpRange', range(5, 100, 120));
  const of = await routed(cloud);
  await cloud.refused('acme-admin', 'createNetwork', of('10.0.5.0/25'), 'overlaps with the gateway 10.0.5.1');
  await cloud.refused(
    'acme-admin',
    'createNetwork',
    of('10.0.5.112/28'),
    'overlaps with the range 10.0.5.100-10.0.5.120',
  );
  await cloud.callAs('acme-admin', 'createNetwork', of('10.0.5.128/27'));
  await cloud.refused(
    'globex-admin',
    'createNetwork',
    of('10.0.5.128/28'),
    /overlaps with that of another network of the zone: nobody translates their addresses/,
  );
  await cloud.refused('admin', 'createNetwork', of('10.0.5.144/28'), 'overlaps with that of network n-10.0.5.128/27');
});

test('createVlanIpRange and updateVlanIpRange refuse addresses that networks have', async () => {
  await using cloud = await openCloud();
  const of = await routed(cloud);
  await cloud.callAs('acme-admin', 'createNetwork', of('10.0.7.32/27'));
  await cloud.net('acme-admin', 'web', { cidr: '10.0.8.0/24' }, OVN);
  await cloud.refused(
    'admin',
    'createVlanIpRange',
    range(7, 30, 40),
    /the range 10\.0\.7\.30-10\.0\.7\.40 overlaps with network n-/,
  );
  await cloud.refused(
    'admin',
    'createVlanIpRange',
    range(8, 30, 40),
    'the subnet 10.0.8.0/24 overlaps with network web',
  );
  const { vlan } = (await cloud.callAs('admin', 'createVlanIpRange', range(7, 20, 31))) as { vlan: { id: string } };
  await cloud.refused('admin', 'updateVlanIpRange', { id: vlan.id, endip: '10.0.7.40' }, 'overlaps with network n-');
  await cloud.callAs('admin', 'updateVlanIpRange', { id: vlan.id, endip: '10.0.7.25' });
});
