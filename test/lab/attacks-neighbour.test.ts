// Attacks on who is where (facts of security 15, 16, 17, 22), beyond those of guard-rail.test.ts: ARP in every form, neighbour discovery,
// DHCP, and addresses that moved. Each is tried from inside an instance, beside another tenant with the same addresses.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { field, rows, text } from '../../src/demo/answer.ts';
import { sleep } from '../../src/lib/sleep.ts';
import { type Attack, attack, claim, onlyTwinsArrive, type Trial } from '../support/attack.ts';
import { type Arp, arp, icmp6, type Ipv6, ip6, ipv6, linkLayer, TYPE } from '../support/frames.ts';
import { eventually } from '../support/lab.ts';
import { BROADCAST, dhcp, ethernet, type Frame, seenBy, send, udp } from '../support/packets.ts';
import { cloudForSuite, type Guest, type LabCloud } from '../support/tenant-lab.ts';
import { GATEWAY, type TwoTenants, twoTenants } from '../support/two-tenants.ts';

/** The router of a group of virtual routers (RFC 5798, 7.3), as keepalived would have it. */
const VIRTUAL_ROUTER = '00:00:5e:00:01:0a';
const NOBODY = '02:00:00:00:00:77';
const ZERO = '00:00:00:00:00:00';

let lab: LabCloud;
let two: TwoTenants;

