// Static NAT on the hypervisor of its instance: which addresses have it, which cannot, and what follows. That packets follow is
// test/lab/region.test.ts's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { derivedId } from '../lib/id.ts';
import type { Fabric, Intent, Nic, Segment } from '../model/intent.ts';
import type { Balancer, PublicAddress, PublicSide } from '../model/public-side.ts';
import { check } from './check.ts';
import { compile } from './compile.ts';
import type { Desired, DesiredRow } from './desired.ts';
import { switchName } from './names.ts';
import { forwardOf, publicAddress, publicSide, withVpcs } from './public.test-support.ts';
import { rowsOf } from './rows.test-support.ts';
import { ALLOW, fabricOf, guestOf, intentOf, nicOf, OVERLAY, vlan } from './sample.test-support.ts';

const OWN = publicAddress('203.0.113.10', { sourceNat: true });
const INSIDE = '10.1.1.11';

/** Hypervisors hv1 and hv2 are on the wire, hv3 is on another. */
function fabric(more: Partial<Fabric> = {}): Fabric {
  const wires = new Map([
    ['hv1', ['physnet1']],
    ['hv2', ['other', 'physnet1']],
    ['hv3', ['other']],
  ]);
  const bare = fabricOf('hv1', 'hv2', 'hv3', 'hv4');
  const chassis = bare.chassis.map((one) => {
    const known = wires.get(one.name);
    return known === undefined ? one : { ...one, wires: known };
  });
  return { ...bare, chassis, distributedNat: true, ...more };
}

function staticOf(ip: string, inside = INSIDE): PublicAddress {
  return publicAddress(ip, { staticNat: inside, staticNatNic: nicOf(inside).id });
}

const ONE = staticOf('203.0.113.11');

interface Words {
  readonly addresses?: readonly PublicAddress[];
  readonly side?: Partial<PublicSide>;
  readonly segment?: Segment;
  readonly nic?: Partial<Nic>;
  readonly fabric?: Fabric;
}

/** A VPC with an instance at hv1 and one of another tier at hv2. */
function shop({
  addresses = [OWN, ONE],
  side = {},
  segment = OVERLAY,
  nic = {},
  fabric: on = fabric(),
}: Words): Intent {
  const intent = intentOf({
    fabric: on,
    vpcs: [
      {
        name: 'shop',
        cidr: '10.1.0.0/16',
        tiers: {
          web: { cidr: '10.1.1.0/24', nics: [`${INSIDE}@hv1`], acl: ALLOW, segment },
          db: { cidr: '10.1.2.0/24', nics: ['10.1.2.12@hv2'], acl: ALLOW },
        },
      },
    ],
  });
  return withVpcs(intent, ({ tiers }) => ({
    publicSide: publicSide(addresses, side),
    tiers: tiers.map((tier) => ({
      ...tier,
      nics: tier.nics.map((one) => (one.ip === INSIDE ? { ...one, ...nic } : one)),
    })),
  }));
}

/** Compiled, and sound. */
function compiled(words: Words = {}): Desired {
  const intent = shop(words);
  const desired = compile(intent);
  assert.deepEqual(check(desired, intent.fabric), []);
  return desired;
}

const statics = (desired: Desired): readonly DesiredRow[] =>
  rowsOf(desired, 'NAT').filter(({ columns }) => columns['type'] === 'dnat_and_snat');

/** Public addresses that are translated where their instance is. */
const distributed = (desired: Desired): readonly unknown[] =>
  statics(desired).flatMap(({ columns }) => (columns['external_mac'] === undefined ? [] : [columns['external_ip']]));

test('static NAT is at the gateway unless the operator wants it otherwise, whatever nodes say of their wires', () => {
  const { distributedNat: _, ...central } = fabric();
  const desired = compiled({ fabric: central });
  const unasked = compiled({ fabric: fabricOf('hv1', 'hv2', 'hv3', 'hv4') });
  assert.deepEqual(rowsOf(desired), rowsOf(unasked));
  assert.deepEqual(distributed(desired), []);
  assert.deepEqual(rowsOf(desired, 'Load_Balancer'), []);
});

test('an address is translated where its instance is, under a MAC that no other address and no port has', () => {
  const desired = compiled({ addresses: [OWN, ONE, staticOf('203.0.113.12', '10.1.2.12')] });
  assert.deepEqual(
    statics(desired).map(({ columns }) => [columns['external_ip'], columns['logical_port']]),
    [
      ['203.0.113.11', [nicOf(INSIDE).id]],
      ['203.0.113.12', [nicOf('10.1.2.12').id]],
    ],
  );
  const macs = [
    ...statics(desired).map(({ columns }) => (columns['external_mac'] as readonly string[])[0]),
    ...rowsOf(desired, 'Logical_Router_Port').map(({ columns }) => columns['mac']),
  ];
  assert.equal(new Set(macs).size, macs.length);
  assert.deepEqual(
    statics(compiled()).map(({ columns }) => columns['external_mac']),
    statics(desired)
      .slice(0, 1)
      .map(({ columns }) => columns['external_mac']),
    'the MAC is the address’s, whatever else there is',
  );
});

