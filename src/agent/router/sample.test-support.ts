// Router nodes' networks for tests: one of each trait that shows in a file or a rule.
import type { RouterSpec } from '../../protocol/document.ts';
import type { RouterContext } from './names.ts';

export const CONTEXT: RouterContext = {
  node: 'r1',
  inside: 'eth1',
  outside: 'eth0',
  vlans: { by: 'openvswitch', bridge: 'br-vlan', database: 'unix:/run/db.sock' },
  directory: '/var/lib/router',
  underlay: { device: 'br-vlan', ip: '192.0.2.21' },
  ipvs: false,
  privileged: true,
  canDropRoot: true,
};

const everybody = { cidrs: ['0.0.0.0/0'], destinationCidrs: [] };

/** Half of a pair, with everything a network can ask for. */
export const blue: RouterSpec = {
  id: '10000000-0000-4000-8000-000000001234',
  networkId: '20000000-0000-4000-8000-000000001234',
  name: 'blue "x"\n}',
  vlan: 1234,
  cidr: '10.1.1.0/24',
  ip: '10.1.1.2',
  gateway: '10.1.1.1',
  priority: 200,
  peers: ['10.1.1.3'],
  peerNodes: [{ name: 'r2', underlayIp: '192.0.2.22' }],
  mode: 'NATTED',
  routable: [],
  dhcp: {
    domain: 'blue.example',
    dns: ['198.51.100.53'],
    mtu: 1500,
    leases: [
      { mac: '02:00:00:00:00:11', ip: '10.1.1.11', hostname: 'vm1' },
      { mac: '02:00:00:00:00:12', ip: '10.1.1.12', hostname: '' },
    ],
  },
  dns: { domain: 'blue.example', servers: ['198.51.100.53'] },
  firewall: true,
  egressDefault: 'deny',
  egress: [
    {
      protocol: 'tcp',
      startPort: 80,
      endPort: 90,
      cidrs: ['10.1.1.0/24', '10.1.1.11/32'],
      destinationCidrs: ['0.0.0.0/0'],
    },
    { protocol: 'icmp', icmpType: 8, icmpCode: -1, cidrs: [], destinationCidrs: ['198.51.100.0/24'] },
  ],
  routes: [{ cidr: '192.168.50.0/24', via: '10.1.1.20' }],
  publicAddresses: [
    {
      ip: '203.0.113.10',
      prefixLength: 24,
      gateway: '203.0.113.1',
      sourceNat: true,
      ingress: [
        { protocol: 'tcp', startPort: 22, endPort: 22, cidrs: ['198.51.100.0/24'], destinationCidrs: [] },
        { protocol: 'icmp', icmpType: -1, icmpCode: -1, ...everybody },
      ],
      forwards: [
        {
          protocol: 'tcp',
          publicPort: 22,
          publicEndPort: 22,
          privatePort: 22,
          ip: '10.1.1.11',
          cidrs: ['198.51.100.10/32'],
        },
        { protocol: 'tcp', publicPort: 8000, publicEndPort: 8001, privatePort: 80, ip: '10.1.1.11', cidrs: [] },
        { protocol: 'udp', publicPort: 9000, publicEndPort: 9010, privatePort: 9000, ip: '10.1.1.11', cidrs: [] },
      ],
      balancers: [
        {
          id: '30000000-0000-4000-8000-000000000001',
          protocol: 'tcp',
          publicPort: 443,
          algorithm: 'leastconn',
          cidrs: ['198.51.100.0/24'],
          sticky: true,
          check: { intervalSeconds: 2, timeoutSeconds: 1, healthy: 3, unhealthy: 4 },
          members: [
            { ip: '10.1.1.11', port: 443 },
            { ip: '10.1.1.12', port: 443 },
          ],
        },
        {
          id: '30000000-0000-4000-8000-000000000002',
          protocol: 'udp',
          publicPort: 53,
          algorithm: 'source',
          cidrs: [],
          sticky: false,
          members: [
            { ip: '10.1.1.11', port: 53 },
            { ip: '10.1.1.12', port: 5353 },
          ],
        },
      ],
    },
    {
      ip: '203.0.114.11',
      prefixLength: 24,
      gateway: '203.0.114.1',
      vlan: 300,
      sourceNat: false,
      staticNat: '10.1.1.12',
      ingress: [],
      forwards: [],
      balancers: [],
    },
  ],
};

