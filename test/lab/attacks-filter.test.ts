// Attacks on what filters stand in the way of (facts of security 18 and 19): sources that are not the sender's, and packets made so that a
// list takes them for something else. Sent from inside an instance to another tier of its VPC, and from a machine on a wire to the router;
// the other tenant has the same addresses and must hear nothing of it.
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { type Attack, attack, onlyTwinsArrive } from '../support/attack.ts';
import { datagram, icmp, type Ipv4, ipv4, segment, TYPE } from '../support/frames.ts';
import { eventually } from '../support/lab.ts';
import { ethernet } from '../support/packets.ts';
import { cloudForSuite, type LabCloud } from '../support/tenant-lab.ts';
import { GATEWAY, OPEN_PORT, type TwoTenants, twoTenants } from '../support/two-tenants.ts';

const [ICMP, TCP, UDP] = [1, 6, 17];
const CLOSED_PORT = 10;
/** Bytes of a first piece. Open vSwitch takes smaller ones for an attack (ovs-appctl dpctl/ipf-set-min-frag, 1200 bytes of packet). */
const LARGE = 1_208;
/** A physical machine on the wire of a private gateway: nobody checks what it says but the router. */
const MACHINE = { node: 'fileserver', device: 'eth0', address: '172.16.0.50' } as const;

/** Sources that no packet of the attacker can have. */
const OTHERS: readonly (readonly [name: string, address: string])[] = [
  ['its target', '10.1.2.10'],
  ["its target's gateway", '10.1.2.1'],
  ['its own gateway', GATEWAY],
  ['a neighbour', '10.1.1.11'],
  ['nobody in its tier', '10.1.1.77'],
  ["another VPC's", '10.2.1.10'],
  ['loopback', '127.0.0.1'],
  ['no address', '0.0.0.0'],
  ['a group', '224.0.0.1'],
  ['everybody', '255.255.255.255'],
  ['everybody in its tier', '10.1.1.255'],
  ['a reserved one', '240.0.0.1'],
  ['metadata', '169.254.169.254'],
  ["a hypervisor's", '192.0.2.11'],
  ['a public one', '203.0.113.7'],
];

let lab: LabCloud;
let two: TwoTenants;

