// What a router node is told of a network: the role in the document's words, in a form the agent takes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../lib/id.ts';
import type { Host, Intent } from '../model/intent.ts';
import type { RouterRole } from '../model/router-role.ts';
import type { NodeReport } from '../protocol/document.ts';
import { nodeDocument } from '../protocol/schema.ts';
import { routerErrors } from './router-errors.ts';
import { routerSpec } from './router-spec.ts';

const FORWARD = newId();
const RULE = {
  id: newId(),
  protocol: 'tcp',
  startPort: 22,
  endPort: 22,
  cidrs: ['0.0.0.0/0'],
  destinationCidrs: [],
} as const;

function role(more: Partial<RouterRole> = {}): RouterRole {
  return {
    id: newId(),
    network: { id: newId(), name: 'web', cidr: '10.1.1.1/24', vlan: 1234, domainName: 'web.example', dns: ['9.9.9.9'] },
    ip: '10.1.1.254',
    gateway: '10.1.1.1',
    priority: 200,
    peers: ['10.1.1.253'],
    peerNodes: [{ name: 'r2', underlayIp: '192.0.2.12' }],
    mode: 'NATTED',
    routable: [],
    dhcp: true,
    dnsService: true,
    firewall: true,
    egressDefault: 'deny',
    egress: [RULE],
    leases: [{ mac: '02:00:00:00:00:01', ip: '10.1.1.2', hostname: 'vm1' }],
    routes: [{ id: newId(), cidr: '192.168.0.0/24', via: '10.1.1.9' }],
    publicAddresses: [
      {
        id: newId(),
        ip: '203.0.113.10',
        range: newId(),
        physicalNetwork: 'physnet1',
        netmask: '255.255.255.128',
        gateway: '203.0.113.1',
        vlan: 77,
        sourceNat: true,
        forwards: [
          {
            id: FORWARD,
            protocol: 'tcp',
            publicPort: 2222,
            publicEndPort: 2222,
            privatePort: 22,
            ip: '10.1.1.2',
            nicId: newId(),
            networkId: newId(),
            cidrs: [],
          },
        ],
        balancers: [],
        ingress: [RULE],
      },
    ],
    ...more,
  };
}

test('routerSpec() says the role in the words of the document, with prefix lengths and canonical prefixes', () => {
  const given = role();
  const spec = routerSpec(given, 1500);
  assert.deepEqual(
    [spec.cidr, spec.networkId, spec.publicAddresses[0]?.prefixLength, spec.routes],
    ['10.1.1.0/24', given.network.id, 25, [{ cidr: '192.168.0.0/24', via: '10.1.1.9' }]],
  );
  assert.deepEqual(spec.dhcp, { domain: 'web.example', dns: ['9.9.9.9'], mtu: 1500, leases: given.leases });
  assert.deepEqual(spec.dns, { domain: 'web.example', servers: ['9.9.9.9'] });
  const { dhcp, dns, ...bare } = routerSpec(role({ dhcp: false, dnsService: false }), 1500);
  assert.deepEqual([dhcp, dns], [undefined, undefined]);
  assert.ok(!('dhcp' in bare) && !('dns' in bare));
});

test('routerSpec() gives what an agent takes', () => {
  const document = { node: 'r1', generation: 7, instances: [], peers: [], routers: [routerSpec(role(), 1500)] };
  const taken = nodeDocument.safeParse(document);
  assert.ok(taken.success, JSON.stringify(taken.error?.issues));
  assert.equal(taken.data.routers?.[0]?.publicAddresses[0]?.forwards[0]?.publicPort, 2222);
});

const ENTERS = { ...RULE, id: newId(), cidrs: ['2001:db8:51::/48'] };
const SIX = {
  cidr: '2001:db8:1::/64',
  gateway: '2001:db8:1::1',
  link: 'fe80::ff:fe00:1',
  proxied: ['2001:db8:1::7'],
  ingress: [ENTERS],
  egressDefault: 'allow',
  egress: [],
} as const;

test('routerSpec() says what of a role is IPv6, with a way out or without, as an agent takes it', () => {
  const uplink = {
    vlan: 77,
    cidr: '2001:db8:100::/64',
    gateway: '2001:db8:100::1',
    address: '2001:db8:100::ff:fe00:1',
  };
  const routers = [
    routerSpec(role({ six: { ...SIX, uplink } }), 1400),
    routerSpec(role({ six: SIX }), 1500),
    routerSpec(role(), 1500),
  ];
  const { six } = routers[0]!;
  assert.deepEqual(six?.uplink, { address: uplink.address, prefixLength: 64, gateway: uplink.gateway, vlan: 77 });
  assert.deepEqual([six.cidr, six.gateway, six.link, six.mtu], [SIX.cidr, SIX.gateway, SIX.link, 1400]);
  assert.deepEqual(six.proxied, SIX.proxied);
  assert.deepEqual([routers[1]!.six?.mtu, routers[1]!.six?.uplink, routers[2]!.six], [1500, undefined, undefined]);
  const taken = nodeDocument.safeParse({ node: 'r1', generation: 7, instances: [], peers: [], routers });
  assert.ok(taken.success, JSON.stringify(taken.error?.issues));
  assert.deepEqual(taken.data.routers?.[0]?.six?.ingress[0]?.cidrs, ['2001:db8:51::/48']);
});

test('routerErrors() finds the network, the leg, the addresses and the rules that an error is about, and no others', () => {
  const [broken, well] = [role({ six: SIX }), role()];
  const host = {
    id: 'r1',
    name: 'r1',
    kind: 'router',
    chassis: 'r1',
    underlayIp: '192.0.2.1',
    instances: [],
    routers: [broken, { ...well, publicAddresses: [], egress: [] }],
    scans: [],
  } as const satisfies Host;
  const intent = { hosts: new Map([[host.id, host]]) } as unknown as Intent;
  const said = { id: broken.id, state: 'FAULT', error: 'eth1 is down', findings: [] } as const;
  const report = {
    node: 'r1',
    routers: [said, { id: well.id, state: 'MASTER', findings: ['x'] }],
  } as unknown as NodeReport;
  const errors = routerErrors(intent, new Map([['r1', report]]));
  const text = 'node r1, which says of network web: eth1 is down';
  for (const id of [broken.id, broken.network.id, broken.publicAddresses[0]!.id, FORWARD, RULE.id, ENTERS.id])
    assert.equal(errors.get(id), text);
  assert.equal(errors.size, 6);
  assert.deepEqual([...routerErrors(intent, new Map())], []);
});
