// Who is it? (S50) Machines on the wire that the product does not manage are found by asking, from a hypervisor's trunk: the Raspberry Pi
// among them, two machines with one address, and where each is plugged in.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { field, rows, text } from '../../src/demo/answer.ts';
import { labPaths } from '../../src/lab/layout.ts';
import { eventually } from '../support/lab.ts';
import { cloudForSuite, type Guest, type LabCloud } from '../support/tenant-lab.ts';

const PI = 'b8:27:eb:00:11:ab';

let lab: LabCloud;
let network: string;
let one: Guest;
let two: Guest;

type Neighbor = Readonly<Record<string, string | boolean>>;

/** A machine on an access port of the switch joins the VLAN by hand, behind the product's back. */
async function joins(machine: string, vlan: number, address: string, mac?: string): Promise<string> {
  await lab.cloud.lab.exec('sw', ['ovs-vsctl', 'set', 'Port', `${machine}-eth0`, `tag=${vlan}`]);
  if (mac !== undefined) await lab.wire.inNetwork(machine, ['ip', 'link', 'set', 'eth0', 'address', mac]);
  await lab.wire.inNetwork(machine, ['ip', 'address', 'add', `${address}/24`, 'dev', 'eth0']);
  const { stdout } = await lab.wire.inNetwork(machine, ['ip', '-json', 'link', 'show', 'eth0']);
  return text((JSON.parse(stdout) as object[])[0], 'address');
}

async function deploy(name: string, host: string): Promise<Guest> {
  const guest = await lab.tenant.instance(name, network, host);
  await lab.exec(guest, 'ip', 'address', 'add', `${guest.address}/24`, 'dev', 'eth0');
  return guest;
}

async function neighbors(more: Readonly<Record<string, string>> = {}, account = 'acme-admin'): Promise<Neighbor[]> {
  const answer = await lab.cloud.as(account)('listNetworkNeighbors', { networkid: network, ...more });
  return rows(answer, 'networkneighbor') as Neighbor[];
}

async function scan(): Promise<object> {
  return field(await lab.tenant.call('scanNetwork', { networkid: network }), 'networkscan');
}

async function events(type: string, account = 'acme-admin'): Promise<string[]> {
  const answer = await lab.cloud.as(account)('listEvents', { type });
  return rows(answer, 'event').map((event) => text(event, 'description'));
}

