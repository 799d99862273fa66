// Load balancers with real packets, from outside and from inside: what OVN spreads by itself, and what the gateway helper does for it.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { BUILT_IN } from '../../src/model/built-in.ts';
import { sleep } from '../../src/lib/sleep.ts';
import { field, rows, text } from '../../src/demo/answer.ts';
import { eventually } from '../support/lab.ts';
import { type Place, type Server, client, gapDuring, hold, serve, tally } from '../support/peers.ts';
import { type Guest, type LabCloud, cloudForSuite } from '../support/tenant-lab.ts';

const OUTSIDE = 'outside';
const PORT = 8080;

describe('balancers', () => {
  let lab: LabCloud;
  let vpcid: string;
  let tier: string;
  let other: Guest;
  let address: { readonly id: string; readonly ip: string };
  const guests: Guest[] = [];
  const servers = new Map<string, Server>();
  let lastPort = 79;

  cloudForSuite(
    (started) => {
      lab = started;
    },
    { topology: 'region' },
  );

  before(async () => {
    const { tenant, cloud } = lab;
    await cloud.as('admin')('createVlanIpRange', {
      zoneid: BUILT_IN.zone,
      vlan: '100',
      startip: '203.0.113.10',
      endip: '203.0.113.50',
      gateway: '203.0.113.1',
      netmask: '255.255.255.0',
    });
    vpcid = await tenant.vpc('shop', '10.1.0.0/16');
    tier = await tenant.tier(vpcid, '10.1.1.1', 'default_allow');
    for (const host of ['h1', 'h2', 'h3']) guests.push(await tenant.instance(`web-${host}`, tier, host));
    other = await tenant.instance('other', await tenant.tier(vpcid, '10.1.2.1', 'default_allow'), 'h2');
    await Promise.all(guests.map(async (guest) => servers.set(guest.name, await serve(cloud, guest, PORT))));
    const given = field(await tenant.call('associateIpAddress', { vpcid }), 'ipaddress');
    address = { id: text(given, 'id'), ip: text(given, 'ipaddress') };
  });

  type More = Readonly<Record<string, string>>;
  interface Rule {
    readonly id: string;
    readonly port: number;
  }

  async function rule(algorithm: string, more: More = {}, members: readonly Guest[] = guests): Promise<Rule> {
    const port = ++lastPort;
    const answer = await lab.tenant.call('createLoadBalancerRule', {
      publicipid: address.id,
      networkid: tier,
      name: `lb${port}`,
      algorithm,
      publicport: String(port),
      privateport: String(PORT),
      ...more,
    });
    const id = text(field(answer, 'loadbalancer'), 'id');
    if (members.length > 0) await assign(id, ...members);
    return { id, port };
  }

  const assign = (id: string, ...members: readonly Guest[]): Promise<object> =>
    lab.tenant.call('assignToLoadBalancerRule', { id, virtualmachineids: members.map((one) => one.id).join(',') });
  const remove = (id: string, member: Guest): Promise<object> =>
    lab.tenant.call('removeFromLoadBalancerRule', { id, virtualmachineids: member.id });
  const sticky = (lbruleid: string, methodname: string): Promise<object> =>
    lab.tenant.call('createLBStickinessPolicy', { lbruleid, name: 'stay', methodname });
  const ask = (port: number, count: number, kind = 'ask', from: Place = OUTSIDE): Promise<string[]> =>
    client(lab.cloud, from, kind, address.ip, port, count);
  const names = (lines: readonly string[]): string[] => [...tally(lines).keys()].toSorted();
  const EVERYBODY = ['web-h1', 'web-h2', 'web-h3'];

  /** Asks until the answers come from these, and nobody is missing. */
  const answeredBy = (port: number, wanted: readonly string[], within = 30_000): Promise<unknown> =>
    eventually(
      `port ${port} is answered by ${wanted.join(', ')}`,
      async () => names(await ask(port, 12)).join() === wanted.join() || undefined,
      within,
    );

  test('round robin: every member is reached, with the client as it is, from outside, from its own network and from another tier', async () => {
    const { port } = await rule('roundrobin');
    const lines = await ask(port, 40);
    assert.deepEqual(names(lines), EVERYBODY);
    assert.match(lines[0]!, / 198\.51\.100\.10 hi$/);
    for (const from of [guests[0]!, other]) assert.deepEqual(names(await ask(port, 40, 'ask', from)), EVERYBODY);
  });

  test('a rule without members answers nothing, and one is answered only to whom it is for', async () => {
    const { id, port } = await rule('roundrobin', { cidrlist: '192.0.2.0/24' }, []);
    assert.deepEqual(await ask(port, 1), ['silent']);
    await assign(id, ...guests);
    assert.deepEqual(await ask(port, 1), ['silent'], 'the client is in no prefix of the list');
    await lab.tenant.call('updateLoadBalancerRule', { id, cidrlist: '198.51.100.0/24' });
    assert.deepEqual(names(await ask(port, 30)), EVERYBODY);
  });

  test('source and SourceBased keep a client with one member', async () => {
    const source = await rule('source');
    assert.equal(names(await ask(source.port, 10)).length, 1);
    const stays = await rule('roundrobin');
    await sticky(stays.id, 'SourceBased');
    const before = names(await ask(stays.port, 10));
    assert.equal(before.length, 1);
    // Also when there is another choice.
    await remove(
      stays.id,
      guests.find(({ name }) => name !== before[0])!,
    );
    assert.deepEqual(names(await ask(stays.port, 10)), before);
  });

  test('udp: datagrams from many ports reach every member', async () => {
    const { port } = await rule('roundrobin', { protocol: 'udp' });
    assert.deepEqual(names(await ask(port, 40, 'udp')), EVERYBODY);
  });

  test('least connections: who has fewer gets the next', async () => {
    const { port } = await rule('leastconn');
    const held = await hold(lab.cloud, OUTSIDE, address.ip, port, 2);
    assert.equal(names(held.names).length, 2);
    const free = EVERYBODY.filter((name) => !held.names.includes(name));
    // The third member has none where the one before is over, as nearly all are by then. In turns, it would get three of nine.
    const asked: string[] = [];
    for (let turn = 0; turn < 9; turn++) {
      asked.push(...(await ask(port, 1)));
      await sleep(100);
    }
    assert.ok((tally(asked).get(free[0]!) ?? 0) >= 6, asked.join(', '));
    await held.done();
  });

  test('cookies: the balancer’s own and the application’s keep a session, not a client', async () => {
    const own = await rule('roundrobin');
    await sticky(own.id, 'LbCookie');
    assert.equal(names(await ask(own.port, 6, 'web')).length, 1);
    const sessions = await Promise.all(guests.map(() => ask(own.port, 1, 'web')));
    assert.ok(names(sessions.flat()).length > 1);
    const theirs = await rule('roundrobin');
    await sticky(theirs.id, 'AppCookie');
    const said = await ask(theirs.port, 6, 'web');
    assert.equal(names(said).length, 1);
    assert.match(said[0]!, / 198\.51\.100\.10 \/$/, 'members are told the client in a header');
  });

  test('tcp-proxy: members are told the client by the PROXY protocol', async () => {
    const { port } = await rule('roundrobin', { protocol: 'tcp-proxy' });
    const lines = await ask(port, 3);
    assert.deepEqual(names(lines), EVERYBODY);
    for (const line of lines) assert.match(line, / 198\.51\.100\.10 hi$/);
  });

  test('health checks take a dead member out and back: by its port, and by what it says', async () => {
    const times = { intervaltime: '3', responsetimeout: '2', healthythreshold: '1', unhealthythreshold: '2' };
    const byPort = await rule('roundrobin');
    await lab.tenant.call('createLBHealthCheckPolicy', { lbruleid: byPort.id, ...times });
    const byWord = await rule('roundrobin');
    await lab.tenant.call('createLBHealthCheckPolicy', { lbruleid: byWord.id, pingpath: '/health', ...times });
    await answeredBy(byPort.port, EVERYBODY);
    const sick = await eventually('somebody is told to be sick', async () => {
      const [name = ''] = names(await client(lab.cloud, OUTSIDE, 'path', address.ip, byWord.port, '/sick'));
      return EVERYBODY.includes(name) ? name : undefined;
    });
    await answeredBy(
      byWord.port,
      EVERYBODY.filter((name) => name !== sick),
    );
    const dead = guests[0]!;
    await servers.get(dead.name)!.stop();
    await answeredBy(
      byPort.port,
      EVERYBODY.filter((name) => name !== dead.name),
    );
    servers.set(dead.name, await serve(lab.cloud, dead, PORT));
    await answeredBy(byPort.port, EVERYBODY);
  });

  /** How often the router has moved to another gateway. */
  const moves = async (): Promise<number> =>
    rows(await lab.cloud.as('admin')('listEvents', { type: 'ROUTER.TAKEOVER', listall: 'true' }), 'event').length;

  /** On a machine without a free processor a gateway is now and then taken for dead, and what went through it ends: then once more. */
  async function unlessMoved(work: () => Promise<void>): Promise<void> {
    for (let turn = 1; ; turn++) {
      const before = await moves();
      try {
        return await work();
      } catch (error) {
        const moved = async (): Promise<true | undefined> => ((await moves()) > before ? true : undefined);
        const seen = await eventually('word of the gateways', moved, 3_000).catch(() => false);
        if (turn === 3 || !seen) throw error;
      }
    }
  }

  /** The node that carries the public side of the tests' router, the only one on that wire. */
  async function carrierOfRouter(): Promise<string> {
    const script =
      "port=$(ovn-nbctl --bare --columns=name,networks list logical_router_port | grep -B1 '^203\\.0\\.113\\.' | head -n1); " +
      'ovn-sbctl --bare --columns=name list chassis $(ovn-sbctl --bare --columns=chassis find port_binding logical_port=cr-$port)';
    const { stdout } = await lab.cloud.lab.exec('central', ['sh', '-c', script]);
    return stdout.trim();
  }

  const lost = (lines: readonly string[]): readonly string[] => lines.filter((line) => line.includes('lost'));

  test('members come and go, and no connection ends; one that is stopped gets none until it is started', async () => {
    const { tenant, cloud } = lab;
    const gone = guests[2]!;
    const rules: Rule[] = [];
    for (const algorithm of ['roundrobin', 'leastconn']) {
      await unlessMoved(async () => {
        const one = await rule(algorithm);
        const { id, port } = one;
        const held = await hold(cloud, OUTSIDE, address.ip, port, 9);
        await remove(id, gone);
        assert.deepEqual(names(await ask(port, 20)), ['web-h1', 'web-h2']);
        assert.deepEqual(lost(await held.done()), [], 'those of the member that goes go on, too');
        await assign(id, gone);
        assert.deepEqual(names(await ask(port, 30)), EVERYBODY);
        rules.push(one);
      });
    }
    await servers.get(gone.name)!.stop();
    await tenant.call('stopVirtualMachine', { id: gone.id });
    for (const { id, port } of rules) {
      await unlessMoved(async () => assert.deepEqual(names(await ask(port, 20)), ['web-h1', 'web-h2']));
      const list = rows(await tenant.call('listLoadBalancerRuleInstances', { id }), 'loadbalancerruleinstance');
      const state = list.flatMap((one) => (text(one, 'id') === gone.id ? [text(one, 'state')] : []));
      assert.deepEqual(state, ['Stopped'], 'it is a member still');
    }
    await tenant.call('startVirtualMachine', { id: gone.id });
    servers.set(gone.name, await serve(cloud, gone, PORT));
    for (const { port } of rules) await answeredBy(port, EVERYBODY);
  });

  test('an internal balancer is reached from its network, by its own members, and from other tiers as far as lists allow', async () => {
    const answer = await lab.tenant.call('createLoadBalancer', {
      name: 'inside',
      scheme: 'Internal',
      algorithm: 'roundrobin',
      networkid: tier,
      sourceipaddressnetworkid: tier,
      sourceport: '80',
      instanceport: String(PORT),
    });
    const balancer = field(answer, 'loadbalancer');
    await assign(text(balancer, 'id'), ...guests);
    const inside = (from: Place, count: number): Promise<string[]> =>
      client(lab.cloud, from, 'ask', text(balancer, 'sourceipaddress'), 80, count);
    assert.deepEqual(names(await inside(other, 40)), EVERYBODY);
    assert.deepEqual(names(await inside(guests[0]!, 40)), EVERYBODY);
    const aclid = await lab.tenant.idOf('listNetworkACLLists', 'networkacllist', 'default_deny');
    const open = await lab.tenant.idOf('listNetworkACLLists', 'networkacllist', 'default_allow');
    await lab.tenant.call('replaceNetworkACLList', { networkid: tier, aclid });
    assert.deepEqual(await inside(other, 1), ['silent']);
    assert.equal((await inside(guests[0]!, 3)).includes('silent'), false);
    await lab.tenant.call('replaceNetworkACLList', { networkid: tier, aclid: open });
  });

  test('nobody but its router reaches the helper: not from outside, not from another VPC, whatever routes say', async () => {
    const { tenant, cloud } = lab;
    const shell = async (node: string, script: string): Promise<string> =>
      (await cloud.lab.exec(node, ['sh', '-c', script])).stdout.trim();
    const bound = await shell('gw1', 'cat /run/trunkline/gw1/helpers/*/haproxy.conf');
    const port = Number(/bind 192\.0\.0\.18:([0-9]+)/.exec(bound)?.[1]);
    await shell('upstream', `ip route add 192.0.0.0/24 via ${address.ip}`);
    await shell('outside', 'ip route add 192.0.0.0/24 via 198.51.100.1');
    assert.deepEqual(await client(cloud, OUTSIDE, 'ask', '192.0.0.18', port, 1), ['silent']);
    await shell('upstream', `ip route add 10.1.0.0/16 via ${address.ip}`);
    await shell('outside', 'ip route add 10.1.0.0/16 via 198.51.100.1');
    assert.deepEqual(await client(cloud, OUTSIDE, 'ask', guests[0]!.address, PORT, 1), ['silent']);
    const spies = await tenant.vpc('spies', '10.9.0.0/16');
    const spy = await tenant.instance('spy', await tenant.tier(spies, '10.9.1.1', 'default_allow'));
    const between = await tenant.privateNetwork('172.16.9.0/24');
    await tenant.gateway(vpcid, between, '172.16.9.1', 'default_allow');
    await tenant.gateway(spies, between, '172.16.9.2', 'default_allow');
    await tenant.route(vpcid, '10.9.0.0/16', '172.16.9.2');
    await tenant.route(spies, '10.1.0.0/16', '172.16.9.1');
    await tenant.route(spies, '192.0.0.0/16', '172.16.9.1');
    await eventually('the way being there', async () => {
      const [answer] = await client(cloud, spy, 'ask', guests[0]!.address, PORT, 1);
      return answer === 'silent' ? undefined : true;
    });
    assert.deepEqual(await client(cloud, spy, 'ask', '192.0.0.18', port, 1), ['silent']);
  });

  test('no helper is left where no rule needs one; what went through it goes on beside others, and is ended at once with the last', async () => {
    const [first, last] = [await rule('leastconn'), await rule('leastconn')];
    const list = rows(await lab.tenant.call('listLoadBalancerRules', { listall: 'true' }), 'loadbalancerrule')
      .map((one) => text(one, 'id'))
      .filter((id) => id !== first.id && id !== last.id);
    await Promise.all(list.map((id) => lab.tenant.call('deleteLoadBalancerRule', { id })));
    const change = (id: string): Promise<object> =>
      lab.tenant.call('updateLoadBalancerRule', { id, algorithm: 'source' });
    const beside = await hold(lab.cloud, OUTSIDE, address.ip, first.port, 6);
    await change(first.id);
    assert.equal(names(await ask(first.port, 6)).length, 1);
    assert.deepEqual(lost(await beside.done()), []);
    const held = await hold(lab.cloud, OUTSIDE, address.ip, last.port, 6);
    await change(last.id);
    const ended = await held.gone();
    assert.equal(lost(ended).length, 6, 'nobody has them any more');
    assert.deepEqual(
      ended.filter((line) => line.includes('timed out')),
      [],
      'they were told',
    );
    await eventually('the namespaces of helpers are gone', async () => {
      const { stdout } = await lab.cloud.lab.exec('central', ['ls', '/run/netns']);
      return stdout.split('\n').every((name) => !name.startsWith('h-')) || undefined;
    });
  });

  test('the helper goes with the router’s public side: a gateway that loses its power is missed for seconds at most', async (context) => {
    const { id, port } = await rule('leastconn');
    // Looked at so seldom that nobody could wait for it: to a helper that waits on another gateway all members are out of reach.
    const seldom = { intervaltime: '20', responsetimeout: '2', healthythreshold: '2', unhealthythreshold: '2' };
    await lab.tenant.call('createLBHealthCheckPolicy', { lbruleid: id, ...seldom });
    const carrier = await carrierOfRouter();
    const gap = await gapDuring(lab.cloud, OUTSIDE, address.ip, port, 8, () =>
      lab.cloud.lab.perform('power-off', carrier),
    );
    context.diagnostic(`no answer through the helper for ${gap} ms`);
    assert.ok(gap < 5000, `no answer for ${gap} ms`);
    await answeredBy(port, EVERYBODY);
  });
});
