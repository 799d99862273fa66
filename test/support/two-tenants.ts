// Two tenants with the same addresses, an attacker with one of them, and everybody who must not hear of him: what all tests of attacks
// with packets begin with.
import { field, text } from '../../src/demo/answer.ts';
import { type Guest, type Tenant, tenantOf } from '../../src/demo/tenant.ts';
import { eventually } from './lab.ts';
import type { LabCloud } from './tenant-lab.ts';

export interface Side {
  readonly tenant: Tenant;
  readonly vpcid: string;
  /** 10.1.1.0/24, open to everybody. */
  readonly front: string;
  /** 10.1.2.0/24, where a list lets in UDP to port 9 alone. */
  readonly back: string;
  /** 10.1.1.11 on h1, and 10.1.1.12 on h2. */
  readonly near: Guest;
  readonly far: Guest;
  /** 10.1.2.10 on h2, behind the list. */
  readonly listed: Guest;
}

export interface TwoTenants {
  readonly own: Side;
  readonly foreign: Side;
  /** 10.1.1.10 on h1, of the first tenant. */
  readonly attacker: Guest;
  /** The MAC of the attacker's gateway. */
  readonly gatewayMac: string;
  /** Everybody but the attacker. */
  readonly all: readonly Guest[];
}

export const GATEWAY = '10.1.1.1';
/** The one port that the list of the tier `back` lets in. */
export const OPEN_PORT = 9;

/** Makes both tenants' VPCs. */
export async function twoTenants({ cloud, wire }: LabCloud): Promise<TwoTenants> {
  const [own, foreign] = await Promise.all(
    ['acme', 'globex'].map(async (name) => side(name, await tenantOf(cloud, `${name}-admin`))),
  );
  const attacker = await own!.tenant.instance('attacker', own!.front, 'h1', { ipaddress: '10.1.1.10' });
  const gatewayMac = await eventually('the MAC of the gateway', async () => {
    await wire.pingFrom(attacker, GATEWAY);
    return wire.neighbour(attacker, GATEWAY);
  });
  const all = [own!, foreign!].flatMap(({ near, far, listed }) => [near, far, listed]);
  return { own: own!, foreign: foreign!, attacker, gatewayMac, all };
}

async function side(name: string, tenant: Tenant): Promise<Side> {
  const vpcid = await tenant.vpc('shop', '10.1.0.0/16');
  const [front, back] = [await tenant.tier(vpcid, GATEWAY, 'default_allow'), await tenant.tier(vpcid, '10.1.2.1')];
  const list = await tenant.call('createNetworkACLList', { vpcid, name: 'echo', description: 'UDP to port 9' });
  const aclid = text(field(list, 'networkacllist'), 'id');
  const port = String(OPEN_PORT);
  const rule = { aclid, number: '1', action: 'Allow', protocol: 'udp', startport: port, endport: port };
  await tenant.call('createNetworkACL', { ...rule, traffictype: 'Ingress', cidrlist: '0.0.0.0/0' });
  await tenant.call('replaceNetworkACLList', { networkid: back, aclid });
  const [near, far, listed] = await Promise.all([
    tenant.instance(`${name}-near`, front, 'h1', { ipaddress: '10.1.1.11' }),
    tenant.instance(`${name}-far`, front, 'h2', { ipaddress: '10.1.1.12' }),
    tenant.instance(`${name}-listed`, back, 'h2', { ipaddress: '10.1.2.10' }),
  ]);
  return { tenant, vpcid, front, back, near: near!, far: far!, listed: listed! };
}