test('the router’s own networks are led to it at their switches, the router leads nobody, and the wire’s unit waits for the hypervisor', () => {
  const desired = compiled();
  const [balancer, ...others] = rowsOf(desired, 'Load_Balancer');
  assert.deepEqual([balancer!.columns['vips'], others], [{ '203.0.113.11': INSIDE }, []]);
  const users = [...rowsOf(desired, 'Logical_Switch'), ...rowsOf(desired, 'Logical_Router')].filter(({ columns }) =>
    (columns['load_balancer'] as readonly string[] | undefined)?.includes(balancer!.uuid),
  );
  assert.deepEqual(
    users.map(({ columns }) => columns['name']).toSorted(),
    ['web', 'db'].map((name) => switchName(derivedId(`tier/shop/${name}`))).toSorted(),
  );
  const gateways = fabric().chassis.map((one) => ({ ...one, kind: 'gateway' as const }));
  const away = { ...fabricOf('h1'), chassis: [...gateways, { ...fabric().chassis[0]!, name: 'h1' }] };
  const wireOf = (more: Partial<Fabric>): readonly string[] =>
    [...compiled({ fabric: { ...away, ...more }, nic: { host: 'h1' } }).units.values()].find(({ key }) =>
      key.startsWith('public:'),
    )!.chassis;
  assert.ok(wireOf({ distributedNat: true }).includes('h1'));
  assert.ok(!wireOf({}).includes('h1'));
});

test('an address stays at the gateway where its instance’s hypervisor cannot do it', () => {
  assert.deepEqual(distributed(compiled({ nic: { host: 'hv2' } })), ['203.0.113.11']);
  assert.deepEqual(distributed(compiled({ nic: { host: 'hv3' } })), [], 'it is on another wire');
  assert.deepEqual(distributed(compiled({ nic: { host: 'hv4' } })), [], 'it has not said');
  assert.deepEqual(distributed(compiled({ nic: { movingFrom: 'hv3' } })), [], 'it is not there yet');
  assert.deepEqual(distributed(compiled({ segment: vlan(300) })), [], 'its router port is at one chassis');
});

test('an address stays at the gateway while ports of others lead to its instance: answers would leave by the wrong one', () => {
  const balancer: Balancer = {
    id: derivedId('balancer'),
    protocol: 'tcp',
    publicPort: 80,
    algorithm: 'roundrobin',
    cidrs: [],
    sticky: false,
    members: [{ ip: INSIDE, port: 80, nicId: nicOf(INSIDE).id, networkId: '' }],
  };
  const beside = (more: Partial<PublicAddress>): Words => ({
    addresses: [OWN, ONE, publicAddress('203.0.113.12', more)],
  });
  assert.deepEqual(distributed(compiled(beside({ forwards: [forwardOf(`2222 to ${INSIDE}:22`)] }))), []);
  assert.deepEqual(distributed(compiled(beside({ balancers: [balancer] }))), []);
  assert.deepEqual(distributed(compiled(beside({ forwards: [forwardOf('2222 to 10.1.2.12:22')] }))), ['203.0.113.11']);
});

test('an address that is the router’s own on its leg is the gateway’s, the next one there is not, on a wire of its own or not', () => {
  for (const wire of [100, 200]) {
    const far = (ip: string, inside: string): PublicAddress => ({ ...staticOf(ip, inside), vlan: wire });
    const desired = compiled({ addresses: [OWN, far('192.0.4.8', INSIDE), far('192.0.4.9', '10.1.2.12')] });
    assert.deepEqual(distributed(desired), ['192.0.4.9']);
  }
});

test('a network outside VPCs has it, too, and a routed one translates nothing', () => {
  const of = (mode: PublicSide['mode']): readonly unknown[] => {
    const cidr = mode === 'ROUTED' ? '203.0.113.128/28' : '10.5.0.0/24';
    const [nic, gateway] = mode === 'ROUTED' ? ['203.0.113.130', '203.0.113.129'] : ['10.5.0.11', '10.5.0.1'];
    const guest = guestOf('g', { cidr, nics: [`${nic}@hv1`], routed: true, gateway });
    const side = publicSide([OWN, staticOf('203.0.113.11', nic)], { mode });
    return distributed(compile(intentOf({ fabric: fabric(), vpcs: [], guests: [{ ...guest, publicSide: side }] })));
  };
  assert.deepEqual([of('NATTED'), of('ROUTED')], [['203.0.113.11'], []]);
});
