// What the control plane's death costs: nothing. Its programs are killed one after the other while pings run; afterwards the same
// intent is realized, and what somebody changed by hand in OVN is put back.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { ApiError, createClient } from '../../src/client/client.ts';
import type { Cloud } from '../../src/demo/cloud.ts';
import { rows, text } from '../../src/demo/answer.ts';
import { labStatus } from '../../src/lab/status.ts';
import { run } from '../../src/lib/run.ts';
import { sleep } from '../../src/lib/sleep.ts';
import { eventually } from '../support/lab.ts';
import { cloudForSuite, type LabCloud } from '../support/tenant-lab.ts';

interface Side {
  readonly vpcid: string;
  readonly instance: string;
  readonly address: string;
}

let cloud: Cloud;
let sides: Side[];

suite('survival', () => {
  cloudForSuite(
    async (lab) => {
      cloud = lab.cloud;
      sides = await twoVpcs(lab);
    },
    { bystanders: true },
  );

  test('pings lose nothing while the control plane dies, and the next change is made all the same', async () => {
    const pings = cloud.lab.exec(sides[0]!.instance, ['ping', '-c', '60', '-i', '0.2', '-W', '1', sides[1]!.address]);
    for (const victim of ['server', 'agent', 'ovn-northd', 'ovn-nb', 'ovn-sb', 'ovn-controller']) {
      for (const pid of await pidsOf(victim)) process.kill(pid, 'SIGKILL');
      await sleep(1_000); // what dies next dies while the one before still comes back
    }
    const { stdout } = await pings;
    assert.match(stdout, /60 packets transmitted, 60 packets received, 0% packet loss/);
    await answers();
    const route = await call('createStaticRoute', {
      vpcid: sides[0]!.vpcid,
      cidr: '10.99.0.0/16',
      nexthop: '172.16.0.2',
    });
    assert.equal(text((route as { staticroute: object }).staticroute, 'state'), 'Active');
    assert.match(await nb('lr-route-list', `vpc:${sides[0]!.vpcid}`), /10\.99\.0\.0\/16\s+172\.16\.0\.2/);
  });

  test('a request that was accepted just before the server dies is realized by the next one', async () => {
    const { vpcid } = sides[0]!;
    const { endpoint, accounts } = cloud.access;
    const client = createClient({ endpoint, ...accounts['acme-admin']! });
    const accepted: string[] = [];
    const pids = await pidsOf('server');
    const calls = Array.from({ length: 24 }, (_, index) =>
      client.raw('createStaticRoute', { vpcid, cidr: `10.98.${index}.0/24`, nexthop: '172.16.0.2' }).then(
        (answer) => {
          accepted.push(text(answer, 'id'));
          if (accepted.length === 3) for (const pid of pids) process.kill(pid, 'SIGKILL');
        },
        // The connection broke: nobody can know whether it was accepted. A refusal would be wrong.
        (error: unknown) => assert.ok(error instanceof ApiError && error.errorcode === 0, String(error)),
      ),
    );
    await Promise.all(calls);
    assert.ok(accepted.length >= 3);
    await answers();
    const listed = await eventually('every listed route being Active', async () => {
      const routes = rows(await call('listStaticRoutes', { vpcid }), 'staticroute').filter((route) =>
        text(route, 'cidr').startsWith('10.98.'),
      );
      return routes.every((route) => text(route, 'state') === 'Active') ? routes : undefined;
    });
    const kept = listed.map((route) => text(route, 'id'));
    assert.deepEqual(
      accepted.filter((id) => !kept.includes(id)),
      [],
      'accepted, and lost',
    );
    const written = await nb('lr-route-list', `vpc:${vpcid}`);
    for (const route of listed)
      assert.ok(written.includes(text(route, 'cidr')), `${text(route, 'cidr')} is not in OVN`);
  });

  test('a row deleted or changed by hand is put back within seconds, and told', async () => {
    // A server that was started a moment ago must have looked once: what it finds then it cannot call a change.
    const metrics = readFileSync(join(cloud.state, 'server', 'metrics'), 'utf8').trim();
    await eventually(
      'the server having looked at OVN',
      async () => (await fetch(metrics.replace(/metrics$/, 'readyz'))).ok || undefined,
    );
    const routes = await nb('lr-route-list', `vpc:${sides[0]!.vpcid}`);
    const router = await routerOf(sides[0]!.vpcid);
    await nbctl('lr-route-del', router, '10.2.0.0/16');
    await eventually(
      'the route coming back',
      async () => ((await nb('lr-route-list', `vpc:${sides[0]!.vpcid}`)) === routes ? true : undefined),
      5_000,
    );
    const port = await portOf(sides[1]!.address);
    await nbctl('set', 'logical_switch_port', port, 'port_security=[]');
    const secured = async (): Promise<true | undefined> =>
      (await nbctl('get', 'logical_switch_port', port, 'port_security')).includes('[]') ? undefined : true;
    await eventually('port security coming back', secured, 5_000);
    // Counted a moment after OVN shows it: the row is there before the answer to our transaction is.
    await eventually('both being counted as drift', async () => {
      const page = await fetch(metrics).then((answer) => answer.text());
      return Number(/^trunkline_ovn_drift (\d+)/m.exec(page)?.[1]) >= 2 || undefined;
    });
  });

  test('rows that are not ours are never touched', async () => {
    await nbctl('ls-add', 'somebody-else', '--', 'set', 'logical_switch', 'somebody-else', 'other_config:mine=1');
    await nbctl('lr-route-add', await foreignRouter(), '10.1.0.0/16', '192.0.2.99');
    await call('createStaticRoute', { vpcid: sides[1]!.vpcid, cidr: '10.97.0.0/16', nexthop: '172.16.0.1' });
    assert.match(await nbctl('get', 'logical_switch', 'somebody-else', 'other_config'), /mine="?1"?/);
    assert.match(await nbctl('lr-route-list', 'somebody-elses-router'), /192\.0\.2\.99/);
  });

  test('ping works after all of it', async () => {
    const { code, stdout } = await cloud.lab.exec(sides[1]!.instance, [
      'ping',
      '-c',
      '3',
      '-W',
      '1',
      sides[0]!.address,
    ]);
    assert.equal(code, 0, stdout);
  });
});

