// VPNs as OVN sees them: ports and addresses, routes, translation, who may send from behind a tunnel, and whose lists judge it.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { derivedId } from '../lib/id.ts';
import { cidr, formatCidr } from '../lib/ip.ts';
import type { AclList, Intent } from '../model/intent.ts';
import type { PublicAddress } from '../model/public-side.ts';
import type { RemoteAccess, RemoteClient, SiteConnection, VpnSide } from '../model/vpn.ts';
import { check } from './check.ts';
import { compile } from './compile.ts';
import type { Desired } from './desired.ts';
import { HELPER_ADDRESS, HELPER_SPARES, helperId, helperPort } from './helper-leg.ts';
import { portGroupName, routerPortName } from './names.ts';
import { publicAddress, publicSide, withVpcs } from './public.test-support.ts';
import { type Packet, rowsOf, verdict } from './rows.test-support.ts';
import { ALLOW, DENY, THREE_HOSTS, guestOf, intentOf, listOf } from './sample.test-support.ts';
import { vpnPlaces, vpnPrefixes, vpnRoutes } from './vpn.ts';

const OWN = '203.0.113.10';
const OTHER = '203.0.113.11';
const SHOP = derivedId('vpc/shop');

const clientOf = (ip: string, ...cidrs: readonly string[]): RemoteClient => ({
  id: derivedId(`client/${ip}`),
  username: 'anna',
  ip,
  cidrs,
  passwordHash: '',
  password: '',
});

const accessOf = (more: Partial<RemoteAccess> = {}): RemoteAccess => ({
  id: derivedId(`access/${more.kind ?? 'openvpn'}/${more.publicIp ?? OTHER}`),
  kind: 'openvpn',
  publicIp: OTHER,
  port: 1194,
  range: '10.8.0.0/24',
  secrets: '',
  certificates: '',
  clients: [],
  ...more,
});

const siteOf = (more: Partial<SiteConnection> = {}): SiteConnection => ({
  id: derivedId(`site/${more.peer ?? ''}`),
  kind: 'ipsec',
  epoch: 0,
  local: OWN,
  peer: '198.51.100.9',
  cidrs: ['192.168.50.0/24'],
  passive: false,
  ipsec: {
    ikePolicy: '',
    espPolicy: '',
    ikeSeconds: 1,
    espSeconds: 1,
    dpd: false,
    forceEncap: false,
    ikeVersion: 0,
    split: false,
  },
  ...more,
});

const SIDE: VpnSide = {
  access: [accessOf({ clients: [clientOf('10.8.0.2', '192.168.7.0/24')] })],
  sites: [siteOf()],
};

const ADDRESSES = [publicAddress(OWN, { sourceNat: true }), publicAddress(OTHER, { helperSlot: 1 })];

function shop(
  vpn: VpnSide | undefined,
  {
    addresses = ADDRESSES,
    gatewayAcl,
    tierAcl = ALLOW,
    strict = false,
  }: {
    readonly addresses?: readonly PublicAddress[];
    readonly gatewayAcl?: AclList;
    readonly tierAcl?: AclList;
    readonly strict?: boolean;
  } = {},
): Intent {
  const intent = intentOf({
    fabric: THREE_HOSTS,
    privateNetworks: { dc: { cidr: '172.16.0.0/24' } },
    vpcs: [
      {
        name: 'shop',
        cidr: '10.1.0.0/16',
        tiers: { web: { cidr: '10.1.1.0/24', nics: ['10.1.1.11@hv1'], acl: tierAcl } },
        gateways: { dc: '172.16.0.1' },
        routes: ['10.2.0.0/16 via 172.16.0.2'],
        ...(gatewayAcl === undefined ? {} : { gatewayAcl }),
      },
    ],
  });
  return withVpcs(intent, () => ({
    publicSide: publicSide(addresses),
    ...(vpn === undefined ? {} : { vpn }),
    ...(strict ? { strictLists: true as const } : {}),
  }));
}

function compiled(intent: Intent): Desired {
  const desired = compile(intent);
  assert.deepEqual(check(desired, intent.fabric), []);
  return desired;
}

const owner = (intent: Intent) => intent.vpcs.get(SHOP)!;
const texts = (prefixes: readonly ReturnType<typeof cidr>[]): string[] => prefixes.map(formatCidr);
const helper = `@${portGroupName(helperId(SHOP))}`;

