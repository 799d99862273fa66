// A Linux router node, by its driver alone: what its networks can and cannot do, on the wire. Without a server and without OVN.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before } from 'node:test';
import { createCalls } from '../support/router-calls.ts';
import { CAN_RUN, startRouterLab, test, until, type RouterLab } from '../support/router-lab.ts';
import { network, open, publicAddress } from '../support/router-specs.ts';

let lab: RouterLab;
before(async () => {
  if (CAN_RUN) lab = await startRouterLab();
});
after(async () => lab?.stop());

const { serve, call, pings, address } = createCalls(() => lab);

const forward = (publicPort: number, ip: string, privatePort: number, cidrs: string[] = []) => ({
  protocol: 'tcp' as const,
  publicPort,
  publicEndPort: publicPort,
  privatePort,
  ip,
  cidrs,
});

const MAC = '02:00:00:00:00:11';
const blue = network(1234, {
  name: 'blue',
  cidr: '10.1.1.0/24',
  ip: '10.1.1.2',
  gateway: '10.1.1.1',
  dhcp: {
    domain: 'blue.example',
    dns: ['203.0.113.1'],
    mtu: 1400,
    leases: [
      { mac: MAC, ip: '10.1.1.11', hostname: 'vm1' },
      { mac: '02:00:00:00:00:12', ip: '10.1.1.12', hostname: 'vm2' },
    ],
  },
  dns: { domain: 'blue.example', servers: ['203.0.113.1'] },
  routes: [{ cidr: '192.168.50.0/24', via: '10.1.1.20' }],
  egressDefault: 'deny',
  egress: [open('tcp', 80, 82), open('icmp')],
  publicAddresses: [
    publicAddress('203.0.113.10', {
      sourceNat: true,
      ingress: [open('tcp', 1, 3000), { ...open('tcp', 3001), cidrs: ['198.51.100.99/32'] }, open('icmp')],
      forwards: [
        forward(2201, '10.1.1.11', 80),
        forward(2202, '10.1.1.12', 80, ['203.0.113.0/24']),
        forward(3001, '10.1.1.11', 80),
        forward(4000, '10.1.1.11', 80),
        { ...forward(2300, '10.1.1.11', 80), publicEndPort: 2302 },
      ],
    }),
    publicAddress('203.0.113.11', { staticNat: '10.1.1.12', ingress: [open('tcp', 80)] }),
  ],
});
const red = network(1235, {
  name: 'red',
  cidr: '10.2.2.0/24',
  ip: '10.2.2.2',
  gateway: '10.2.2.1',
  publicAddresses: [publicAddress('203.0.113.12', { sourceNat: true })],
});

test('a machine gets its address, router, name server, routes and names from the router node', async () => {
  await lab.does('vm1', 'ip', 'link', 'set', 'eth0', 'address', MAC);
  const took = await lab.want('r1', blue, red);
  assert.ok(took < 5000, `${took} ms`);
  assert.deepEqual(
    lab.outcome('r1').routers.map(({ state, findings }) => [state, findings]),
    [
      ['MASTER', []],
      ['MASTER', []],
    ],
  );
  const printer = `${lab.state}/printer`;
  writeFileSync(printer, '#!/bin/sh\n[ "$1" != bound ] || env\n', { mode: 0o755 });
  const lease = await lab.does(
    'vm1',
    'busybox',
    'udhcpc',
    '-i',
    'eth0',
    '-n',
    '-q',
    '-f',
    '-t',
    '5',
    '-T',
    '1',
    '-O',
    'mtu',
    '-O',
    'staticroutes',
    '-s',
    printer,
  );
  assert.match(lease, /^ip=10\.1\.1\.11$/m);
  assert.match(lease, /^router=10\.1\.1\.1$/m);
  assert.match(lease, /^dns=10\.1\.1\.1$/m);
  assert.match(lease, /^domain=blue\.example$/m);
  assert.match(lease, /^mtu=1400$/m);
  assert.match(lease, /^staticroutes=192\.168\.50\.0\/24 10\.1\.1\.20 0\.0\.0\.0\/0 10\.1\.1\.1/m);
  const stranger = await lab.on(
    'vpn',
    'busybox',
    'udhcpc',
    '-i',
    'eth0',
    '-n',
    '-q',
    '-f',
    '-t',
    '2',
    '-T',
    '1',
    '-s',
    printer,
  );
  assert.notEqual(stranger.code, 0, 'who is not known gets no address');
  await Promise.all([
    address('vm1', '10.1.1.11/24', '10.1.1.1'),
    address('vm2', '10.1.1.12/24', '10.1.1.1'),
    address('vm3', '10.2.2.13/24', '10.2.2.1'),
  ]);
  const name = await lab.does('vm1', 'busybox', 'nslookup', 'vm2.blue.example', '10.1.1.1');
  assert.match(name, /Address(?: 1)?: 10\.1\.1\.12/);

  const pid = (): Promise<string> => lab.does('r1', 'cat', `${lab.state}/r1/router/dnsmasq.pid`);
  const before = await pid();
  const dhcp = blue.dhcp!;
  const more = [...dhcp.leases, { mac: '02:00:00:00:00:19', ip: '10.1.1.19', hostname: 'vm9' }];
  await lab.want('r1', { ...blue, dhcp: { ...dhcp, leases: more } }, red);
  await until('the new name', async () =>
    /10\.1\.1\.19/.test((await lab.on('vm1', 'busybox', 'nslookup', 'vm9.blue.example', '10.1.1.1')).stdout),
  );
  assert.equal(await pid(), before, 'a machine more is no reason to start dnsmasq anew');
  assert.deepEqual(lab.outcome('r1').routers[0]!.findings, []);
});

