// Running the house while tenants' packets go on: routers stopped, started, moved and made anew, VPCs restarted, hosts emptied and
// switched off. Inside nothing is ever lost; from outside a way out that moves is missed for some tens of milliseconds.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { ApiError } from '../../src/client/client.ts';
import { rows, text } from '../../src/demo/answer.ts';
import type { Outage } from '../../src/demo/reading.ts';
import { labStatus } from '../../src/lab/status.ts';
import { run } from '../../src/lib/run.ts';
import { sleep } from '../../src/lib/sleep.ts';
import { echoIn } from '../support/echo.ts';
import { eventually } from '../support/lab.ts';
import { publicCalls } from '../support/public-calls.ts';
import { cloudForSuite, type Guest, type LabCloud } from '../support/tenant-lab.ts';

const OUTSIDE = '198.51.100.10';
const TIERS = 12;

let lab: LabCloud;
let vpcid: string;
/** Of the VPC, on h1 with a public address, and on h2. */
let web: Guest;
let db: Guest;
let address: string;

interface Router {
  readonly id: string;
  readonly hostname: string;
  readonly state: string;
  readonly redundantstate: string;
}

function admin(command: string, params: Readonly<Record<string, string>> = {}): Promise<object> {
  return lab.cloud.as('admin')(command, params);
}

async function routers(of: Readonly<Record<string, string>> = { vpcid }): Promise<Router[]> {
  const listed = rows(await admin('listRouters', { ...of, listall: 'true' }), 'router') as unknown as Router[];
  return listed.map(({ id, hostname, state, redundantstate }) => ({ id, hostname, state, redundantstate }));
}

async function master(of?: Readonly<Record<string, string>>): Promise<Router> {
  const found = (await routers(of)).filter(({ redundantstate }) => redundantstate === 'MASTER');
  assert.equal(found.length, 1, JSON.stringify(await routers()));
  return found[0]!;
}

/** The gateway that carries the way out, as OVN itself says. */
async function holder(): Promise<string> {
  const sb = async (...argv: readonly string[]): Promise<string> =>
    (await run(['ovn-sbctl', `--db=${lab.cloud.lab.sb}`, '--timeout=10', '--bare', ...argv])).stdout.trim();
  const where = ['find', 'Port_Binding', 'type=chassisredirect', 'logical_port!=cr-lrp-fabric-1'];
  return sb('--columns=name', 'list', 'Chassis', await sb('--columns=chassis', ...where));
}

async function hostId(name: string): Promise<string> {
  return text(rows(await admin('listHosts', { name }), 'host')[0], 'id');
}

async function hostState(name: string): Promise<string> {
  const host = rows(await admin('listHosts', { name }), 'host')[0];
  return `${text(host, 'state')} ${text(host, 'resourcestate')}`;
}

/** 200 pings a second inside, from host to host, and 10 from outside, while `work` is done and for a second after. */
async function under(work: () => Promise<unknown>): Promise<{ readonly inside: Outage; readonly outside: Outage }> {
  let outside: Outage | undefined;
  const inside = await lab.wire.outage(
    web,
    db.address,
    async () => {
      outside = await lab.wire.outage(
        'outside',
        address,
        async () => {
          await work();
          await sleep(1_000);
        },
        100,
      );
    },
    5,
  );
  return { inside, outside: outside! };
}

const said = ({ inside, outside }: { inside: Outage; outside: Outage }): string =>
  `inside ${inside.lost} of ${inside.sent} lost, outside ${outside.lost} of ${outside.sent}`;

async function refusal(answer: Promise<unknown>): Promise<string> {
  const error = await answer.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof ApiError, 'it was not refused');
  return error.message;
}

