// Machines with a kernel of their own (issue 3, C and E): a Linux router in a QEMU guest with our agent on it, joined over TCP, between
// the lab's outside and a VLAN of its switch; a Linux switch in another.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { linuxSwitchGuest } from '../../src/lab/qemu/linux-switch.ts';
import { routerGuest } from '../../src/lab/qemu/router-guest.ts';
import { sshAnswers } from '../../src/lab/qemu/ssh.ts';
import { datapathHere, enter, sandboxEnv } from '../../src/lab/sandbox.ts';
import { silentLog } from '../../src/lib/log.ts';
import { run, tryRun } from '../../src/lib/run.ts';
import { encodeToken, type NodeDocument, type NodeReport } from '../../src/protocol/document.ts';
import { createChannel } from '../../src/reconcile/channel.ts';
import { openPki } from '../../src/reconcile/pki.ts';
import { afterwards, eventually, labForTest, type Scope, type TestLab } from '../support/lab.ts';
import { network, open, publicAddress } from '../support/router-specs.ts';

const skip = datapathHere() === 'dummy' && 'no taps here: /dev/net/tun is closed';

test(
  'S11: our agent in a router guest makes a real 802.1Q sub-interface: /proc/net/vlan shows the VID; IPVS balances, NAT translates',
  { timeout: 150_000, skip },
  async (t) => {
    const lab = await labForTest(t);
    const inside = sandboxed(lab);
    await members(lab);
    const server = await serverFor(t, lab, {
      node: 'r1',
      generation: 1,
      instances: [],
      peers: [],
      routers: [
        network(1234, {
          name: 'red',
          cidr: '10.77.0.0/24',
          ip: '10.77.0.1',
          gateway: '10.77.0.1',
          publicAddresses: [
            publicAddress('203.0.113.80', {
              sourceNat: true,
              ingress: [open('tcp', 80)],
              balancers: [
                {
                  id: '30000000-0000-4000-8000-000000000001',
                  protocol: 'tcp',
                  publicPort: 80,
                  algorithm: 'roundrobin',
                  cidrs: ['0.0.0.0/0'],
                  sticky: false,
                  members: [11, 12].map((host) => ({ ip: `10.77.0.${host}`, port: 80 })),
                },
              ],
            }),
          ],
        }),
      ],
    });
    const guest = await routerGuest({
      name: 'r1',
      directory: join(lab.state, 'r1'),
      ports: ['r1-eth0', 'r1-eth1'].map((device) => ({ netns: 'sw', device })),
      setup: 'ip address add 203.0.113.50/24 dev eth0\nip route add default via 203.0.113.1',
      agent: {
        token: server.token,
        config: {
          node: 'r1',
          server: 'https://203.0.113.1:9443',
          underlay: { device: 'eth0', ip: '203.0.113.50' },
          datapath: 'system',
          router: {
            inside: 'eth1',
            outside: 'eth0',
            vlans: 'kernel',
            directory: '/run/router',
            gateway: '203.0.113.1',
          },
        },
      },
      place: (argv) => enter(lab.sandbox, argv),
    });
    afterwards(t, () => guest.stop());
    await plug(lab, 'r1-eth0', 'tag=100');
    await plug(lab, 'r1-eth1');
    t.diagnostic(`up after ${guest.bootMs} ms`);
    const since = Date.now();
    const report = await eventually(
      'the agent reports',
      () => (server.report()?.generation === 1 ? server.report() : undefined),
      90_000,
    ).catch((error: unknown) =>
      assert.fail(`${String(error)}: ${JSON.stringify(server.report())}: ${guest.console().slice(-2000)}`),
    );
    t.diagnostic(`its agent has made the document true ${Date.now() - since} ms later`);
    assert.equal(report.error, undefined);
    assert.deepEqual([report.facts.abilities?.['vlan'], report.facts.abilities?.['ipvs']], [true, true]);
    assert.match(report.facts.kernel, /-cloud-amd64$/);

    const shell = guest.shellFrom('upstream', '203.0.113.50');
    await sshAnswers(shell);
    assert.match((await shell('cat /proc/net/vlan/eth1.1234')).stdout, /^eth1\.1234 +VID: 1234\b/);
    assert.equal(
      (await inside('m1', 'ping', '-c', '1', '-W', '2', '10.77.0.1')).code,
      0,
      'the gateway answers on its VLAN',
    );
    assert.equal(
      (await inside('m1', 'ping', '-c', '1', '-W', '2', '198.51.100.10')).code,
      0,
      'translated on the way out',
    );
    const table = (await shell('ipvsadm -Ln')).stdout;
    assert.match(table, /203\.0\.113\.80:80 rr/);
    const answers = new Set<string>();
    await eventually('both members answer in turn', async () => {
      answers.add((await inside('outside', 'curl', '-s', '-m', '2', 'http://203.0.113.80/')).stdout.trim());
      return answers.has('m1') && answers.has('m2') ? true : undefined;
    });
  },
);