suite('who is it', () => {
  cloudForSuite(
    async (started) => {
      lab = started;
      await lab.cloud.as('admin')('updateConfiguration', { name: 'network.scan.interval', value: '0' });
      network = await lab.tenant.network('NoServices', { gateway: '10.40.0.254', netmask: '255.255.255.0' });
      [one, two] = await Promise.all([deploy('one', 'h1'), deploy('two', 'h2')]);
    },
    { topology: 'campus' },
  );

  test('S50: a scan finds who has a MAC prefix, instances of the same and of another hypervisor, and strangers', async () => {
    const vlan = await lab.tenant.vlanOf(network);
    await joins('printer', vlan, '10.40.0.77', PI);
    await lab.wire.inNetwork('printer', ['ip', 'address', 'add', '10.40.0.254/24', 'dev', 'eth0']);
    const found = await scan();
    assert.equal(text(found, 'state'), 'Done');
    assert.equal(text(found, 'count'), '4');
    assert.equal(text(found, 'strangers'), '2');
    const [thief, pi, ...others] = await neighbors({ macaddress: 'B8-27-EB' });
    assert.deepEqual(others, []);
    assert.deepEqual(
      [thief!['ipaddress'], thief!['kind'], thief!['known']],
      ['10.40.0.254', 'unconfirmed', false],
      'nobody of ours has the gateway address: who takes it is no gateway of ours',
    );
    assert.equal(pi!['ipaddress'], '10.40.0.77');
    assert.equal(pi!['macaddress'], PI);
    assert.match(String(pi!['vendor']), /Raspberry Pi/);
    assert.equal(pi!['kind'], 'stranger');
    assert.equal(pi!['known'], false);
    const ours = (await neighbors()).filter(({ known }) => known === true);
    assert.deepEqual(
      ours.map(({ ownername, ipaddress, kind }) => [ownername, ipaddress, kind]).toSorted(),
      [one, two].map(({ name, address }) => [name, address, 'instance']).toSorted(),
    );
    assert.deepEqual(
      (await neighbors()).filter((row) => 'place' in row),
      [],
      "where things are plugged in is the operator's business",
    );
    const told = (await events('NETWORK.STRANGER')).toSorted();
    assert.equal(told.length, 2);
    assert.match(
      told[0]!,
      /answers for 10\.40\.0\.254, the address of the gateway of network \S+, whose hardware address/,
    );
    assert.match(
      told[1]!,
      /^b8:27:eb:00:11:ab \(an unknown machine, made by Raspberry Pi.*\) is in network \S+ with address 10\.40\.0\.77$/,
    );
  });

  test('a stranger is told once, and its first and last sight differ after another scan', async () => {
    const [before] = await neighbors({ ipaddress: '10.40.0.77' });
    await new Promise((resolve) => setTimeout(resolve, 1100));
    await scan();
    const [after] = await neighbors({ ipaddress: '10.40.0.77' });
    assert.equal(after!['firstseen'], before!['firstseen']);
    assert.notEqual(after!['lastseen'], before!['lastseen']);
    assert.equal((await events('NETWORK.STRANGER')).length, 2);
  });

  test('two machines with one address are found, and both are named with their places', async () => {
    const admin = lab.cloud.as('admin');
    const [physical] = rows(await admin('listPhysicalNetworks'), 'physicalnetwork');
    const folder = labPaths(lab.cloud.state).node('sw');
    await admin('addSwitch', {
      name: 'sw',
      zoneid: lab.tenant.zoneid,
      physicalnetworkid: text(physical, 'id'),
      driver: 'ovsdb',
      url: `unix:${folder}/db.sock`,
      'details[0].bridge': 'br-sw',
      'details[0].rundir': folder,
    });
    const vlan = await lab.tenant.vlanOf(network);
    const rival = await joins('fileserver', vlan, one.address);
    await scan();
    const same = await neighbors({ ipaddress: one.address });
    assert.deepEqual(
      same.map(({ macaddress, kind }) => `${macaddress} ${kind}`).toSorted(),
      [`${one.mac} instance`, `${rival} impostor`].toSorted(),
    );
    const [told, ...more] = await events('NETWORK.DUPLICATE.ADDRESS');
    assert.deepEqual(more, []);
    assert.ok(told!.startsWith(`two machines answer for ${one.address} in network `), told);
    for (const name of [`${one.mac} (instance one)`, `${rival} (an unknown machine)`])
      assert.ok(told!.includes(name), told);
    const places = await eventually(
      'the place of both',
      async () => {
        const all = await neighbors({ ipaddress: one.address }, 'admin');
        const known = all.map(({ macaddress, place }) => `${macaddress} ${place}`).toSorted();
        return all.every(({ place }) => place !== undefined) ? known : undefined;
      },
      20_000,
    );
    assert.deepEqual(places, [`${one.mac} hypervisor h1`, `${rival} port fileserver-eth0 of switch sw`].toSorted());
  });

  test('a duplicate that was mended and is back is told again', async () => {
    const address = async (how: 'add' | 'del'): Promise<void> => {
      await lab.wire.inNetwork('fileserver', ['ip', 'address', how, `${one.address}/24`, 'dev', 'eth0']);
      await scan();
    };
    await address('del');
    assert.equal((await events('NETWORK.DUPLICATE.ADDRESS')).length, 1);
    await address('add');
    assert.equal((await events('NETWORK.DUPLICATE.ADDRESS')).length, 2);
  });

  test('scanNetwork refuses to be asked for more than is good for the network', async () => {
    await lab.cloud.as('admin')('updateConfiguration', { name: 'network.scan.interval', value: '60' });
    await assert.rejects(
      scan(),
      /was scanned \d+ s ago: it can be scanned every 60 s \(setting network\.scan\.interval\)/,
    );
  });
});