suite('attacks on filters', () => {
  cloudForSuite(
    async (started) => {
      lab = started;
      two = await twoTenants(lab);
    },
    { topology: 'region' },
  );

  test("18: a packet under an address that is not its sender's gets nowhere, through the router neither", async () => {
    const data = (mark: Buffer): Buffer => datagram(OPEN_PORT, OPEN_PORT, mark);
    await tryAll([
      ...OTHERS.map(([name, from]) =>
        routed(`from ${name}, ${from}`, (mark) => ({ from, protocol: UDP, data: data(mark) })),
      ),
      ...OTHERS.map(([name, from]) =>
        routed(`an echo request from ${name}, ${from}`, (mark) => ({ from, protocol: ICMP, data: icmp(8, 0, mark) })),
      ),
      routed('a hardware address of its own', (mark) => ({ protocol: UDP, data: data(mark) }), '02:00:00:00:00:77'),
      routed("the gateway's hardware address", (mark) => ({ protocol: UDP, data: data(mark) }), two.gatewayMac),
      routed("a neighbour's hardware address", (mark) => ({ protocol: UDP, data: data(mark) }), two.own.near.mac),
    ]);
  });

  test('19: nothing passes a list under the guise of an answer: not from a port of DNS, DHCP or BFD, not in the middle of a connection', async () => {
    const ports = [53, 67, 68, 123, 546, 547, 3784, 4784, 6081];
    await tryAll([
      ...ports.map((from) =>
        routed(`UDP from port ${from}`, (mark) => ({ protocol: UDP, data: datagram(from, CLOSED_PORT, mark) })),
      ),
      ...ports.map((both) =>
        routed(`UDP from and to port ${both}`, (mark) => ({ protocol: UDP, data: datagram(both, both, mark) })),
      ),
      ...[0x02, 0x10, 0x12, 0x04, 0x14, 0x11, 0x18, 0x00, 0x3f].map((flags) =>
        routed(`TCP with flags ${flags.toString(16)}`, (mark) => ({
          protocol: TCP,
          data: segment(
            { from: two.attacker.address, to: two.own.listed.address },
            [OPEN_PORT, OPEN_PORT],
            flags,
            mark,
          ),
        })),
      ),
    ]);
  });

  test('19: nor as an error about a packet that never was, or as another message of ICMP', async () => {
    const { attacker, own } = two;
    const forged = (mark: Buffer, protocol: number, from = own.listed.address, to = attacker.address): Buffer =>
      ipv4({ from, to, protocol, data: datagram(OPEN_PORT, OPEN_PORT, mark) });
    const errors: [string, number, number][] = [
      ['unreachable', 3, 1],
      ['too big', 3, 4],
      ['redirect', 5, 1],
      ['time exceeded', 11, 0],
      ['parameter problem', 12, 0],
    ];
    await tryAll([
      ...errors.flatMap(([name, type, code]) => [
        routed(`${name}, about UDP`, (mark) => ({ protocol: ICMP, data: icmp(type, code, forged(mark, UDP), 576) })),
        routed(`${name}, about TCP`, (mark) => ({ protocol: ICMP, data: icmp(type, code, forged(mark, TCP), 576) })),
        routed(`${name}, about another's packet`, (mark) => ({
          protocol: ICMP,
          data: icmp(type, code, forged(mark, UDP, own.listed.address, own.far.address), 576),
        })),
        routed(`${name}, about nothing`, (mark) => ({ protocol: ICMP, data: icmp(type, code, mark) })),
      ]),
      ...[0, 8, 9, 10, 13, 14, 15, 17, 18, 40].map((type) =>
        routed(`ICMP type ${type}`, (mark) => ({ protocol: ICMP, data: icmp(type, 0, mark, 0x00010001) })),
      ),
    ]);
  });

  test('19: nor as another protocol, known or not; and a protocol 0 before it opens nothing', async () => {
    const { attacker, own } = two;
    const inner = (mark: Buffer): Buffer =>
      ipv4({ from: attacker.address, to: own.listed.address, protocol: UDP, data: datagram(1, OPEN_PORT, mark) });
    await tryAll([
      ...[0, 2, 33, 41, 46, 50, 51, 58, 88, 89, 103, 112, 132, 136, 253, 255].map((protocol) =>
        routed(`protocol ${protocol}`, (mark) => ({
          protocol,
          // What stands at the place of UDP's ports says the open one.
          data: datagram(OPEN_PORT, OPEN_PORT, mark),
        })),
      ),
      routed('IP in IP', (mark) => ({ protocol: 4, data: inner(mark) })),
      routed('GRE', (mark) => ({ protocol: 47, data: Buffer.concat([Buffer.from([0, 0, 8, 0]), inner(mark)]) })),
      // CVE-2023-1668: a cached flow of protocol 0 would match all others.
      routed('TCP after protocol 0', (mark) => ({
        protocol: TCP,
        data: segment({ from: attacker.address, to: own.listed.address }, [1, CLOSED_PORT], 0x02, mark),
      })),
      routed('ICMP after protocol 0', (mark) => ({ protocol: ICMP, data: icmp(8, 0, mark) })),
      routed('UDP after protocol 0', (mark) => ({ protocol: UDP, data: datagram(1, CLOSED_PORT, mark) })),
    ]);
  });

  test('19: nor in pieces: a rest without its beginning, a beginning that is overwritten, a port in the second piece', async () => {
    const whole = (port: number, mark: Buffer): Buffer => datagram(1, port, Buffer.concat([Buffer.alloc(LARGE), mark]));
    let id = 0x4000;
    const pieces = (name: string, cut: (mark: Buffer) => readonly Piece[]): Attack => {
      const own = id++;
      return attack(name, (mark) =>
        cut(mark).map(({ data, ...fragment }) => toRouter(ipv4(packet({ protocol: UDP, id: own, fragment, data })))),
      );
    };
    const cutAt = (at: number, port: number, mark: Buffer): Piece[] => [
      { at: 0, more: true, data: whole(port, mark).subarray(0, at) },
      { at, more: false, data: whole(port, mark).subarray(at) },
    ];
    await tryAll([
      pieces('a rest whose beginning never came', (mark) => [{ at: 1480, more: false, data: mark }]),
      pieces('a middle', (mark) => [{ at: 8, more: true, data: mark }]),
      pieces('a datagram to the closed port', (mark) => cutAt(LARGE, CLOSED_PORT, mark)),
      pieces('its second piece first', (mark) => cutAt(LARGE, CLOSED_PORT, mark).toReversed()),
      pieces('the same, cut after its ports', (mark) => cutAt(8, CLOSED_PORT, mark)),
      pieces('a beginning for the open port that never ends, then its overwriting', (mark) => [
        { at: 0, more: true, data: whole(OPEN_PORT, mark).subarray(0, LARGE) },
        { at: 0, more: true, data: whole(CLOSED_PORT, mark) },
      ]),
      pieces('an overlap that writes the closed port over the open one', (mark) => [
        { at: 0, more: true, data: whole(OPEN_PORT, mark).subarray(0, LARGE) },
        { at: 0, more: false, data: whole(CLOSED_PORT, mark) },
      ]),
    ]);
  });

  test('18: a machine on the wire of a private gateway cannot send under an address of the VPC, nor under one that nobody has', async () => {
    const { own, all, attacker } = two;
    const { tenant, vpcid } = own;
    const wire = await tenant.privateNetwork('172.16.0.0/24', 'pool');
    await tenant.gateway(vpcid, wire, '172.16.0.1', 'default_allow');
    await lab.wire.exec('sw', ['ovs-vsctl', 'set', 'Port', 'fileserver-eth0', `tag=${await tenant.vlanOf(wire)}`]);
    for (const line of [`address add ${MACHINE.address}/24 dev eth0`, 'route add 10.1.0.0/16 via 172.16.0.1'])
      await lab.wire.inNetwork(MACHINE.node, ['ip', ...line.split(' ')]);
    await eventually(
      'the machine reaching the VPC',
      async () => (await lab.wire.pingFrom(MACHINE.node, attacker.address)) || undefined,
    );
    const router = (await lab.wire.neighbour(MACHINE.node, '172.16.0.1'))!;
    const { stdout } = await lab.wire.inNetwork(MACHINE.node, ['cat', '/sys/class/net/eth0/address']);
    const said = (name: string, from: string): Attack =>
      attack(name, (mark) =>
        ethernet(
          router,
          stdout.trim(),
          TYPE.ipv4,
          ipv4({ from, to: own.listed.address, protocol: UDP, data: datagram(OPEN_PORT, OPEN_PORT, mark) }),
        ),
      );
    const never = OTHERS.filter(([, address]) => /^(10\.1|127|0|224|255)\./.test(address));
    assert.equal(never.length, 10);
    await onlyTwinsArrive(lab.cloud, {
      from: MACHINE,
      attacks: [
        ...never.map(([name, from]) => said(`from ${name}, ${from}`, from)),
        said('from the router', '172.16.0.1'),
      ],
      twins: [{ twin: said('from itself', MACHINE.address), hears: own.listed }],
      watchers: [...all, attacker],
    });
  });
});