test(
  'a Linux switch in a guest is managed by SSH; frames cross it only in the VLANs its ports have',
  { timeout: 60_000, skip },
  async (t) => {
    const lab = await labForTest(t);
    const inside = sandboxed(lab);
    for (const name of ['admin', 'a', 'b'])
      await run(enter(lab.sandbox, ['ip', 'netns', 'add', name]), { env: sandboxEnv() });
    const sw = await linuxSwitchGuest({
      name: 'lsw',
      directory: join(lab.state, 'lsw'),
      management: { netns: 'admin', device: 'eth0' },
      ports: [
        { netns: 'a', device: 'eth0', addresses: ['10.78.0.1/24'] },
        { netns: 'b', device: 'eth0', addresses: ['10.78.0.2/24'] },
      ],
      place: (argv) => enter(lab.sandbox, argv),
    });
    afterwards(t, () => sw.stop());
    t.diagnostic(`up after ${sw.bootMs} ms`);
    const ping = async (): Promise<boolean> =>
      (await inside('a', 'ping', '-c', '1', '-W', '1', '10.78.0.2')).code === 0;
    assert.equal(await ping(), false, 'in no VLAN nothing crosses');
    for (const port of sw.ports) {
      const { code, stderr } = await sw.shell(`bridge vlan add dev ${port} vid 1234 pvid untagged`);
      assert.equal(code, 0, stderr);
    }
    await eventually('frames cross', async () => ((await ping()) ? true : undefined), 5000);
    const shown = JSON.parse((await sw.shell('bridge -j vlan show')).stdout) as {
      ifname: string;
      vlans: { vlan: number }[];
    }[];
    assert.deepEqual(shown.map(({ ifname, vlans }) => [ifname, vlans.map(({ vlan }) => vlan)]).toSorted(), [
      ['swp1', [1234]],
      ['swp2', [1234]],
    ]);
    await sw.shell('bridge vlan del dev swp2 vid 1234');
    assert.equal(await ping(), false);
  },
);

type Inside = (node: string, ...argv: string[]) => ReturnType<TestLab['exec']>;

/** Runs programs in any namespace of the lab's sandbox, those that the test made included. */
function sandboxed(lab: TestLab): Inside {
  return async (node, ...argv) => {
    const nodes = new Set(lab.nodes);
    if (nodes.has(node)) return lab.exec(node, argv);
    return tryRun(enter(lab.sandbox, ['nsenter', `--net=/run/netns/${node}`, '--', ...argv]), { env: sandboxEnv() });
  };
}

/** Starts a program that runs until the lab ends. */
function start(lab: TestLab, node: string, ...argv: string[]): void {
  const [program, ...args] = enter(lab.sandbox, ['nsenter', `--net=/run/netns/${node}`, '--', ...argv]);
  spawn(program!, args, { stdio: 'ignore', env: sandboxEnv() });
}

async function plug(lab: TestLab, port: string, ...columns: string[]): Promise<void> {
  const argv = ['ovs-vsctl', `--db=unix:${lab.state}/lab/sw/db.sock`, 'add-port', 'br-sw', port];
  await run([...argv, ...(columns.length === 0 ? [] : ['--', 'set', 'Port', port, ...columns])]);
}

/** m1 and m2: machines on access ports of VLAN 1234 whose gateway is the router, with a web server that says its name. */
async function members(lab: TestLab): Promise<void> {
  const here = (...argv: string[]): Promise<unknown> => run(enter(lab.sandbox, argv), { env: sandboxEnv() });
  for (const [name, host] of [
    ['m1', 11],
    ['m2', 12],
  ] as const) {
    await here('ip', 'netns', 'add', name);
    await here(
      'ip',
      'link',
      'add',
      'name',
      `${name}-0`,
      'netns',
      'sw',
      'type',
      'veth',
      'peer',
      'name',
      'eth0',
      'netns',
      name,
    );
    for (const line of [
      'link set lo up',
      `address add 10.77.0.${host}/24 dev eth0`,
      'link set eth0 up',
      'route add default via 10.77.0.1',
    ])
      await here('ip', '-n', name, ...line.split(' '));
    await here('ip', '-n', 'sw', 'link', 'set', `${name}-0`, 'up');
    await here('nsenter', `--net=/run/netns/${name}`, '--', 'ethtool', '-K', 'eth0', 'tx', 'off');
    await plug(lab, `${name}-0`, 'tag=1234');
    const folder = join(lab.state, name);
    await mkdir(folder);
    await writeFile(join(folder, 'index.html'), `${name}\n`);
    start(lab, name, ...'busybox httpd -f -p 80 -h'.split(' '), folder);
  }
}

/** A server's channel with one document, on TCP port 9443 of the lab's upstream. */
async function serverFor(
  scope: Scope,
  lab: TestLab,
  document: NodeDocument,
): Promise<{ readonly token: string; report(): NodeReport | undefined }> {
  const pki = await openPki(join(lab.state, 'pki'));
  const socket = join(lab.state, 'agents.sock');
  let latest: NodeReport | undefined;
  let joined: string | undefined;
  const channel = await createChannel({
    listen: `unix:${socket}`,
    pki,
    log: silentLog(),
    documents: {
      get: () => document,
      wait: async (_node, have) => (document.generation > have ? document : undefined),
    },
    hosts: {
      async acceptJoin(_node, _secret, serial) {
        joined = serial;
        return true;
      },
      isCurrent: async (_node, serial) => serial === joined,
      async report(report) {
        latest = report;
      },
    },
  });
  afterwards(scope, () => channel.close());
  const forward = ['socat', 'TCP-LISTEN:9443,fork,reuseaddr', `UNIX-CONNECT:${socket}`];
  start(lab, 'upstream', ...forward);
  return { token: encodeToken({ node: document.node, secret: 'any', ca: pki.fingerprint }), report: () => latest };
}
