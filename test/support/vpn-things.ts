// One VPN object of each kind that a tenant can own, by kind: for tests that go through all commands.
import type { Body, Cloud, Who } from './cloud.ts';

/** `vpcid`: a VPC of theirs with a public address to spare (`publicipid`), and its source NAT address. */
export async function makeVpn(
  cloud: Cloud,
  who: Who,
  { vpcid, publicipid }: { readonly vpcid: string; readonly publicipid: string },
): Promise<Readonly<Record<string, string>>> {
  const made = async (command: string, key: string, params: Record<string, string>): Promise<string> =>
    String(((await cloud.doAs(who, command, params))[key] as Body)['id']);
  const remoteaccessvpn = await made('createRemoteAccessVpn', 'remoteaccessvpn', { publicipid });
  const vpnuser = await made('addVpnUser', 'vpnuser', { username: 'anna', password: 'Secret.1' });
  await cloud.callAs(who, 'createVpnClientProfile', { remoteaccessvpnid: remoteaccessvpn, vpnuserid: vpnuser });
  const vpngateway = await made('createVpnGateway', 'vpngateway', { vpcid });
  const vpncustomergateway = await made('createVpnCustomerGateway', 'vpncustomergateway', {
    name: 'office',
    gateway: '198.51.100.9',
    cidrlist: '192.168.50.0/24',
    ipsecpsk: 'AVeryLongSecret',
    ikepolicy: 'aes256-sha256;modp2048',
    esppolicy: 'aes256-sha256;modp2048',
  });
  const vpnconnection = await made('createVpnConnection', 'vpnconnection', {
    s2svpngatewayid: vpngateway,
    s2scustomergatewayid: vpncustomergateway,
  });
  return { remoteaccessvpn, vpnuser, vpngateway, vpncustomergateway, vpnconnection };
}
