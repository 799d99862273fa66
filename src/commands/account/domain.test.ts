// Domains: the tree, its paths, and who sees which part of it.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Cloud, type Who, openCloud } from '../../../test/support/cloud.ts';
import { refused } from '../../../test/support/refused.ts';

let cloud: Cloud;
before(async () => {
  cloud = await openCloud();
});
after(() => cloud[Symbol.asyncDispose]());

interface Domain {
  readonly id: string;
  readonly name: string;
  readonly path: string;
  readonly level: number;
  readonly haschild: boolean;
}
const domains = async (who: Who, params = {}, command = 'listDomains'): Promise<Domain[]> =>
  ((await cloud.callAs(who, command, params))['domain'] ?? []) as Domain[];
const named = async (name: string): Promise<Domain> => (await domains('admin', { name }))[0]!;
const create = async (params: object): Promise<Domain> =>
  (await cloud.callAs('admin', 'createDomain', { ...params }))['domain'] as Domain;

test('listDomains shows root everything from ROOT down, a domain admin his own and with listall what is below', async () => {
  assert.deepEqual(
    (await domains('admin')).map((one) => one.path),
    ['ROOT', 'ROOT/acme', 'ROOT/globex'],
  );
  const acme = await named('ACME');
  const west = await create({ name: 'west', parentdomainid: acme.id });
  assert.deepEqual([west.path, west.level], ['ROOT/acme/west', 2]);
  assert.deepEqual(
    (await domains('acme-admin')).map((one) => one.path),
    ['ROOT/acme'],
  );
  assert.deepEqual(
    (await domains('acme-admin', { listall: true })).map((one) => one.path),
    ['ROOT/acme', 'ROOT/acme/west'],
  );
  assert.deepEqual(await domains('globex-admin', { listall: true, name: 'west' }), []);
  await assert.rejects(
    domains('globex-admin', { id: west.id }),
    refused(431, /Invalid parameter id value=.* entity does not exist/),
  );
  assert.deepEqual(
    (await domains('acme-admin', {}, 'listDomainChildren')).map((one) => one.name),
    ['west'],
  );
  assert.equal((await named('acme')).haschild, true);
});

test('createDomain refuses a name that is taken or no step of a path', async () => {
  const root = await named('ROOT');
  await assert.rejects(
    create({ name: 'Acme' }),
    refused(431, new RegExp(`Domain with name Acme already exists for the parent id=${root.id}`)),
  );
  await assert.rejects(create({ name: 'a/b' }), refused(431, /must not contain "\/"/));
  await assert.rejects(create({ name: 'n', networkdomain: '-x' }), refused(431, /^Invalid network domain/));
  await assert.rejects(create({}), refused(431, /createdomain due to missing parameter name/));
});

test('updateDomain moves the paths of everything below', async () => {
  const one = await create({ name: 'one' });
  const two = await create({ name: 'two', parentdomainid: one.id });
  await cloud.callAs('admin', 'updateDomain', { id: one.id, name: 'eins', networkdomain: 'eins.example' });
  assert.equal((await domains('admin', { id: two.id }))[0]?.path, 'ROOT/eins/two');
  await assert.rejects(
    cloud.callAs('admin', 'updateDomain', { id: (await named('ROOT')).id, name: 'x' }),
    refused(531, /Can't rename the ROOT domain/),
  );
});

test('deleteDomain refuses what is not empty and names what is in it, and with cleanup removes it all', async () => {
  const full = await create({ name: 'full' });
  const below = await create({ name: 'below', parentdomainid: full.id });
  const account = { username: 'u', password: 'p', firstname: 'f', lastname: 'l', email: 'e', accounttype: 0 };
  await cloud.callAs('admin', 'createAccount', { ...account, domainid: below.id });
  await assert.rejects(
    cloud.callAs('admin', 'deleteDomain', { id: full.id }),
    refused(530, /because it has 1 domain \(below\)/),
  );
  await assert.rejects(
    cloud.callAs('admin', 'deleteDomain', { id: below.id }),
    refused(530, /because it has 1 account \(u\)/),
  );
  assert.deepEqual(await cloud.doAs('admin', 'deleteDomain', { id: full.id, cleanup: true }), { success: true });
  await assert.rejects(domains('admin', { id: below.id }), refused(431, /entity does not exist/));
  await assert.rejects(
    cloud.callAs('admin', 'deleteDomain', { id: (await named('ROOT')).id }),
    refused(531, /Can't delete ROOT domain/),
  );
});

test('a name whose letters take two units of text is a step of a path like any other', async () => {
  const one = await create({ name: 'team 🚀🚀' });
  const below = await create({ name: 'below', parentdomainid: one.id });
  const account = { username: 'rocket', password: 'p', firstname: 'f', lastname: 'l', email: 'e', accounttype: 2 };
  await cloud.callAs('admin', 'createAccount', { ...account, domainid: one.id });
  const paths = async (): Promise<string[]> => {
    const { user } = await cloud.callAs('admin', 'listUsers', { username: 'rocket', listall: true });
    const keys = await cloud.callAs('admin', 'registerUserKeys', { id: String((user as { id: string }[])[0]?.id) });
    const { domain } = await cloud.callAs(await cloud.caller(keys['userkeys'] as { apikey: string }), 'listDomains', {
      listall: true,
    });
    return (domain as Domain[]).map(({ path }) => path);
  };
  assert.deepEqual(await paths(), ['ROOT/team 🚀🚀', 'ROOT/team 🚀🚀/below']);
  await cloud.callAs('admin', 'updateDomain', { id: one.id, name: '🛰' });
  assert.deepEqual(await paths(), ['ROOT/🛰', 'ROOT/🛰/below']);
  assert.deepEqual(await cloud.doAs('admin', 'deleteDomain', { id: one.id, cleanup: true }), { success: true });
  await assert.rejects(domains('admin', { id: below.id }), refused(431, /entity does not exist/));
});
