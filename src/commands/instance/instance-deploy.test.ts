// deployVirtualMachine: what it makes, every refusal with its reason, where instances land, and that passwords stay secret.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '../../lib/id.ts';
import { run } from '../../lib/run.ts';
import type { Params } from '../../../test/support/cloud.ts';
import { refused } from '../../../test/support/refused.ts';
import { makeTier, makeVpc } from '../../../test/support/story.ts';
import { openCloud, deploy, listed, only } from './instance.test-support.ts';

test('deployVirtualMachine answers id and jobid, and the instance runs when its generation is realized', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const answer = await deploy(cloud, 'acme-admin', network, { name: 'web1', displayname: 'Web server' });
  assert.deepEqual(Object.keys(answer).toSorted(), ['id', 'jobid']);
  const before = await only(cloud, 'acme-admin', answer.id);
  assert.equal(before.state, 'Starting');
  await cloud.settle();
  const after = await only(cloud, 'acme-admin', answer.id);
  assert.equal(after.state, 'Running');
  assert.equal(after.name, 'web1');
  assert.equal(after.displayname, 'Web server');
  assert.equal(after.nic?.length, 1);
  const { ipaddress, netmask, gateway, isdefault, networkid, secondaryip } = after.nic[0]!;
  assert.deepEqual(
    { ipaddress, netmask, gateway, isdefault, networkid, secondaryip },
    {
      ipaddress: '10.1.0.2',
      netmask: '255.255.255.0',
      gateway: '10.1.0.1',
      isdefault: true,
      networkid: network,
      secondaryip: [],
    },
  );
  const states = await cloud.store.db.selectFrom('network').select('state').execute();
  assert.deepEqual(
    states.map((row) => row.state),
    ['Implemented'],
    'the network came into use',
  );
});

test('deployVirtualMachine makes up a host name and counts instances', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const first = await deploy(cloud, 'acme-admin', network);
  const second = await deploy(cloud, 'acme-admin', network);
  assert.equal((await only(cloud, 'admin', first.id)).instancename, 'i-1-VM');
  assert.equal((await only(cloud, 'admin', second.id)).name, 'i-2-VM');
  assert.equal(
    (await only(cloud, 'acme-admin', second.id)).instancename,
    undefined,
    'only root sees the internal name',
  );
});

test('deployVirtualMachine gives interfaces in the order of networkids, the first the default', async () => {
  await using cloud = await openCloud();
  const [a, b] = [await cloud.network('acme-admin'), await cloud.network('acme-admin')];
  const { id } = await deploy(cloud, 'acme-admin', `${b},${a}`, {
    ipaddress: '10.2.0.77',
    macaddress: '02-AA-00-00-00-01',
  });
  const { nic = [] } = await only(cloud, 'acme-admin', id);
  assert.deepEqual(
    nic.map(({ networkid, isdefault, deviceid, ipaddress }) => ({ networkid, isdefault, deviceid, ipaddress })),
    [
      { networkid: b, isdefault: true, deviceid: '0', ipaddress: '10.2.0.77' },
      { networkid: a, isdefault: false, deviceid: '1', ipaddress: '10.1.0.2' },
    ],
  );
  assert.equal(nic[0]!.macaddress, '02:aa:00:00:00:01');
});

test('deployVirtualMachine takes addresses from iptonetworklist', async () => {
  await using cloud = await openCloud();
  const [a, b] = [await cloud.network('acme-admin'), await cloud.network('acme-admin')];
  const answer = await cloud.callAs('acme-admin', 'deployVirtualMachine', {
    zoneid: cloud.zone,
    serviceofferingid: cloud.small,
    templateid: cloud.plainTemplate,
    iptonetworklist: [
      { networkid: a, ip: '10.1.0.50' },
      { networkid: b, mac: '02:00:00:00:00:42' },
    ],
  });
  const { nic = [] } = await only(cloud, 'acme-admin', String(answer['id']));
  assert.deepEqual(
    nic.map((one) => one.ipaddress),
    ['10.1.0.50', '10.2.0.2'],
  );
  assert.equal(nic[1]!.macaddress, '02:00:00:00:00:42');
});

test('deployVirtualMachine refuses a host name that a tier of the same VPC has, and names the domain', async () => {
  await using cloud = await openCloud();
  const vpcid = await makeVpc(cloud, 'acme-admin', 'vpc', '10.1.0.0/16', { networkdomain: 'names.example' });
  const front = await makeTier(cloud, 'acme-admin', vpcid, 'front', '10.1.1.1');
  const back = await makeTier(cloud, 'acme-admin', vpcid, 'back', '10.1.2.1');
  await deploy(cloud, 'acme-admin', front, { name: 'web' });
  await assert.rejects(
    deploy(cloud, 'acme-admin', back, { name: 'Web' }),
    refused(431, /^The vm with hostName Web already exists in the network domain: names\.example; network=front/),
  );
});

