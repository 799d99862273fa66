// What a router node's document says of one network: the intent's role in the document's words. Pure.
import { cidr, formatCidr, lengthOfNetmask } from '../lib/ip.ts';
import { cidr6, formatCidr6 } from '../lib/ip6.ts';
import type { PublicAddress } from '../model/public-side.ts';
import type { RouterRole, RouterRole6 } from '../model/router-role.ts';
import type { PublicAddressSpec, RouterSpec, RouterSpec6 } from '../protocol/document.ts';

/** `mtu`: bytes of an IP packet that fit through the network's VLAN. */
export function routerSpec(role: RouterRole, mtu: number): RouterSpec {
  const { network } = role;
  return {
    id: role.id,
    networkId: network.id,
    name: network.name,
    vlan: network.vlan,
    cidr: formatCidr(cidr(network.cidr)),
    ip: role.ip,
    gateway: role.gateway,
    priority: role.priority,
    peers: role.peers,
    peerNodes: role.peerNodes,
    mode: role.mode,
    routable: role.routable,
    ...(role.dhcp ? { dhcp: { domain: network.domainName, dns: network.dns, mtu, leases: role.leases } } : {}),
    ...(role.dnsService ? { dns: { domain: network.domainName, servers: network.dns } } : {}),
    firewall: role.firewall,
    egressDefault: role.egressDefault,
    egress: role.egress,
    routes: role.routes.map(({ cidr: prefix, via }) => ({ cidr: prefix, via })),
    publicAddresses: role.publicAddresses.map(publicSpec),
    ...(role.six === undefined ? {} : { six: sixSpec(role.six, mtu) }),
  };
}

function sixSpec(
  { cidr: prefix, gateway, link, uplink, proxied, ingress, egressDefault, egress }: RouterRole6,
  mtu: number,
): RouterSpec6 {
  return {
    cidr: formatCidr6(cidr6(prefix)),
    gateway,
    link,
    mtu,
    ...(uplink === undefined
      ? {}
      : {
          uplink: {
            address: uplink.address,
            prefixLength: cidr6(uplink.cidr).length,
            gateway: uplink.gateway,
            ...(uplink.vlan === undefined ? {} : { vlan: uplink.vlan }),
          },
        }),
    proxied,
    ingress,
    egressDefault,
    egress,
  };
}

function publicSpec(address: PublicAddress): PublicAddressSpec {
  const { ip, netmask, gateway, vlan, sourceNat, staticNat, ingress } = address;
  return {
    ip,
    prefixLength: lengthOfNetmask(netmask) ?? 32,
    gateway,
    ...(vlan === undefined ? {} : { vlan }),
    sourceNat,
    ...(staticNat === undefined ? {} : { staticNat }),
    ingress,
    forwards: address.forwards.map(({ protocol, publicPort, publicEndPort, privatePort, ip: to, cidrs }) => ({
      protocol,
      publicPort,
      publicEndPort,
      privatePort,
      ip: to,
      cidrs,
    })),
    balancers: address.balancers.map((balancer) => ({
      ...balancer,
      members: balancer.members.map(({ ip: to, port }) => ({ ip: to, port })),
    })),
  };
}
