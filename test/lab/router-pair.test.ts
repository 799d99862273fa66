// Two router nodes as a pair: who has the gateway, how long a takeover takes, and that there are never two. Without a server.
import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { sleep } from '../../src/lib/sleep.ts';
import type { ReceiptReport } from '../../src/protocol/document.ts';
import {
  CAN_RUN,
  gap,
  OUTSIDE6,
  ROUTERS,
  startRouterLab,
  test,
  until,
  type Router,
  type RouterLab,
} from '../support/router-lab.ts';
import { createCalls } from '../support/router-calls.ts';
import { legs, network, open, publicAddress, six } from '../support/router-specs.ts';

let lab: RouterLab;
const { pings, address6 } = createCalls(() => lab);
before(async () => {
  if (CAN_RUN) lab = await startRouterLab();
});
after(async () => lab?.stop());

const blue = legs(
  network(1234, {
    name: 'blue',
    cidr: '10.1.1.0/24',
    ip: '10.1.1.2',
    gateway: '10.1.1.1',
    publicAddresses: [
      publicAddress('203.0.113.10', { sourceNat: true, ingress: [open('icmp')] }),
      publicAddress('203.0.113.11', { staticNat: '10.1.1.11', ingress: [open('all')] }),
    ],
    six: six(1),
  }),
);
const { gateway: gateway6, link: link6, uplink: uplink6, cidr: cidr6 } = blue.r1.six!;
const routed = legs(
  network(77, {
    name: 'open',
    cidr: '203.0.113.128/25',
    ip: '203.0.113.130',
    gateway: '203.0.113.129',
    mode: 'ROUTED',
    firewall: false,
    routable: ['203.0.113.141', '203.0.113.142'],
  }),
);

/** The address that vm1 makes itself. */
let vm1six: string;
const states = (router: Router): string => (lab.outcome(router)?.routers ?? []).map(({ state }) => state).join();
/** The nodes that hold an address. */
async function holders(address: string): Promise<string> {
  const all = await Promise.all(
    ROUTERS.map(async (router) =>
      (await lab.does(router, 'ip', '-br', 'addr')).includes(` ${address}/`) ? [router] : [],
    ),
  );
  return all.flat().join();
}
const isMaster = (router: Router): Promise<number> =>
  until(`${router} master`, async () => states(router) === 'MASTER,MASTER' && (await holders('10.1.1.1')) === router);
/** As if its power went: nothing comes out of it any more. */
const cut = (router: Router, how: 'up' | 'down'): Promise<unknown> =>
  lab.does('sw', 'sh', '-c', `ip link set ${router}-1 ${how}; ip link set ${router}-0 ${how}`);

test('of two nodes one is master, has all addresses, and says so', async () => {
  await Promise.all([lab.want('r1', blue.r1, routed.r1), lab.want('r2', blue.r2, routed.r2)]);
  await isMaster('r1');
  await until('r2 waits', () => states('r2') === 'BACKUP,BACKUP');
  for (const address of ['203.0.113.10', '203.0.113.11', '203.0.113.129', gateway6, link6, uplink6!.address])
    assert.equal(await holders(address), 'r1');
  await until('the proxied addresses at the master', async () =>
    (await lab.does('r1', 'ip', 'neigh', 'show', 'proxy')).includes('203.0.113.142'),
  );
  await until('and nowhere else', async () => (await lab.does('r2', 'ip', 'neigh', 'show', 'proxy')) === '');
  await Promise.all(
    [
      ['vm1', '10.1.1.11/24', '10.1.1.1'],
      ['pub1', '203.0.113.141/25', '203.0.113.129'],
    ].map(async ([node, prefix, gateway]) => {
      await lab.does(node!, 'ip', 'addr', 'add', prefix!, 'dev', 'eth0');
      await lab.does(node!, 'ip', 'route', 'add', 'default', 'via', gateway!);
    }),
  );
  await lab.does('up', 'ip', 'route', 'add', cidr6, 'via', uplink6!.address);
  vm1six = await address6('vm1');
  await until('the way out in IPv6', async () => pings('vm1', OUTSIDE6));
  assert.ok(await pings('outside', vm1six));
  assert.equal((await lab.on('vm1', 'ping', '-c1', '-W1', '198.51.100.10')).code, 0);
  assert.equal((await lab.on('outside', 'ping', '-c1', '-W1', '203.0.113.141')).code, 0);
});

