// From the intent's VPNs to what a gateway node is told of them. The one place where their secrets are opened: the node's document is
// sent over a channel whose both ends are known, to nodes that may serve the VPN. Those keep it, so that one can take over with the
// server away.
import { routingOf } from '../compile/routing.ts';
import { cidr, covers, formatCidr, sameCidr, type Cidr } from '../lib/ip.ts';
import type { GuestNetwork, Vpc } from '../model/intent.ts';
import { parsePolicy, proposalTexts } from '../model/vpn-policy.ts';
import type { AccessCertificates, AccessSecrets, RemoteAccess, RemoteClient, SiteConnection } from '../model/vpn.ts';
import type { VpnSpec } from '../protocol/vpn.ts';

/** What the VPNs of a router need; `unseal` opens what is sealed. One that lacks something it cannot do without is left out. */
export function vpnSpecs(owner: Vpc | GuestNetwork, unseal: (sealed: string) => string): VpnSpec[] {
  const { vpn } = owner;
  if (vpn === undefined) return [];
  const routes = vpn.access.length === 0 ? [] : clientRoutes(owner);
  return [
    ...vpn.access.flatMap((access) => accessSpec(access, routes, unseal)),
    ...('tiers' in owner ? vpn.sites.flatMap((site) => siteSpec(site, [owner.cidr], unseal)) : []),
  ];
}

/**
 * Networks that clients are led to: every tier, every Private network, and what static routes lead to that carry traffic; or the network
 * and what is behind its devices. Never everything: a default route leads out of the VPC, and clients have a way out of their own.
 */
export function clientRoutes(owner: Vpc | GuestNetwork): readonly string[] {
  const prefixes = 'tiers' in owner ? ofVpc(owner) : ofNetwork(owner);
  const kept = prefixes.filter((prefix) => prefix.length > 0);
  const least = kept.filter((prefix) => !kept.some((other) => !sameCidr(other, prefix) && covers(other, prefix)));
  return [...new Set(least.toSorted((a, b) => a.base - b.base).map(formatCidr))];
}

function ofVpc(vpc: Vpc): Cidr[] {
  const { connected, paths } = routingOf(vpc);
  return [...connected.map(({ prefix }) => prefix), ...paths.map(({ prefix }) => prefix)];
}

function ofNetwork(network: GuestNetwork): Cidr[] {
  return [...(network.cidr === undefined ? [] : [network.cidr]), ...network.routes.map((route) => route.cidr)].map(
    cidr,
  );
}

function accessSpec(access: RemoteAccess, routes: readonly string[], unseal: (sealed: string) => string): VpnSpec[] {
  const { id, port, publicIp, range, clients } = access;
  const secrets = JSON.parse(unseal(access.secrets)) as AccessSecrets;
  const { ca, server: certificate } = JSON.parse(access.certificates) as AccessCertificates;
  const common = { id, publicIp, range, routes, dns: [] };
  const base = ({ id: client, ip, cidrs }: RemoteClient) => ({ id: client, ip, routes: cidrs });
  switch (access.kind) {
    case 'wireguard': {
      const { privateKey } = secrets;
      if (privateKey === undefined) return [];
      const known = clients.flatMap((client) =>
        client.publicKey === undefined
          ? []
          : [
              {
                ...base(client),
                publicKey: client.publicKey,
                ...(client.presharedKey === undefined ? {} : { presharedKey: unseal(client.presharedKey) }),
                ...(client.endpoint === undefined ? {} : { endpoint: client.endpoint }),
              },
            ],
      );
      return [{ kind: 'wireguard', ...common, port, privateKey, clients: known }];
    }
    case 'openvpn': {
      const { key, tlsCrypt } = secrets;
      if (key === undefined || tlsCrypt === undefined || ca === undefined || certificate === undefined) return [];
      const known = clients.flatMap((client) =>
        client.serial === undefined
          ? []
          : [
              {
                ...base(client),
                username: client.username,
                passwordHash: client.passwordHash,
                serial: client.serial,
              },
            ],
      );
      return [{ kind: 'openvpn', ...common, port, ca, certificate, key, tlsCrypt, clients: known }];
    }
    case 'ikev2': {
      const { key } = secrets;
      if (key === undefined || ca === undefined || certificate === undefined) return [];
      const known = clients.map((client) => ({
        ...base(client),
        username: client.username,
        password: unseal(client.password),
      }));
      return [{ kind: 'ikev2', ...common, ca, certificate, key, clients: known }];
    }
    default:
      return access.kind satisfies never;
  }
}

function siteSpec(site: SiteConnection, localCidrs: readonly string[], unseal: (sealed: string) => string): VpnSpec[] {
  const { id, epoch, local, peer, passive, wireguard, ipsec, psk } = site;
  const common = { id, epoch, local, peer, localCidrs, remoteCidrs: site.cidrs, passive };
  if (wireguard !== undefined) {
    return [
      {
        kind: 'wireguard-site',
        ...common,
        port: wireguard.port,
        privateKey: unseal(wireguard.privateKey),
        publicKey: wireguard.peerKey,
        peerPort: wireguard.peerPort,
        ...(psk === undefined ? {} : { presharedKey: unseal(psk) }),
      },
    ];
  }
  const ike = ipsec === undefined ? undefined : parsePolicy(ipsec.ikePolicy, 'ike');
  const esp = ipsec === undefined ? undefined : parsePolicy(ipsec.espPolicy, 'esp');
  if (ipsec === undefined || psk === undefined || ike === undefined || esp === undefined) return [];
  return [
    {
      kind: 'ipsec',
      ...common,
      psk: unseal(psk),
      ikeVersion: ipsec.ikeVersion,
      ikeProposals: proposalTexts(ike),
      espProposals: proposalTexts(esp),
      ikeSeconds: ipsec.ikeSeconds,
      espSeconds: ipsec.espSeconds,
      dpd: ipsec.dpd,
      forceEncap: ipsec.forceEncap,
      split: ipsec.split,
    },
  ];
}
