// Remote access with real packets through a real server: road warriors and branch offices at the internet, each a machine of its own with
// the profile it was given, and instances inside. What they may not do, and what they survive, too.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { field, rows, text } from '../../src/demo/answer.ts';
import { labStatus } from '../../src/lab/status.ts';
import { eventually } from '../support/lab.ts';
import { openPublic, publicCalls } from '../support/public-calls.ts';
import { type Guest, type LabCloud, cloudForSuite } from '../support/tenant-lab.ts';
import {
  carrierOf,
  ikev2Client,
  machineAtHome,
  type OpenVpnClient,
  type Program,
  vpnClients,
} from '../support/vpn-clients.ts';

const PASSWORD = 'a-Secret-word-1';
/** Who comes how, and what is behind him. */
const PEOPLE = {
  ann: { kind: 'openvpn' },
  bob: { kind: 'wireguard' },
  eve: { kind: 'ikev2' },
  dan: { kind: 'openvpn' },
  br1: { kind: 'openvpn', behind: '192.168.50.0/24' },
  br2: { kind: 'wireguard', behind: '192.168.60.0/24' },
} as const;
type Person = keyof typeof PEOPLE;
const ROAD_WARRIORS = ['ann', 'bob', 'eve'] as const;

interface Profile {
  readonly ip: string;
  readonly text: string;
  readonly server: string;
  readonly authority: string;
}

