// Arbitrary small intents: a few VPCs with tiers, private gateways, routes and lists, some of which lead nowhere. Small ranges
// on purpose, so that addresses, prefixes and hypervisors meet.
import fc from 'fast-check';
import type { Intent, Segment } from '../model/intent.ts';
import { ALLOW, DENY, fabricOf, guestOf, intentOf, listOf, OVERLAY, vlan } from './sample.test-support.ts';

const segment: fc.Arbitrary<Segment> = fc.oneof(fc.constant(OVERLAY), fc.integer({ min: 300, max: 303 }).map(vlan));
const host = fc.constantFrom('', '@hv1', '@hv2', '@hv3');

const list = fc.constantFrom(
  undefined,
  ALLOW,
  DENY,
  listOf('some', '10 ingress deny tcp 22 10.1.0.0/16', '20 ingress allow tcp 20-100', '30 ingress allow icmp 8/0'),
  listOf('out', '5 egress deny udp 53', '6 egress allow all 10.2.0.0/15', '7 ingress allow all'),
);

const route = fc
  .tuple(
    fc.constantFrom('10.1.0.0/16', '10.2.0.0/16', '10.3.1.0/24', '0.0.0.0/0', '172.16.1.0/25'),
    fc.constantFrom('172.16.1.', '172.16.2.', '10.1.1.', '192.168.7.'),
    fc.integer({ min: 1, max: 4 }),
  )
  .map(([prefix, net, hop]) => `${prefix} via ${net}${hop}`);

function vpc(n: number): fc.Arbitrary<Parameters<typeof intentOf>[0]['vpcs'][number]> {
  const tier = fc.record({
    segment,
    acl: list,
    nics: fc.uniqueArray(fc.integer({ min: 10, max: 14 }), { maxLength: 3 }),
    hosts: fc.array(host, { minLength: 3, maxLength: 3 }),
  });
  return fc
    .record({
      tiers: fc.array(tier, { maxLength: 2 }),
      joins: fc.subarray(['p', 'q']),
      routes: fc.uniqueArray(route, { maxLength: 3 }),
      gatewayAcl: list,
    })
    .map(({ tiers, joins, routes, gatewayAcl }) => ({
      name: `v${n}`,
      cidr: `10.${n}.0.0/16`,
      tiers: Object.fromEntries(
        tiers.map(({ segment: where, acl, nics, hosts }, i) => [
          `t${i + 1}`,
          {
            cidr: `10.${n}.${i + 1}.0/24`,
            segment: where,
            nics: nics.map((last, k) => `10.${n}.${i + 1}.${last}${hosts[k]}`),
            ...(acl === undefined ? {} : { acl }),
          },
        ]),
      ),
      gateways: Object.fromEntries(joins.map((network) => [network, `172.16.${network === 'p' ? 1 : 2}.${n}`])),
      routes,
      ...(gatewayAcl === undefined ? {} : { gatewayAcl }),
    }));
}

export const arbitraryIntent: fc.Arbitrary<Intent> = fc
  .record({
    hosts: fc.constantFrom(['hv1'], ['hv1', 'hv2', 'hv3'], ['hv1', 'hv2', 'hv3', 'hv4']),
    p: segment,
    q: segment,
    vpcs: fc.tuple(fc.option(vpc(1)), fc.option(vpc(2)), fc.option(vpc(3))),
    guest: fc.option(fc.record({ segment, routed: fc.boolean() })),
  })
  .map(({ hosts, p, q, vpcs, guest }) =>
    intentOf({
      fabric: fabricOf(...hosts),
      privateNetworks: { p: { cidr: '172.16.1.0/24', segment: p }, q: { cidr: '172.16.2.0/24', segment: q } },
      vpcs: vpcs.filter((each) => each !== null),
      guests:
        guest === null
          ? []
          : [
              guestOf('g', {
                cidr: '192.168.9.0/24',
                segment: guest.segment,
                nics: ['192.168.9.10@hv1'],
                routed: guest.routed,
                gateway: '192.168.9.1',
              }),
            ],
    }),
  );