test('deployVirtualMachine refuses what cannot be, with the reason, and leaves nothing behind', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const priv = await cloud.network('acme-admin', { guesttype: 'Private', gateway: null });
  const bare = await cloud.network('acme-admin', {}, 'bare');
  const foreign = await cloud.network('globex-admin');
  const users = await cloud.network('acme-user');
  await deploy(cloud, 'acme-admin', network, {
    name: 'taken',
    ipaddress: '10.1.0.10',
    macaddress: '02:00:00:00:00:01',
  });
  await cloud.callAs('admin', 'stopVirtualMachine', { id: (await listed(cloud, 'admin'))[0]!.id });
  const before = await cloud.store.db.selectFrom('address').selectAll().execute();
  const long = Buffer.alloc(32_769, 'x').toString('base64');
  const cases: [string, Params, string, RegExp][] = [
    [
      network,
      { name: 'Taken' },
      'parameter',
      /hostName Taken already exists in the network domain: cs.internal; network=net1/,
    ],
    [network, { name: '1web' }, 'parameter', /^Invalid name\. Vm name can contain ASCII/],
    [network, { name: 'a'.repeat(64) }, 'parameter', /^Invalid name/],
    [network, { name: 'web;reboot' }, 'parameter', /^Invalid name/],
    [network, { ipaddress: '10.1.0.10' }, 'parameter', /The requested IP is already taken!.*10\.1\.0\.10/],
    [network, { ipaddress: '10.1.0.1' }, 'capacity', /Unable to acquire Guest IP address for network Ntwk.*gateway/],
    [network, { ipaddress: '10.9.0.1' }, 'capacity', /Unable to acquire Guest IP address for network Ntwk/],
    [network, { ipaddress: '10.1.0.255' }, 'capacity', /Unable to acquire Guest IP address/],
    [
      network,
      { macaddress: '02:00:00:00:00:01' },
      'parameter',
      /The requested MAC-Address is already taken! 02:00:00:00:00:01/,
    ],
    [network, { macaddress: '01:00:5e:00:00:01' }, 'parameter', /Mac address is not valid.*unicast/],
    [network, { keypair: 'mine' }, 'parameter', /^A key pair with name 'mine' was not found\./],
    [network, { userdata: 'no base64!' }, 'parameter', /^User data is not base64 encoded/],
    [network, { userdata: '  ' }, 'parameter', /^User data is too short/],
    [network, { userdata: long }, 'parameter', /^User data is too long.*32769 bytes/],
    [bare, { userdata: 'aGk=' }, 'parameter', /no support for UserData service in the default network net3/],
    [network, { hostid: cloud.hosts[0] }, 'permission', /^Parameter hostid can only be specified by a Root Admin/],
    [network, { ip6address: '2001:db8::1' }, 'parameter', /no IPv6/],
    [network, { securitygroupids: newId() }, 'parameter', /security group feature is not enabled/],
    [network, { affinitygroupnames: 'x' }, 'parameter', /affinity group/],
    [priv, {}, 'parameter', /^Deploying VMs in a network of type Private is not possible\./],
    ['', {}, 'parameter', /^Please provide at least one network ID/],
    [`${network},${network}`, {}, 'parameter', /is named twice/],
    [
      foreign,
      {},
      'parameter',
      new RegExp(
        `Invalid parameter networkids value=${foreign} due to incorrect long value format, or entity does not exist`,
      ),
    ],
    [users, {}, 'permission', /Unable to use network with id= .* permission denied/],
    [network, { templateid: newId() }, 'parameter', /Invalid parameter templateid value=.*or entity does not exist/],
    [network, { serviceofferingid: newId() }, 'parameter', /Invalid parameter serviceofferingid value=/],
    [network, { zoneid: newId() }, 'parameter', /Invalid parameter zoneid value=/],
    [network, { account: 'globex-admin', domainid: newId() }, 'parameter', /Invalid parameter domainid/],
    [network, { iptonetworklist: [{ networkid: network }] }, 'parameter', /can't be specified along with networkIds/],
  ];
  for (const [networkids, more, kind, text] of cases) {
    await assert.rejects(deploy(cloud, 'acme-admin', networkids, more), (error: Error & { kind?: string }) => {
      assert.match(error.message, text, JSON.stringify(more));
      assert.equal(error.kind, kind, error.message);
      return true;
    });
  }
  assert.equal((await listed(cloud, 'admin')).length, 1);
  assert.deepEqual(await cloud.store.db.selectFrom('address').selectAll().execute(), before);
});

test('deployVirtualMachine refuses with 533 when the network is full, and a later address is free again', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin', {
    cidr: '10.50.0.0/29',
    gateway: '10.50.0.1',
    ipexclusionlist: '10.50.0.4-10.50.0.6',
  });
  const first = await deploy(cloud, 'acme-admin', network);
  await deploy(cloud, 'acme-admin', network);
  await assert.rejects(deploy(cloud, 'acme-admin', network), {
    kind: 'capacity',
    message: /^Unable to acquire Guest IP address for network Ntwk/,
  });
  await cloud.callAs('acme-admin', 'destroyVirtualMachine', { id: first.id, expunge: 'true' });
  const again = await deploy(cloud, 'acme-admin', network);
  assert.equal((await only(cloud, 'acme-admin', again.id)).nic![0]!.ipaddress, '10.50.0.2');
});

