// What is said of each broken hop between an instance and a host behind a device.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProbeReport } from '../../protocol/document.ts';
import { type RouteNames, judgeRoute } from './route-judgement.ts';
import type { RouterWay } from './router-way.ts';

const VIA = 'd6:0f:b0:ad:4f:f2';
const names: RouteNames = {
  instance: 'vm1',
  from: '10.1.1.1',
  network: 'office',
  networkCidr: '10.1.1.0/24',
  device: 'vpnbox',
  via: '10.1.1.254',
  place: 'switch sw, port vpnbox-eth0',
  isGateway: true,
  routeCidr: '192.168.50.0/24',
  host: '192.168.50.10',
};
const good: ProbeReport = {
  viaMac: VIA,
  viaAnswers: true,
  targetAnswers: true,
  cardAnswers: true,
  cardSendsTo: VIA,
};
const { cardSendsTo: _, ...lost } = good;

test('judgeRoute() says that both directions hold', () => {
  const { result, text, hop } = judgeRoute(good, names);
  assert.equal(result, 'answered');
  assert.equal(hop, undefined);
  assert.match(
    text,
    /^192\.168\.50\.10 answers vm1 \(10\.1\.1\.1\) through vpnbox.* back hold, and vm1 answers 192\.168\.50\.10$/,
  );
});

test('judgeRoute() does not blame an instance that lets no ping in', () => {
  const { result, text } = judgeRoute({ ...lost, cardAnswers: false }, names);
  assert.equal(result, 'answered');
  assert.match(text, /vm1 itself lets no ping in/);
});

test('judgeRoute() names the port of a device that does not answer, and what is known of it', () => {
  const silent = { viaAnswers: false, targetAnswers: false, cardAnswers: false };
  const { result, text, hop } = judgeRoute(silent, names);
  assert.equal(result, 'devicesilent');
  assert.equal(hop, names.place);
  assert.match(text, /who has 10\.1\.1\.254.*switch sw, port vpnbox-eth0.*has 10\.1\.1\.254\/24$/);
  assert.match(
    judgeRoute(silent, { ...names, portFault: 'VLAN 101 is not on it' }).text,
    /wrong: VLAN 101 is not on it$/,
  );
});

test('S30: judgeRoute() names the missing route of the office, its place, and the line that makes it', () => {
  const { result, text, hop, repair } = judgeRoute({ ...good, targetAnswers: false }, names);
  assert.equal(result, 'hostsilent');
  assert.equal(hop, 'the gateway of 192.168.50.0/24');
  assert.equal(repair, 'ip route add 10.1.1.0/24 via VPN_DEVICE');
  assert.match(
    text,
    /the other end has no route back\. If 192\.168\.50\.0\/24 is a network, at its gateway what is for 10\.1\.1\.0\/24 must go/,
  );
});

test('judgeRoute() tells by who says unreachable where the way ends', () => {
  const by = (unreachableBy: string) => judgeRoute({ ...good, targetAnswers: false, unreachableBy }, names);
  assert.equal(by('10.1.1.254').hop, 'device vpnbox');
  assert.equal(by('10.1.1.254').repair, 'ip route add 192.168.50.0/24 dev TUNNEL');
  assert.equal(by('192.168.50.1').hop, '192.168.50.10');
  assert.match(by('192.168.50.1').text, /hold in both directions: 192\.168\.50\.10 is off/);
  assert.equal(by('203.0.113.1').hop, '203.0.113.1');
});

test('judgeRoute() names an instance without the way back, alone or besides', () => {
  const alone = judgeRoute(lost, names);
  assert.deepEqual([alone.result, alone.hop], ['instanceroute', 'instance vm1']);
  assert.equal(alone.repair, 'ip route replace default via 10.1.1.254');
  const besides = judgeRoute({ ...lost, targetAnswers: false }, names);
  assert.equal(besides.result, 'hostsilent');
  assert.match(besides.text, /Besides, vm1 has no route to 192\.168\.50\.0\/24/);
  const further = judgeRoute(lost, { ...names, isGateway: false });
  assert.equal(further.repair, 'ip route replace 192.168.50.0/24 via 10.1.1.254');
});

test('judgeRoute() notices an instance whose gateway is somebody else, where it is to be the device', () => {
  const elsewhere = { ...good, cardSendsTo: '02:00:00:00:00:99' };
  const { result, text } = judgeRoute(elsewhere, names);
  assert.equal(result, 'instanceroute');
  assert.match(text, /vm1 sends what is for 192\.168\.50\.0\/24 to 02:00:00:00:00:99 and not to device vpnbox/);
  const other = judgeRoute(elsewhere, { ...names, isGateway: false });
  assert.equal(other.result, 'answered');
  assert.match(other.text, /by its gateway \(02:00:00:00:00:99\), which has to send that on to device vpnbox$/);
  const by = (router: RouterWay) => judgeRoute(elsewhere, { ...names, isGateway: false, router }).text;
  assert.match(by({ state: 'good', text: 'it is ours' }), /which is ours and sends that on to device vpnbox$/);
  assert.match(by({ state: 'bad', text: 'no router node routes' }), /vpnbox; but no router node routes$/);
});