describe('remote access', () => {
  let lab: LabCloud;
  let vpcid: string;
  /** On two hypervisors, in a tier that is open. */
  let web: Guest;
  let other: Guest;
  /** In a tier that is shut, with a list of its own. */
  let shut: Guest;
  let shutList: string;
  /** In another VPC, which is open to everybody. */
  let foreign: Guest;
  const profiles = new Map<Person, Profile>();
  const vpns = new Map<string, string>();
  const running = new Map<Person, Program & { device?: string }>();
  let ann: OpenVpnClient;
  const clients = vpnClients({ after }, () => lab.cloud.state);
  const { pings, shouts } = clients;
  const ipOf = (who: Person): string => profiles.get(who)!.ip;
  const call = (command: string, params: Record<string, string>): Promise<object> => lab.tenant.call(command, params);

  cloudForSuite(
    async (started) => {
      lab = started;
      const { tenant } = lab;
      await openPublic(lab, 10, 50);
      vpcid = await tenant.vpc('shop', '10.1.0.0/16');
      const given = field(await call('associateIpAddress', { vpcid }), 'ipaddress');
      const calls = publicCalls(tenant);
      shutList = await calls.list(vpcid, 'shut');
      const tier = await tenant.tier(vpcid, '10.1.1.1', 'default_allow');
      const shutTier = await tenant.tier(vpcid, '10.1.2.1');
      await call('replaceNetworkACLList', { networkid: shutTier, aclid: shutList });
      const instances = async (): Promise<void> => {
        web = await tenant.instance('web', tier, 'h1');
        other = await tenant.instance('other', tier, 'h2');
        shut = await tenant.instance('shut', shutTier, 'h2');
        const elsewhere = await tenant.tier(await tenant.vpc('bank', '10.2.0.0/16'), '10.2.1.1', 'default_allow');
        foreign = await tenant.instance('foreign', elsewhere, 'h1');
      };
      const access = async (): Promise<void> => {
        const people = Object.keys(PEOPLE) as Person[];
        await Promise.all([
          ...['openvpn', 'wireguard', 'ikev2'].map(async (kind) => {
            const params = { publicipid: text(given, 'id'), kind };
            vpns.set(kind, text(field(await call('createRemoteAccessVpn', params), 'remoteaccessvpn'), 'id'));
          }),
          ...people.map((username) => {
            const { behind = '' } = PEOPLE[username] as { behind?: string };
            return call('addVpnUser', { username, password: PASSWORD, ...(behind === '' ? {} : { cidrlist: behind }) });
          }),
        ]);
        for (const who of people) profiles.set(who, await profileOf(who, PEOPLE[who].kind));
      };
      await Promise.all([instances(), access()]);
    },
    {
      topology: 'region',
      machines: [
        ...['ann', 'bob', 'eve', 'dan', 'iso'].flatMap((name, index) => machineAtHome(name, 21 + index)),
        ...machineAtHome('br1', 31, ['br1lan', '192.168.50']),
        ...machineAtHome('br2', 32, ['br2lan', '192.168.60']),
      ],
    },
  );

  async function profileOf(username: string, kind: string, gateways: 'all' | 'lost' = 'all'): Promise<Profile> {
    const made = field(
      await call('createVpnClientProfile', { remoteaccessvpnid: vpns.get(kind)!, username }),
      'vpnclientprofile',
    ) as Record<string, string | undefined>;
    if (gateways === 'all') assert.equal(String(made['ready']), 'true', 'the gateway has it when it is shown');
    const { ipaddress = '', profile = '', server = '', cacertificate = '' } = made;
    return { ip: ipaddress, text: profile, server, authority: cacertificate };
  }

  const openvpn = (who: Person): Promise<OpenVpnClient> =>
    clients.openvpn(who, profiles.get(who)!.text, { name: who, password: PASSWORD });

  /** Waits until `from` gets an answer from `to`, and says how long it was, in milliseconds. */
  async function reaches(from: string, to: string, own?: string, ms = 20_000): Promise<number> {
    const start = Date.now();
    await eventually(`${from} reaching ${to}`, async () => (await pings(from, to, own)) || undefined, ms);
    return Date.now() - start;
  }
  const answers = async (from: Guest, to: string): Promise<boolean> => lab.ping(from, { address: to });
  /** Waits until an instance gets an answer from what is at a client. */
  const back = (from: Guest, to: string): Promise<true> =>
    eventually(`${from.name} reaching ${to}`, async () => (await answers(from, to)) || undefined);
  /** Echo requests that reach a place while `during` runs. */
  async function heard(at: string | Guest, during: () => Promise<unknown>): Promise<number> {
    const before = await lab.wire.echoesReceived(at);
    await during();
    return (await lab.wire.echoesReceived(at)) - before;
  }

  test('a road warrior by OpenVPN reaches an instance and is reached, with his own address', async (t) => {
    ann = await openvpn('ann');
    running.set('ann', ann);
    t.diagnostic(`up after ${await reaches('ann', web.address)} ms`);
    assert.equal(await lab.wire.sourceSeen(web, () => pings('ann', web.address)), ipOf('ann'));
    await back(web, ipOf('ann'));
  });

  test('a road warrior by WireGuard reaches an instance and is reached', async (t) => {
    running.set('bob', await clients.wireguard('bob', profiles.get('bob')!.text));
    t.diagnostic(`up after ${await reaches('bob', web.address)} ms`);
    await back(other, ipOf('bob'));
  });

  test('a road warrior by IKEv2 reaches an instance and is reached', async (t) => {
    const { server, authority } = profiles.get('eve')!;
    const swan = await clients.swan('eve', authority);
    running.set('eve', swan.program);
    await swan.load(ikev2Client(server, 'eve', '10.1.0.0/16'), `eap-1 {\n id = eve\n secret = "${PASSWORD}"\n}`);
    const start = Date.now();
    const { code, stdout } = await swan.ask('--initiate', '--child', 'rw', '--timeout', '10');
    assert.equal(code, 0, stdout);
    await reaches('eve', web.address);
    t.diagnostic(`up after ${Date.now() - start} ms`);
    await back(web, ipOf('eve'));
  });

  test('packets too long for a tunnel go there and back with each kind, in pieces', async () => {
    for (const who of ROAD_WARRIORS) {
      assert.equal((await clients.inside(who, 'ping', '-c1', '-W1', '-Mdont', '-s1400', web.address)).code, 0, who);
      // The first may be refused: then the instance knows what fits.
      const { stdout } = await lab.exec(web, 'ping', '-c2', '-i0.2', '-W1', '-s1400', ipOf(who));
      assert.doesNotMatch(stdout, /100% packet loss/, who);
    }
  });

  test('a branch office by OpenVPN: what is behind the client reaches instances, and they reach it; a network is added', async () => {
    running.set('br1', await openvpn('br1'));
    await branch('br1', '192.168.50');
    await moreBehind('br1', '192.168.51');
  });

  test('a branch office by WireGuard: the same, and a network that is taken away is nowhere any more', async () => {
    running.set('br2', await clients.wireguard('br2', profiles.get('br2')!.text));
    await branch('br2', '192.168.60');
    const id = await moreBehind('br2', '192.168.61');
    await call('updateVpnUser', { id, cidrlist: '192.168.60.0/24' });
    await eventually(
      'a network to be gone',
      async () => !(await pings('br2lan', web.address, '192.168.61.10')) || undefined,
    );
    assert.ok(!(await answers(web, '192.168.61.10')));
    await reaches('br2lan', web.address, '192.168.60.10');
    await assert.rejects(call('updateVpnUser', { id, cidrlist: '192.168.50.128/25' }), /VPN user br1/);
  });

  async function branch(name: string, network: string): Promise<void> {
    await reaches(`${name}lan`, web.address);
    assert.equal(await lab.wire.sourceSeen(other, () => pings(`${name}lan`, other.address)), `${network}.10`);
    for (const guest of [web, other]) await back(guest, `${network}.10`);
  }

  /** Puts another network behind a user, first in the office and then in the API; his id. */
  async function moreBehind(username: 'br1' | 'br2', network: string): Promise<string> {
    const id = text(rows(await call('listVpnUsers', { username }), 'vpnuser')[0]!, 'id');
    await clients.ip(`${username}lan`, `addr add ${network}.10/24 dev eth0`);
    await clients.ip(username, `addr add ${network}.1/24 dev eth1`);
    assert.ok(!(await pings(`${username}lan`, web.address, `${network}.10`)), 'nobody has said that this is there');
    await call('updateVpnUser', { id, cidrlist: `${PEOPLE[username].behind},${network}.0/24` });
    await reaches(`${username}lan`, web.address, `${network}.10`);
    await back(web, `${network}.10`);
    return id;
  }

  test("tiers' lists judge clients, and a rule for them is there at once", async () => {
    const sent = (): Promise<unknown> => Promise.all(ROAD_WARRIORS.map((who) => pings(who, shut.address)));
    assert.equal(await heard(shut, sent), 0);
    await publicCalls(lab.tenant).item(shutList, `ingress allow all ${ipOf('ann')}/32`);
    await reaches('ann', shut.address);
    assert.equal(await heard(shut, sent), 1);
  });

  test('a tier that comes later is reached with the profiles of before', async () => {
    const tier = await lab.tenant.tier(vpcid, '10.1.3.1', 'default_allow');
    const late = await lab.tenant.instance('late', tier, 'h2');
    await Promise.all(['ann', 'bob', 'eve', 'br2lan'].map((from) => reaches(from, late.address)));
    await back(late, ipOf('ann'));
  });

  test("nobody sends from another client's address, or from a network that is not declared his", async () => {
    running.set('dan', await openvpn('dan'));
    await reaches('dan', web.address);
    const spoofs = [
      ...(['dan', 'bob', 'br1'] as const).map((whose) => ['ann', ipOf(whose)] as const),
      ...(['ann', 'br2', 'eve'] as const).map((whose) => ['bob', ipOf(whose)] as const),
      ['ann', '192.168.50.99'],
      ['bob', '192.168.60.99'],
      ['ann', '10.1.1.250'],
      ['bob', '10.1.2.250'],
      ['br1', '192.168.99.1'],
      ['br2', '192.168.99.1'],
      ['br1', '192.168.60.99'],
      ['br2', '192.168.50.99'],
    ] as const;
    const reached = await heard(other, async () => {
      await Promise.all(spoofs.map(([from, address]) => shouts(from, other.address, address)));
      for (const who of ['ann', 'bob', 'br1lan', 'br2lan']) assert.ok(await pings(who, other.address), who);
    });
    assert.equal(reached, 4, 'only what was sent from their own addresses');
  });

  test('clients do not reach each other, nor anything that is not theirs', async () => {
    const targets = [
      foreign.address,
      '192.0.0.17',
      '192.0.0.18',
      '192.0.0.19',
      '192.0.2.31',
      '192.0.2.32',
      '192.0.2.1',
    ];
    const tunnels = { ann: 'tun0', bob: running.get('bob')!.device!, br1: 'tun0' } as const;
    await reaches('br1lan', web.address);
    for (const [who, device] of Object.entries(tunnels))
      for (const to of [...targets, ipOf('ann'), ipOf('bob'), ipOf('eve'), ipOf('dan'), '192.168.60.10'])
        if (to !== ipOf(who as Person)) await clients.ip(who, `route replace ${to}/32 dev ${device}`);
    await clients.inside(
      'bob',
      'sh',
      '-c',
      `wg set ${tunnels.bob} peer $(wg show ${tunnels.bob} peers) allowed-ips 0.0.0.0/0`,
    );
    const answered = await Promise.all(
      Object.keys(tunnels).flatMap((who) =>
        targets.map(async (to) => ((await pings(who, to)) ? `${who} to ${to}` : undefined)),
      ),
    );
    assert.deepEqual(
      answered.filter((one) => one !== undefined),
      [],
    );
    await Promise.all(
      (['dan', 'eve', 'br2lan'] as const).map(async (place) => {
        const to = place === 'br2lan' ? '192.168.60.10' : ipOf(place);
        const reached = await heard(place, () => Promise.all(Object.keys(tunnels).map((who) => pings(who, to))));
        assert.equal(reached, 0, place);
      }),
    );
    assert.equal(await heard(foreign, () => pings('ann', foreign.address)), 0);
    for (const who of Object.keys(tunnels)) assert.ok(await pings(who, web.address), `${who} is still at home`);
  });

  async function pidOf(program: string, node?: string): Promise<number | undefined> {
    const { processes } = await labStatus(lab.cloud.state);
    return processes.find(({ name, node: on }) => name === program && (node === undefined || on === node))?.pid;
  }

  /** Pings by each kind for four seconds, in which `during` happens; what was lost of them. */
  async function lost(during: () => Promise<unknown>): Promise<Record<string, string | undefined>> {
    const pinging = ROAD_WARRIORS.map(async (who) => {
      await reaches(who, web.address);
      const { stdout } = await clients.inside(who, 'ping', '-c40', '-i0.1', '-W2', web.address);
      return [who, / ([0-9]+% packet loss)/.exec(stdout)?.[1]] as const;
    });
    await during();
    return Object.fromEntries(await Promise.all(pinging));
  }
  const NOTHING = Object.fromEntries(ROAD_WARRIORS.map((who) => [who, '0% packet loss']));

  test('the agent of the gateway node dies under running tunnels: nothing is lost', async () => {
    const node = await carrierOf(lab.cloud);
    const pid = await pidOf('agent', node);
    const losses = await lost(async () => {
      process.kill(pid!, 'SIGKILL');
      await eventually('another agent', async () => {
        const next = await pidOf('agent', node);
        return (next !== undefined && next !== pid) || undefined;
      });
      // It has taken up what runs once it does what is new.
      await call('addVpnUser', { username: 'fay', password: PASSWORD });
    });
    assert.deepEqual(losses, NOTHING);
  });

  test('the server is away: tunnels go on, and a client that comes is let in', async () => {
    await running.get('dan')!.kill();
    const server = (await pidOf('server'))!;
    process.kill(server, 'SIGSTOP');
    try {
      const losses = await lost(async () => {
        running.set('dan', await openvpn('dan'));
        await reaches('dan', web.address);
      });
      assert.deepEqual(losses, NOTHING);
    } finally {
      process.kill(server, 'SIGCONT');
    }
  });

  test('a network outside any VPC has remote access, too', async () => {
    const networkid = await lab.tenant.network('DefaultIsolatedNetworkOfferingWithSourceNatService', {
      cidr: '10.5.0.0/24',
    });
    const inside = await lab.tenant.instance('inside', networkid, 'h1');
    const { id } = await publicCalls(lab.tenant).sourceNat({ networkid });
    const made = field(await call('createRemoteAccessVpn', { publicipid: id, kind: 'wireguard' }), 'remoteaccessvpn');
    vpns.set('isolated', text(made, 'id'));
    const profile = await profileOf('dan', 'isolated');
    await clients.wireguard('iso', profile.text);
    await reaches('iso', inside.address);
    await back(inside, profile.ip);
  });

  test('a gateway that loses its power under running tunnels: all come back by themselves', async (t) => {
    const node = await carrierOf(lab.cloud);
    const start = Date.now();
    await lab.cloud.lab.perform('power-off', node);
    const people = [...ROAD_WARRIORS, 'br1lan', 'br2lan'];
    await Promise.all(
      people.map(async (from) => {
        await reaches(from, other.address, undefined, 45_000);
        const ms = Date.now() - start;
        t.diagnostic(`${from} is back ${ms} ms after the loss`);
        // By itself WireGuard's client begins anew after 15 s: the gateway that took over has greeted it.
        if (from === 'bob' || from === 'br2lan') assert.ok(ms < 12_000, `${from}: ${ms} ms`);
      }),
    );
  });

  test('a profile that was replaced is worth nothing', async () => {
    // A gateway without power is waited for, until it counts as gone.
    profiles.set('bob', await profileOf('bob', 'wireguard', 'lost'));
    await eventually('bob is cut', async () => !(await pings('bob', web.address)) || undefined);
    assert.equal(await heard(web, () => shouts('bob', web.address, ipOf('bob'))), 0);
    await running.get('bob')!.kill();
    running.set('bob', await clients.wireguard('bob', profiles.get('bob')!.text));
    await reaches('bob', web.address);
  });

  test('a user who is removed is cut at once, and his profiles do not come back', async (t) => {
    await Promise.all(
      ROAD_WARRIORS.map(async (who) => {
        const start = Date.now();
        // The job is over once the gateway without power counts as gone: nobody here waits for that.
        call('removeVpnUser', { username: who }).catch(() => undefined);
        await eventually(`${who} is cut`, async () => !(await pings(who, web.address)) || undefined);
        t.diagnostic(`${who} by ${PEOPLE[who].kind} is cut ${Date.now() - start} ms after the request`);
      }),
    );
    const tried = await heard(web, async () => {
      await running.get('bob')!.kill();
      const [again] = await Promise.all([openvpn('ann'), clients.wireguard('bob', profiles.get('bob')!.text)]);
      await eventually('a refusal', async () => /AUTH_FAILED/.test(await again.log()) || undefined, 20_000);
      assert.ok(!again.isAlive() || !(await pings('ann', web.address)));
      assert.ok(!(await pings('bob', web.address)));
      assert.ok(!(await pings('eve', web.address)));
    });
    assert.equal(tried, 0);
    await reaches('br2lan', web.address, undefined, 2000);
  });
});