function call(command: string, params: Readonly<Record<string, string>> = {}): Promise<object> {
  return cloud.as('acme-admin')(command, params);
}

async function twoVpcs({ tenant }: LabCloud): Promise<Side[]> {
  const networkid = await tenant.privateNetwork('172.16.0.0/24');
  return Promise.all(
    [1, 2].map(async (number) => {
      const vpcid = await tenant.vpc(`v${number}`, `10.${number}.0.0/16`);
      const tier = await tenant.tier(vpcid, `10.${number}.1.1`, 'default_allow');
      const { id, address } = await tenant.instance(`s${number}`, tier);
      await tenant.gateway(vpcid, networkid, `172.16.0.${number}`, 'default_allow');
      await tenant.route(vpcid, `10.${3 - number}.0.0/16`, `172.16.0.${3 - number}`);
      return { vpcid, instance: id, address };
    }),
  );
}

/** Process ids, as this side of the sandbox sees them, of a program of the lab, or of the server. */
async function pidsOf(program: string): Promise<number[]> {
  const { processes } = await labStatus(cloud.state);
  const pids = processes.flatMap(({ name, pid }) => (name === program && pid !== undefined ? [pid] : []));
  assert.ok(pids.length > 0, `the lab runs no ${program}`);
  return pids;
}

/** Waits until the server answers again. */
async function answers(): Promise<void> {
  await eventually(
    'the server answering',
    () =>
      call('listZones').then(
        () => true as const,
        () => undefined,
      ),
    15_000,
  );
}

async function nbctl(...argv: string[]): Promise<string> {
  return (await run(['ovn-nbctl', `--db=${cloud.lab.nb}`, '--timeout=10', ...argv])).stdout;
}

/** `ovn-nbctl COMMAND ROUTER` for the router of a unit (`vpc:ID`). */
async function nb(command: string, unit: string): Promise<string> {
  return nbctl(command, await routerOf(unit.slice('vpc:'.length)));
}

async function routerOf(vpcid: string): Promise<string> {
  return (await nbctl('--bare', '--columns=name', 'find', 'logical_router', `external_ids:id=${vpcid}`)).trim();
}

/** The logical port that has this address. */
async function portOf(address: string): Promise<string> {
  const all = await nbctl('--format=csv', '--no-headings', '--columns=name,addresses', 'list', 'logical_switch_port');
  return all
    .split('\n')
    .find((line) => new RegExp(` ${address.replaceAll('.', '\\.')}\\b`).test(line))!
    .split(',')[0]!
    .replaceAll('"', '');
}

async function foreignRouter(): Promise<string> {
  await nbctl('lr-add', 'somebody-elses-router');
  return 'somebody-elses-router';
}
