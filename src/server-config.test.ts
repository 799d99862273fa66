// The server's configuration file: what is read from it, and how each mistake is answered.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseServerConfig } from './server-config.ts';

const LEAST = {
  state: '/var/lib/trunkline',
  ovn: { nb: 'unix:/run/ovn/ovnnb_db.sock', sb: 'tcp:192.0.2.1:6642' },
  agents: { listen: '0.0.0.0:8443' },
};
const parse = (value: unknown): unknown => parseServerConfig(value, 'server.json');

test('parseServerConfig() fills in what may be left out: loopback, port 8080, SQLite', () => {
  assert.deepEqual(parse(LEAST), {
    state: '/var/lib/trunkline',
    port: 8080,
    metricsPort: 0,
    nb: 'unix:/run/ovn/ovnnb_db.sock',
    sb: 'tcp:192.0.2.1:6642',
    agents: '0.0.0.0:8443',
    demoAccounts: false,
  });
});

test('parseServerConfig() takes address, port and TLS of the API apart', () => {
  const api = { listen: '[::1]:443', certificate: '/etc/trunkline/api.pem', key: '/etc/trunkline/api.key' };
  const options = parseServerConfig({ ...LEAST, api }, 'server.json');
  assert.equal(options.host, '::1');
  assert.equal(options.port, 443);
  assert.deepEqual(options.tls, { certificate: api.certificate, key: api.key });
});

test('parseServerConfig() refuses an unknown key and names the one it is near to', () => {
  assert.throws(
    () => parse({ ...LEAST, agnets: {} }),
    /server\.json is wrong: there is no key "agnets" \(did you mean "agents"\?\)/,
  );
  const api = { listen: '127.0.0.1:8080', certifcate: '/x' };
  assert.throws(() => parse({ ...LEAST, api }), /no key "api\.certifcate" \(did you mean "certificate"\?\)/);
  assert.throws(() => parse({ ...LEAST, colour: 'red' }), /no key "colour"$/);
});

test('parseServerConfig() names the place of what is wrong', () => {
  assert.throws(() => parse({ ...LEAST, state: 'state' }), /state: is to be an absolute path/);
  assert.throws(() => parse({ ...LEAST, ovn: { ...LEAST.ovn, nb: 'here' } }), /ovn\.nb: is to be unix:PATH/);
  assert.throws(() => parse({ ...LEAST, api: { listen: '127.0.0.1:1', key: '/k' } }), /belong together/);
});
