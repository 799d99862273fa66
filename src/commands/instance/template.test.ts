// Templates: who sees which, who may change them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Cloud, type Who, openCloud } from '../../../test/support/cloud.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { refused, rowOf, rowsOf } from '../zone/provider.test-support.ts';

async function register(cloud: Cloud, who: Who, more: Record<string, string> = {}): Promise<string> {
  const body = await cloud.callAs(who, 'registerTemplate', {
    name: 'mine',
    displaytext: 'My image',
    format: 'qcow2',
    hypervisor: 'KVM',
    url: 'https://example.org/image.qcow2',
    zoneid: BUILT_IN.zone,
    ...more,
  });
  assert.equal(body['count'], 1);
  return String((body['template'] as Record<string, unknown>[])[0]?.['id']);
}

const names = async (
  cloud: Cloud,
  who: Who,
  templatefilter: string,
  more: Record<string, string> = {},
): Promise<unknown[]> =>
  (await rowsOf(cloud, 'listTemplates', 'template', { templatefilter, ...more }, who)).map((row) => row['name']);

const BUILTIN = ['tiny linux kvm', 'tiny linux kvm with password'];

test('listTemplates shows by filter what the caller may use, and nothing of other tenants', async () => {
  await using cloud = await openCloud();
  await register(cloud, 'acme-user');
  await register(cloud, 'acme-user', { name: 'shown', ispublic: 'true' });
  assert.deepEqual(await names(cloud, 'acme-user', 'featured'), BUILTIN);
  assert.deepEqual(await names(cloud, 'acme-user', 'self'), ['mine', 'shown']);
  assert.deepEqual(await names(cloud, 'acme-user', 'executable'), [...BUILTIN, 'mine', 'shown']);
  assert.deepEqual(await names(cloud, 'globex-admin', 'executable'), [...BUILTIN, 'shown']);
  assert.deepEqual(await names(cloud, 'globex-admin', 'community'), ['shown']);
  assert.deepEqual(await names(cloud, 'globex-admin', 'self', { listall: 'true' }), []);
  assert.deepEqual(await names(cloud, 'acme-admin', 'self', { listall: 'true' }), ['mine', 'shown']);
  assert.deepEqual(await names(cloud, 'admin', 'all'), [...BUILTIN, 'mine', 'shown']);
  assert.deepEqual(await names(cloud, 'acme-user', 'sharedexecutable'), []);
  await refused(names(cloud, 'acme-admin', 'all'), 'parameter', 'Filter all can be specified by root admin only');
  await refused(names(cloud, 'admin', 'mine'), 'parameter', 'Please specify a valid template filter');
});

test('listTemplates finds by name in any case, keyword, zone and id, and an id of another tenant is unknown', async () => {
  await using cloud = await openCloud();
  const id = await register(cloud, 'acme-user');
  assert.deepEqual(await names(cloud, 'acme-user', 'featured', { name: 'Tiny Linux KVM' }), ['tiny linux kvm']);
  assert.deepEqual(await names(cloud, 'acme-user', 'executable', { keyword: 'linux', zoneid: BUILT_IN.zone }), BUILTIN);
  assert.deepEqual(await names(cloud, 'acme-user', 'executable', { hypervisor: 'VMware' }), []);
  assert.deepEqual(await names(cloud, 'acme-admin', 'self', { id }), ['mine']);
  for (const command of ['listTemplates', 'updateTemplate', 'deleteTemplate', 'updateTemplatePermissions']) {
    const foreign = cloud.callAs('globex-admin', command, { id, templatefilter: 'executable' });
    await refused(
      foreign,
      'parameter',
      `Invalid parameter id value=${id} due to incorrect long value format, or entity does not exist`,
    );
  }
});

test('registerTemplate refuses what is no image', async () => {
  await using cloud = await openCloud();
  await refused(register(cloud, 'acme-user', { format: 'ZIP' }), 'parameter', 'Please specify a valid format: ZIP');
  await refused(register(cloud, 'acme-user', { url: 'file:///etc/passwd' }), 'parameter', 'Please specify a valid URL');
  await refused(
    register(cloud, 'acme-user', { url: 'https://me:secret@example.org/x' }),
    'parameter',
    'holds a user name or password',
  );
  await refused(
    register(cloud, 'acme-user', { hypervisor: 'VMware' }),
    'parameter',
    'Hypervisor VMware is not offered',
  );
  await refused(
    register(cloud, 'acme-user', { isfeatured: 'true' }),
    'permission',
    'Only ROOT admins can feature a template',
  );
  await refused(register(cloud, 'acme-user', { ostypeid: BUILT_IN.zone }), 'parameter', 'Invalid parameter ostypeid');
  await refused(
    register(cloud, 'acme-user', { zoneids: `${BUILT_IN.zone},${BUILT_IN.rootDomain}` }),
    'parameter',
    'A template is in one zone or in all',
  );
});

