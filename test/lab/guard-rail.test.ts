// What an instance may not send, though nobody's list forbids it: frames made by hand leave one guest, and must not come in at another.
// Each attack has a harmless twin that differs in one thing and does arrive.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { arpReply, BROADCAST, dhcp, ethernet, seenBy, send, udp, type Frame } from '../support/packets.ts';
import { cloudForSuite, type Guest, type LabCloud } from '../support/tenant-lab.ts';

const GATEWAY = '10.1.1.1';
const [IPV4, ARP, IPV6, LLDP] = [0x0800, 0x0806, 0x86dd, 0x88cc];
const PROBE = Buffer.from('probe of the guard rails');

let lab: LabCloud;
let attacker: Guest;
/** On the attacker's hypervisor, and on another. */
let victims: readonly Guest[];

suite('guard rails', () => {
  cloudForSuite(async (started) => {
    lab = started;
    const vpcid = await lab.tenant.vpc('rails', '10.1.0.0/16');
    const tier = await lab.tenant.tier(vpcid, GATEWAY, 'default_allow');
    const make = (name: string, host: string): Promise<Guest> => lab.tenant.instance(name, tier, host);
    const [first, ...others] = await Promise.all([make('attacker', 'h1'), make('near', 'h1'), make('far', 'h2')]);
    attacker = first!;
    victims = others;
  });

  test('a packet from another address is dropped, whether the IP or the MAC is borrowed', async () => {
    for (const victim of victims) {
      const packet = (mac: string, ip: string): Buffer =>
        ethernet(victim.mac, mac, IPV4, udp(ip, 9, victim.address, 9, PROBE));
      await onlyTwinArrives(victim, packet(attacker.mac, attacker.address), [
        packet(attacker.mac, '10.1.1.77'),
        packet(attacker.mac, '192.0.2.99'),
        packet('02:00:00:00:00:77', attacker.address),
        packet(victims[0]!.mac, victims[0]!.address),
      ]);
    }
  });

  test('nobody can say he is the gateway, nor that another instance is where he is', async () => {
    for (const victim of victims) {
      const said = (mac: string, ip: string, from = attacker.mac, to = victim.mac): Buffer =>
        ethernet(to, from, ARP, arpReply(mac, ip, victim.mac, victim.address));
      await onlyTwinArrives(victim, said(attacker.mac, attacker.address), [
        said(attacker.mac, GATEWAY),
        said(attacker.mac, GATEWAY, attacker.mac, BROADCAST),
        said('02:00:00:00:00:77', attacker.address),
        said(attacker.mac, victims[1]!.address, '02:00:00:00:00:77'),
      ]);
      assert.ok(await lab.ping(victim, { address: GATEWAY }), 'the gateway still answers');
      const neighbours = (await lab.exec(victim, 'ip', 'neigh', 'show', GATEWAY)).stdout;
      assert.ok(!neighbours.includes(attacker.mac), neighbours);
    }
  });

  test('an instance cannot hand out addresses', async () => {
    for (const victim of victims) {
      const offer = dhcp(2, 7, victim.mac, '10.1.1.66', attacker.address);
      const from = (port: number, to: number): Buffer =>
        ethernet(BROADCAST, attacker.mac, IPV4, udp(attacker.address, port, '255.255.255.255', to, offer));
      await onlyTwinArrives(victim, from(67, 69), [from(67, 68), from(9, 68)]);
    }
  });

  test('an instance cannot say it is a router of IPv6, nor anything else in IPv6', async () => {
    const advertisement = Buffer.from(
      `6000000000103aff${'fe800000000000000000000000000077'}${'ff020000000000000000000000000001'}8600000040000708${'00'.repeat(8)}`,
      'hex',
    );
    for (const victim of victims) {
      await onlyTwinArrives(victim, harmless(victim), [
        ethernet('33:33:00:00:00:01', attacker.mac, IPV6, advertisement),
        ethernet(victim.mac, attacker.mac, IPV6, advertisement),
      ]);
    }
  });

  test('an instance cannot talk to switches: LLDP and spanning tree are dropped', async () => {
    for (const victim of victims) {
      await onlyTwinArrives(victim, harmless(victim), [
        ethernet('01:80:c2:00:00:0e', attacker.mac, LLDP, PROBE),
        ethernet('01:80:c2:00:00:00', attacker.mac, 46, Buffer.concat([Buffer.from('424203', 'hex'), PROBE])),
        ethernet('01:80:c2:00:00:03', attacker.mac, 0x888e, PROBE),
      ]);
    }
  });

  test('a question for an address is answered once, by the network itself, and no other guest hears it', async () => {
    const [near, far] = victims;
    const question = ethernet(
      BROADCAST,
      near!.mac,
      IPV4,
      udp('0.0.0.0', 68, '255.255.255.255', 67, dhcp(1, 0xabcdef01, near!.mac)),
    );
    const heard: Record<string, Frame[]> = {};
    const listen = async (guest: Guest, work: () => Promise<unknown>): Promise<void> => {
      heard[guest.name] = (await seenBy(lab.cloud.lab, guest, work)).filter(({ bytes }) => isDhcp(bytes));
    };
    await listen(attacker, () => listen(far!, () => listen(near!, () => send(lab.cloud.lab, near!, question))));
    assert.deepEqual([heard['attacker']!.length, heard['far']!.length], [0, 0]);
    assert.equal(heard['near']!.length, 1, 'one offer');
    const [offer] = heard['near']!;
    assert.equal(offer!.bytes.readUInt32BE(46), 0xabcdef01);
    assert.equal([...offer!.bytes.subarray(58, 62)].join('.'), near!.address, 'its own address');
    // Where names and user data are answered, too: the highest address of the network.
    assert.ok(offer!.bytes.includes(Buffer.from([54, 4, 10, 1, 1, 254])), 'from the service address');
  });
});

function harmless(victim: Guest): Buffer {
  return ethernet(victim.mac, attacker.mac, IPV4, udp(attacker.address, 9, victim.address, 9, PROBE));
}

/** Sends all of them in one go, the harmless one last: it must come in, and none of the others. */
async function onlyTwinArrives(victim: Guest, twin: Buffer, attacks: readonly Buffer[]): Promise<void> {
  const seen = await seenBy(lab.cloud.lab, victim, () => send(lab.cloud.lab, attacker, ...attacks, twin));
  const same = (a: Buffer): boolean => seen.some(({ bytes }) => bytes.subarray(0, a.length).equals(a));
  assert.ok(same(twin), `the harmless frame did not reach ${victim.name}`);
  for (const [index, attack] of attacks.entries())
    assert.ok(!same(attack), `attack ${index + 1} reached ${victim.name}`);
}

function isDhcp(bytes: Buffer): boolean {
  return bytes.readUInt16BE(12) === IPV4 && bytes[23] === 17 && [67, 68].includes(bytes.readUInt16BE(36));
}
