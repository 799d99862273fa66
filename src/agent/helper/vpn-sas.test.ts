// Lines in the form that strongSwan 5.9 prints of its connections, and what is made of them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseSas } from './vpn-sas.ts';

const SITE =
  'list-sa event {s-40000000-0000-4000-8000-000000000001-0 {uniqueid=1 version=2 state=ESTABLISHED local-host=192.0.0.18 local-port=4500 ' +
  'local-id=203.0.113.10 remote-host=198.51.100.10 remote-port=4500 remote-id=198.51.100.10 initiator=yes initiator-spi=1a remote-vips=[] ' +
  'established=12 rekey-time=3000 tasks-passive=[IKE_ROUTE] child-sas {n0-1 {name=n0 uniqueid=1 reqid=1 state=INSTALLED mode=TUNNEL ' +
  'protocol=ESP encap=yes local-ts=[10.1.0.0/16] remote-ts=[192.168.50.0/24]} n1-2 {name=n1 uniqueid=2 state=REKEYING mode=TUNNEL ' +
  'local-ts=[10.2.0.0/16] remote-ts=[192.168.50.0/24]}}}}';
const CLIENT =
  'list-sa event {c-40000000-0000-4000-8000-000000000002-0123456789ab {uniqueid=2 version=2 state=CONNECTING local-host=192.0.0.18 ' +
  'local-port=500 remote-host=198.51.100.11 remote-port=500 tasks-active=[IKE_VENDOR IKE_INIT] child-sas {}}}';

test('parseSas() reads names, states, peers and the states of children, each its own', () => {
  assert.deepEqual(parseSas(`${SITE}\n${CLIENT}\nlist-sas reply {}\n`), [
    {
      name: 's-40000000-0000-4000-8000-000000000001-0',
      state: 'ESTABLISHED',
      remoteHost: '198.51.100.10',
      remotePort: '4500',
      children: ['INSTALLED', 'REKEYING'],
    },
    {
      name: 'c-40000000-0000-4000-8000-000000000002-0123456789ab',
      state: 'CONNECTING',
      remoteHost: '198.51.100.11',
      remotePort: '500',
      children: [],
    },
  ]);
});

test('parseSas() takes a child that is up for no connection that is up, and no other way round', () => {
  const half = CLIENT.replace('child-sas {}', 'child-sas {n0-1 {name=n0 state=INSTALLED}}');
  assert.deepEqual(
    parseSas(half).map(({ state, children }) => [state, children]),
    [['CONNECTING', ['INSTALLED']]],
  );
});

test('parseSas() makes nothing of what it does not know', () => {
  for (const text of ['', '\n', 'list-sas reply {}', 'list-sa event {}', 'list-sa event {x {', 'connecting failed'])
    assert.deepEqual(parseSas(text), [], text);
  assert.deepEqual(parseSas('list-sa event {x {version=2}}')[0]?.state, '');
});
