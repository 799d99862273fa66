// Story 5: a Linux router takes the virtual router's place. Two router nodes are the gateway of a network on a VLAN, and its way out.
//
//     h1        h2                                         upstream 203.0.113.1 ------ outside 198.51.100.10
//     web1      web2                                          |
//      |          |                                           |
//   ===+==========+=== VLAN, 10.20.0.0/24 ==+======+==     ===+===+======+===  VLAN 100, 203.0.113.0/24
//                                      eth1.VLAN eth1.VLAN       eth0   eth0
//                                          r1      r2             r1     r2
//                        the gateway 10.20.0.1 and the public addresses are at whichever is MASTER
import { field, rows, text } from '../../src/demo/answer.ts';
import type { Outage } from '../../src/demo/reading.ts';
import { processesOf, routerFinding, routersAre, routersOf, signal, withoutAgent } from '../../src/demo/routers.ts';
import type { Story, World } from '../../src/demo/story.ts';
import { type Guest, guestOf, type Tenant } from '../../src/demo/tenant.ts';
import { sleep } from '../../src/lib/sleep.ts';
import { askWeb, noWeb, serveName } from '../../src/demo/web.ts';

const ACCOUNT = 'acme-admin';
const CIDR = '10.20.0.0/24';
const GATEWAY = '10.20.0.1';
const OFFERING = 'LinuxRouterRedundant';
const OUTSIDE = '198.51.100.10';
/** The first two of the range: what is sent is seen as the one, the other is asked for. */
const SOURCE = '203.0.113.100';
const PUBLIC = '203.0.113.101';
const RANGE = { startip: SOURCE, endip: '203.0.113.110', gateway: '203.0.113.1', netmask: '255.255.255.0' };
const ROUTERS = ['r1', 'r2'] as const;
/** Milliseconds between pings while a takeover is watched, and what it may take on a busy machine; on a quiet one it is under 500. */
const PING_MS = 20;
const TAKEOVER_MS = 2000;

export const story: Story = {
  title: "Story 5: a Linux router takes the virtual router's place",
  summary: `Two router nodes are the gateway of ${CIDR}: they translate, forward, balance, and one takes over when the other is lost.`,
  topology: 'campus',
  byHand: 'web1 -- ping -c3 198.51.100.10',
  async play(world) {
    const tenant = await world.tenant(ACCOUNT);
    const earlier = rows(await tenant.call('listVirtualMachines'), 'virtualmachine').map(guestOf);
    if (earlier.length > 0) return again(world, earlier);
    const scene = await begin(world, tenant);
    await twoInterfaces(scene);
    await aMember(scene);
    await wayOut(scene);
    await waysIn(scene);
    await balances(scene);
    await masterIsLost(scene);
    await masterReturns(scene);
    await masterIsFrozen(scene);
    await forwardingOff(scene);
  },
};

interface Scene {
  readonly world: World;
  readonly tenant: Tenant;
  readonly networkid: string;
  readonly vlan: number;
  readonly web1: Guest;
  readonly web2: Guest;
  /** Of the second public address. */
  readonly ipaddressid: string;
}

async function again(world: World, guests: readonly Guest[]): Promise<void> {
  world.say('the network is here already, from an earlier run');
  for (const guest of guests)
    await world.waitFor(
      `${guest.name} and its gateway`,
      () => world.pingFrom(guest, GATEWAY).catch(() => false),
      60_000,
    );
  await world.matrix('the instances still talk', guests, true);
}

async function begin(world: World, tenant: Tenant): Promise<Scene> {
  await world.operator('createVlanIpRange', { zoneid: tenant.zoneid, ...RANGE });
  world.say(`the operator has given out ${RANGE.startip} to ${RANGE.endip} as public addresses`);
  const networkid = await tenant.network(OFFERING, { cidr: CIDR });
  const vlan = await tenant.vlanOf(networkid);
  world.say(`the network is VLAN ${vlan}; its offering ${OFFERING} asks for a pair of router nodes`);
  const [web1, web2] = await Promise.all([
    tenant.instance('web1', networkid, 'h1'),
    tenant.instance('web2', networkid, 'h2'),
  ]);
  world.say(`web1 has ${web1.address} and web2 ${web2.address}, by DHCP from the routers`);
  const ipaddressid = text(field(await tenant.call('associateIpAddress', { networkid }), 'ipaddress'), 'id');
  await Promise.all([web1, web2].map((guest) => serveName(world, guest, '8080')));
  await routersAre(world, networkid, 'r1 MASTER, r2 BACKUP');
  world.expect('S15: listRouters shows one MASTER and one BACKUP', true);
  return { world, tenant, networkid, vlan, web1, web2, ipaddressid };
}