/** What the helper's own port does with a packet. */
function atHelper(desired: Desired, direction: 'to-lport' | 'from-lport', packet: Packet): string | undefined {
  const acls = rowsOf(desired, 'ACL').filter(
    ({ columns }) => columns['direction'] === direction && String(columns['match']).includes(helper),
  );
  return verdict(acls, { [direction === 'to-lport' ? 'outport' : 'inport']: helper, ...packet });
}

const udp = (from: string, to: string, port: number): Packet => ({
  protocol: 'udp',
  'ip4.src': from,
  'ip4.dst': to,
  'udp.dst': port,
});
const tcp = (from: string, to: string, port = 22): Packet => ({
  protocol: 'tcp',
  'ip4.src': from,
  'ip4.dst': to,
  'tcp.dst': port,
});

test("what comes to the helper from the router's public wires may be as long as they carry, and nothing else", () => {
  const ports = rowsOf(compiled(shop(SIDE)), 'Logical_Router_Port');
  const optionsOf = (id: string): object =>
    ports.find(({ columns }) => columns['name'] === routerPortName(id))!.columns['options'] as object;
  const wire = ports.find(({ columns }) => String(columns['networks']).startsWith(OWN))!;
  assert.deepEqual(optionsOf(helperId(SHOP)), {
    gateway_mtu: '1442',
    gateway_mtu_bypass: `inport == "${String(wire.columns['name'])}"`,
  });
  const tier = ports.find(({ columns }) => String(columns['networks']).startsWith('10.1.1.'))!;
  assert.deepEqual(tier.columns['options'], { gateway_mtu: '1442' });
});

test('vpnPlaces() gives each public address one of the helper’s, source NAT the first, and none to one that is an instance’s', () => {
  const access = [accessOf(), accessOf({ kind: 'ikev2', port: 500 }), accessOf({ kind: 'wireguard', port: 51_821 })];
  const intent = shop({ access, sites: [siteOf()] });
  assert.deepEqual(vpnPlaces(owner(intent)), [
    { publicIp: OWN, address: HELPER_ADDRESS, ports: [500, 4500] },
    { publicIp: OTHER, address: HELPER_SPARES[0], ports: [500, 1194, 4500, 51_821] },
  ]);
  const translated = ADDRESSES.map((one) =>
    one.ip === OTHER ? { ...one, staticNat: { nicId: '', networkId: '', ip: '10.1.1.11' } } : one,
  ) as readonly PublicAddress[];
  assert.deepEqual(vpnPlaces(owner(shop({ access, sites: [] }, { addresses: translated }))), []);
});

test('vpnPlaces() gives each address the one that is kept for it, whichever others there are', () => {
  const ips = [4, 2, 1, 3].map((slot) => [`203.0.113.${20 + slot}`, slot] as const);
  const addresses = [
    ...ips.map(([ip, helperSlot]) => publicAddress(ip, { helperSlot })),
    publicAddress(OWN, { sourceNat: true }),
  ];
  const placesOf = (...publicIps: readonly string[]): Map<string, string> => {
    const access = publicIps.map((publicIp) => accessOf({ publicIp }));
    const places = vpnPlaces(owner(shop({ access, sites: [] }, { addresses })));
    return new Map(places.map(({ publicIp, address }) => [publicIp, address]));
  };
  const all = placesOf(OWN, ...ips.map(([ip]) => ip));
  assert.deepEqual([...all.values()], [HELPER_ADDRESS, ...HELPER_SPARES]);
  assert.equal(all.get(OWN), HELPER_ADDRESS);
  for (const [ip] of ips) assert.deepEqual([...placesOf(ip)], [[ip, all.get(ip)]]);
});

test('what is behind tunnels is routed to the helper, and what it begins leaves by the address of its VPN', () => {
  const desired = compiled(shop(SIDE));
  const toHelper = rowsOf(desired, 'Logical_Router_Static_Route').filter(
    ({ columns }) => columns['nexthop'] === HELPER_ADDRESS,
  );
  assert.deepEqual(
    toHelper.map(({ columns }) => [columns['ip_prefix'], columns['output_port']]),
    ['10.8.0.0/24', '192.168.7.0/24', '192.168.50.0/24'].map((prefix) => [prefix, [routerPortName(helperId(SHOP))]]),
  );
  const nat = rowsOf(desired, 'NAT').filter(({ columns }) => String(columns['logical_ip']).startsWith('192.0.0.'));
  assert.deepEqual(
    nat.map(({ columns }) => [columns['type'], columns['external_ip'], columns['logical_ip']]).toSorted(),
    [
      ['snat', OWN, HELPER_ADDRESS],
      ['snat', OTHER, HELPER_SPARES[0]],
    ],
  );
  const port = rowsOf(desired, 'Logical_Switch_Port').find(({ uuid }) => uuid === helperPort(SHOP))!;
  const [secured] = port.columns['port_security'] as string[];
  for (const part of [HELPER_ADDRESS, HELPER_SPARES[0], '10.8.0.0/24', '192.168.7.0/24', '192.168.50.0/24'])
    assert.ok(secured!.split(' ').includes(part), `${part} in ${secured}`);
  assert.equal(
    rowsOf(compiled(shop(undefined)), 'Logical_Switch_Port').some(({ uuid }) => uuid === helperPort(SHOP)),
    false,
    'no VPN, no helper',
  );
});

