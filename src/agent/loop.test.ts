// Whose error a failure is: what breaks for one instance, or in one network, holds up nobody else's.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBell } from '../lib/bell.ts';
import { silentLog } from '../lib/log.ts';
import type { InstanceSpec, InstanceStatus, NodeDocument } from '../protocol/document.ts';
import type { Driver, Plan } from './driver.ts';
import { planGuards, planUnseen } from './guard/plan.ts';
import { createLoop, type Outcome } from './loop.ts';
import { portOf } from './netns/names.ts';

const ID = '33333333-3333-4333-8333-333333333333';
const ROUTER = '02:00:00:00:aa:01';
const instance: InstanceSpec = {
  id: ID,
  name: 'i-1-VM',
  hostname: 'vm',
  power: 'running',
  boot: 1,
  passwordHash: '*',
  cpus: 1,
  memoryMb: 128,
  nics: [
    {
      id: ID,
      mac: '02:00:00:00:00:01',
      deviceId: 0,
      isDefault: true,
      mtu: 1442,
      six: { address: '2001:db8::1', router: ROUTER },
    },
  ],
};
const DOCUMENT: NodeDocument = { node: 'h1', generation: 7, instances: [instance], peers: [] };
const RUNNING: InstanceStatus = { id: ID, power: 'running' };
const fails = [{ kind: 'run', argv: ['false'], reason: 'it cannot be done' }] as const;

/** What the loop tells once it is `enough`; the drivers plan the same again and again. */
async function toldOf(plans: Readonly<Record<string, Plan>>, enough: (outcome: Outcome) => boolean): Promise<Outcome> {
  const drivers = Object.entries(plans).map(([name, plan]): Driver => ({ name, look: async () => plan }));
  const instances: Driver = { name: 'instances', look: async () => ({ work: [], waits: [], instances: [RUNNING] }) };
  const loop = createLoop([instances, ...drivers], createBell(), { add: async () => undefined }, silentLog());
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const end = new AbortController();
  const running = loop.run(
    () => DOCUMENT,
    (outcome) => (enough(outcome) ? resolve(outcome) : undefined),
    end.signal,
  );
  const outcome = await promise;
  end.abort();
  await running;
  return outcome;
}

test('createLoop() makes a router guard that fails the error of its instance, and not the node’s', async () => {
  const index = 7;
  const device = portOf(ID);
  const plan = planGuards(DOCUMENT, { devices: new Map([[device, index]]), chains: new Map() });
  const broken = { ...plan, work: plan.work.map((work) => ({ ...work, steps: fails })) };
  const { realized, instances } = await toldOf({ guards: broken }, ({ error }) => error !== undefined);
  assert.equal(realized, 7);
  assert.match(instances[0]!.error ?? '', /^router guard of instance i-1-VM: /);
});

test('createLoop() has an instance with IPv6 wait for guards that cannot be looked at', async () => {
  const { realized, instances } = await toldOf(
    { guards: planUnseen(DOCUMENT, 'no nft') },
    ({ realized: generation }) => generation !== undefined,
  );
  assert.deepEqual([realized, instances[0]!.error], [7, 'router guard of instance i-1-VM: no nft']);
  assert.deepEqual(planUnseen({ ...DOCUMENT, instances: [{ ...instance, nics: [] }] }, 'no nft').waits, []);
});

test('createLoop() tells what fails in one network’s services, and counts the rest as true; what is the node’s own it does not', async () => {
  const own = {
    work: [{ target: 'services n', label: 'names of n', blame: 'itself', steps: fails }],
    waits: [],
    instances: [],
  } as const;
  const told = await toldOf({ services: own }, ({ error }) => error !== undefined);
  assert.equal(told.realized, 7);
  assert.match(told.error!, /^names of n: /);
  assert.equal(told.instances[0]!.error, undefined);
  const { blame: _, ...nodes } = own.work[0];
  const shared = await toldOf({ services: { ...own, work: [nodes] } }, ({ error }) => error !== undefined);
  assert.equal(shared.realized, undefined);
});