/** A router node stands between an outside and the hypervisors' wires. */
async function twoInterfaces({ world }: Scene): Promise<void> {
  for (const node of ROUTERS) {
    const { stdout } = await world.inNetwork(node, ['ip', '-brief', '-4', 'address', 'show', 'dev', 'eth0']);
    const outer = / (203\.0\.113\.2[12])\//.exec(stdout)?.[1];
    world.expect(`S14: ${node} has an outside interface eth0 with an address of its own`, outer !== undefined, stdout);
    await world.reaches(`S14: and reaches the hypervisors from within`, node, '192.0.2.11', true);
  }
}

/** As in the archive: a Linux machine with `eth1.1234` and an address of the range is one member more. */
async function aMember({ world, tenant, networkid, vlan, web1, web2 }: Scene): Promise<void> {
  const device = `eth1.${vlan}`;
  const routers = await routersOf(world, networkid);
  for (const { node, address } of routers) {
    const { stdout } = await world.inNetwork(node, ['ip', '-brief', '-4', 'address', 'show', 'dev', device]);
    const right = stdout.includes(` ${address}/24`);
    world.expect(`S12: ${node} has ${address} on ${device}, with the network's own prefix length`, right, stdout);
    await world.reaches(`S10: ${node} reaches web1`, node, web1.address, true);
    await world.reaches(`S10: web2 reaches ${node}`, web2, address, true);
  }
  await world.matrix('S10: the instances talk to each other, too', [web1, web2], true);
  const trunk = await world.tagsSeen(
    'r1-eth1',
    () => world.pingFrom('r1', web1.address),
    `vlan and icmp and host ${web1.address}`,
  );
  if (trunk === undefined) world.say('       frames are not looked at: tcpdump cannot run without root here');
  else world.expect(`S10: on its cable that is tag ${vlan}`, trunk.vlans.join() === `${vlan}`, JSON.stringify(trunk));
  for (const taken of [GATEWAY, routers[0]!.address])
    await world.refused(
      `S13: no instance gets ${taken}, which the routers have`,
      () => tenant.instance('thief', networkid, 'h1', { ipaddress: taken }),
      new RegExp(taken.replaceAll('.', String.raw`\.`)),
    );
}

async function wayOut({ world, tenant, networkid, web1, web2 }: Scene): Promise<void> {
  await world.reaches('S15: the gateway answers', web2, GATEWAY, true);
  await world.reaches('before an egress rule nothing leaves', web1, OUTSIDE, false);
  await tenant.call('createEgressFirewallRule', { networkid, protocol: 'icmp', icmptype: '-1', icmpcode: '-1' });
  await world.reaches('with it, web1 reaches the outside, as soon as the job is done', web1, OUTSIDE, true);
  const source = await world.sourceSeen('outside', () => world.pingFrom(web2, OUTSIDE));
  if (source !== undefined)
    world.expect(`S15: the outside sees ${SOURCE}, not the private address`, source === SOURCE, source);
}

async function waysIn({ world, tenant, networkid, ipaddressid, web1, web2 }: Scene): Promise<void> {
  await world.reaches(`${PUBLIC} is silent without a firewall rule`, 'outside', PUBLIC, false);
  await tenant.call('createFirewallRule', { ipaddressid, protocol: 'icmp', icmptype: '-1', icmpcode: '-1' });
  await world.reaches('S15: the public address answers the outside', 'outside', PUBLIC, true);

  const forwarded = await tenant.call('createPortForwardingRule', {
    ipaddressid,
    protocol: 'tcp',
    publicport: '2080',
    privateport: '8080',
    virtualmachineid: web2.id,
  });
  const heard = await askWeb(world, 'outside', PUBLIC, '2080');
  world.expect(`a port forward leads from ${PUBLIC}:2080 to web2`, heard === 'web2', heard);
  await tenant.call('deletePortForwardingRule', { id: text(field(forwarded, 'portforwardingrule'), 'id') });
  await noWeb(world, 'and is closed when it is deleted', 'outside', PUBLIC, '2080');

  const third = field(await tenant.call('associateIpAddress', { networkid }), 'ipaddress');
  const address = text(third, 'ipaddress');
  await tenant.call('enableStaticNat', { ipaddressid: text(third, 'id'), virtualmachineid: web1.id });
  await tenant.call('createFirewallRule', { ipaddressid: text(third, 'id'), protocol: 'tcp', startport: '8080' });
  const whole = await askWeb(world, 'outside', address, '8080');
  world.expect(`static NAT gives web1 all of ${address}`, whole === 'web1', whole);
  await tenant.call('disassociateIpAddress', { id: text(third, 'id') });
  await noWeb(world, 'and nothing is left when the address is given back', 'outside', address, '8080');
}

