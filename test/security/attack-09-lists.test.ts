// Attack 9: seeing others' things through lists: every filter, page, count and error.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Refusal } from '../../src/api/error.ts';
import { type Body, type Cloud, type Params, openCloud } from '../support/cloud.ts';
import { addHosts, makeGateway, makeInstance, makePrivateNetwork, makeTier, makeVpc } from '../support/story.ts';

const MARK = 'zebra-secret';
let cloud: Cloud;
let foreign: string[];
before(async () => {
  cloud = await openCloud();
  await addHosts(cloud);
  const vpc = await makeVpc(cloud, 'globex-admin', `${MARK}-vpc`, '10.1.0.0/16');
  const tier = await makeTier(cloud, 'globex-admin', vpc, `${MARK}-tier`, '10.1.1.1');
  const meet = await makePrivateNetwork(cloud, 'globex-admin', `${MARK}-private`, '172.16.0.0/24');
  const gateway = await makeGateway(cloud, 'globex-admin', vpc, meet, '172.16.0.1');
  await cloud.doAs('globex-admin', 'createStaticRoute', { vpcid: vpc, cidr: '10.2.0.0/16', nexthop: '172.16.0.2' });
  const instance = await makeInstance(cloud, 'globex-admin', tier, { name: MARK });
  await cloud.doAs('globex-admin', 'createTags', {
    resourcetype: 'Vpc',
    resourceids: vpc,
    tags: [{ key: MARK, value: MARK }],
  });
  const { accountId, userId, domainId } = await cloud.caller('globex-admin');
  foreign = [vpc, tier, meet, gateway, instance, accountId, userId, domainId];
});
after(() => cloud[Symbol.asyncDispose]());

const FILTERS = (): Params[] => [
  {},
  { listall: true },
  { listall: true, isrecursive: true },
  { isrecursive: true },
  { listall: true, projectid: '-1' },
  { listall: true, page: 1, pagesize: 500 },
  { listall: true, pagesize: -1 },
  { listall: true, keyword: MARK },
  { listall: true, keyword: '%' },
  { listall: true, tags: [{ key: MARK, value: MARK }] },
  ...foreign.flatMap((id): Params[] => [
    { id },
    { ids: id },
    { listall: true, domainid: id },
    { listall: true, domainid: id, isrecursive: true },
    { account: 'globex-admin', domainid: id },
    { listall: true, vpcid: id },
    { listall: true, networkid: id },
    { virtualmachineid: id },
    { listall: true, resourceid: id },
  ]),
  { account: 'globex-admin' },
];

test('no list shows a tenant, or anybody in it, anything of another, whatever is asked for', async () => {
  const leaks: string[] = [];
  for (const who of ['acme-admin', 'acme-user'] as const) {
    for (const { name, params } of cloud.registry.values()) {
      if (!name.startsWith('list') || name === 'listApis') continue;
      const needs = name === 'listTemplates' ? { templatefilter: 'all' } : {};
      for (const filter of FILTERS()) {
        if (!Object.keys(filter).every((key) => key in params.shape)) continue;
        const given = Object.values(filter).map(String);
        const answer = await cloud.callAs(who, name, { ...needs, ...filter }).catch((error: unknown) => {
          if (error instanceof Refusal) return { refused: error.message } as Body;
          throw error;
        });
        // What the caller typed himself may be repeated to him; anything else of the other tenant is a leak.
        const text = JSON.stringify(answer);
        const found = [MARK, 'globex', ...foreign].filter(
          (word) => !given.some((typed) => typed.includes(word)) && text.includes(word),
        );
        if (found.length > 0) leaks.push(`${name} as ${who} with ${JSON.stringify(filter)}: ${found.join(', ')}`);
      }
    }
  }
  assert.deepEqual(leaks, []);
});

test('an id of another tenant answers word for word like one that nobody has', async () => {
  const nobody = '00000000-0000-4000-8000-000000000000';
  const told = (id: string, command: string): Promise<string> =>
    cloud.callAs('acme-admin', command, { id }).then(
      (body) => JSON.stringify(body),
      (error: unknown) =>
        error instanceof Refusal ? `${error.status} ${error.message}`.replaceAll(id, 'ID') : Promise.reject(error),
    );
  for (const command of [
    'listVPCs',
    'listNetworks',
    'listPrivateGateways',
    'listStaticRoutes',
    'listVirtualMachines',
    'listUsers',
    'listAccounts',
    'listDomains',
    'deleteVPC',
    'deleteNetwork',
  ]) {
    for (const id of foreign) assert.equal(await told(id, command), await told(nobody, command), command);
  }
});

test('counts count only what the caller may see', async () => {
  for (const [command, key] of [
    ['listVPCs', 'vpc'],
    ['listNetworks', 'network'],
    ['listVirtualMachines', 'virtualmachine'],
  ] as const) {
    const body = await cloud.callAs('acme-admin', command, { listall: true, page: 1, pagesize: 1 });
    assert.deepEqual([body['count'], body[key]], [undefined, undefined], command);
  }
});

test('the user of a domain sees nothing of his own domain admin, but the admin sees the user', async () => {
  const vpc = await makeVpc(cloud, 'acme-admin', 'of-the-admin', '10.7.0.0/16');
  assert.deepEqual(await cloud.callAs('acme-user', 'listVPCs', { listall: true }), {});
  const own = await makeVpc(cloud, 'acme-user', 'of-the-user', '10.8.0.0/16');
  const seen = ((await cloud.callAs('acme-admin', 'listVPCs', { listall: true }))['vpc'] as { id: string }[]).map(
    ({ id }) => id,
  );
  assert.deepEqual(seen.toSorted(), [vpc, own].toSorted());
});