/** A pair whose instances have public addresses. */
export const open: RouterSpec = {
  ...blue,
  id: '10000000-0000-4000-8000-000000000077',
  name: 'open',
  vlan: 77,
  cidr: '203.0.113.128/25',
  ip: '203.0.113.130',
  gateway: '203.0.113.129',
  peers: ['203.0.113.131'],
  mode: 'ROUTED',
  routable: ['203.0.113.129', '203.0.113.141', '203.0.113.142'],
  firewall: false,
  egressDefault: 'allow',
  egress: [],
  routes: [],
  publicAddresses: [],
};
delete (open as { dhcp?: unknown }).dhcp;
delete (open as { dns?: unknown }).dns;

/** A network of a single router, with one public address. */
export const red: RouterSpec = {
  ...open,
  id: '10000000-0000-4000-8000-000000000088',
  name: 'red',
  vlan: 88,
  cidr: '10.2.2.0/24',
  ip: '10.2.2.2',
  gateway: '10.2.2.1',
  peers: [],
  peerNodes: [],
  mode: 'NATTED',
  routable: [],
  dhcp: { domain: '', dns: ['198.51.100.53'], mtu: 1400, leases: [] },
  publicAddresses: [
    {
      ip: '203.0.113.12',
      prefixLength: 24,
      gateway: '203.0.113.1',
      sourceNat: true,
      ingress: [],
      forwards: [],
      balancers: [],
    },
  ],
};

/** With IPv6 besides, whose way out is on a VLAN of its own. */
export const both: RouterSpec = {
  ...red,
  id: '10000000-0000-4000-8000-000000000099',
  name: 'both',
  vlan: 99,
  cidr: '10.3.3.0/24',
  ip: '10.3.3.2',
  gateway: '10.3.3.1',
  publicAddresses: [],
  six: {
    cidr: '2001:db8:200:1::/64',
    gateway: '2001:db8:200:1::1',
    link: 'fe80::aa:bbff:fecc:dd01',
    mtu: 1400,
    uplink: { address: '2001:db8:100::aa:bbff:fecc:dd02', prefixLength: 64, gateway: '2001:db8:100::1', vlan: 301 },
    proxied: ['2001:db8:200:1::a1', '2001:db8:200:1::a2'],
    ingress: [
      {
        protocol: 'tcp',
        startPort: 22,
        endPort: 23,
        cidrs: ['2001:db8:51::/48', '2001:db8:51:1::/64'],
        destinationCidrs: [],
      },
      { protocol: 'icmp', icmpType: 128, icmpCode: 0, cidrs: ['::/0'], destinationCidrs: [] },
    ],
    egressDefault: 'deny',
    egress: [{ protocol: 'udp', cidrs: [], destinationCidrs: ['2001:db8:53::/64'] }],
  },
};

/** Half of a pair with IPv6 and one way out for both families. */
export const pair6: RouterSpec = {
  ...blue,
  id: '10000000-0000-4000-8000-000000000066',
  name: 'pair6',
  vlan: 66,
  cidr: '10.6.6.0/24',
  ip: '10.6.6.2',
  gateway: '10.6.6.1',
  peers: ['10.6.6.3'],
  routes: [],
  publicAddresses: [{ ...blue.publicAddresses[0]!, ip: '203.0.113.66', ingress: [], forwards: [], balancers: [] }],
  six: {
    cidr: '2001:db8:200:2::/64',
    gateway: '2001:db8:200:2::1',
    link: 'fe80::aa:bbff:fecc:dd03',
    mtu: 1500,
    uplink: { address: '2001:db8:100::aa:bbff:fecc:dd04', prefixLength: 64, gateway: '2001:db8:100::1' },
    proxied: [],
    ingress: [],
    egressDefault: 'allow',
    egress: [{ protocol: 'all', cidrs: ['2001:db8:200:2::5/128'], destinationCidrs: [] }],
  },
};
