// Networks that nobody routes for, with real packets: a wire without addresses and what may not pass there, an instance that moves
// while it is pinged, and several addresses on one card.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { field, rows, text } from '../../src/demo/answer.ts';
import { ethernet, seenBy, send, udp } from '../support/packets.ts';
import { cloudForSuite, type LabCloud } from '../support/tenant-lab.ts';

const [IPV4, IPV6] = [0x0800, 0x86dd];

let lab: LabCloud;

suite('networks that nobody routes for', () => {
  cloudForSuite((started) => {
    lab = started;
  });

  test('on a wire without addresses instances use what they like of IPv4, and nothing of IPv6: no router either', async () => {
    const wire = await lab.tenant.network('DefaultL2NetworkOffering');
    const [one, two] = await Promise.all([
      lab.tenant.instance('one', wire, 'h1'),
      lab.tenant.instance('two', wire, 'h2'),
    ]);
    assert.equal(one.address, '');
    await lab.exec(one, 'ip', 'address', 'add', '172.30.0.1/24', 'dev', 'eth0');
    await lab.exec(two, 'ip', 'address', 'add', '172.30.0.2/24', 'dev', 'eth0');
    assert.ok(await lab.ping(one, { address: '172.30.0.2' }));
    assert.ok(await lab.ping(two, { address: '172.30.0.1' }));
    const advertisement = ethernet(
      two.mac,
      one.mac,
      IPV6,
      Buffer.from(
        `6000000000103aff${'fe800000000000000000000000000077'}${'ff020000000000000000000000000001'}8600000040000708${'00'.repeat(8)}`,
        'hex',
      ),
    );
    const harmless = ethernet(two.mac, one.mac, IPV4, udp('172.30.0.1', 9, '172.30.0.2', 9, Buffer.from('harmless')));
    const borrowed = ethernet(
      two.mac,
      '02:00:00:00:00:77',
      IPV4,
      udp('172.30.0.1', 9, '172.30.0.2', 9, Buffer.from('borrowed')),
    );
    const frames = [advertisement, borrowed, harmless];
    const seen = await seenBy(lab.cloud.lab, two, () => send(lab.cloud.lab, one, ...frames));
    const came = (frame: Buffer): boolean => seen.some(({ bytes }) => bytes.subarray(0, frame.length).equals(frame));
    assert.deepEqual(frames.map(came), [false, false, true]);
  });

  test('an instance that migrates is on the other hypervisor with its address, away for as long as a guest takes to start', async (t) => {
    await lab.cloud.as('admin')('updateConfiguration', { name: 'network.vlan.tenants', value: '3000' });
    // Its gateway is somebody else's machine; addresses are told by DHCP.
    const network = await lab.tenant.network('DefaultIsolatedNetworkOffering', {
      gateway: '10.1.1.1',
      netmask: '255.255.255.0',
      startip: '10.1.1.10',
      endip: '10.1.1.99',
      vlan: '3000',
    });
    const [still, moving] = await Promise.all([
      lab.tenant.instance('still', network, 'h2'),
      lab.tenant.instance('moving', network, 'h1'),
    ]);
    assert.ok(await lab.ping(still, moving));
    for (const to of ['h3', 'h1']) {
      const hostid = await hostNamed(to);
      const outage = await lab.wire.outage(still, moving.address, async () => {
        const answer = await lab.cloud.as('admin')('migrateVirtualMachine', { virtualmachineid: moving.id, hostid });
        const moved = field(answer, 'virtualmachine');
        assert.deepEqual([text(moved, 'state'), text(moved, 'hostname')], ['Running', to]);
      });
      t.diagnostic(`to ${to}: away for ${outage.gapMs} ms`);
      assert.ok(outage.recovered && outage.gapMs < 5000, JSON.stringify(outage));
      assert.ok(await lab.ping(moving, still), 'and it reaches others itself');
    }
  });

  test('S20: several addresses of one card answer, and none that was not given', async () => {
    const network = await lab.tenant.network('NoServices', { cidr: '10.1.2.0/24' });
    const [near, many] = await Promise.all([
      lab.tenant.instance('near', network, 'h1'),
      lab.tenant.instance('many', network, 'h2'),
    ]);
    await lab.exec(near, 'ip', 'address', 'replace', `${near.address}/24`, 'dev', 'eth0');
    const [nic] = rows(await lab.tenant.call('listNics', { virtualmachineid: many.id }), 'nic');
    const nicid = text(nic, 'id');
    const add = async (ipaddress: string): Promise<string> =>
      text(field(await lab.tenant.call('addIpToNic', { nicid, ipaddress }), 'nicsecondaryip'), 'id');
    await add('10.1.2.77');
    const gone = await add('10.1.2.78');
    for (const address of [many.address, '10.1.2.77', '10.1.2.78', '10.1.2.79'])
      await lab.exec(many, 'ip', 'address', 'replace', `${address}/24`, 'dev', 'eth0');
    const answers = async (): Promise<boolean[]> => {
      const found: boolean[] = [];
      for (const address of [many.address, '10.1.2.77', '10.1.2.78', '10.1.2.79'])
        found.push(await lab.ping(near, { address }));
      return found;
    };
    assert.deepEqual(await answers(), [true, true, true, false]);
    await lab.tenant.call('removeIpFromNic', { id: gone });
    assert.deepEqual(await answers(), [true, true, false, false]);
  });
});

async function hostNamed(name: string): Promise<string> {
  const hosts = rows(await lab.cloud.as('admin')('listHosts', { type: 'Routing' }), 'host');
  return text(
    hosts.find((host) => text(host, 'name') === name),
    'id',
  );
}