test('S18: instances reach the outside under their public address, and under their own one where they have it', async () => {
  serve('outside', 80, 'peer');
  serve('outside', 81, 'peer');
  serve('outside', 90, 'peer');
  for (const node of ['vm1', 'vm2', 'vm3']) serve(node, 80);
  await until('a server', async () => (await call('vm1', '198.51.100.10', 80)) === '203.0.113.10');
  assert.equal(await call('vm2', '198.51.100.10', 80), '203.0.113.11');
  assert.equal(await call('vm3', '198.51.100.10', 80), '203.0.113.12');
  assert.ok(await pings('vm1', '10.1.1.1'));
  assert.ok(await pings('vm1', '198.51.100.10'));
});

test('what egress rules do not allow is refused at once, and only there', async () => {
  const { stderr } = await lab.on('vm1', 'socat', '-u', 'TCP:198.51.100.10:90,connect-timeout=5', '-');
  assert.match(stderr, /Connection refused|No route to host|Permission denied/, 'it is told, not left waiting');
  assert.equal(await call('vm3', '198.51.100.10', 90), '203.0.113.12');
  assert.equal(await call('vm1', '198.51.100.10', 81), '203.0.113.10');
});

test('a port forward and a static NAT answer where the firewall lets them', async () => {
  assert.equal(await call('outside', '203.0.113.10', 2201), 'vm1');
  assert.equal(await call('outside', '203.0.113.10', 2300), 'vm1', 'the first of a shifted range');
  assert.equal(await call('outside', '203.0.113.11', 80), 'vm2');
  assert.equal(await call('outside', '203.0.113.10', 2202), '', 'this forward is for others');
  assert.equal(await call('up', '203.0.113.10', 2202), 'vm2');
  assert.equal(await call('outside', '203.0.113.10', 3001), '', 'the firewall rule is for somebody else');
  assert.equal(await call('outside', '203.0.113.10', 4000), '', 'no firewall rule');
  assert.ok(await pings('outside', '203.0.113.10'));
  assert.equal(await pings('outside', '203.0.113.11'), false, 'no rule lets it through');
});

test("a firewall rule does not open the node's own services", async () => {
  serve('r1', 2000);
  await until('the service', async () => (await call('r1', '127.0.0.1', 2000)) === 'r1');
  assert.equal(await call('outside', '203.0.113.10', 2000), '');
  assert.equal(await call('vm1', '10.1.1.1', 2000), '');
});

test('a network reaches another one only by its public addresses, and its own as well', async () => {
  assert.equal(await call('vm3', '10.1.1.11', 80), '');
  assert.equal(await pings('vm3', '10.1.1.11'), false);
  assert.equal(await pings('vm3', '10.1.1.1'), false, "another network's gateway");
  assert.equal(await call('vm3', '203.0.113.10', 2201), 'vm1');
  assert.equal(await call('vm2', '203.0.113.10', 2300), '', 'egress rules hold for detours, too');
  const wider = { ...blue, egressDefault: 'allow' as const, egress: [] };
  await lab.want('r1', wider, red);
  assert.equal(await call('vm2', '203.0.113.10', 2300), 'vm1', 'the own network by its public address');
  assert.equal(await call('vm1', '203.0.113.10', 2300), 'vm1', 'and oneself');
  await lab.does('vm3', 'ip', 'addr', 'add', '10.1.1.77/32', 'dev', 'eth0');
  assert.equal(await call('vm3', '198.51.100.10', 80, '10.1.1.77'), '', 'a forged source');
});

