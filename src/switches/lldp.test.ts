// Neighbours as lldpd 1.0.16 prints them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { neighboursOf } from './lldp.ts';

/** What `lldpcli -f json0 show neighbors` said of a Debian machine on swp1, shortened. */
const DEBIAN = {
  name: 'swp1',
  via: 'LLDP',
  chassis: [
    {
      id: [{ type: 'mac', value: 'da:c5:1e:2e:ad:d9' }],
      name: [{ value: 'h1' }],
      descr: [{ value: 'Debian GNU/Linux 12' }],
    },
  ],
  port: [{ id: [{ type: 'mac', value: 'da:c5:1e:2e:ad:d9' }], descr: [{ value: 'eth0' }], ttl: [{ value: '4' }] }],
};
const SWITCH = {
  name: 'swp2',
  chassis: [{ name: [{ value: 'core1' }] }],
  port: [{ id: [{ type: 'ifname', value: 'Ethernet1/7' }], descr: [{ value: 'to leaf' }] }],
};

test('neighboursOf() gives port, system and the port at the other end', () => {
  assert.deepEqual(neighboursOf(JSON.stringify({ lldp: [{ interface: [DEBIAN, SWITCH, { name: 'swp3' }] }] })), [
    { port: 'swp1', system: 'h1', remotePort: 'eth0' },
    { port: 'swp2', system: 'core1', remotePort: 'Ethernet1/7' },
    { port: 'swp3', system: '', remotePort: '' },
  ]);
});

test('neighboursOf() knows nobody where nobody is, or where there is no lldpd', () => {
  for (const text of ['{"lldp": [{}]}', '', 'sh: lldpcli: not found\n', '[]', '{"lldp": "x"}'])
    assert.deepEqual(neighboursOf(text), []);
});
