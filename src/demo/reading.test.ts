// What programs print, as they really printed it, and what is made of it.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { answered, echoRequests, neighbourMac, outageOf, readEcho, tagsOf } from './reading.ts';

// As BusyBox 1.35 prints them.
const REPLY =
  'PING 10.2.1.2 (10.2.1.2): 56 data bytes\n\n--- 10.2.1.2 ping statistics ---\n1 packets transmitted, 1 packets received, 0% packet loss\n';
const SILENCE = '--- 10.2.1.2 ping statistics ---\n1 packets transmitted, 0 packets received, 100% packet loss\n';

test('answered() tells an answer from silence', () => {
  assert.equal(answered({ stdout: REPLY, stderr: '', code: 0 }, 'ping'), true);
  assert.equal(answered({ stdout: SILENCE, stderr: '', code: 1 }, 'ping'), false);
});

test('answered() throws when no packet was sent, so that no expectation of silence holds by accident', () => {
  const failed = {
    stdout: '',
    stderr: 'nsenter: failed to execute /bin/busybox: No such file or directory',
    code: 127,
  };
  assert.throws(() => answered(failed, 'vm1: ping'), /vm1: ping sent nothing \(exit status 127\): nsenter: failed/);
  const noRoute = { stdout: '', stderr: 'ping: connect: Network is unreachable', code: 2 };
  assert.throws(() => answered(noRoute, 'printer: ping'), /Network is unreachable/);
});

test('echoRequests() reads InEchos by its name and refuses a text without it', () => {
  assert.equal(echoRequests('Icmp: InMsgs InErrors InEchos\nIcmp: 9 0 4\n'), 4);
  assert.throws(() => echoRequests(''), /without InEchos/);
});

test('readEcho() reads answers and silence of iputils-ping, and skips errors and headings', () => {
  assert.deepEqual(readEcho('[1795320492.528] 64 bytes from 198.51.100.10: icmp_seq=7 ttl=64 time=0.083 ms'), {
    at: 1795320492528,
    sequence: 7,
    answered: true,
  });
  assert.equal(readEcho('[1795320492.605000] no answer yet for icmp_seq=2')?.answered, false);
  assert.equal(readEcho('[1795320495.661293] From 198.51.100.1 icmp_seq=1 Destination Host Unreachable'), undefined);
  assert.equal(readEcho('PING 198.51.100.10 (198.51.100.10) 56(84) bytes of data.'), undefined);
});

describe('outageOf()', () => {
  const echo = (at: number, sequence: number, ok = true): { at: number; sequence: number; answered: boolean } => ({
    at,
    sequence,
    answered: ok,
  });

  test('finds the longest gap and counts what was lost in it', () => {
    const seen = [echo(0, 1), echo(20, 2), echo(60, 3, false), echo(80, 4, false), echo(85, 5), echo(105, 6)];
    assert.deepEqual(outageOf(seen, 110, 20), { gapMs: 65, sent: 6, lost: 2, recovered: true });
  });

  test('counts silence to the end as a gap and as lost', () => {
    const seen = [echo(0, 1), echo(40, 2, false), echo(60, 3, false)];
    assert.deepEqual(outageOf(seen, 1_000, 20), { gapMs: 1_000, sent: 3, lost: 2, recovered: false });
  });

  test('counts a packet that is on its way at the end as not sent', () => {
    assert.deepEqual(outageOf([echo(0, 1), echo(20, 2), echo(40, 3, false)], 45, 20).lost, 0);
  });

  test('throws when nothing was ever answered', () => {
    assert.throws(() => outageOf([echo(0, 1, false)], 10, 20), /no ping was answered/);
  });
});

test('tagsOf() reads VLAN ids and counts frames without one', () => {
  const tagged =
    '04:09:07.8 92:26:71:22:e6:49 > ff:ff:ff:ff:ff:ff, ethertype 802.1Q (0x8100), length 46: vlan 1234, p 0, ethertype ARP (0x0806), Request who-has 10.0.0.2 tell 10.0.0.1, length 28';
  const plain =
    '04:09:08.8 02:ea:30:5e:17:43 > 02:cd:a7:7d:c8:a1, ethertype IPv4 (0x0800), length 98: 192.0.2.21 > 192.0.2.11: ICMP echo request, id 172, seq 1, length 64';
  assert.deepEqual(tagsOf([tagged, plain, tagged.replace('1234', '7')]), { vlans: [7, 1234], untagged: 1 });
  assert.throws(() => tagsOf(['tcpdump: no such device']), /no frame/);
});

test('neighbourMac() reads a binding, and none where nobody answered', () => {
  const bound = '[{"dst":"10.0.0.1","dev":"eth0","lladdr":"02:00:00:00:00:01","state":["STALE"]}]';
  assert.equal(neighbourMac(bound), '02:00:00:00:00:01');
  assert.equal(neighbourMac('[{"dst":"10.0.0.1","dev":"eth0","state":["FAILED"]}]'), undefined);
  assert.equal(neighbourMac(''), undefined);
});
