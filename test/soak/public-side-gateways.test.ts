// Gateway nodes that carry the public side of routers: which, what happens when one is lost, and what many forwards cost.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { rows, text } from '../../src/demo/answer.ts';
import { createClient } from '../../src/client/client.ts';
import { run } from '../../src/lib/run.ts';
import { echoIn, type Echo } from '../support/echo.ts';
import { sleep } from '../../src/lib/sleep.ts';
import { eventually } from '../support/lab.ts';
import { openPublic, publicCalls, type PublicAddress, type PublicCalls } from '../support/public-calls.ts';
import { cloudForSuite, type Guest, type LabCloud } from '../support/tenant-lab.ts';

let lab: LabCloud;
let echo: Echo;
let calls: PublicCalls;
let network = '';
let guest: Guest;
let translated: PublicAddress;

async function sb(...argv: readonly string[]): Promise<string> {
  return (await run(['ovn-sbctl', `--db=${lab.cloud.lab.sb}`, '--timeout=10', '--bare', ...argv])).stdout.trim();
}

/** Which node carries the public side; the fabric's own ports are on no wire. */
async function carrier(): Promise<string | undefined> {
  const ports = (await sb('--columns=logical_port', 'find', 'Port_Binding', 'type=chassisredirect')).split('\n');
  const own = ports.find((port) => port !== '' && !port.startsWith('cr-lrp-fabric'));
  const chassis = await sb('--columns=chassis', 'find', 'Port_Binding', `logical_port=${own}`);
  return chassis === '' ? undefined : sb('--columns=name', 'list', 'Chassis', chassis);
}

function rule(ipaddressid: string, port: number): Readonly<Record<string, string>> {
  const where = { ipaddressid, virtualmachineid: guest.id, networkid: network, openfirewall: 'false' };
  return { ...where, protocol: 'tcp', publicport: String(port), privateport: '8000' };
}

suite('gateways of the public side', () => {
  cloudForSuite(
    async (started) => {
      lab = started;
      echo = echoIn(lab.cloud);
      calls = publicCalls(lab.tenant);
      await openPublic(lab, 10, 60);
      network = await lab.tenant.network('DefaultIsolatedNetworkOfferingWithEgress', { cidr: '10.5.0.0/24' });
      guest = await lab.tenant.instance('one', network, 'h1');
      translated = await calls.address({ networkid: network });
      await calls.staticNat(translated, guest, network);
      await calls.firewall(translated, { protocol: 'all' });
      await echo.serve('outside', 'outside', 80);
      await echo.serve(guest, 'one', 8000);
    },
    { topology: 'region' },
  );

  test('a gateway carries the public side, a hypervisor does not', async () => {
    assert.match((await eventually('a carrier', carrier))!, /^gw/);
    const from = async (): Promise<string | undefined> => (await echo.ask(guest, '198.51.100.10', 80))?.from;
    // The first way out of all: gateways have only just met.
    assert.equal(await eventually('a way out', from), translated.ip);
    await eventually('static NAT', async () => (await echo.ask('outside', translated.ip, 8000)) && true);
  });

  test('the other gateway takes over within 0.6 s when one loses its power, and what is translated with it', async (t) => {
    // A BFD session counts in whole seconds until it is up and both ends have agreed on less (RFC 5880, 6.8.3).
    await sleep(4_000);
    const active = (await carrier())!;
    const held = await echo.hold('outside', translated.ip, 8000);
    const outage = await lab.wire.outage('outside', translated.ip, () => lab.cloud.lab.perform('power-off', active));
    t.diagnostic(`away for ${Math.round(outage.gapMs)} ms, ${outage.lost} of ${outage.sent} lost`);
    assert.ok(outage.recovered, JSON.stringify(outage));
    assert.match((await carrier())!, /^gw/);
    assert.notEqual(await carrier(), active);
    assert.ok(await held.isAlive(), 'an open connection goes on');
    await eventually('translated addresses being announced with it', async () => {
      const said = readFileSync(join(lab.cloud.state, 'lab', (await carrier())!, 'agent.log'), 'utf8');
      const announced = said.split('\n').filter((line) => line.includes('taken over and announced'));
      return announced.some((line) => line.includes(`"${translated.ip}"`)) || undefined;
    });
    await held.end();
    // 0.3 s of it is BFD's; the median of ten on a machine that does nothing else is tools/bench's.
    assert.ok(outage.gapMs < 1500, `${outage.gapMs} ms`);
    await lab.cloud.lab.perform('power-on', active);
  });

  test('a thousand forwards on one network are there at once, and each leads where it says', async (t) => {
    const [own] = rows(
      await lab.tenant.call('listPublicIpAddresses', { associatednetworkid: network, issourcenat: 'true' }),
      'publicipaddress',
    );
    const address = { id: text(own, 'id'), ip: text(own, 'ipaddress') };
    await calls.firewall(address, { startport: '10000', endport: '11999' });
    const begun = Date.now();
    const ports = Array.from({ length: 1000 }, (_, i) => 10_000 + 2 * i);
    const { endpoint, accounts } = lab.cloud.access;
    const { apikey, secretkey } = accounts['acme-admin']!;
    const client = createClient({ endpoint, apikey, secretkey });
    // Fifty connections, and nobody waits for a rule before he asks for the next.
    const next = ports.values();
    const jobs: string[] = [];
    const ask = async (): Promise<void> => {
      for (const port of next)
        jobs.push(text(await client.raw('createPortForwardingRule', rule(address.id, port)), 'jobid'));
    };
    await Promise.all(Array.from({ length: 50 }, ask));
    const asked = Date.now() - begun;
    for (const jobid of jobs)
      await eventually(
        'the job',
        async () => {
          const job = (await client.raw('queryAsyncJobResult', { jobid })) as { jobstatus?: number };
          assert.notEqual(job.jobstatus, 2, JSON.stringify(job));
          return job.jobstatus === 1 || undefined;
        },
        60_000,
      );
    const ms = Date.now() - begun;
    t.diagnostic(`1,000 forwards asked for in ${asked} ms, there after ${ms} ms`);
    for (const port of [10_000, 11_000, 11_998])
      assert.equal((await echo.ask('outside', address.ip, port))?.name, 'one');
    assert.equal(await echo.ask('outside', address.ip, 11_001), undefined);
  });
});
