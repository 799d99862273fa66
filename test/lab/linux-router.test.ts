// A network behind Linux routers, made by the API alone: what each rule does on the wire, with a real outside.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { field, rows, text } from '../../src/demo/answer.ts';
import { eventually } from '../support/lab.ts';
import { type Guest, type LabCloud, cloudForSuite } from '../support/tenant-lab.ts';

const OUTSIDE = '198.51.100.10';
const SOURCE = '203.0.113.100';
const SECOND = '203.0.113.101';
const PORT = '8080';

describe('a network behind a pair of Linux routers', () => {
  let lab: LabCloud;
  let networkid: string;
  let web1: Guest;
  let web2: Guest;
  let second: string;

  cloudForSuite(
    async (ready) => {
      lab = ready;
      const { tenant, cloud } = lab;
      await cloud.as('admin')('createVlanIpRange', {
        zoneid: tenant.zoneid,
        startip: SOURCE,
        endip: '203.0.113.110',
        gateway: '203.0.113.1',
        netmask: '255.255.255.0',
      });
      networkid = await tenant.network('LinuxRouterRedundant', { cidr: '10.20.0.0/24' });
      web1 = await tenant.instance('web1', networkid, 'h1');
      web2 = await tenant.instance('web2', networkid, 'h2');
      second = text(field(await tenant.call('associateIpAddress', { networkid }), 'ipaddress'), 'id');
      for (const guest of [web1, web2]) serve(guest, PORT, `echo ${guest.name}`);
      serve('outside', '9000', 'echo $SOCAT_PEERADDR');
    },
    { topology: 'campus' },
  );

  /** A TCP server that says something to each client; it ends with the lab. */
  function serve(where: string | Guest, port: string, says: string): void {
    void lab.wire.inNetwork(where, ['socat', `TCP-LISTEN:${port},fork,reuseaddr`, `SYSTEM:${says}`]);
  }

  /** What a TCP server says; empty where none is reached within a second. */
  async function hear(from: string | Guest, address: string, port: string): Promise<string> {
    const argv = ['socat', '-u', `TCP:${address}:${port},connect-timeout=1`, '-'];
    return (await lab.wire.inNetwork(from, argv)).stdout.trim();
  }

  const heard = (from: string | Guest, address: string, port: string, wanted: string): Promise<unknown> =>
    eventually(`${wanted} from ${address}:${port}`, async () =>
      (await hear(from, address, port)) === wanted ? true : undefined,
    );

  test('instances get their addresses by DHCP and reach their gateway and each other', async () => {
    for (const guest of [web1, web2]) assert.match(guest.address, /^10\.20\.0\.[23]$/);
    assert.ok(await lab.ping(web1, web2));
    assert.ok(await lab.ping(web2, { address: '10.20.0.1' }));
  });

  test('listRouters shows the pair, and as soon as they said so one master and one backup', async () => {
    const states = async (): Promise<string[]> =>
      rows(await lab.tenant.call('listRouters', { networkid }), 'router').map((router) =>
        text(router, 'redundantstate'),
      );
    await eventually('a master and a backup', async () => {
      const now = (await states()).toSorted();
      return now.join() === 'BACKUP,MASTER' ? true : undefined;
    });
  });

  test('nothing leaves before an egress rule; then it leaves under the source NAT address', async () => {
    assert.equal(await hear(web1, OUTSIDE, '9000'), '', 'nothing leaves by default');
    const { call } = lab.tenant;
    const rule = field(
      await call('createEgressFirewallRule', { networkid, protocol: 'tcp', startport: '9000' }),
      'firewallrule',
    );
    assert.equal(text(rule, 'state'), 'Active');
    assert.equal(await hear(web1, OUTSIDE, '9000'), SOURCE, 'the rule is true when its job is done');
    await call('deleteEgressFirewallRule', { id: text(rule, 'id') });
    assert.equal(await hear(web1, OUTSIDE, '9000'), '', 'and gone when its deletion is done');
  });

  test('a port forwarding rule leads in from the outside, and closes with its deletion', async () => {
    const { call } = lab.tenant;
    const rule = field(
      await call('createPortForwardingRule', {
        ipaddressid: second,
        protocol: 'tcp',
        publicport: '2080',
        privateport: PORT,
        virtualmachineid: web2.id,
      }),
      'portforwardingrule',
    );
    await heard('outside', SECOND, '2080', 'web2');
    await call('deletePortForwardingRule', { id: text(rule, 'id') });
    assert.equal(await hear('outside', SECOND, '2080'), '');
  });

  test('a load balancer rule reaches both instances, and only those it leads to', async () => {
    const { call } = lab.tenant;
    const { id } = field(
      await call('createLoadBalancerRule', {
        publicipid: second,
        name: 'web',
        algorithm: 'roundrobin',
        publicport: '80',
        privateport: PORT,
      }),
      'loadbalancer',
    ) as { id: string };
    assert.equal(await hear('outside', SECOND, '80'), '', 'it leads to nobody yet');
    await call('assignToLoadBalancerRule', { id, virtualmachineids: `${web1.id},${web2.id}` });
    await eventually('both instances', async () => {
      const names = new Set<string>();
      for (let times = 0; times < 6; times++) names.add(await hear('outside', SECOND, '80'));
      return names.has('web1') && names.has('web2') ? true : undefined;
    });
    await call('removeFromLoadBalancerRule', { id, virtualmachineids: web1.id });
    for (let times = 0; times < 4; times++) assert.equal(await hear('outside', SECOND, '80'), 'web2');
    await call('deleteLoadBalancerRule', { id });
  });

  test('static NAT leads all of an address to an instance, behind its firewall', async () => {
    const { call } = lab.tenant;
    await call('enableStaticNat', { ipaddressid: second, virtualmachineid: web1.id });
    await call('createFirewallRule', { ipaddressid: second, protocol: 'tcp', startport: PORT });
    await heard('outside', SECOND, PORT, 'web1');
    await call('disableStaticNat', { ipaddressid: second });
    assert.equal(await hear('outside', SECOND, PORT), '');
  });

  test('deleting the network takes everything of it off the router nodes', async () => {
    const { call } = lab.tenant;
    const admin = lab.cloud.as('admin');
    for (const { id } of [web1, web2]) await admin('destroyVirtualMachine', { id, expunge: 'true' });
    const vlan = await lab.tenant.vlanOf(networkid);
    await call('deleteNetwork', { id: networkid });
    for (const node of ['r1', 'r2']) {
      const { stdout } = await lab.wire.exec(node, ['ip', '-brief', 'address']);
      assert.ok(!stdout.includes(`.${vlan}`), `${node}: ${stdout}`);
      assert.ok(!stdout.includes(`${SOURCE}/`) && !stdout.includes(`${SECOND}/`), `${node}: ${stdout}`);
    }
    assert.equal(await lab.wire.pingFrom('outside', SOURCE), false);
  });
});