async function balances({ world, tenant, ipaddressid, web1, web2 }: Scene): Promise<void> {
  const made = await tenant.call('createLoadBalancerRule', {
    publicipid: ipaddressid,
    name: 'web',
    algorithm: 'roundrobin',
    publicport: '80',
    privateport: '8080',
  });
  const id = text(field(made, 'loadbalancer'), 'id');
  await noWeb(world, 'a balancer without instances leads to nobody', 'outside', PUBLIC, '80');
  await tenant.call('assignToLoadBalancerRule', { id, virtualmachineids: `${web1.id},${web2.id}` });
  await bothAnswer(world, 'S15: requests reach both instances');
}

async function bothAnswer(world: World, promise: string): Promise<void> {
  const heard = new Set<string>();
  const both = async (): Promise<boolean> => {
    heard.add(await askWeb(world, 'outside', PUBLIC, '80'));
    return heard.has('web1') && heard.has('web2');
  };
  const held = await world.waitFor('both', both).catch(() => false);
  world.expect(promise, held, [...heard].join(', '));
}

/** Watches from within and from the outside while something happens, and that nobody else has the gateway at the same time. */
async function watched(
  { world, web1 }: Scene,
  during: () => Promise<unknown>,
): Promise<{ readonly out: Outage; readonly in: Outage; readonly double: boolean }> {
  let happening: Promise<unknown> | undefined;
  const once = (): Promise<unknown> => (happening ??= during());
  const stop = new AbortController();
  // At a return both have it for the milliseconds until the other has heard of it: a look may see that, two in a row may not.
  const looks: boolean[] = [];
  const looking = (async () => {
    for (; !stop.signal.aborted; await sleep(PING_MS)) looks.push((await holders(world)).length > 1);
  })();
  try {
    const [out, inward] = await Promise.all([
      world.outage(web1, OUTSIDE, once, PING_MS),
      world.outage('outside', PUBLIC, once, PING_MS),
    ]);
    return { out, in: inward, double: looks.some((two, index) => two && looks[index + 1] === true) };
  } finally {
    stop.abort();
    await looking;
  }
}

/** The nodes that have the gateway's address and a cable to be asked by. */
async function holders(world: World): Promise<string[]> {
  const all = await Promise.all(
    ROUTERS.map(async (node) => {
      const { stdout } = await world.inNetwork(node, ['ip', '-brief', '-4', 'address']);
      return stdout.includes(` ${GATEWAY}/`) ? [node] : [];
    }),
  );
  return all.flat();
}

/** One MAC alone answers for the gateway, asked on the wire. */
async function oneAnswers({ world, web1 }: Scene, when: string): Promise<void> {
  const { stdout } = await world.inNetwork(web1, ['arping', '-b', '-c', '2', '-w', '2', '-I', 'eth0', GATEWAY]);
  const macs = new Set(stdout.match(/(?<=\[)[0-9A-F:]{17}(?=\])/gi));
  world.expect(`S15: ${when} one MAC answers for the gateway`, macs.size === 1, stdout);
}

/** Does something by hand at a machine; throws what was said instead. */
async function byHand(world: World, node: string, ...argv: string[]): Promise<void> {
  const { code, stderr } = await world.exec(node, argv);
  if (code !== 0) throw new Error(`${argv.join(' ')} at ${node}: ${stderr.trim()}`);
}

async function cables(world: World, node: string, how: 'up' | 'down'): Promise<void> {
  for (const port of [`${node}-eth0`, `${node}-eth1`]) await byHand(world, 'sw', 'ip', 'link', 'set', port, how);
}

const inWords = ({ out, in: inward }: { readonly out: Outage; readonly in: Outage }): string =>
  `from within ${out.gapMs} ms (${out.lost} of ${out.sent} pings lost), from the outside ${inward.gapMs} ms (${inward.lost} of ${inward.sent})`;

