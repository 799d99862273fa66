// IPv6 with packets: dual-stack tiers, networks without IPv4, between tiers and hypervisors, and the world outside, routed and never
// translated.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { rows, text } from '../../src/demo/answer.ts';
import { run } from '../../src/lib/run.ts';
import { type Guest6, type Ipv6Lab, OUTSIDE6, comes, ipv6Lab } from '../support/ipv6-lab.ts';
import { cloudForSuite, type LabCloud } from '../support/tenant-lab.ts';

let lab: LabCloud;
let six: Ipv6Lab;
let tiers: { readonly dual: string; readonly only: string };
/** In the dual-stack tier on h1 and h2; in the tier without IPv4 on h2. */
let web: Guest6, web2: Guest6, db: Guest6;

suite('IPv6', () => {
  cloudForSuite(
    async (started) => {
      lab = started;
      six = await ipv6Lab(lab);
      const vpcid = await six.vpc('shop', '10.1.0.0/16');
      tiers = {
        dual: await six.tier(vpcid, '10.1.1.1', 'default_allow'),
        only: await six.tier(vpcid, undefined, 'default_allow'),
      };
      [web, web2, db] = await Promise.all([
        six.instance('web', tiers.dual, 'h1'),
        six.instance('web2', tiers.dual, 'h2'),
        six.instance('db', tiers.only, 'h2'),
      ]);
    },
    { topology: 'region' },
  );

  test('instances make the address that the API says', async () => {
    for (const guest of [web, web2, db]) {
      const { stdout } = await lab.exec(guest, 'ip', '-6', 'address', 'show', 'dev', 'eth0');
      assert.match(stdout, new RegExp(`inet6 ${guest.six}/64 scope global`));
    }
    assert.equal(db.address, '');
    assert.match((await lab.exec(db, 'ip', '-4', 'address', 'show', 'dev', 'eth0')).stdout, /^$/);
    assert.equal(
      text(await six.shown(tiers.only), 'ip6gateway'),
      `${text(await six.shown(tiers.only), 'ip6cidr').replace('/64', '')}1`,
    );
  });

  test('inside a tier, between tiers and between hypervisors, the first packet arrives', async () => {
    for (const [from, to] of [
      [web, web2],
      [web2, web],
      [web, db],
      [db, web],
      [web2, db],
    ] as const)
      assert.ok(await six.ping6(from, to.six), `${from.name} -> ${to.name}`);
    assert.ok(await lab.ping(web, web2), 'IPv4 beside it');
  });

  test('the world is reached with the own address, and reaches it', async () => {
    for (const id of [tiers.dual, tiers.only]) await six.routeTo(id);
    for (const guest of [web, db]) {
      await comes(`${guest.name} to the outside`, () => six.ping6(guest, OUTSIDE6));
      await comes(`the outside to ${guest.name}`, () => six.ping6('outside', guest.six));
    }
    const routes = rows(rows(await lab.tenant.call('listVPCs'), 'vpc')[0]!, 'ip6routes');
    assert.equal(routes.length, 2);
  });

  test('when the gateway that carries its way out is cut off, another takes over, also where there is no IPv4', async (t) => {
    const network = await six.network('six');
    const alone = await six.instance('alone', network, 'h3');
    await six.routeTo(network);
    await comes('the outside', () => six.ping6(alone, OUTSIDE6));
    const uplink = text(rows(await six.shown(network), 'ip6routes')[0], 'gateway');
    const sb = async (...argv: readonly string[]): Promise<string> =>
      (await run(['ovn-sbctl', `--db=${lab.cloud.lab.sb}`, '--timeout=10', '--bare', ...argv])).stdout.trim();
    const port = (await sb('--columns=logical_port,mac', 'find', 'Port_Binding', 'type=patch'))
      .split('\n\n')
      .find((row) => row.includes(`${uplink}/64`))!
      .split('\n')[0]!;
    const holder = async (): Promise<string> => {
      const chassis = await sb('--columns=chassis', 'find', 'Port_Binding', `logical_port=cr-${port}`);
      return chassis === '' ? '' : sb('--columns=name', 'list', 'Chassis', chassis);
    };
    const active = await holder();
    const cable = (how: string) => lab.wire.inNetwork('sw', ['ip', 'link', 'set', `${active}-eth0`, how]);
    try {
      const outage = await lab.wire.outage(alone, OUTSIDE6, () => cable('down'));
      t.diagnostic(`away for ${Math.round(outage.gapMs)} ms`);
      assert.ok(outage.recovered, JSON.stringify(outage));
      assert.notEqual(await holder(), active);
      // How fast is the bench's to say: BFD waits for a core here.
      assert.ok(outage.gapMs < 10_000, `${outage.gapMs} ms`);
    } finally {
      await cable('up');
    }
  });
});