test('vpnRoutes() never takes a route from the tenant, nor a network the router is on, nor everything', () => {
  const side: VpnSide = {
    access: [accessOf({ range: '10.1.1.0/25' })],
    sites: [siteOf({ cidrs: ['0.0.0.0/0', '10.2.0.0/16', '192.168.60.1/24', '192.168.60.0/24'] })],
  };
  assert.deepEqual(texts(vpnPrefixes(side)), ['10.1.1.0/25', '10.2.0.0/16', '192.168.60.0/24']);
  assert.deepEqual(texts(vpnRoutes(side, [cidr('10.2.0.0/16')], [cidr('10.1.1.0/24')])), ['192.168.60.0/24']);
});

test('the helper takes the VPNs’ ports at the address of each and nothing beside, and passes on what is for behind its tunnels', () => {
  const desired = compiled(shop(SIDE));
  const to = (packet: Packet): string | undefined => atHelper(desired, 'to-lport', packet);
  assert.equal(to(udp('198.51.100.7', HELPER_SPARES[0], 1194)), 'allow-related');
  assert.equal(to(udp('198.51.100.7', HELPER_ADDRESS, 1194)), 'drop', 'OpenVPN is at the other one');
  assert.equal(to(udp('198.51.100.9', HELPER_ADDRESS, 4500)), 'allow-related');
  assert.equal(to(tcp('198.51.100.7', HELPER_SPARES[0], 22)), 'drop');
  assert.equal(to(tcp('10.1.1.11', '10.8.0.2')), 'allow-related');
  assert.equal(to(tcp('10.1.1.11', '10.9.0.2')), 'drop');
  const from = (packet: Packet): string | undefined => atHelper(desired, 'from-lport', packet);
  assert.equal(from(tcp('10.8.0.2', '10.1.1.11')), 'allow-related');
  assert.equal(from(tcp('192.168.7.9', '10.1.1.11')), 'allow-related');
  assert.equal(from(tcp('10.9.0.2', '10.1.1.11')), 'drop', 'nobody is there');
  assert.equal(from(tcp(HELPER_ADDRESS, '10.1.1.11')), 'drop', 'the helper itself has no business with instances');
  assert.equal(from(udp(HELPER_ADDRESS, '198.51.100.9', 500)), 'allow-related', 'it begins with the peer');
  assert.equal(from(udp(HELPER_ADDRESS, '198.51.100.8', 500)), 'drop', 'and with nobody else');
});

test('nobody else sends from behind the tunnels: neither a tier nor a private gateway', () => {
  const policies = rowsOf(compiled(shop(SIDE)), 'Logical_Router_Policy');
  const policyFor = (port: string, source: string): string | undefined =>
    verdict(
      policies.filter(({ columns }) => String(columns['match']).startsWith(`inport == "${port}"`)),
      { inport: port, 'ip4.src': source, 'ip4.dst': '10.1.1.11' },
    );
  const intent = shop(SIDE);
  const [tier] = owner(intent).tiers;
  const [gateway] = owner(intent).gateways;
  for (const source of ['10.8.0.2', '192.168.7.9', '192.168.50.9']) {
    assert.equal(policyFor(routerPortName(tier!.id), source), 'drop', `tier as ${source}`);
    assert.equal(policyFor(routerPortName(gateway!.id), source), 'drop', `Private network as ${source}`);
    assert.equal(policyFor(routerPortName(helperId(SHOP)), source), 'allow', `the helper as ${source}`);
  }
  assert.equal(policyFor(routerPortName(helperId(SHOP)), '10.2.0.9'), 'drop', 'the helper as another VPC');
});