suite('operation', () => {
  cloudForSuite(
    async (started) => {
      lab = started;
      const { tenant } = lab;
      const physicalnetworkid = text(rows(await admin('listPhysicalNetworks'), 'physicalnetwork')[0], 'id');
      const zoneid = tenant.zoneid;
      const range = {
        gateway: '203.0.113.1',
        netmask: '255.255.255.0',
        startip: '203.0.113.10',
        endip: '203.0.113.99',
      };
      await admin('createVlanIpRange', { zoneid, physicalnetworkid, vlan: '100', forvirtualnetwork: 'true', ...range });
      await admin('updateConfiguration', { name: 'vpc.max.networks', value: String(TIERS) });
      const vpcofferingid = await tenant.idOf('listVPCOfferings', 'vpcoffering', 'Redundant VPC offering');
      const wish = { name: 'shop', displaytext: 'shop', cidr: '10.1.0.0/16', zoneid, vpcofferingid };
      vpcid = text(((await tenant.call('createVPC', wish)) as { vpc: object }).vpc, 'id');
      const [first, second] = await Promise.all(
        [1, 2].map((tier) => tenant.tier(vpcid, `10.1.${tier}.1`, 'default_allow')),
      );
      [web, db] = [await tenant.instance('web', first!, 'h1'), await tenant.instance('db', second!, 'h2')];
      const { ipaddress } = (await tenant.call('associateIpAddress', { vpcid })) as { ipaddress: object };
      address = text(ipaddress, 'ipaddress');
      const ipaddressid = text(ipaddress, 'id');
      await tenant.call('enableStaticNat', { ipaddressid, virtualmachineid: web.id, networkid: first! });
      await eventually(
        'the outside reaching it',
        async () => (await lab.wire.pingFrom('outside', address)) || undefined,
      );
    },
    { topology: 'region' },
  );

  test('listRouters shows the gateway that carries the way out as MASTER, and the other as BACKUP', async () => {
    const found = await routers();
    assert.deepEqual(found.map(({ hostname }) => hostname).toSorted(), ['gw1', 'gw2']);
    assert.deepEqual(found.map(({ redundantstate }) => redundantstate).toSorted(), ['BACKUP', 'MASTER']);
    assert.equal((await master()).hostname, await holder());
  });

  test('rebootRouter and destroyRouter of the MASTER hand the way out to the other, and inside loses nothing', async (t) => {
    for (const command of ['rebootRouter', 'destroyRouter']) {
      const before = await master();
      const seen = await under(() => admin(command, { id: before.id }));
      t.diagnostic(`${command}: ${said(seen)}`);
      assert.equal(seen.inside.lost, 0);
      assert.ok(seen.outside.recovered && seen.outside.gapMs < 1_000, JSON.stringify(seen.outside));
      const after = await master();
      assert.notEqual(after.id, before.id);
      assert.notEqual(after.hostname, before.hostname);
      assert.equal(after.hostname, await holder());
    }
  });

  test('rebootRouter leaves alone what a network has open to outside, also by an address that leads inside', async () => {
    const { tenant } = lab;
    const echo = echoIn(lab.cloud);
    const calls = publicCalls(tenant);
    const networkid = await tenant.network('DefaultIsolatedNetworkOfferingWithSourceNatService', {
      cidr: '10.5.0.0/24',
    });
    const guest = await tenant.instance('client', networkid, 'h2');
    await calls.egress(networkid, { protocol: 'all' });
    await calls.forward(await calls.sourceNat({ networkid }), guest, networkid, '2222', { inside: '22' });
    await echo.serve('outside', 'outside', 80);
    const held = await Promise.all(Array.from({ length: 8 }, () => echo.hold(guest, OUTSIDE, 80)));
    for (const way of ['there', 'back']) {
      const before = await master({ networkid });
      await admin('rebootRouter', { id: before.id });
      assert.notEqual((await master({ networkid })).hostname, before.hostname);
      const alive = await Promise.all(held.map((one) => one.isAlive()));
      assert.equal(alive.filter(Boolean).length, held.length, way);
    }
    await Promise.all(held.map((one) => one.end()));
    await tenant.call('destroyVirtualMachine', { id: guest.id, expunge: 'true' });
    await tenant.call('deleteNetwork', { id: networkid });
  });

  test('stopRouter has the other carry it and says Stopped; the last one is not stopped; startRouter takes it back', async () => {
    const before = await master();
    const seen = await under(() => admin('stopRouter', { id: before.id }));
    assert.equal(seen.inside.lost, 0);
    const stopped = (await routers()).find(({ id }) => id === before.id)!;
    assert.deepEqual(stopped, { ...before, state: 'Stopped', redundantstate: 'UNKNOWN' });
    const last = await master();
    assert.notEqual(last.hostname, before.hostname);
    const why = await refusal(admin('stopRouter', { id: last.id, forced: 'true' }));
    assert.match(why, new RegExp(`cut VPC shop off from outside \\(${before.hostname} was stopped\\)`));
    await admin('startRouter', { id: before.id });
    assert.deepEqual(
      (await routers()).map(({ state }) => state),
      ['Running', 'Running'],
    );
    assert.equal((await master()).hostname, await holder());
  });

  test('restartVPC of twelve tiers loses nothing, with cleanup or without', async (t) => {
    const { tenant } = lab;
    for (let tier = 3; tier <= TIERS; tier++) await tenant.tier(vpcid, `10.1.${tier}.1`, 'default_allow');
    for (const cleanup of ['false', 'true']) {
      let took = 0;
      const seen = await under(async () => {
        const began = performance.now();
        await tenant.call('restartVPC', { id: vpcid, cleanup });
        took = performance.now() - began;
      });
      t.diagnostic(`cleanup=${cleanup}: done in ${Math.round(took)} ms, ${said(seen)}`);
      assert.equal(seen.inside.lost + seen.outside.lost, 0);
    }
  });

  test('a gateway in maintenance carries nothing, and may be switched off without a loss', async (t) => {
    const name = await holder();
    const id = await hostId(name);
    const moving = await under(() => admin('prepareHostForMaintenance', { id }));
    t.diagnostic(`into maintenance: ${said(moving)}`);
    assert.equal(moving.inside.lost, 0);
    assert.equal(await hostState(name), 'Up Maintenance');
    const other = await holder();
    assert.notEqual(other, name);
    const why = await refusal(admin('prepareHostForMaintenance', { id: await hostId(other) }));
    assert.match(why, /it carries the way out of VPC shop, and no other gateway that is Up and in use could/);
    const off = await under(() => lab.cloud.lab.perform('power-off', name));
    assert.equal(off.inside.lost + off.outside.lost, 0, said(off));
    await lab.cloud.lab.perform('power-on', name);
    await admin('cancelHostMaintenance', { id });
    assert.equal((await hostState(name)).split(' ')[1], 'Enabled');
  });

  test('a hypervisor in maintenance has no instances any more', async () => {
    const id = await hostId('h2');
    const { host } = (await admin('prepareHostForMaintenance', { id })) as { host: object };
    assert.equal(text(host, 'resourcestate'), 'Maintenance');
    const instances = rows(await admin('listVirtualMachines', { listall: 'true' }), 'virtualmachine');
    assert.deepEqual(
      instances
        .map((instance) => [text(instance, 'name'), text(instance, 'state'), text(instance, 'hostname')])
        .toSorted(),
      [
        ['db', 'Running', 'h3'],
        ['web', 'Running', 'h1'],
      ],
    );
    await eventually('both talking', async () => (await lab.ping(web, db)) || undefined);
    await admin('cancelHostMaintenance', { id });
  });

  test('a control program that is killed costs no packet, whichever it is', async (t) => {
    for (const victim of ['server', 'agent', 'ovn-controller', 'ovn-northd', 'ovn-nb', 'ovn-sb']) {
      const { processes } = await labStatus(lab.cloud.state);
      const pids = processes.flatMap(({ name, pid }) => (name === victim && pid !== undefined ? [pid] : []));
      assert.ok(pids.length > 0, `the lab runs no ${victim}`);
      const seen = await under(async () => {
        for (const pid of pids) {
          process.kill(pid, 'SIGKILL');
          await sleep(1_500); // one that starts anew is done before the next one goes
        }
      });
      t.diagnostic(`${victim} (${pids.length}): ${said(seen)}`);
      assert.equal(seen.inside.lost, 0, victim);
    }
  });

  test('a gateway that loses its power is taken over, and gets nothing back until it is well', async (t) => {
    await eventually(
      'both gateways being well',
      async () => {
        const states = await Promise.all(['gw1', 'gw2'].map(hostState));
        return states.every((state) => state === 'Up Enabled') || undefined;
      },
      40_000,
    );
    const name = await holder();
    const lost = await under(() => lab.cloud.lab.perform('power-off', name));
    t.diagnostic(`power cut: away for ${Math.round(lost.outside.gapMs)} ms, ${said(lost)}`);
    assert.equal(lost.inside.lost, 0);
    assert.ok(lost.outside.recovered && lost.outside.gapMs < 3_000, JSON.stringify(lost.outside));
    const other = await holder();
    assert.notEqual(other, name);
    await eventually('the state being told', async () => (await hostState(name)).startsWith('Alert') || undefined);
    assert.equal((await master()).hostname, other);
    const back = await under(async () => {
      await lab.cloud.lab.perform('power-on', name);
      await sleep(3_000);
    });
    t.diagnostic(`power again: ${said(back)}`);
    assert.equal(back.inside.lost, 0);
    // OVN's own start: until its BFD sessions are up it may believe itself alone and claim what is not its own, for a second at most.
    assert.ok(back.outside.recovered && back.outside.gapMs < 3_000, JSON.stringify(back.outside));
    await eventually('the other carrying it', async () => (await holder()) === other || undefined, 2_000);
  });
});