suite('attacks on who is where', () => {
  cloudForSuite(async (started) => {
    lab = started;
    two = await twoTenants(lab);
  });

  test('15: ARP, in whatever form, moves nobody: not the gateway, not a neighbour, not one of another tenant', async () => {
    const { attacker, gatewayMac, own, foreign } = two;
    const { mac } = attacker;
    const attacks: Attack[] = [];
    const says = (name: string, to: string, from: string, packet: Arp, type: number = TYPE.arp): void => {
      attacks.push(claim(name, ethernet(to, from, type, arp(packet)), 30));
    };
    for (const [name, address] of [
      ['the gateway', GATEWAY],
      ['a neighbour', own.far.address],
    ] as const) {
      const target = [ZERO, address] as const;
      says(`a question that says the attacker is ${name}`, BROADCAST, mac, {
        operation: 1,
        sender: [mac, address],
        target,
      });
      says(`an answer to everybody`, BROADCAST, mac, {
        operation: 2,
        sender: [mac, address],
        target: [BROADCAST, address],
      });
      says(`an answer with a hardware address of its own`, BROADCAST, mac, {
        operation: 2,
        sender: [NOBODY, address],
        target,
      });
      says(`the same from that address`, BROADCAST, NOBODY, { operation: 2, sender: [NOBODY, address], target });
      says(`a virtual router's address`, BROADCAST, VIRTUAL_ROUTER, {
        operation: 2,
        sender: [VIRTUAL_ROUTER, address],
        target,
      });
      says(`a virtual router's address, said by the attacker`, BROADCAST, mac, {
        operation: 2,
        sender: [VIRTUAL_ROUTER, address],
        target,
      });
      for (const operation of [3, 4, 8, 9])
        says(`operation ${operation}`, BROADCAST, mac, { operation, sender: [mac, address], target });
    }
    says('the gateway as its sender', own.near.mac, gatewayMac, {
      operation: 2,
      sender: [mac, GATEWAY],
      target: [own.near.mac, own.near.address],
    });
    says("the gateway's own words from elsewhere", own.near.mac, mac, {
      operation: 2,
      sender: [NOBODY, GATEWAY],
      target: [own.near.mac, own.near.address],
    });
    for (const victim of [foreign.near, foreign.far])
      says(`another tenant's ${victim.name} is told`, victim.mac, mac, {
        operation: 2,
        sender: [mac, GATEWAY],
        target: [victim.mac, victim.address],
      });
    for (const source of [mac, own.far.mac, VIRTUAL_ROUTER])
      says(
        `RARP from ${source}`,
        BROADCAST,
        source,
        { operation: 3, sender: [own.far.mac, '0.0.0.0'], target: [own.far.mac, '0.0.0.0'] },
        TYPE.rarp,
      );
    await harmlessAmong(attacks);
    for (const victim of [own.near, own.far]) {
      assert.ok(await lab.ping(victim, { address: GATEWAY }), `${victim.name} reaches its gateway`);
      assert.equal(await lab.wire.neighbour(victim, GATEWAY), gatewayMac);
    }
    assert.ok(await lab.ping(own.near, own.far));
    assert.equal(await lab.wire.neighbour(own.near, own.far.address), own.far.mac);
  });

  test("15: an instance that takes a neighbour's address for its own is heard by nobody under it", async () => {
    const { attacker, own } = two;
    const borrowed = own.near.address;
    await lab.wire.inNetwork(attacker, ['ip', 'address', 'add', `${borrowed}/32`, 'dev', 'eth0']);
    try {
      const before = await lab.wire.echoesReceived(own.far);
      const argv = ['ping', '-c', '3', '-i', '0.2', '-W', '1', '-I', borrowed, own.far.address];
      assert.match((await lab.wire.inNetwork(attacker, argv)).stdout, /^3 packets transmitted, 0 received/m);
      assert.equal(await lab.wire.echoesReceived(own.far), before);
      await lab.wire.inNetwork(own.far, ['ip', 'neighbour', 'flush', 'all']);
      assert.ok(await lab.ping(own.far, own.near));
      assert.equal(await lab.wire.neighbour(own.far, borrowed), own.near.mac);
    } finally {
      await lab.wire.inNetwork(attacker, ['ip', 'address', 'del', `${borrowed}/32`, 'dev', 'eth0']);
    }
  });

  test('15, 22: a storm of announcements of its own address takes nothing from the others', async () => {
    const { attacker, own } = two;
    const said = arp({ operation: 1, sender: [attacker.mac, attacker.address], target: [ZERO, attacker.address] });
    const storm = Array.from({ length: 1_000 }, () => ethernet(BROADCAST, attacker.mac, TYPE.arp, said));
    const outage = await lab.wire.outage(own.far, own.near.address, async () => {
      for (let round = 0; round < 3; round++) await send(lab.cloud.lab, attacker, ...storm);
    });
    assert.ok(outage.recovered && outage.gapMs < 1_000, JSON.stringify(outage));
    assert.ok(await lab.ping(own.near, { address: GATEWAY }));
  });

  test('16: neighbour discovery moves nobody and makes no router, whatever headers it hides behind', async () => {
    const { attacker, own } = two;
    const frames = neighbourDiscovery(attacker.mac, own.near);
    const attacks = frames.map(([name, to, packet]) =>
      claim(name, ethernet(to, attacker.mac, TYPE.ipv6, packet), 2 + packet.length),
    );
    await harmlessAmong(attacks);
  });

  test('17: nobody hands out addresses, takes one away, or adds a route to an answer', async () => {
    const { attacker, own, foreign } = two;
    const attacks = [own.near, own.far, foreign.near].flatMap((victim) => rogueServer(attacker, victim));
    await harmlessAmong(attacks);
  });

  test('17: an instance that asks for two hundred addresses is offered its own, and the next one still gets its', async () => {
    const { attacker, own } = two;
    const LAST = 0x800;
    const hardware = (index: number): string => `02:99:00:00:${hex(index >> 8)}:${hex(index & 255)}`;
    const ask = (index: number, from: string): Buffer =>
      ethernet(
        BROADCAST,
        from,
        TYPE.ipv4,
        udp('0.0.0.0', 68, '255.255.255.255', 67, dhcp(1, 0x1000 + index, hardware(index))),
      );
    const greed = Array.from({ length: 200 }, (_, index) =>
      ask(index, index % 2 === 0 ? attacker.mac : hardware(index)),
    );
    // It is ovn-controller that answers, one after the other: when it has answered the last question, it has all.
    const answers = (frames: readonly Frame[], turn: number): Frame | undefined =>
      frames.find(({ bytes }) => bytes[23] === 17 && bytes.readUInt32BE(46) === turn);
    const asked = async (frames: readonly Frame[]): Promise<void> => {
      await send(lab.cloud.lab, attacker, ...greed);
      // Where its queue is full questions are dropped, as a client's would be, which asks again.
      await eventually('an answer to the last', async () => {
        await send(lab.cloud.lab, attacker, ask(LAST, attacker.mac));
        await sleep(100);
        return answers(frames, 0x1000 + LAST);
      });
    };
    const offers = (await seenBy(lab.cloud.lab, attacker, asked)).flatMap(({ bytes }) =>
      bytes[23] === 17 && bytes.readUInt16BE(36) === 68 ? [[...bytes.subarray(58, 62)].join('.')] : [],
    );
    assert.deepEqual([...new Set(offers)], [attacker.address], 'and nothing for a borrowed MAC');
    const question = ethernet(
      BROADCAST,
      own.near.mac,
      TYPE.ipv4,
      udp('0.0.0.0', 68, '255.255.255.255', 67, dhcp(1, 0xabcdef02, own.near.mac)),
    );
    const heard = await seenBy(lab.cloud.lab, own.near, async (frames) => {
      await eventually('an answer', async () => {
        await send(lab.cloud.lab, own.near, question);
        await sleep(100);
        return answers(frames, 0xabcdef02);
      });
    });
    assert.equal([...(answers(heard, 0xabcdef02)?.bytes.subarray(58, 62) ?? [])].join('.'), own.near.address);
  });

  test('22: an address that moved is not taken back by who had it, nor by who never did', async () => {
    const { attacker, own } = two;
    const moved = '10.1.1.50';
    const nicOf = async (guest: Guest): Promise<string> =>
      text(rows(await own.tenant.call('listNics', { virtualmachineid: guest.id }), 'nic')[0], 'id');
    const give = async (guest: Guest): Promise<string> => {
      const answer = await own.tenant.call('addIpToNic', { nicid: await nicOf(guest), ipaddress: moved });
      return text(field(answer, 'nicsecondaryip'), 'id');
    };
    const first = await give(own.near);
    await lab.wire.inNetwork(own.near, ['ip', 'address', 'replace', `${moved}/24`, 'dev', 'eth0']);
    assert.ok(await lab.ping(attacker, { address: moved }));
    await own.tenant.call('removeIpFromNic', { id: first });
    await give(own.far);
    await lab.wire.inNetwork(own.far, ['ip', 'address', 'replace', `${moved}/24`, 'dev', 'eth0']);
    // The old holder's machine keeps the address and says so; the attacker never had it.
    await lab.wire.inNetwork(own.near, ['ip', 'address', 'replace', `${moved}/24`, 'dev', 'eth0']);
    for (const liar of [own.near, attacker]) {
      const claims = [1, 2].flatMap((operation) =>
        [BROADCAST, own.far.mac].map((to) => {
          const packet = arp({ operation, sender: [liar.mac, moved], target: [BROADCAST, moved] });
          return claim(`${liar.name} says ${moved} is his`, ethernet(to, liar.mac, TYPE.arp, packet), 30);
        }),
      );
      const hears = liar === attacker ? own.near : own.far;
      await onlyTwinsArrive(lab.cloud, {
        from: liar,
        attacks: claims,
        twins: [{ twin: harmless(liar, hears), hears }],
        watchers: [...two.all, attacker].filter(({ id }) => id !== liar.id),
      });
    }
    await lab.wire.inNetwork(attacker, ['ip', 'neighbour', 'flush', 'all']);
    const before = await lab.wire.echoesReceived(own.far);
    assert.ok(await lab.ping(attacker, { address: moved }));
    assert.equal(await lab.wire.echoesReceived(own.far), before + 1, 'the new holder answers');
    assert.equal(await lab.wire.neighbour(attacker, moved), own.far.mac);
  });
});

