// What an instance may not say in IPv6: that it is a router, that it is somebody else, that traffic should go another way. Frames made by
// hand, to instances on its own hypervisor and on another; a twin that differs in one thing arrives.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { linkLocalAddress, formatIp6 } from '../../src/lib/ip6.ts';
import { text } from '../../src/demo/answer.ts';
import { type Attack, attack, onlyTwinsArrive } from '../support/attack.ts';
import { TYPE, icmp6, ip6, ipv6, linkLayer, routerAdvertisement } from '../support/frames.ts';
import { type Guest6, type Ipv6Lab, comes, ipv6Lab } from '../support/ipv6-lab.ts';
import { ethernet } from '../support/packets.ts';
import { cloudForSuite, type LabCloud } from '../support/tenant-lab.ts';

const EVERYBODY = { mac: '33:33:00:00:00:01', ip: 'ff02::1' } as const;
const BAD_PREFIX = '2001:db8:bad::';
const OTHER_MAC = '02:00:00:00:00:77';
const [ICMP, UDP, FRAGMENT, OPTIONS] = [58, 17, 44, 60];
const SOLICITED = Buffer.from([0x60, 0, 0, 0]);
const NONE = Buffer.alloc(4);

let lab: LabCloud;
let six: Ipv6Lab;
let attacker: Guest6;
let victims: readonly Guest6[];
/** Of the tier's router, and of the attacker itself. */
let gateway: string, routerLink: string, ownLink: string;

const linkOf = (mac: string): string => formatIp6(linkLocalAddress(mac));

/** An unknown option, which whoever reads the message skips (RFC 4861, 4.6): room for a mark. */
const room = (mark: Buffer): Buffer => Buffer.concat([Buffer.from([253, 3]), mark, Buffer.alloc(6)]);

const advertisement = routerAdvertisement(BAD_PREFIX);

interface Said {
  readonly from?: string;
  readonly to?: string;
  readonly mac?: string;
  readonly toMac: string;
}

/** An ICMPv6 message from the attacker; what is not said of its addresses is its own link-local one. */
function message(
  { from = ownLink, to = EVERYBODY.ip, mac = attacker.mac, toMac }: Said,
  type: number,
  body: Buffer,
): Buffer {
  return ethernet(toMac, mac, TYPE.ipv6, ipv6({ from, to, next: ICMP, data: icmp6({ from, to }, type, body) }));
}

/** The same behind an extension header of 8 bytes. */
function behind(
  next: number,
  header: Buffer,
  { from = ownLink, to = EVERYBODY.ip, toMac }: Said,
  type: number,
  body: Buffer,
): Buffer {
  const data = Buffer.concat([header, icmp6({ from, to }, type, body)]);
  return ethernet(toMac, attacker.mac, TYPE.ipv6, ipv6({ from, to, next, data }));
}

function packet(victim: Guest6, from: string, mark: Buffer, mac = attacker.mac, to = victim.six): Buffer {
  const data = Buffer.concat([Buffer.from([0, 9, 0, 9, 0, 8 + mark.length, 0, 0]), mark]);
  const pseudo = Buffer.concat([ip6(from), ip6(to), Buffer.from([0, 0, 0, data.length, 0, 0, 0, UDP])]);
  data.writeUInt16BE(sum(Buffer.concat([pseudo, data])), 6);
  return ethernet(victim.mac, mac, TYPE.ipv6, ipv6({ from, to, next: UDP, data }));
}

function sum(data: Buffer): number {
  const even = data.length % 2 === 0 ? data : Buffer.concat([data, Buffer.alloc(1)]);
  let total = 0;
  for (let i = 0; i < even.length; i += 2) total += even.readUInt16BE(i);
  while (total > 0xffff) total = (total & 0xffff) + (total >> 16);
  return ~total & 0xffff || 0xffff;
}

