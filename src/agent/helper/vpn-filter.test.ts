// The packet filter of a helper's tunnels with packets: two VPNs, each with a device that is a cable here, and a router beside them.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { run, tryRun } from '../../lib/run.ts';
import type { VpnJob } from '../../protocol/helper.ts';
import { type HelperContext, keyOf, netnsOf } from './names.ts';
import { filterPart } from './vpn-filter.ts';
import { deviceOf, sitesPart } from './vpn-names.ts';

const KEY = keyOf(`${process.pid.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`);
const ACCESS = '10000000-0000-4000-8000-000000000001';
const SITE = '10000000-0000-4000-8000-000000000002';
const context: HelperContext = {
  node: 'ft1',
  database: 'unix:/none',
  directory: '/none',
  userspace: false,
  canDropRoot: false,
  kernelWireGuard: false,
  kernelIpsec: false,
  vpnLacks: {},
};
const jobs: readonly VpnJob[] = [
  {
    address: '192.0.0.18',
    spec: {
      kind: 'wireguard',
      id: ACCESS,
      port: 51821,
      publicIp: '203.0.113.10',
      range: '10.8.0.0/24',
      routes: ['10.1.1.0/24'],
      dns: [],
      privateKey: 'A',
      clients: [{ id: ACCESS, ip: '10.8.0.5', routes: ['192.168.50.0/24'], publicKey: 'B' }],
    },
  },
  {
    address: '192.0.0.18',
    spec: {
      kind: 'wireguard-site',
      id: SITE,
      epoch: 0,
      local: '203.0.113.10',
      peer: '198.51.100.10',
      localCidrs: ['10.1.0.0/16'],
      remoteCidrs: ['192.168.60.0/24'],
      passive: false,
      port: 51820,
      privateKey: 'A',
      publicKey: 'B',
      peerPort: 51820,
    },
  },
];

describe('filterPart()', { skip: process.getuid?.() !== 0 }, () => {
  const helper = netnsOf(KEY, context);
  const [client, site, router] = [`fc-${KEY}`, `fs-${KEY}`, `fr-${KEY}`];
  let home: string;

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'filter-'));
    for (const name of [helper, client, site, router]) await run(['ip', 'netns', 'add', name]);
    const cable = async (name: string, device: string, ...addresses: string[]): Promise<void> => {
      await run(`ip link add ${device} netns ${helper} type veth peer name eth0 netns ${name}`.split(' '));
      for (const address of addresses) await run(`ip -n ${name} addr add ${address} dev lo`.split(' '));
      await run(`ip -n ${name} link set lo up`.split(' '));
      await run(`ip -n ${name} link set eth0 up`.split(' '));
      await run(`ip -n ${helper} link set ${device} up`.split(' '));
      await run(`ip -n ${name} route add default dev eth0`.split(' '));
      // Nobody here is on anybody's link: each side answers for all.
      for (const [where, what] of [
        [name, 'eth0'],
        [helper, device],
      ])
        await run(
          `ip netns exec ${where} sysctl -qw net.ipv4.conf.${what}.proxy_arp=1 net.ipv4.neigh.${what}.proxy_delay=0`.split(
            ' ',
          ),
        );
    };
    await cable(client, deviceOf(ACCESS, context), '10.8.0.5/32', '10.8.0.6/32', '192.168.50.1/32', '192.168.60.1/32');
    await cable(site, deviceOf(sitesPart(KEY), context), '192.168.60.2/32', '192.168.50.2/32');
    await cable(router, 'eth0', '10.1.1.11/32', '10.1.2.11/32', '10.9.9.9/32');
    for (const [prefix, device] of [
      ['10.8.0.0/24', deviceOf(ACCESS, context)],
      ['192.168.50.1/32', deviceOf(ACCESS, context)],
      ['192.168.60.1/32', deviceOf(ACCESS, context)],
      ['192.168.60.2/32', deviceOf(sitesPart(KEY), context)],
      ['192.168.50.2/32', deviceOf(sitesPart(KEY), context)],
      ['10.0.0.0/8', 'eth0'],
    ])
      await run(`ip -n ${helper} route add ${prefix} dev ${device}`.split(' '));
    await run(`ip -n ${helper} link set lo up`.split(' '));
    await run(`ip -n ${helper} addr add 10.8.0.1/32 dev ${deviceOf(ACCESS, context)}`.split(' '));
    const part = filterPart(jobs, { key: KEY, address: '192.0.0.18/29' }, { ...context, directory: home })!;
    for (const { path, content } of part.files) {
      await run(['mkdir', '-p', join(path, '..')]);
      await writeFile(path, content);
    }
    for (const { argvs } of part.loads) for (const argv of argvs) await run(argv);
  });

  after(async () => {
    for (const name of [helper, client, site, router]) await tryRun(['ip', 'netns', 'del', name]);
    await rm(home, { recursive: true, force: true });
  });

  /** The first packet may be lost while sides learn of each other. */
  const reaches = async (netns: string, from: string, to: string): Promise<boolean> => {
    for (let left = 20; left > 0; left--) if (await pings(netns, from, to)) return true;
    return false;
  };
  const pings = async (netns: string, from: string, to: string): Promise<boolean> =>
    (await tryRun(['ip', 'netns', 'exec', netns, 'ping', '-c1', '-W1', '-I', from, to])).code === 0;

  test('lets packets of each VPN go where it may, both ways, from the networks behind it, too', async () => {
    assert.equal(await reaches(client, '10.8.0.5', '10.1.1.11'), true);
    assert.equal(await reaches(client, '192.168.50.1', '10.1.1.11'), true);
    assert.equal(await reaches(site, '192.168.60.2', '10.1.2.11'), true);
    assert.equal(await reaches(router, '10.1.1.11', '10.8.0.5'), true);
    assert.equal(await reaches(router, '10.1.2.11', '192.168.60.2'), true);
    assert.equal(await reaches(client, '10.8.0.5', '10.8.0.1'), true, "the gateway's own address answers");
  });

  test('lets nothing else through: other networks, addresses of nobody or of another VPN, from one VPN to another', async () => {
    const refused = await Promise.all([
      pings(client, '10.8.0.5', '10.1.2.11'),
      pings(client, '10.8.0.5', '10.9.9.9'),
      pings(client, '10.8.0.6', '10.1.1.11'),
      pings(client, '192.168.60.1', '10.1.1.11'),
      pings(client, '10.8.0.5', '192.168.60.2'),
      pings(client, '10.8.0.5', '192.0.0.18'),
      pings(site, '192.168.50.2', '10.1.1.11'),
      pings(site, '192.168.60.2', '10.9.9.9'),
      pings(site, '192.168.60.2', '10.8.0.1'),
      pings(router, '10.9.9.9', '10.8.0.5'),
      pings(router, '10.1.1.11', '10.8.0.6'),
    ]);
    assert.deepEqual(
      refused,
      refused.map(() => false),
    );
  });

  test('opens nothing for a VPN without clients, and is none where there is no VPN', () => {
    const [access] = jobs;
    const empty = { ...access!, spec: { ...access!.spec, clients: [] } } as VpnJob;
    const part = filterPart([empty], { key: KEY, address: '192.0.0.18/29' }, context);
    assert.doesNotMatch(part?.files[0]?.content ?? '', /10\.1\.1\.0/);
    assert.equal(filterPart([], { key: KEY, address: '192.0.0.18/29' }, context), undefined);
  });
});
