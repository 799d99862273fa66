// Settings: the names and defaults clients look up, and what may be changed.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Body, type Cloud, openCloud } from '../../../test/support/cloud.ts';
import { refused } from '../../../test/support/refused.ts';
import { readNumber, readText } from '../../store/setting.ts';

let cloud: Cloud;
before(async () => {
  cloud = await openCloud();
});
after(() => cloud[Symbol.asyncDispose]());

const value = async (name: string): Promise<unknown> =>
  ((await cloud.callAs('readonly', 'listConfigurations', { name }))['configuration'] as Body[] | undefined)?.[0]?.[
    'value'
  ];
const update = (name: string, to?: string): Promise<Body> =>
  cloud.callAs('admin', 'updateConfiguration', { name, value: to });

test('listConfigurations has the names and defaults clients look up', async () => {
  assert.equal(await value('default.page.size'), '500');
  assert.equal(await value('job.expire.minutes'), '1440');
  assert.equal(await value('router.redundant.vrrp.interval'), '1');
  assert.equal(await value('no.such'), undefined);
  await assert.rejects(cloud.callAs('acme-user', 'listConfigurations'), refused(432, /listConfigurations/));
});

test('updateConfiguration changes what can be changed, and keeps its kind', async () => {
  await update('incorrect.login.attempts.allowed', '3');
  assert.equal(await readNumber(cloud.store.db, 'incorrect.login.attempts.allowed'), 3);
  await assert.rejects(update('incorrect.login.attempts.allowed', 'many'), refused(431, /must be a whole number/));
  await assert.rejects(update('allow.user.view.destroyed.vm', '1'), refused(431, /must be true or false/));
  await assert.rejects(
    update('vpc.max.static.routes', '901'),
    refused(431, /must be 0 to 900: gateways are told of no more; got 901/),
  );
  await assert.rejects(update('default.page.size', '10'), refused(431, /cannot be changed/));
  await assert.rejects(update('no.such', '1'), refused(431, /doesn't exist/));
  await assert.rejects(update('expunge.delay'), refused(431, /Name the new value of expunge.delay/));
  await assert.rejects(
    cloud.callAs('acme-admin', 'updateConfiguration', { name: 'expunge.delay', value: '1' }),
    refused(432, /updateConfiguration/),
  );
});

test('updateConfiguration has the network look again where it follows a setting, and nowhere else', async () => {
  let looked = 0;
  cloud.store.write.onChange(() => looked++);
  const name = 'network.static.nat.distributed';
  assert.equal(await value(name), 'false');
  await update(name, 'true');
  assert.deepEqual([await value(name), looked], ['true', 1]);
  await assert.rejects(update(name, 'yes'), refused(431, /must be true or false; got yes/));
  await update('incorrect.login.attempts.allowed', '4');
  assert.equal(looked, 1);
});

test('updateConfiguration takes one of the words a setting has, and nothing for a part of the cloud', async () => {
  await assert.rejects(
    update('router.redundantstate.dialect', 'foo'),
    refused(431, /router.redundantstate.dialect must be cosmic or cloudstack; got foo/),
  );
  await update('router.redundantstate.dialect', 'cloudstack');
  assert.equal(await readText(cloud.store.db, 'router.redundantstate.dialect'), 'cloudstack');
  const part = { name: 'expunge.delay', value: '1', zoneid: '1' };
  await assert.rejects(
    cloud.callAs('admin', 'updateConfiguration', part),
    refused(431, /zoneid: it is not offered: a setting is the same for the whole cloud/),
  );
  assert.equal(await readNumber(cloud.store.db, 'expunge.delay'), 86_400);
});

test('updateConfiguration takes only an MTU that networks can have: every node would refuse what follows from another', async () => {
  for (const bytes of ['0', '125', '1279', '9217', '70000'])
    await assert.rejects(
      update('network.underlay.mtu', bytes),
      refused(431, new RegExp(`^network.underlay.mtu must be 1280 to 9216: .*; got ${bytes}$`)),
    );
  assert.equal(await readNumber(cloud.store.db, 'network.underlay.mtu'), 1500);
  for (const bytes of ['1280', '9216', '1558']) await update('network.underlay.mtu', bytes);
  assert.equal(await readNumber(cloud.store.db, 'network.underlay.mtu'), 1558);
});