/** A session that counts upwards, over IPv4 or IPv6; the numbers it received. */
function session(family: 4 | 6): { readonly said: string[] } {
  const counts = "SYSTEM:'i=0; while sleep 0.05; do i=$((i+1)); echo $i; done'";
  lab.start('outside', 'socat', `TCP${family}-LISTEN:500${family},reuseaddr`, counts);
  const address = family === 4 ? '198.51.100.10' : `[${OUTSIDE6}]`;
  return lab.start('vm1', 'sh', '-c', `sleep 0.3; exec socat -u TCP${family}:${address}:500${family} -`);
}

test('loss of the master: a gap under half a second for private and public instances, and sessions survive, in both families', async (t) => {
  for (const router of ROUTERS) await lab.does(router, 'sysctl', '-qw', 'net.netfilter.nf_conntrack_tcp_loose=0');
  await sleep(1000); // the upstream takes no news about an ARP entry younger than a second (neigh locktime)
  const sessions = ([4, 6] as const).map(session);
  await until('the sessions', () => sessions.every(({ said }) => said.length > 5));
  const gaps = await Promise.all([
    gap(lab, 'vm1', '198.51.100.10', () => takeover()),
    gap(lab, 'outside', '203.0.113.141', () => takeover()),
    gap(lab, 'outside', '203.0.113.11', () => takeover()),
    gap(lab, 'vm1', OUTSIDE6, () => takeover()),
    gap(lab, 'outside', vm1six, () => takeover()),
  ]);
  for (const address of [gateway6, link6, uplink6!.address])
    assert.equal(await holders(address), 'r2', 'both families together');
  t.diagnostic(`gaps at loss of the master: ${gaps.map(({ longest }) => `${longest} ms`).join(', ')}`);
  for (const { longest } of gaps) assert.ok(longest < 500, `${longest} ms`);
  const before = sessions.map(({ said }) => said.length);
  await until('the sessions go on', () => sessions.every(({ said }, index) => said.length > before[index]! + 5));
  for (const { said } of sessions)
    assert.deepEqual(
      said.map(Number),
      said.map((_, index) => index + 1),
    );
  const receipts = (): readonly ReceiptReport[] => lab.outcome('r2')?.receipts ?? [];
  await until('S52: receipts of what r2 took over: the upstream learnt', () =>
    ['203.0.113.10', '203.0.113.11'].every((address) =>
      receipts().some(({ ip, cause, verdict }) => ip === address && cause === 'takeover' && verdict === 'learnt'),
    ),
  );
});

let pulled: Promise<void> | undefined;
/** Once for all who watch. */
function takeover(): Promise<void> {
  pulled ??= (async () => {
    await cut('r1', 'down');
    await until(
      'r2 answers',
      async () =>
        (await lab.on('vm1', 'ping', '-c1', '-W1', '198.51.100.10')).code === 0 && states('r2') === 'MASTER,MASTER',
    );
  })();
  return pulled;
}

test('the old master returns without losing a packet', async (t) => {
  const { lost, longest } = await gap(lab, 'vm1', '198.51.100.10', async () => {
    await cut('r1', 'up');
    await isMaster('r1');
  });
  t.diagnostic(`return of the old master: ${lost} lost, longest gap ${longest} ms`);
  assert.ok(lost <= 1, `${lost} lost`);
});

test('a killed keepalived: its addresses are taken away before it starts again, and there are never two masters', async (t) => {
  // At a return there are two for the milliseconds until the peer has heard the first advertisement: a look may see that, two in a row may not.
  const looks: boolean[] = [];
  const watching = new AbortController();
  const watch = (async () => {
    while (!watching.signal.aborted) looks.push((await holders('10.1.1.1')) === 'r1,r2');
  })();
  const { longest } = await gap(lab, 'vm1', '198.51.100.10', async () => {
    const pids = (
      await lab.does(
        'r1',
        'sh',
        '-c',
        `cat ${lab.state}/r1/router/keepalived.pid ${lab.state}/r1/router/keepalived-vrrp.pid`,
      )
    )
      .split(/\s+/)
      .filter((word) => word !== '');
    assert.equal(pids.length, 2);
    await lab.does('r1', 'kill', '-9', ...pids);
    await until('it is told', () =>
      lab.outcome('r1').routers[0]!.findings.some((text) => text.startsWith('r1: keepalived had died')),
    );
    await isMaster('r1');
  });
  watching.abort();
  await watch;
  t.diagnostic(
    `keepalived killed: gap ${longest} ms; ${looks.filter(Boolean).length} of ${looks.length} looks saw two holders`,
  );
  assert.ok(looks.length > 20);
  assert.equal(looks.filter((two, index) => two && looks[index + 1] === true).length, 0);
  assert.ok(longest < 1000, `${longest} ms`);
});