/** What counts is that it comes as it was sent: with another hop limit than 255 nobody may believe it (RFC 4861, 6.1.2 and 8.1). */
function asSent(made: Attack): Attack {
  return { ...made, mark: made.frames[0]!.subarray(14) };
}

async function refusedAll(make: (victim: Guest6) => readonly Attack[]): Promise<void> {
  for (const victim of victims) {
    await comes(`${victim.name} to be heard of`, () => six.ping6(attacker, victim.six));
    const twin = attack('a datagram of its own', (mark) => packet(victim, attacker.six, mark));
    await onlyTwinsArrive(lab.cloud, {
      from: attacker,
      attacks: make(victim),
      twins: [{ twin, hears: victim }],
      watchers: victims,
    });
  }
}

suite('attacks in IPv6', () => {
  cloudForSuite(
    async (started) => {
      lab = started;
      six = await ipv6Lab(lab);
      const tier = await six.tier(await six.vpc('rails', '10.1.0.0/16'), '10.1.1.1', 'default_allow');
      const make = (name: string, host: string): Promise<Guest6> => six.instance(name, tier, host);
      const [first, ...others] = await Promise.all([make('attacker', 'h1'), make('near', 'h1'), make('far', 'h2')]);
      attacker = first!;
      victims = others;
      gateway = text(await six.shown(tier), 'ip6gateway');
      ownLink = linkOf(attacker.mac);
      const routes = (await lab.exec(attacker, 'ip', '-6', 'route', 'show', 'default')).stdout;
      routerLink = /via (fe80::\S+)/.exec(routes)![1]!;
    },
    { topology: 'region' },
  );

  test('an instance cannot say it is a router, to all or to one, in fragments, behind headers, or in the router’s name', async () => {
    await refusedAll((victim) => {
      const all = { toMac: EVERYBODY.mac };
      const one = { toMac: victim.mac, to: linkOf(victim.mac) };
      const said = (mark: Buffer): Buffer => Buffer.concat([advertisement, linkLayer(1, attacker.mac), room(mark)]);
      const atomic = Buffer.from([ICMP, 0, 0, 0, 0, 0, 0, 1]);
      const padding = Buffer.from([ICMP, 0, 1, 4, 0, 0, 0, 0]);
      return [
        attack('router advertisement to all', (mark) => message(all, 134, said(mark))),
        attack('router advertisement to one', (mark) => message(one, 134, said(mark))),
        attack('router advertisement from its own address', (mark) =>
          message({ ...one, from: attacker.six }, 134, said(mark)),
        ),
        attack('router advertisement from the router', (mark) =>
          message({ ...all, from: routerLink }, 134, said(mark)),
        ),
        attack('router advertisement behind options', (mark) => behind(OPTIONS, padding, all, 134, said(mark))),
        attack('router advertisement in a fragment', (mark) => behind(FRAGMENT, atomic, all, 134, said(mark))),
      ].map(asSent);
    });
    for (const victim of victims) {
      const { stdout } = await lab.exec(victim, 'ip', '-6', 'address', 'show', 'dev', 'eth0');
      assert.ok(!stdout.includes('2001:db8:bad:'), stdout);
    }
  });

  test('an instance cannot send others another way', async () => {
    await refusedAll((victim) => {
      const one = { toMac: victim.mac, to: linkOf(victim.mac) };
      const said = (mark: Buffer): Buffer =>
        Buffer.concat([NONE, ip6(ownLink), ip6('2001:db8:51::10'), linkLayer(2, attacker.mac), room(mark)]);
      return [
        attack('redirect', (mark) => message(one, 137, said(mark))),
        attack('redirect from the router', (mark) => message({ ...one, from: routerLink }, 137, said(mark))),
        attack('redirect to all', (mark) => message({ toMac: EVERYBODY.mac }, 137, said(mark))),
        attack('multicast query', (mark) =>
          message({ toMac: EVERYBODY.mac }, 130, Buffer.concat([NONE, ip6('::'), mark])),
        ),
      ].map(asSent);
    });
  });

  test('an instance cannot say that the router or another instance is where it is', async () => {
    await refusedAll((victim) => {
      const all = { toMac: EVERYBODY.mac };
      const one = { toMac: victim.mac, to: linkOf(victim.mac) };
      const is =
        (address: string, mac = attacker.mac) =>
        (mark: Buffer) =>
          Buffer.concat([SOLICITED, ip6(address), linkLayer(2, mac), room(mark)]);
      const other = victims.find(({ id }) => id !== victim.id)!;
      const asks = (mark: Buffer): Buffer =>
        Buffer.concat([NONE, ip6(victim.six), linkLayer(1, attacker.mac), room(mark)]);
      return [
        attack('it is the gateway, to all', (mark) => message(all, 136, is(gateway)(mark))),
        attack('it is the gateway, to one', (mark) => message(one, 136, is(gateway)(mark))),
        attack("it is the router's link address", (mark) => message(one, 136, is(routerLink)(mark))),
        attack('it is a neighbour', (mark) => message(one, 136, is(other.six)(mark))),
        attack('it is at another MAC', (mark) => message(one, 136, is(attacker.six, OTHER_MAC)(mark))),
        attack('question in the router’s name', (mark) => message({ ...one, from: routerLink }, 135, asks(mark))),
        attack('question in a neighbour’s name', (mark) => message({ ...one, from: other.six }, 135, asks(mark))),
        attack('answer behind options', (mark) =>
          behind(OPTIONS, Buffer.from([ICMP, 0, 1, 4, 0, 0, 0, 0]), one, 136, is(gateway)(mark)),
        ),
        attack('answer in a fragment', (mark) =>
          behind(FRAGMENT, Buffer.from([ICMP, 0, 0, 0, 0, 0, 0, 1]), one, 136, is(gateway)(mark)),
        ),
      ];
    });
    for (const victim of victims) {
      assert.ok(await six.ping6(victim, gateway), 'the gateway answers');
      const { stdout } = await lab.exec(victim, 'ip', '-6', 'neigh', 'show');
      assert.ok(!stdout.split('\n').some((line) => line.startsWith(gateway) && line.includes(attacker.mac)), stdout);
    }
  });

  test('a packet from another address is dropped, whether the IP or the MAC is borrowed', async () => {
    await refusedAll((victim) => {
      const other = victims.find(({ id }) => id !== victim.id)!;
      const from = (name: string, address: string, mac?: string): Attack =>
        attack(name, (mark) => packet(victim, address, mark, mac));
      return [
        from('a neighbour', other.six),
        from('the gateway', gateway),
        from('nobody in the tier', gateway.replace(/::1$/, '::77')),
        from('a temporary address', attacker.six.replace(/[0-9a-f]+$/, 'abcd')),
        from('somebody outside', '2001:db8:51::10'),
        from('another link address', 'fe80::77'),
        from('the unspecified one', '::'),
        from('a loopback', '::1'),
        from('IPv4 in disguise', '::ffff:0:0'),
        from('a multicast group', 'ff02::77'),
        from('another MAC', attacker.six, OTHER_MAC),
      ];
    });
  });

  test('an instance cannot answer as a DHCPv6 server', async () => {
    await refusedAll((victim) => [
      attack('DHCPv6 reply', (mark) => {
        const to = linkOf(victim.mac);
        const data = Buffer.concat([Buffer.from([0x02, 0x23, 0x02, 0x22, 0, 8 + mark.length, 0, 0]), mark]);
        const pseudo = Buffer.concat([ip6(ownLink), ip6(to), Buffer.from([0, 0, 0, data.length, 0, 0, 0, UDP])]);
        data.writeUInt16BE(sum(Buffer.concat([pseudo, data])), 6);
        return ethernet(victim.mac, attacker.mac, TYPE.ipv6, ipv6({ from: ownLink, to, next: UDP, data }));
      }),
    ]);
  });
});
