// The pieces of a story's world that need no lab.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answered, echoRequests } from './story.ts';

// As BusyBox 1.35 prints them.
const REPLY =
  'PING 10.2.1.2 (10.2.1.2): 56 data bytes\n\n--- 10.2.1.2 ping statistics ---\n1 packets transmitted, 1 packets received, 0% packet loss\n';
const SILENCE = '--- 10.2.1.2 ping statistics ---\n1 packets transmitted, 0 packets received, 100% packet loss\n';

test('answered() tells an answer from silence', () => {
  assert.equal(answered({ stdout: REPLY, stderr: '', code: 0 }, 'ping'), true);
  assert.equal(answered({ stdout: SILENCE, stderr: '', code: 1 }, 'ping'), false);
});

test('answered() throws when no packet was sent, so that no expectation of silence holds by accident', () => {
  const result = {
    stdout: '',
    stderr: 'nsenter: failed to execute /bin/busybox: No such file or directory',
    code: 127,
  };
  assert.throws(() => answered(result, 'vm1: ping'), /vm1: ping sent nothing \(exit status 127\): nsenter: failed/);
});

test('echoRequests() reads InEchos by its name and refuses a text without it', () => {
  assert.equal(echoRequests('Icmp: InMsgs InErrors InEchos\nIcmp: 9 0 4\n'), 4);
  assert.throws(() => echoRequests(''), /without InEchos/);
});
