// Two sites joined with real packets through a real server: strongSwan and WireGuard at the internet, each with an office behind it, and
// instances inside. What the API says of a connection is what its peer sees.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { field, rows, text } from '../../src/demo/answer.ts';
import { run } from '../../src/lib/run.ts';
import { eventually } from '../support/lab.ts';
import { openPublic } from '../support/public-calls.ts';
import { type Guest, type LabCloud, cloudForSuite } from '../support/tenant-lab.ts';
import { carrierOf, machineAtHome, type Swan, vpnClients, type WireGuardClient } from '../support/vpn-clients.ts';

const KEY = 'a-long-shared-key-1';
const POLICY = 'aes256-sha256;modp2048';
/** Offices by what joins them: the peer's address, and who is in the network behind it. */
const OFFICES = {
  ike2: { peer: '198.51.100.41', network: '192.168.71.0/24', host: '192.168.71.10' },
  ike1: { peer: '198.51.100.42', network: '192.168.72.0/24', host: '192.168.72.10' },
  wg: { peer: '198.51.100.43', network: '192.168.73.0/24', host: '192.168.73.10' },
} as const;
type Office = keyof typeof OFFICES;
const ALL = ['ike2', 'ike1', 'wg'] as const;

describe('site to site', () => {
  let lab: LabCloud;
  let vpcid: string;
  let web: Guest;
  let other: Guest;
  let ours: { readonly id: string; readonly ip: string; readonly key: string };
  const connections = new Map<Office, { id: string; gateway: string }>();
  const swans = new Map<Office, Swan>();
  let wireguard: WireGuardClient;
  let wireguardFile: string;
  /** When it was killed. */
  let wireguardEnd: number;
  const clients = vpnClients({ after }, () => lab.cloud.state);
  const call = (command: string, params: Record<string, string>): Promise<object> => lab.tenant.call(command, params);

  cloudForSuite(
    async (started) => {
      lab = started;
      const { tenant } = lab;
      await openPublic(lab, 10, 50);
      vpcid = await tenant.vpc('shop', '10.1.0.0/16');
      const instances = async (): Promise<void> => {
        const tier = await tenant.tier(vpcid, '10.1.1.1', 'default_allow');
        [web, other] = await Promise.all([tenant.instance('web', tier, 'h1'), tenant.instance('other', tier, 'h2')]);
      };
      const gateway = async (): Promise<void> => {
        const made = field(await call('createVpnGateway', { vpcid }), 'vpngateway');
        ours = { id: text(made, 'id'), ip: text(made, 'publicip'), key: text(made, 'publickey') };
      };
      await Promise.all([instances(), gateway()]);
    },
    {
      topology: 'region',
      machines: ALL.flatMap((name, index) => machineAtHome(name, 41 + index, [`${name}lan`, `192.168.${71 + index}`])),
    },
  );

  async function connect(office: Office, more: Record<string, string>, passive = false): Promise<void> {
    const { peer, network } = OFFICES[office];
    const described = { name: office, gateway: peer, cidrlist: network, ...more };
    const gateway = text(field(await call('createVpnCustomerGateway', described), 'vpncustomergateway'), 'id');
    const params = { s2svpngatewayid: ours.id, s2scustomergatewayid: gateway, passive: String(passive) };
    connections.set(office, {
      gateway,
      id: text(field(await call('createVpnConnection', params), 'vpnconnection'), 'id'),
    });
  }

  /** strongSwan of an office. `begins`: whether it does, or waits for us. */
  async function swanAt(office: Office, version: 1 | 2, begins: boolean, key = KEY): Promise<Swan> {
    const swan = swans.get(office) ?? (await clients.swan(office));
    swans.set(office, swan);
    const { peer, network } = OFFICES[office];
    await swan.load(
      `site {
  version = ${version}
  local_addrs = ${peer}
  remote_addrs = ${ours.ip}
  encap = yes
  keyingtries = 0
  dpd_delay = ${begins ? '2s' : '0s'}
  dpd_timeout = 6s
  proposals = aes256-sha256-modp2048
  local {
    auth = psk
    id = ${peer}
  }
  remote {
    auth = psk
    id = ${ours.ip}
  }
  children {
    site {
      local_ts = ${network}
      remote_ts = 10.1.0.0/16
      esp_proposals = aes256-sha256-modp2048
      start_action = ${begins ? 'start' : 'none'}
      dpd_action = ${begins ? 'restart' : 'clear'}
    }
  }
}`,
      `ike-1 {\n id-1 = ${peer}\n id-2 = ${ours.ip}\n secret = "${key}"\n}`,
    );
    return swan;
  }

  async function stateOf(office: Office): Promise<{ state: string; reason: string }> {
    const [row] = rows(await call('listVpnConnections', { id: connections.get(office)!.id }), 'vpnconnection');
    const { state = '', reason = '' } = row as { state?: string; reason?: string };
    return { state, reason };
  }
  async function becomes(office: Office, wanted: RegExp, ms = 30_000): Promise<string> {
    let last = '';
    const found = await eventually(
      `${office} being ${wanted}`,
      async () => {
        const { state, reason } = await stateOf(office);
        last = `${state} ${reason}`;
        return wanted.test(last) ? last : undefined;
      },
      ms,
    ).catch((error: Error) => assert.fail(`${error.message}; it is ${last}`));
    return found;
  }
  async function joined(office: Office, guest: Guest = web, ms = 20_000): Promise<number> {
    const start = Date.now();
    const { host } = OFFICES[office];
    await eventually(
      `${office} reaching ${guest.name}`,
      async () => (await clients.pings(`${office}lan`, guest.address)) || undefined,
      ms,
    );
    const took = Date.now() - start;
    await eventually(
      `${guest.name} reaching ${host}`,
      async () => (await lab.ping(guest, { address: host })) || undefined,
    );
    return took;
  }

  test('by IKEv2: both ways with addresses as they are, and Connected when the peer sees it so', async (t) => {
    await swanAt('ike2', 2, false);
    await connect('ike2', { ipsecpsk: KEY, ikepolicy: POLICY, esppolicy: POLICY, ikeversion: 'ikev2', dpd: 'true' });
    t.diagnostic(`joined ${await joined('ike2')} ms after the request`);
    const seen = await lab.wire.sourceSeen(other, () => clients.pings('ike2lan', other.address));
    assert.equal(seen, OFFICES.ike2.host);
    await becomes('ike2', /^Connected/);
  });

  test('its key is kept by both gateways, and by no witness or hypervisor', async () => {
    const kept = async (node: string): Promise<string> =>
      (await lab.cloud.lab.exec(node, ['cat', join(lab.cloud.state, 'lab', node, 'agent/document.json')])).stdout;
    for (const gateway of ['gw1', 'gw2']) assert.ok((await kept(gateway)).includes(KEY), gateway);
    for (const node of ['witness', 'h1', 'h2']) {
      const document = await kept(node);
      assert.ok(document.includes('"generation"') && !document.includes(KEY), node);
    }
  });

  test('by IKEv1, where ours waits: nothing begins by itself; the peer begins', async () => {
    await connect(
      'ike1',
      { ipsecpsk: KEY, ikepolicy: POLICY, esppolicy: POLICY, ikeversion: 'ikev1', dpd: 'true' },
      true,
    );
    await becomes('ike1', /^Disconnected waits for 198\.51\.100\.42 to begin/);
    await swanAt('ike1', 1, true);
    await joined('ike1');
    await becomes('ike1', /^Connected/);
  });

  test('by WireGuard', async (t) => {
    const secret = (await clients.inside('wg', 'wg', 'genkey')).stdout.trim();
    const open = (await run(['wg', 'pubkey'], { input: secret })).stdout.trim();
    wireguardFile = `[Interface]\nPrivateKey = ${secret}\nListenPort = 51900\n[Peer]\nPublicKey = ${ours.key}\nAllowedIPs = 10.1.0.0/16\n`;
    wireguard = await clients.wireguard('wg', wireguardFile);
    await connect('wg', { kind: 'wireguard', publickey: open, port: '51900' });
    // We begin: the peer knows no address of ours.
    t.diagnostic(`joined ${await joined('wg')} ms after the request`);
    await becomes('wg', /^Connected/);
    assert.ok(wireguard.isAlive());
  });

  test('offices do not reach each other: only what a connection names goes through it', async () => {
    await clients.ip('wg', `route replace ${OFFICES.ike2.host}/32 via 10.1.1.2 dev ${wireguard.device} onlink`);
    const before = await lab.wire.echoesReceived('ike2lan');
    assert.ok(!(await clients.pings('wglan', OFFICES.ike2.host)));
    const own = await lab.wire.echoesReceived(web);
    await clients.shouts('wg', web.address, '192.168.99.1');
    assert.equal(await lab.wire.echoesReceived(web), own, 'a network that is not its');
    assert.equal(await lab.wire.echoesReceived('ike2lan'), before);
  });

  test('updateVpnCustomerGateway() with what holds already disturbs nobody; resetVpnConnection() makes it anew', async () => {
    const spis = async (): Promise<string> => {
      const { stdout } = await swans.get('ike2')!.ask('--list-sas');
      return /ESTABLISHED, IKEv2, (\S+)/.exec(stdout)?.[1] ?? '';
    };
    const before = await spis();
    assert.notEqual(before, '');
    const same = { ipsecpsk: KEY, ikepolicy: POLICY, esppolicy: POLICY, ikeversion: 'ikev2', dpd: 'true' };
    await call('updateVpnCustomerGateway', { id: connections.get('ike2')!.gateway, ...same });
    assert.equal(await spis(), before);
    assert.equal((await stateOf('ike2')).state, 'Connected');
    await call('resetVpnConnection', { id: connections.get('ike2')!.id });
    await eventually('other keys', async () => ![before, ''].includes(await spis()) || undefined);
    await joined('ike2');
    await becomes('ike2', /^Connected/);
  });

  test('a peer that is gone without a word is Disconnected, and Connected once it is back', async (t) => {
    const start = Date.now();
    await Promise.all([...(['ike2', 'ike1'] as const).map((one) => swans.get(one)!.program.kill()), wireguard.kill()]);
    wireguardEnd = start;
    await Promise.all(
      (['ike2', 'ike1'] as const).map(async (office) => {
        const state = await becomes(office, /^Disconnected/, 60_000);
        t.diagnostic(`${office}: ${state}, ${Date.now() - start} ms after`);
      }),
    );
    for (const office of ['ike2', 'ike1'] as const) swans.set(office, await swans.get(office)!.again());
    const back = Date.now();
    await Promise.all((['ike2', 'ike1'] as const).map((office) => joined(office)));
    t.diagnostic(`joined again ${Date.now() - back} ms after the peers`);
    for (const office of ['ike2', 'ike1'] as const) await becomes(office, /^Connected/);
  });

  test('a wrong key is said, nothing goes through, and the right one joins', async (t) => {
    await swanAt('ike2', 2, false, 'another-key-of-theirs');
    await call('resetVpnConnection', { id: connections.get('ike2')!.id });
    t.diagnostic(await becomes('ike2', /^Error 198\.51\.100\.41 refuses the key/));
    assert.ok(!(await clients.pings('ike2lan', web.address)));
    await call('updateVpnCustomerGateway', { id: connections.get('ike2')!.gateway, ipsecpsk: 'another-key-of-theirs' });
    await joined('ike2');
    await becomes('ike2', /^Connected/);
  });

  test('a WireGuard peer that is gone is Disconnected, too, long before its session is over', async (t) => {
    t.diagnostic(`${await becomes('wg', /^Disconnected 198/)}, ${Date.now() - wireguardEnd} ms after`);
    wireguard = await clients.wireguard('wg', wireguardFile);
    await joined('wg');
    await becomes('wg', /^Connected/);
  });

  test('a gateway that loses its power: all connections come back by themselves', async (t) => {
    const node = await carrierOf(lab.cloud);
    const start = Date.now();
    await lab.cloud.lab.perform('power-off', node);
    await Promise.all(
      ALL.map(async (office) => {
        await joined(office, other, 45_000);
        t.diagnostic(`${office} is back ${Date.now() - start} ms after the loss`);
      }),
    );
  });
});
