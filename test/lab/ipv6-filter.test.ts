// What may pass in IPv6, with packets: lists of tiers in both families, the firewall of a network without IPv4, static routes, and packets
// that are too long.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { field, text } from '../../src/demo/answer.ts';
import { type Guest6, type Ipv6Lab, OUTSIDE6, comes, ipv6Lab } from '../support/ipv6-lab.ts';
import { cloudForSuite, type LabCloud } from '../support/tenant-lab.ts';

let lab: LabCloud;
let six: Ipv6Lab;
let vpcid: string, front: string, back: string, isolated: string, listId: string;
/** In the tier in front, in the one behind on two hypervisors, and in a network outside the VPC that has IPv6 only. */
let web: Guest6, db: Guest6, db2: Guest6, alone: Guest6;

async function item(params: Readonly<Record<string, string>>): Promise<string> {
  const answer = await lab.tenant.call('createNetworkACL', { aclid: listId, ...params });
  return text(field(answer, 'networkacl'), 'id');
}

suite('filters and routes of IPv6', () => {
  cloudForSuite(
    async (started) => {
      lab = started;
      six = await ipv6Lab(lab);
      vpcid = await six.vpc('shop', '10.1.0.0/16');
      front = await six.tier(vpcid, '10.1.1.1', 'default_allow');
      back = await six.tier(vpcid, '10.1.2.1', 'default_deny');
      isolated = await six.network('six');
      [web, db, db2, alone] = await Promise.all([
        six.instance('web', front, 'h1'),
        six.instance('db', back, 'h2'),
        six.instance('db2', back, 'h3'),
        six.instance('alone', isolated, 'h3'),
      ]);
      const list = await lab.tenant.call('createNetworkACLList', { name: 'mine', vpcid });
      listId = text(field(list, 'networkacllist'), 'id');
    },
    { topology: 'region' },
  );

  test('default_deny refuses both families from outside the tier, and nothing inside it', async () => {
    assert.ok(!(await six.ping6(web, db.six)));
    assert.ok(!(await lab.ping(web, db)));
    assert.ok(await six.ping6(db2, db.six));
    assert.ok(!(await six.ping6(db, web.six)), 'default_deny also refuses what goes out');
  });

  test('a list is gone through for each family by itself, and a change holds at once', async () => {
    await lab.tenant.call('replaceNetworkACLList', { aclid: listId, networkid: back });
    assert.ok(!(await six.ping6(web, db.six)));
    const source = text(await six.shown(front), 'ip6cidr');
    const allowed = await item({ protocol: '58', icmptype: '128', icmpcode: '0', cidrlist: source });
    assert.ok(await six.ping6(web, db.six), 'the first packet after the job');
    assert.ok(!(await lab.ping(web, db)), 'nothing was said of IPv4');
    assert.ok(!(await six.ping6(alone, db.six)), 'nor of other sources');
    await lab.tenant.call('deleteNetworkACL', { id: allowed });
    await item({ protocol: 'icmp', cidrlist: '::/0,0.0.0.0/0', icmptype: '-1', icmpcode: '-1' });
    assert.ok(await six.ping6(web, db.six));
    assert.ok(await lab.ping(web, db));
  });

  test('a Deny in front cuts what an Allow behind let through, in its family alone', async () => {
    await lab.tenant.call('createNetworkACLList', { name: 'second', vpcid }).then(async (answer) => {
      listId = text(field(answer, 'networkacllist'), 'id');
    });
    await item({ number: '10', protocol: 'all', action: 'Deny', cidrlist: '::/0' });
    await item({ number: '20', protocol: 'all', cidrlist: '::/0,0.0.0.0/0' });
    await lab.tenant.call('replaceNetworkACLList', { aclid: listId, networkid: back });
    assert.ok(!(await six.ping6(web, db.six)));
    assert.ok(await lab.ping(web, db));
    await lab.tenant.call('replaceNetworkACLList', {
      aclid: await lab.tenant.idOf('listNetworkACLLists', 'networkacllist', 'default_allow'),
      networkid: back,
    });
    assert.ok(await six.ping6(web, db.six));
  });

  test('a network outside a VPC lets nothing in without a rule, and out what its offering says', async () => {
    await six.routeTo(isolated);
    await comes('the network to the outside', () => six.ping6(alone, OUTSIDE6));
    assert.ok(!(await six.ping6('outside', alone.six)));
    assert.ok(!(await six.ping6(web, alone.six)), 'another network of the same account is outside, too');
    const answer = await lab.tenant.call('createIpv6FirewallRule', {
      networkid: isolated,
      protocol: 'icmp',
      cidrlist: '2001:db8:51::/64',
    });
    const rule = text(field(answer, 'firewallrule'), 'id');
    assert.ok(await six.ping6('outside', alone.six), 'the first packet after the job');
    assert.ok(!(await six.ping6(web, alone.six)));
    await lab.tenant.call('deleteIpv6FirewallRule', { id: rule });
    assert.ok(!(await six.ping6('outside', alone.six)));
    const out = await lab.tenant.call('createIpv6FirewallRule', {
      networkid: isolated,
      protocol: 'icmp',
      traffictype: 'Egress',
      destcidrlist: '2001:db8:51::/64',
    });
    assert.ok(!(await six.ping6(alone, OUTSIDE6)), 'where everything may go out, a rule says what may not');
    await lab.tenant.call('deleteIpv6FirewallRule', { id: text(field(out, 'firewallrule'), 'id') });
    assert.ok(await six.ping6(alone, OUTSIDE6));
  });

  test('a static route leads to an instance that routes; one that leads nowhere says why', async () => {
    await lab.wire.inNetwork(web, ['ip', 'address', 'add', '2001:db8:9::1/128', 'dev', 'lo']);
    const route = await lab.tenant.route(vpcid, '2001:db8:9::/64', web.six);
    assert.equal(route.state, 'Active');
    assert.ok(await six.ping6(db, '2001:db8:9::1'));
    const lost = await lab.tenant.route(vpcid, '2001:db8:a::/64', '2001:db8:ffff::1');
    assert.equal(lost.state, 'Unreachable');
    assert.match(
      text(await lab.tenant.routeNow(lost.id), 'reason'),
      /is on no network with IPv6 that VPC shop is connected to/,
    );
  });

  test('packets that do not fit are said to be too long, from outside, too', async () => {
    await six.routeTo(front);
    await comes('the outside to the tier', () => six.ping6('outside', web.six));
    const fits = ['-M', 'do', '-s', String(1442 - 48)];
    assert.ok(await six.ping6(web, db.six, ...fits));
    assert.ok(await six.ping6('outside', web.six, ...fits));
    const argv = ['ping', '-6', '-n', '-c', '2', '-i', '0.3', '-W', '1', '-M', 'do', '-s', String(1443 - 48), web.six];
    const { stdout } = await lab.wire.inNetwork('outside', argv);
    assert.match(stdout, /Packet too big: mtu=1442/);
  });
});