interface Piece {
  readonly at: number;
  readonly more: boolean;
  readonly data: Buffer;
}

type Part = Pick<Ipv4, 'protocol' | 'data'> & Partial<Ipv4>;

/** From the attacker to the instance behind the list, unless it is said otherwise. */
function packet(part: Part): Ipv4 {
  return { from: two.attacker.address, to: two.own.listed.address, ...part };
}

function toRouter(data: Buffer, from = two.attacker.mac): Buffer {
  return ethernet(two.gatewayMac, from, TYPE.ipv4, data);
}

/** One packet that the router is to carry to the instance behind the list. */
function routed(name: string, part: (mark: Buffer) => Part, from?: string): Attack {
  return attack(name, (mark) => toRouter(ipv4(packet(part(mark))), from));
}

/** Sends them from the attacker; a datagram to the open port is their harmless twin. Nobody of either tenant may receive any of them. */
async function tryAll(attacks: readonly Attack[]): Promise<void> {
  const { own, all, attacker } = two;
  const twin = routed('a datagram to the open port', (mark) => ({ protocol: UDP, data: datagram(1, OPEN_PORT, mark) }));
  await onlyTwinsArrive(lab.cloud, { from: attacker, attacks, twins: [{ twin, hears: own.listed }], watchers: all });
}