function hex(value: number): string {
  return value.toString(16).padStart(2, '0');
}

/** A datagram that is nobody's business to stop. */
function harmless(from: Guest, to: Guest): Attack {
  return attack('a datagram', (mark) =>
    ethernet(to.mac, from.mac, TYPE.ipv4, udp(from.address, 9, to.address, 9, mark)),
  );
}

/** Sends the attacks from the attacker with harmless twins to both neighbours: nobody of either tenant may receive any of them. */
async function harmlessAmong(attacks: readonly Attack[]): Promise<void> {
  const { attacker, own, all } = two;
  const twins: Trial['twins'] = [own.near, own.far].map((hears) => ({ twin: harmless(attacker, hears), hears }));
  await onlyTwinsArrive(lab.cloud, { from: attacker, attacks, twins, watchers: all });
}

type Discovery = readonly [name: string, to: string, packet: Buffer];

/** What an attacker may say in IPv6 about others (RFC 4861), of which nothing may arrive: neither where there is no IPv6, nor where there is. */
function neighbourDiscovery(mac: string, victim: Guest): Discovery[] {
  const router = 'fe80::1';
  const liar = 'fe80::bad';
  const everybody = ['33:33:00:00:00:01', 'ff02::1'] as const;
  const message = (from: string, to: string, type: number, body: Buffer): Buffer =>
    ipv6({ from, to, next: 58, data: icmp6({ from, to }, type, body) });
  const flags = (value: number): Buffer => Buffer.from([value, 0, 0, 0]);
  const advertisement = Buffer.concat([Buffer.from('40000708', 'hex'), Buffer.alloc(8), linkLayer(1, mac)]);
  const hidden = (name: string, next: number, header: Buffer): Discovery => {
    const addresses: Pick<Ipv6, 'from' | 'to'> = { from: router, to: everybody[1] };
    const data = Buffer.concat([header, icmp6(addresses, 134, advertisement)]);
    return [`router advertisement behind ${name}`, everybody[0], ipv6({ ...addresses, next, data })];
  };
  const found: Discovery[] = [];
  for (const target of [router, '2001:db8:1::1', '2001:db8:1::12']) {
    const own = Buffer.concat([ip6(target), linkLayer(2, mac)]);
    found.push([
      `${target} is the attacker`,
      everybody[0],
      message(target, everybody[1], 136, Buffer.concat([flags(0x20), own])),
    ]);
    found.push([
      `${target} is a router`,
      victim.mac,
      message(liar, 'fe80::11', 136, Buffer.concat([flags(0xe0), own])),
    ]);
    const question = Buffer.concat([flags(0), ip6('fe80::11'), linkLayer(1, mac)]);
    found.push([`${target} asks`, victim.mac, message(target, 'ff02::1:ff00:11', 135, question)]);
    found.push([
      `${target} looks for its duplicate`,
      everybody[0],
      message('::', everybody[1], 135, Buffer.concat([flags(0), ip6(target)])),
    ]);
  }
  const better = Buffer.concat([flags(0), ip6(liar), ip6('2001:db8:1::12'), linkLayer(2, mac)]);
  return [
    ...found,
    ['a redirect', victim.mac, message(router, 'fe80::11', 137, better)],
    ['a query of listeners', everybody[0], message(liar, everybody[1], 130, Buffer.concat([flags(0), ip6('::')]))],
    [
      'a report of listeners',
      '33:33:00:00:00:16',
      message(liar, 'ff02::16', 143, Buffer.concat([flags(1), flags(4), ip6('ff02::5')])),
    ],
    hidden('hop-by-hop options', 0, Buffer.from('3a00050200000100', 'hex')),
    hidden('destination options', 60, Buffer.from('3a00010400000000', 'hex')),
    hidden('a routing header', 43, Buffer.from('3a00000000000000', 'hex')),
    hidden('a fragment header', 44, Buffer.from('3a00000000000042', 'hex')),
    [
      "a datagram under the gateway's address",
      victim.mac,
      ipv6({ from: router, to: 'fe80::11', next: 17, data: Buffer.from('0009000900088888', 'hex') }),
    ],
    [
      'DHCPv6 advertise',
      victim.mac,
      ipv6({ from: liar, to: 'fe80::11', next: 17, data: Buffer.from('0223022200100000020000010001000a', 'hex') }),
    ],
  ];
}

