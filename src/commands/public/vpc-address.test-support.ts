// What tests of public addresses of VPCs begin with: a VPC with tiers and an instance, and an address acquired for it.
import type { Params } from '../../../test/support/cloud.ts';
import type { PublicCloud } from './public.test-support.ts';

export const LIST = 'listPublicIpAddresses';

/** Addresses as a caller sees them: text, source NAT, network. */
export async function addresses(cloud: PublicCloud, params: Params = {}): Promise<unknown[]> {
  const rows = await cloud.list('acme-admin', LIST, params);
  return rows
    .map((row) => [row['ipaddress'], row['issourcenat'], row['state'], row['associatednetworkid'] ?? null])
    .toSorted((a, b) => (String(a[0]) < String(b[0]) ? -1 : 1));
}

/** A VPC with what is in it. */
export interface Shop {
  readonly vpcid: string;
  readonly web: string;
  readonly data: string;
  readonly vm: string;
}

/** A VPC with two tiers and an instance in the first. */
export async function shop(cloud: PublicCloud, name = 'blue', net = '10.1'): Promise<Shop> {
  const vpcid = await cloud.vpc('acme-admin', name, `${net}.0.0/16`);
  const web = String((await cloud.tier('acme-admin', vpcid, `${net}.1.0/24`))['id']);
  const data = String((await cloud.tier('acme-admin', vpcid, `${net}.2.0/24`))['id']);
  await cloud.settle();
  return { vpcid, web, data, vm: await cloud.instance('acme-admin', `${name}-vm`, web) };
}

/** Acquires an address for a VPC; gives its id. */
export async function acquired(cloud: PublicCloud, vpcid: string, more: Params = {}): Promise<string> {
  return String((await cloud.made('acme-admin', 'associateIpAddress', { vpcid, ...more }, 'ipaddress'))['id']);
}

/** A forward of port 22 to an instance. */
export const forwarding = (ipaddressid: string, vm: string, more: Params = {}): Params => ({
  ipaddressid,
  protocol: 'tcp',
  publicport: '22',
  privateport: '22',
  virtualmachineid: vm,
  ...more,
});
