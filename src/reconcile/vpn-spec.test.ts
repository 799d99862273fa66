// What gateway nodes are told of VPNs: secrets opened, routes that carry, and nothing to whom it does not concern.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELPER_ADDRESS, HELPER_SPARES } from '../compile/helper-leg.ts';
import { publicAddress, publicSide, withVpcs } from '../compile/public.test-support.ts';
import { ALLOW, THREE_HOSTS, guestOf, intentOf } from '../compile/sample.test-support.ts';
import { derivedId } from '../lib/id.ts';
import type { Chassis, Fabric, Intent } from '../model/intent.ts';
import type { Balancer } from '../model/public-side.ts';
import type { RemoteAccess, SiteConnection, VpnSide } from '../model/vpn.ts';
import { helperErrors, helperNodes, helpersByNode, vpnNodes } from './helper-documents.ts';
import { clientRoutes, vpnSpecs } from './vpn-spec.ts';

const OWN = '203.0.113.10';
const OTHER = '203.0.113.11';
const SHOP = derivedId('vpc/shop');

/** Sealing that a person can read. */
const unseal = (sealed: string): string => {
  assert.ok(sealed.startsWith('sealed:'), `${sealed} is opened once`);
  return sealed.slice('sealed:'.length);
};

const openvpn: RemoteAccess = {
  id: derivedId('access/openvpn'),
  kind: 'openvpn',
  publicIp: OTHER,
  port: 1194,
  range: '10.8.0.0/24',
  secrets: `sealed:${JSON.stringify({ key: 'KEY', tlsCrypt: 'STATIC', caKey: 'AUTHORITY' })}`,
  certificates: JSON.stringify({ ca: 'CA', server: 'SERVER' }),
  clients: [
    {
      id: derivedId('client/anna'),
      username: 'anna',
      ip: '10.8.0.2',
      cidrs: ['192.168.7.0/24'],
      passwordHash: 'HASH',
      password: 'sealed:Secret.1',
      serial: 'AB',
    },
    { id: derivedId('client/none'), username: 'none', ip: '10.8.0.3', cidrs: [], passwordHash: 'HASH', password: '' },
  ],
};

const site: SiteConnection = {
  id: derivedId('site'),
  kind: 'ipsec',
  epoch: 3,
  local: OWN,
  peer: '198.51.100.9',
  cidrs: ['192.168.50.0/24'],
  passive: true,
  psk: 'sealed:PSK',
  ipsec: {
    ikePolicy: 'aes256-sha256;modp2048',
    espPolicy: 'aes256-sha256',
    ikeSeconds: 3600,
    espSeconds: 600,
    dpd: true,
    forceEncap: false,
    ikeVersion: 2,
    split: false,
  },
};

function shop(
  vpn: VpnSide,
  routes: readonly string[] = [],
  { fabric = THREE_HOSTS, balancers = [] }: { readonly fabric?: Fabric; readonly balancers?: readonly Balancer[] } = {},
): Intent {
  const intent = intentOf({
    fabric,
    privateNetworks: { dc: { cidr: '172.16.0.0/24' } },
    vpcs: [
      {
        name: 'shop',
        cidr: '10.1.0.0/16',
        tiers: {
          web: { cidr: '10.1.1.0/24', nics: ['10.1.1.11@hv1'], acl: ALLOW },
          db: { cidr: '10.1.2.0/24', acl: ALLOW },
        },
        gateways: { dc: '172.16.0.1' },
        routes,
      },
    ],
  });
  const addresses = [publicAddress(OWN, { sourceNat: true, balancers }), publicAddress(OTHER, { helperSlot: 1 })];
  return withVpcs(intent, () => ({ publicSide: publicSide(addresses), vpn }));
}

const vpcOf = (intent: Intent) => intent.vpcs.get(SHOP)!;

test('clientRoutes() are tiers, Private networks and routes that carry traffic: never everything, and none twice', () => {
  const routes = [
    '0.0.0.0/0 via 172.16.0.2',
    '10.2.0.0/16 via 172.16.0.2',
    '10.2.3.0/24 via 172.16.0.3',
    '10.9.0.0/16 via 172.31.0.9',
  ];
  assert.deepEqual(clientRoutes(vpcOf(shop({ access: [], sites: [] }, routes))), [
    '10.1.1.0/24',
    '10.1.2.0/24',
    '10.2.0.0/16',
    '172.16.0.0/24',
  ]);
  const guest = guestOf('net', { cidr: '10.50.1.0/24', routed: true, gateway: '10.50.1.1' });
  const behind = [{ id: 'r', cidr: '192.168.8.0/24', via: '10.50.1.9' }];
  assert.deepEqual(clientRoutes({ ...guest, routes: behind }), ['10.50.1.0/24', '192.168.8.0/24']);
});