test('a keepalived killed while the agent is dead: its addresses are taken away all the same', async () => {
  await lab.killAgent('r1');
  const pids = (
    await lab.does(
      'r1',
      'sh',
      '-c',
      `cat ${lab.state}/r1/router/keepalived.pid ${lab.state}/r1/router/keepalived-vrrp.pid`,
    )
  )
    .split(/\s+/)
    .filter((word) => word !== '');
  await lab.does('r1', 'kill', '-9', ...pids);
  await until('r2 alone', async () => (await holders('10.1.1.1')) === 'r2' && (await holders('203.0.113.10')) === 'r2');
  lab.startAgent('r1');
  await isMaster('r1');
});

test('a public address that comes later moves nobody and reaches both nodes', async () => {
  const more = (leg: typeof blue.r1): typeof blue.r1 => ({
    ...leg,
    publicAddresses: [...leg.publicAddresses, publicAddress('203.0.113.13', { ingress: [open('icmp')] })],
  });
  const { lost } = await gap(lab, 'vm1', '198.51.100.10', async () => {
    await lab.want('r1', more(blue.r1), routed.r1);
    await until(
      'the new address',
      async () => (await lab.on('outside', 'ping', '-c1', '-W1', '203.0.113.13')).code === 0,
    );
    await lab.want('r2', more(blue.r2), routed.r2);
  });
  // The last one may be on its way when the counting ends.
  assert.ok(lost <= 1, `${lost} lost`);
  assert.equal(await holders('203.0.113.13'), 'r1');
});

test('without the outside link the node steps back, and says what is wrong', async () => {
  await lab.does('sw', 'ip', 'link', 'set', 'r1-0', 'down');
  await isMaster('r2');
  await until('r1 says so', () => states('r1') === 'FAULT,FAULT');
  assert.ok(lab.outcome('r1').routers[0]!.findings.includes('r1: eth0 has no carrier: nothing gets outside or in'));
  await lab.does('sw', 'ip', 'link', 'set', 'r1-0', 'up');
  await isMaster('r1');
});

test('S04: one daemon of a kind serves any number of networks', async (t) => {
  const many = Array.from({ length: 12 }, (_, index) => {
    const cidr = `10.9.${index}`;
    const plain = network(200 + index, {
      name: `n${index}`,
      cidr: `${cidr}.0/24`,
      ip: `${cidr}.2`,
      gateway: `${cidr}.1`,
      dhcp: { domain: '', dns: [], mtu: 1500, leases: [] },
    });
    return legs({ ...plain, publicAddresses: [publicAddress(`203.0.113.${50 + index}`, { sourceNat: true })] });
  });
  const took = await Promise.all([
    lab.want('r1', ...many.map(({ r1 }) => r1)),
    lab.want('r2', ...many.map(({ r2 }) => r2)),
  ]);
  t.diagnostic(`twelve networks on two nodes at once: ${took.join(' and ')} ms`);
  const processes = async (): Promise<string[]> =>
    (await lab.does('r1', 'ps', '-eo', 'args'))
      .split('\n')
      .flatMap((line) => /^(\w+) .*\/r1\/router\/\w+\.conf/.exec(line)?.[1] ?? []);
  await until('all master', () => states('r1') === Array.from({ length: 12 }, () => 'MASTER').join());
  assert.deepEqual((await processes()).toSorted(), ['conntrackd', 'dnsmasq', 'keepalived', 'keepalived']);
  const gone = await Promise.all([lab.want('r1'), lab.want('r2')]);
  t.diagnostic(`and gone again: ${gone.join(' and ')} ms`);
  assert.deepEqual(await processes(), []);
});