test('networks behind a member are reached through it, and have their way out', async () => {
  await lab.does('vpn', 'ip', 'addr', 'replace', '10.1.1.20/24', 'dev', 'eth0');
  await lab.does('vpn', 'ip', 'addr', 'replace', '192.168.50.1/32', 'dev', 'lo');
  await lab.does('vpn', 'ip', 'route', 'replace', 'default', 'via', '10.1.1.1');
  assert.ok(await pings('vm1', '192.168.50.1'));
  assert.equal(await call('vpn', '198.51.100.10', 80, '192.168.50.1'), '203.0.113.10');
});

test('two networks with the same addresses: the second is refused by name, nothing else suffers', async () => {
  const twin = network(1240, { name: 'green', cidr: '10.1.1.0/25', ip: '10.1.1.3', gateway: '10.1.1.1' });
  await lab.want('r1', twin, blue, red);
  const [first, ...others] = lab.outcome('r1').routers;
  assert.equal(
    first!.error,
    'r1 cannot route for both network blue (10.1.1.0/24) and network green (10.1.1.0/25): their addresses overlap; let another router node take one of them',
  );
  assert.ok(others.every((status) => status.error === undefined && status.state === 'MASTER'));
  assert.equal(await call('outside', '203.0.113.10', 2201), 'vm1');
  const own = network(1241, { name: 'odd', cidr: '192.0.2.0/24', ip: '192.0.2.3', gateway: '192.0.2.1' });
  await lab.want('r1', blue, red, own);
  assert.match(
    lab.outcome('r1').routers[2]!.error!,
    /^r1 cannot route for network odd: its 192\.0\.2\.0\/24 overlaps 192\.0\.2\.21\/24, which r1 itself has on br-vlan$/,
  );
});

test('S15: a balancer reaches both members, and drops a dead one within a second', async () => {
  const members = [
    { ip: '10.1.1.11', port: 80 },
    { ip: '10.1.1.12', port: 80 },
  ];
  const balancer = {
    protocol: 'tcp' as const,
    publicPort: 80,
    algorithm: 'roundrobin' as const,
    cidrs: [],
    sticky: false,
    members,
  };
  const balanced = {
    ...blue,
    publicAddresses: [
      publicAddress('203.0.113.10', {
        sourceNat: true,
        ingress: [open('tcp', 80, 99), open('udp', 53)],
        balancers: [
          { ...balancer, id: '30000000-0000-4000-8000-000000000001' },
          { ...balancer, id: '30000000-0000-4000-8000-000000000002', publicPort: 81, sticky: true },
          { ...balancer, id: '30000000-0000-4000-8000-000000000003', publicPort: 82, cidrs: ['203.0.113.0/24'] },
          {
            ...balancer,
            id: '30000000-0000-4000-8000-000000000004',
            publicPort: 53,
            protocol: 'udp',
            algorithm: 'leastconn',
            members: members.map(({ ip }) => ({ ip, port: 53 })),
          },
        ],
      }),
    ],
  };
  for (const node of ['vm1', 'vm2']) lab.start(node, 'socat', 'UDP-LISTEN:53,fork,reuseaddr', `EXEC:echo ${node}`);
  await lab.want('r1', balanced, red);
  const names = async (port: number): Promise<string[]> =>
    [
      ...new Set([
        await call('outside', '203.0.113.10', port),
        await call('outside', '203.0.113.10', port),
        await call('outside', '203.0.113.10', port),
      ]),
    ].toSorted();
  await until('both members', async () => (await names(80)).join() === 'vm1,vm2');
  assert.equal((await names(81)).length, 1, 'a sticky one stays with its member');
  assert.deepEqual(await names(82), [''], 'a balancer for others');
  assert.notEqual(await call('up', '203.0.113.10', 82), '');
  assert.equal(
    await call('vm3', '203.0.113.10', 80).then((name) => /^vm[12]$/.test(name)),
    true,
    'from another network',
  );
  const datagram = async (): Promise<string> =>
    (await lab.on('outside', 'sh', '-c', 'echo ? | socat -t 1 - UDP:203.0.113.10:53')).stdout.trim();
  const heard = new Set<string>();
  await until('datagrams at both members', async () => heard.add(await datagram()).has('vm1') && heard.has('vm2'));
  assert.match(lab.outcome('r1').routers[0]!.findings.join(), /r1: the balancer 203\.0\.113\.10:53\/udp takes turns/);

  await lab.does('vm2', 'ip', 'link', 'set', 'eth0', 'down');
  const since = Date.now();
  let last = since;
  while (Date.now() - since < 2000) if ((await call('outside', '203.0.113.10', 80)) !== 'vm1') last = Date.now();
  assert.ok(last - since < 1000, `out after ${last - since} ms`);
  await lab.does('vm2', 'ip', 'link', 'set', 'eth0', 'up');
  await lab.does('vm2', 'ip', 'route', 'replace', 'default', 'via', '10.1.1.1');
  await until('the member again', async () => (await call('outside', '203.0.113.10', 80)) === 'vm2');
});