test('deployVirtualMachine spreads instances over the hosts that are up and enabled', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  await cloud.store.write((tx) => tx.update('host', cloud.hosts[1]!, { resourcestate: 'Maintenance' }));
  for (let count = 0; count < 4; count++) await deploy(cloud, 'acme-admin', network);
  const names = (await listed(cloud, 'admin')).map((instance) => instance.hostname).toSorted();
  assert.deepEqual(names, ['hv1', 'hv1', 'hv3', 'hv3']);
  assert.ok(
    (await listed(cloud, 'acme-admin')).every((instance) => instance.hostid === undefined),
    'tenants do not see hosts',
  );
});

test('deployVirtualMachine refuses with 533 when no host can take it, and says why', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  for (const id of cloud.hosts) await cloud.store.write((tx) => tx.update('host', id, { state: 'Down' }));
  await assert.rejects(deploy(cloud, 'acme-admin', network), {
    kind: 'capacity',
    message: /zone zone1: no host can take it \(3 hosts, none of them ready\)/,
  });
  const account = {
    account: 'acme-admin',
    domainid: (
      await cloud.store.db.selectFrom('domain').select('id').where('name', '=', 'acme').executeTakeFirstOrThrow()
    ).id,
  };
  await assert.rejects(deploy(cloud, 'admin', network, account), { message: /hv1 is Down, hv2 is Down, hv3 is Down/ });
  const { id } = await deploy(cloud, 'acme-admin', network, { startvm: 'false' });
  assert.equal((await only(cloud, 'acme-admin', id)).state, 'Stopped', 'a stopped one needs no host');
});

test('deployVirtualMachine by root runs on the host asked for', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('admin');
  const { id } = await deploy(cloud, 'admin', network, { hostid: cloud.hosts[2] });
  assert.equal((await only(cloud, 'admin', id)).hostname, 'hv3');
});

test('deployVirtualMachine shows the password in its job result only, and the guest gets its hash', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin');
  const { id, jobid } = await deploy(cloud, 'acme-admin', network, { templateid: cloud.passwordTemplate });
  await cloud.settle();
  const shown = await cloud.result('acme-admin', jobid);
  const password = String(shown?.password);
  assert.match(password, /^[A-Za-z0-9]{12}$/);
  assert.equal((await only(cloud, 'acme-admin', id)).password, undefined);
  await assert.rejects(cloud.result('readonly', jobid), { kind: 'unsupported' });
  const row = await cloud.store.db.selectFrom('instance').selectAll().executeTakeFirstOrThrow();
  const [, , rounds, salt] = row.passwordhash.split('$');
  const { stdout } = await run(['openssl', 'passwd', '-6', '-salt', `${rounds}$${salt}`, '-stdin'], {
    input: password,
  });
  assert.equal(stdout.trim(), row.passwordhash);
  const everything = JSON.stringify([
    await cloud.store.db.selectFrom('job').selectAll().execute(),
    await cloud.store.db.selectFrom('event').selectAll().execute(),
    row,
  ]);
  assert.ok(!everything.includes(password), 'the password is nowhere in clear');
});

test('deployVirtualMachine without password gives the guest the password of its image', async () => {
  await using cloud = await openCloud();
  const { jobid } = await deploy(cloud, 'acme-admin', await cloud.network('acme-admin'));
  assert.equal((await cloud.result('acme-admin', jobid))?.password, undefined);
  const row = await cloud.store.db.selectFrom('instance').selectAll().executeTakeFirstOrThrow();
  const [, , rounds, salt] = row.passwordhash.split('$');
  const { stdout } = await run(['openssl', 'passwd', '-6', '-salt', `${rounds}$${salt}`, '-stdin'], {
    input: 'password',
  });
  assert.equal(stdout.trim(), row.passwordhash);
});

test('100 deployments at once get 100 different addresses, names and MACs', async () => {
  await using cloud = await openCloud();
  const network = await cloud.network('acme-admin', { cidr: '10.90.0.0/25', gateway: '10.90.0.1' });
  const outcomes = await Promise.allSettled(Array.from({ length: 130 }, () => deploy(cloud, 'acme-admin', network)));
  assert.equal(
    outcomes.filter((outcome) => outcome.status === 'fulfilled').length,
    125,
    'a /25 holds 125 members beside its gateway',
  );
  const nics = (await listed(cloud, 'acme-admin')).map((instance) => instance.nic![0]!);
  assert.equal(new Set(nics.map((nic) => nic.ipaddress)).size, 125);
  assert.equal(new Set(nics.map((nic) => nic.macaddress)).size, 125);
  assert.equal(new Set((await listed(cloud, 'admin')).map((instance) => instance.instancename)).size, 125);
});
