// How many public addresses VPNs can be at, and at which of the gateway helper's: it has one for each, and the source NAT address has
// its own.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Body } from '../../../test/support/cloud.ts';
import { vpnPlaces } from '../../compile/vpn.ts';
import { createIntentCache } from '../../store/load.ts';
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

test('a VPN keeps its address of the helper while others come and go in any order, also while the source NAT address changes', async () => {
  const SOURCE_NAT = 5;
  const walk = fc.array(fc.nat(SOURCE_NAT), { minLength: 8, maxLength: 14 });
  await fc.assert(
    fc.asyncProperty(walk, async (steps) => {
      await using cloud = await openCloud();
      const { vpcid } = await shop(cloud);
      const cache = createIntentCache(cloud.store);
      const places = async (): Promise<Map<string, string>> => {
        const { intent } = await cache.refresh();
        return new Map(vpnPlaces(intent.vpcs.get(vpcid)!).map(({ publicIp, address }) => [publicIp, address]));
      };
      const listed = (): Promise<Body[]> => cloud.list(WHO, 'listPublicIpAddresses', { vpcid });
      for (let number = 0; number < 4; number++) await acquired(cloud, vpcid);
      const ips = (await listed()).map((row) => String(row['ipaddress'])).toSorted();
      for (const step of steps) {
        const before = await places();
        const rows = await listed();
        const changed: unknown[] = [];
        if (step === SOURCE_NAT) {
          const own = rows.findIndex((row) => row['issourcenat'] === true);
          const next = rows[(own + 1) % rows.length]!['ipaddress'];
          changed.push(rows[own]!['ipaddress'], next);
          await cloud.doAs(WHO, 'updateVPC', { id: vpcid, sourcenatipaddress: String(next) });
          await cloud.settle();
        } else {
          const row = rows.find(({ ipaddress }) => ipaddress === ips[step])!;
          const publicipid = String(row['id']);
          changed.push(row['ipaddress']);
          if (before.has(ips[step]!)) await cloud.doAs(WHO, 'deleteRemoteAccessVpn', { publicipid });
          else
            await cloud.made(
              WHO,
              'createRemoteAccessVpn',
              { publicipid, kind: 'wireguard', port: `${52_000 + step}` },
              'remoteaccessvpn',
            );
        }
        const after = await places();
        assert.equal(new Set(after.values()).size, after.size, 'each its own');
        const vpns = await cloud.list(WHO, 'listRemoteAccessVpns');
        assert.equal(after.size, vpns.length, 'each has one');
        for (const [ip, address] of before)
          if (!changed.includes(ip)) assert.equal(after.get(ip), address, `${ip} after ${steps.join(' ')}`);
      }
    }),
    { numRuns: 4 },
  );
});