test('updateTemplate and updateTemplatePermissions change a template; the built-in ones are for root to change', async () => {
  await using cloud = await openCloud();
  const id = await register(cloud, 'acme-user', { zoneids: '-1' });
  const debian = await rowOf(
    cloud,
    'listOsTypes',
    'ostype',
    { description: 'debian gnu/linux 12 (64-bit)' },
    'acme-user',
  );
  await cloud.callAs('acme-user', 'updateTemplate', {
    id,
    name: 'renamed',
    passwordenabled: 'true',
    ostypeid: String(debian['id']),
  });
  await cloud.callAs('acme-user', 'updateTemplatePermissions', { id, ispublic: 'true' });
  const seen = await rowOf(cloud, 'listTemplates', 'template', { id, templatefilter: 'community' }, 'globex-admin');
  assert.deepEqual(
    [seen['name'], seen['passwordenabled'], seen['ostypename'], seen['crossZones']],
    ['renamed', true, debian['name'], true],
  );
  await refused(
    cloud.callAs('acme-user', 'updateTemplatePermissions', { id, isfeatured: 'true' }),
    'permission',
    'Only ROOT admins',
  );
  await refused(
    cloud.callAs('acme-user', 'updateTemplatePermissions', { id, accounts: 'globex-admin' }),
    'parameter',
    'single accounts (globex-admin)',
  );
  const [builtIn] = await rowsOf(cloud, 'listTemplates', 'template', { templatefilter: 'featured' });
  await refused(
    cloud.callAs('acme-admin', 'updateTemplate', { id: String(builtIn?.['id']), name: 'x' }),
    'parameter',
    'Invalid parameter id',
  );
  await cloud.callAs('admin', 'updateTemplate', { id: String(builtIn?.['id']), displaytext: 'changed' });
});

test('deleteTemplate takes a template from the lists', async () => {
  await using cloud = await openCloud();
  const id = await register(cloud, 'acme-user');
  assert.deepEqual(await cloud.doAs('acme-user', 'deleteTemplate', { id }), { success: true });
  assert.deepEqual(await names(cloud, 'acme-user', 'self'), []);
  await refused(cloud.callAs('acme-user', 'deleteTemplate', { id }), 'parameter', `Invalid parameter id value=${id}`);
});

test('listOsTypes, listOsCategories and listHypervisors answer what can be named', async () => {
  await using cloud = await openCloud();
  const category = await rowOf(cloud, 'listOsCategories', 'oscategory', { name: 'ubuntu' });
  const types = await rowsOf(cloud, 'listOsTypes', 'ostype', { oscategoryid: String(category['id']) });
  assert.deepEqual([types.length, types[0]?.['oscategoryid']], [2, category['id']]);
  assert.deepEqual(await rowsOf(cloud, 'listHypervisors', 'hypervisor', { zoneid: BUILT_IN.zone }), [{ name: 'KVM' }]);
  await refused(cloud.callAs('admin', 'listOsTypes', { id: BUILT_IN.zone }), 'parameter', 'Invalid parameter id');
});

test('who cannot see a template cannot deploy it: being featured does not make it public', async () => {
  await using cloud = await openCloud();
  const id = await register(cloud, 'admin', { isfeatured: 'true' });
  const [offering] = await rowsOf(cloud, 'listServiceOfferings', 'serviceoffering', {}, 'acme-user');
  const asked = { templateid: id, zoneid: BUILT_IN.zone, serviceofferingid: String(offering?.['id']) };
  await refused(
    cloud.callAs('acme-user', 'deployVirtualMachine', asked),
    'parameter',
    `Invalid parameter templateid value=${id}`,
  );
  await refused(
    rowsOf(cloud, 'listTemplates', 'template', { templatefilter: 'executable', id }, 'acme-user'),
    'parameter',
    `Invalid parameter id value=${id}`,
  );
  await cloud.callAs('admin', 'updateTemplatePermissions', { id, ispublic: 'true' });
  assert.deepEqual(await names(cloud, 'acme-user', 'featured', { id }), ['mine']);
  // The next thing that is missing.
  await refused(cloud.callAs('acme-user', 'deployVirtualMachine', asked), 'parameter', 'at least one network ID');
});