/** What a DHCP server would say (RFC 2131): an offer, an acknowledgement, a refusal, and one with routes (RFC 3442, and its elder 249). */
function rogueServer(attacker: Guest, victim: Guest): Attack[] {
  const answer = (kind: number, options: Buffer, mark: Buffer): Buffer => {
    const offer = dhcp(2, 7, victim.mac, '10.1.1.66', attacker.address);
    offer[242] = kind;
    mark.copy(offer, 44); // the server's name, a field that nobody reads
    return Buffer.concat([offer.subarray(0, -1), options, Buffer.from([255])]);
  };
  const routes = (option: number): Buffer =>
    Buffer.from([option, 9, 32, 10, 1, 2, 10, ...attacker.address.split('.').map(Number)]);
  const forms: [string, number, Buffer][] = [
    ['an offer', 2, Buffer.alloc(0)],
    ['an acknowledgement', 5, Buffer.alloc(0)],
    ['a refusal', 6, Buffer.alloc(0)],
    ['routes', 5, Buffer.concat([routes(121), routes(249)])],
  ];
  const ways: [string, string, string][] = [
    [BROADCAST, attacker.address, '255.255.255.255'],
    [victim.mac, attacker.address, victim.address],
    [victim.mac, GATEWAY, victim.address],
    [BROADCAST, '0.0.0.0', '255.255.255.255'],
  ];
  return forms.flatMap(([name, kind, options]) =>
    ways.map(([to, from, address]) =>
      attack(`${name} from ${from} for ${victim.name}, to ${address}`, (mark) =>
        ethernet(to, attacker.mac, TYPE.ipv4, udp(from, 67, address, 68, answer(kind, options, mark))),
      ),
    ),
  );
}
