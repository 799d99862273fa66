// Names that networks of router nodes may answer for: the nodes' DNS servers are shared, so nobody may give names that are not his.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCloud } from '../public/public.test-support.ts';

test('createNetwork by LinuxRouter refuses a network domain that is not the owner’s, or that another account uses', async () => {
  await using cloud = await openCloud({ routers: 3 });
  await assert.rejects(
    cloud.net('acme-admin', 'a', { cidr: '10.1.1.0/24', networkdomain: 'github.com' }),
    /github\.com is not yours to answer for/,
  );
  await cloud.net('acme-admin', 'b', { cidr: '10.1.2.0/24', networkdomain: 'web.acme.internal' });
  await assert.rejects(
    cloud.net('globex-admin', 'c', { cidr: '10.1.3.0/24', networkdomain: 'acme.internal' }),
    /in use by another account/,
  );
  // The same account may use a domain again, and the default is one of its own.
  await cloud.net('acme-admin', 'd', { cidr: '10.1.4.0/24', networkdomain: 'web.acme.internal' });
  await cloud.net('globex-admin', 'e', { cidr: '10.1.5.0/24' });
});

test('updateNetwork refuses such a network domain, too', async () => {
  await using cloud = await openCloud();
  const id = await cloud.net('acme-admin', 'a', { cidr: '10.1.1.0/24' });
  await cloud.refused(
    'acme-admin',
    'updateNetwork',
    { id, networkdomain: 'example.org' },
    'is not yours to answer for',
  );
  await cloud.doAs('acme-admin', 'updateNetwork', { id, networkdomain: 'acme.internal' });
});