async function masterIsLost(scene: Scene): Promise<void> {
  const { world, networkid } = scene;
  world.say('both cables of r1 are pulled');
  const seen = await watched(scene, async () => {
    await cables(world, 'r1', 'down');
    await routersAre(world, networkid, 'r1 FAULT, r2 MASTER');
  });
  world.say(`       fail-over: ${inWords(seen)}`);
  const quick = [seen.out, seen.in].every(({ gapMs, recovered }) => recovered && gapMs < TAKEOVER_MS);
  world.expect(`S15: r2 takes over within ${TAKEOVER_MS / 1000} s, out and in`, quick, inWords(seen));
  world.expect('S15: never two at once have the gateway', !seen.double);
  await oneAnswers(scene, 'afterwards');
  const said = await routerFinding(world, /^r1: eth0 /);
  world.expect('the cable is named', /^r1: eth0 has no carrier: nothing gets outside or in$/.test(said), said);
  await receipt(scene);
  await bothAnswer(world, 'S15: r2 balances as r1 did');
}

/** The node asked the router outside whether it learnt, and the tenant can read what it said. */
async function receipt({ world, networkid }: Scene): Promise<void> {
  const find = async (): Promise<object | undefined> =>
    rows(await world.as(ACCOUNT)('listAddressReceipts', { networkid, ipaddress: PUBLIC }), 'addressreceipt').find(
      (one) => text(one, 'cause') === 'takeover' && text(one, 'result') === 'learnt',
    );
  const found = await world.waitFor('a receipt of the takeover', find, 15_000).catch(() => undefined);
  world.expect('S52: the takeover has a receipt: the upstream learnt where the public address is', found !== undefined);
  if (found !== undefined) world.say(`       "${text(found, 'description')}"`);
}

async function masterReturns(scene: Scene): Promise<void> {
  const { world, networkid } = scene;
  world.say('the cables of r1 are plugged in again');
  const seen = await watched(scene, async () => {
    await cables(world, 'r1', 'up');
    await routersAre(world, networkid, 'r1 MASTER, r2 BACKUP');
  });
  world.say(`       return: ${inWords(seen)}`);
  // A ping in the air at the very moment may find neither.
  const lost = seen.out.lost <= 1 && seen.in.lost <= 1;
  world.expect('S15: the old master returns and nothing is lost', lost, inWords(seen));
  world.expect('S15: nor two at once', !seen.double);
}

/** Nothing of it runs, nothing comes out of it, and it says nothing of it: as if the machine's power had been cut, or it were paused. */
async function masterIsFrozen(scene: Scene): Promise<void> {
  const { world, networkid } = scene;
  const pids = (await processesOf(world, 'r1')).map(({ pid }) => pid);
  world.say(`r1 is frozen: none of its ${pids.length} processes runs, no frame leaves it`);
  const seen = await watched(scene, async () => {
    try {
      await signal(world, 'STOP', pids);
      await cables(world, 'r1', 'down');
      await world.waitFor('r2 MASTER', async () => {
        const r2 = (await routersOf(world, networkid)).find(({ node }) => node === 'r2');
        return r2?.state === 'MASTER';
      });
      await world.waitFor('the outside again', () => world.pingFrom(scene.web1, OUTSIDE));
    } finally {
      await cables(world, 'r1', 'up');
      await signal(world, 'CONT', pids);
    }
    await routersAre(world, networkid, 'r1 MASTER, r2 BACKUP');
  });
  world.say(`       frozen and back: ${inWords(seen)}`);
  const quick = [seen.out, seen.in].every(({ gapMs, recovered }) => recovered && gapMs < TAKEOVER_MS);
  world.expect(`S15: a frozen master costs less than ${TAKEOVER_MS / 1000} s, too`, quick, inWords(seen));
  await oneAnswers(scene, 'after it has thawed');
}

/** The archive's classic: the router does not forward. */
async function forwardingOff({ world, web1 }: Scene): Promise<void> {
  await withoutAgent(world, 'r1', async () => {
    world.say('at r1, the master, by hand: sysctl -w net.ipv4.ip_forward=0');
    await byHand(world, 'r1', 'sysctl', '-w', 'net.ipv4.ip_forward=0');
    await world.reaches('forwarding off: nothing gets out', web1, OUTSIDE, false);
  });
  const said = await routerFinding(world, /^r1: forwarding/);
  const right = said === 'r1: forwarding was switched off; switched on again';
  world.expect('forwarding off: the product names the node and what it put right', right, said);
  const healed = await world.waitFor('the outside', () => world.pingFrom(web1, OUTSIDE)).catch(() => false);
  world.expect('forwarding off: and so it is', healed);
}