test('tiers’ lists judge clients like anybody from outside', () => {
  const list = listOf('vpn-only', '10 ingress allow tcp 22 10.8.0.0/24');
  const intent = shop(SIDE, { tierAcl: list });
  const desired = compiled(intent);
  const group = `@${portGroupName(owner(intent).tiers[0]!.id)}`;
  const at = (packet: Packet): string | undefined =>
    verdict(
      rowsOf(desired, 'ACL').filter(
        ({ columns }) => columns['direction'] === 'to-lport' && String(columns['match']).includes(group),
      ),
      { outport: group, ...packet },
    );
  assert.equal(at(tcp('10.8.0.2', '10.1.1.11', 22)), 'allow-related');
  assert.equal(at(tcp('10.8.0.2', '10.1.1.11', 80)), 'drop');
  assert.equal(at(tcp('192.168.7.9', '10.1.1.11', 22)), 'drop', 'the branch office is not in the list');
});

test('who comes by a private gateway reaches clients only as its list lets him, and his answers always', () => {
  const into = (gatewayAcl: AclList, packet: Packet, strict = false): string | undefined =>
    atHelper(compiled(shop(SIDE, { gatewayAcl, strict })), 'to-lport', packet);
  const beyond = tcp('10.2.0.9', '10.8.0.2');
  assert.equal(into(ALLOW, beyond), 'allow-related');
  assert.equal(into(DENY, beyond), 'drop');
  assert.equal(into(DENY, tcp('172.16.0.2', '192.168.50.9')), 'drop', 'nor another site');
  assert.equal(into(DENY, tcp('10.1.1.11', '10.8.0.2')), 'allow-related', 'the tier does');
  assert.equal(into(DENY, udp('198.51.100.7', HELPER_SPARES[0], 1194)), 'allow-related', 'and clients come');
  const some = listOf('some', '10 egress allow tcp 22 10.8.0.0/24');
  assert.equal(into(some, beyond), 'allow-related', 'Egress items say where to');
  assert.equal(into(some, tcp('10.2.0.9', '192.168.7.9')), 'drop');
  const strict = listOf('strict', '10 ingress allow tcp 22 10.2.0.0/16', '20 egress allow tcp 443 10.2.0.0/16');
  assert.equal(into(strict, beyond, true), 'allow-related');
  assert.equal(into(strict, tcp('172.16.0.9', '10.8.0.2'), true), 'drop');
  const out = compiled(shop(SIDE, { gatewayAcl: strict, strict: true }));
  assert.equal(atHelper(out, 'from-lport', tcp('10.8.0.2', '10.2.0.9', 443)), 'allow-related');
  assert.equal(atHelper(out, 'from-lport', tcp('10.8.0.2', '10.2.0.9', 22)), 'drop', 'strict lists judge what leaves');
  assert.equal(atHelper(out, 'from-lport', tcp('10.8.0.2', '10.1.1.11', 22)), 'allow-related');
  assert.equal(
    atHelper(compiled(shop(SIDE, { gatewayAcl: DENY })), 'from-lport', tcp('10.8.0.2', '10.2.0.9')),
    'allow-related',
    'others let what leaves go',
  );
});

test('a network outside VPCs that OVN routes for has the same: a route, the port, and no way for strangers', () => {
  const base = guestOf('net', { cidr: '10.50.1.0/24', routed: true, gateway: '10.50.1.1', nics: ['10.50.1.11@hv1'] });
  const guest = { ...base, publicSide: publicSide(ADDRESSES, { firewall: true }), vpn: { ...SIDE, sites: [] } };
  const intent = intentOf({ fabric: THREE_HOSTS, vpcs: [], guests: [guest] });
  const desired = compiled(intent);
  const routes = rowsOf(desired, 'Logical_Router_Static_Route').filter(
    ({ columns }) => columns['nexthop'] === HELPER_ADDRESS,
  );
  assert.deepEqual(
    routes.map(({ columns }) => columns['ip_prefix']),
    ['10.8.0.0/24', '192.168.7.0/24'],
  );
  const group = `@${portGroupName(guest.id)}`;
  const at = (direction: string, packet: Packet): string | undefined =>
    verdict(
      rowsOf(desired, 'ACL').filter(
        ({ columns }) => columns['direction'] === direction && String(columns['match']).includes(group),
      ),
      packet,
    );
  // Undefined: no rule is about it, and it passes.
  assert.notEqual(at('to-lport', { outport: group, ...tcp('10.8.0.2', '10.50.1.11') }), 'drop');
  assert.notEqual(at('from-lport', { inport: group, ...tcp('10.50.1.11', '10.8.0.2') }), 'drop');
  assert.equal(helpersOf(desired, guest.id).length, 1);
});

const helpersOf = (desired: Desired, id: string) =>
  rowsOf(desired, 'Logical_Switch_Port').filter(({ uuid }) => uuid === helperPort(id));
