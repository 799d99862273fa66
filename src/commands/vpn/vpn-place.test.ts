// How many public addresses VPNs can be at: the gateway helper has one for each, and the source NAT address has its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openCloud } from '../public/public.test-support.ts';
import { acquired, shop } from '../public/vpc-address.test-support.ts';

const WHO = 'acme-admin';

test('VPNs are at four addresses beside the source NAT address, also where that becomes another one', async () => {
  await using cloud = await openCloud();
  const { vpcid } = await shop(cloud);
  const ids: string[] = [];
  for (let number = 0; number < 5; number++) ids.push(await acquired(cloud, vpcid));
  const rows = await cloud.list(WHO, 'listPublicIpAddresses', { vpcid });
  const ipOf = (id: string | undefined): string => String(rows.find((row) => row['id'] === id)!['ipaddress']);
  const vpn = (publicipid: string): Promise<unknown> =>
    cloud.made(WHO, 'createRemoteAccessVpn', { publicipid }, 'remoteaccessvpn');
  for (const id of ids.slice(0, 4)) await vpn(id);
  const fifth = { publicipid: ids[4]! };
  await cloud.refused(WHO, 'createRemoteAccessVpn', fifth, 'VPNs can be at 5 public addresses');
  await vpn(String(rows.find((row) => row['issourcenat'] === true)!['id']));
  const change = (id: string | undefined) => ({ id: vpcid, sourcenatipaddress: ipOf(id) });
  await cloud.refused(WHO, 'updateVPC', change(ids[4]), 'they can be at 4 addresses beside that one');
  await cloud.doAs(WHO, 'updateVPC', change(ids[0]));
  const after = await cloud.list(WHO, 'listPublicIpAddresses', { vpcid, issourcenat: 'true' });
  assert.deepEqual(
    after.map((row) => row['id']),
    [ids[0]],
  );
});