test('vpnSpecs() opens what a node needs and nothing more: not the authority’s key, and nobody without a profile', () => {
  const [access, connection] = vpnSpecs(vpcOf(shop({ access: [openvpn], sites: [site] })), unseal);
  assert.ok(access?.kind === 'openvpn');
  assert.deepEqual([access.ca, access.certificate, access.key, access.tlsCrypt], ['CA', 'SERVER', 'KEY', 'STATIC']);
  assert.deepEqual(
    access.clients.map(({ username, ip, routes, serial }) => [username, ip, routes, serial]),
    [['anna', '10.8.0.2', ['192.168.7.0/24'], 'AB']],
  );
  assert.ok(!JSON.stringify(access).includes('AUTHORITY'), 'who holds a gateway node signs no certificates');
  assert.ok(!JSON.stringify(access).includes('Secret.1'), 'OpenVPN checks a hash');
  assert.ok(connection?.kind === 'ipsec');
  assert.deepEqual(
    [connection.psk, connection.localCidrs, connection.remoteCidrs, connection.epoch, connection.passive],
    ['PSK', ['10.1.0.0/16'], ['192.168.50.0/24'], 3, true],
  );
  assert.deepEqual([connection.ikeProposals, connection.espProposals], [['aes256-sha256-modp2048'], ['aes256-sha256']]);
});

test('vpnSpecs() leaves out what lacks something it cannot do without', () => {
  const { psk: _, ...keyless } = site;
  const unreadable: SiteConnection = { ...site, ipsec: { ...site.ipsec!, ikePolicy: 'rot13' } };
  for (const vpn of [
    { access: [{ ...openvpn, secrets: 'sealed:{}' }], sites: [] },
    { access: [{ ...openvpn, kind: 'wireguard' as const, secrets: 'sealed:{}' }], sites: [] },
    { access: [], sites: [keyless] },
    { access: [], sites: [unreadable] },
  ])
    assert.deepEqual(vpnSpecs(vpcOf(shop(vpn)), unseal), []);
});

test('helpersByNode() tells the group of the router, each VPN with the address it is at, and the same object while nothing changed', () => {
  const intent = shop({ access: [openvpn], sites: [site] });
  const nodes = helperNodes(`vpc:${SHOP}`, intent);
  const byNode = helpersByNode(intent, unseal);
  assert.ok(nodes.length > 0);
  assert.deepEqual([...byNode.keys()].toSorted(), [...nodes].toSorted());
  const [helper] = byNode.get(nodes[0]!)!;
  assert.deepEqual(
    helper!.jobs.vpns!.map(({ address, spec }) => [spec.kind, address]),
    [
      ['openvpn', HELPER_SPARES[0]],
      ['ipsec', HELPER_ADDRESS],
    ],
  );
  assert.equal(helpersByNode(intent, unseal).get(nodes[0]!)![0], helper);
  const told = [{ id: SHOP, active: true, error: 'OpenVPN does not run' }];
  const report = { node: nodes[0]!, generation: 1, instances: [], facts: {}, helpers: told };
  const errors = helperErrors(intent, new Map([[nodes[0]!, report as never]]));
  for (const id of [SHOP, openvpn.id, site.id]) assert.match(errors.get(id)!, /OpenVPN does not run/);
  const more = shop({ access: [openvpn, { ...openvpn, id: derivedId('gone'), publicIp: '203.0.113.99' }], sites: [] });
  const [other] = helpersByNode(more, unseal).get(nodes[0]!)!;
  assert.deepEqual(
    other!.jobs.vpns!.map(({ spec }) => spec.id),
    [openvpn.id],
    'a VPN at an address the router does not have is nowhere',
  );
  assert.equal(helpersByNode(shop({ access: [], sites: [] }), unseal).size, 0, 'no VPN, no helper');
});

test('helpersByNode() tells nobody of VPNs who only fills up the group: no witness, and no hypervisor beside gateways', () => {
  const chassis = (name: string, kind: Chassis['kind']): Chassis => ({ name, kind, underlayIp: '192.0.2.1' });
  const gateways = [chassis('gw1', 'gateway'), chassis('gw2', 'gateway')];
  const balancer: Balancer = {
    id: derivedId('balancer'),
    protocol: 'tcp',
    publicPort: 80,
    algorithm: 'leastconn',
    sticky: false,
    cidrs: [],
    members: [],
  };
  for (const filler of [chassis('watch', 'witness'), chassis('hv1', 'hypervisor')])
    for (const balancers of [[], [balancer]]) {
      const intent = shop({ access: [openvpn], sites: [site] }, [], {
        fabric: { ...THREE_HOSTS, chassis: [...gateways, filler] },
        balancers,
      });
      const byNode = helpersByNode(intent, unseal);
      for (const { name } of gateways) assert.equal(byNode.get(name)![0]!.jobs.vpns?.length, 2, name);
      assert.deepEqual(vpnNodes(`vpc:${SHOP}`, intent).toSorted(), ['gw1', 'gw2']);
      const told = JSON.stringify(byNode.get(filler.name) ?? []);
      for (const secret of ['KEY', 'STATIC', 'PSK', 'HASH'])
        assert.ok(!told.includes(secret), `${filler.name}: ${secret}`);
      assert.equal(
        byNode.get(filler.name)?.length,
        balancers.length === 0 ? undefined : 1,
        'what has no secrets stays',
      );
      assert.ok(helperNodes(`vpc:${SHOP}`, intent).includes(filler.name) === balancers.length > 0);
    }
});
