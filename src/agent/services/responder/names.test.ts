// Who is known to whom by which name.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { NamedNetwork, NameScope } from '../../../protocol/services.ts';
import { RCODE, TYPE } from './message.ts';
import { namesOf } from './names.ts';

const scope: NameScope = {
  id: 'vpc',
  networks: [
    {
      id: 'front',
      domain: 'Acme.internal',
      gateway: '10.1.1.1',
      service: '10.1.1.254',
      hosts: [
        { name: 'web', ip: '10.1.1.2' },
        { name: 'both', ip: '10.1.1.3' },
      ],
    },
    {
      id: 'back',
      domain: 'acme.internal',
      gateway: '10.1.2.1',
      service: '10.1.2.254',
      hosts: [
        { name: 'db', ip: '10.1.2.2' },
        { name: 'both', ip: '10.1.2.3' },
        { name: 'six', ip6: '2001:db8::6' },
      ],
    },
  ],
};
const names = namesOf(scope);
const ask = (from: string, name: string, type: number = TYPE.A): unknown =>
  names.lookUp(from, { labels: name.split('.'), type });
const found = (...ips: string[]): unknown => ({ rcode: RCODE.ok, answers: ips.map((ip) => ({ ip })) });
const UNKNOWN = { rcode: RCODE.unknown, answers: [] };

test('lookUp() finds instances of the network and of the VPC’s other tiers, with and without the domain', () => {
  assert.deepEqual(ask('front', 'web'), found('10.1.1.2'));
  assert.deepEqual(ask('front', 'db.acme.internal'), found('10.1.2.2'));
  assert.deepEqual(ask('back', 'web.acme.internal'), found('10.1.1.2'));
});

test('lookUp() names the near card of an instance that has one here and there', () => {
  assert.deepEqual(ask('front', 'both'), found('10.1.1.3'));
  assert.deepEqual(ask('back', 'both'), found('10.1.2.3'));
});

test('lookUp() knows the data server and the gateway of the network that asks', () => {
  assert.deepEqual(ask('front', 'data-server'), found('10.1.1.254'));
  assert.deepEqual(ask('back', 'data-server.acme.internal'), found('10.1.2.254'));
  assert.deepEqual(ask('back', 'gateway'), found('10.1.2.1'));
});

test('lookUp() lets no instance take the name of the data server or the gateway', () => {
  const [front, back] = scope.networks as [NamedNetwork, NamedNetwork];
  const thieves = ['data-server', 'gateway', 'Data-Server.acme.internal'].map((name) => ({ name, ip: '10.1.2.66' }));
  const stolen = namesOf({ ...scope, networks: [front, { ...back, hosts: [...back.hosts, ...thieves] }] });
  for (const [from, service, gateway] of [
    ['front', '10.1.1.254', '10.1.1.1'],
    ['back', '10.1.2.254', '10.1.2.1'],
  ] as const)
    for (const [name, ip] of [
      ['data-server', service],
      ['data-server.acme.internal', service],
      ['gateway', gateway],
    ] as const)
      assert.deepEqual(
        stolen.lookUp(from, { labels: name.split('.'), type: TYPE.A }),
        found(ip),
        `${name} from ${from}`,
      );
});

test('lookUp() says of a name that is there that it has no other records, and of one that is not that it is not', () => {
  assert.deepEqual(ask('front', 'web', TYPE.AAAA), found());
  assert.deepEqual(ask('front', 'acme.internal'), found());
  assert.deepEqual(ask('front', 'nobody.acme.internal'), UNKNOWN);
  assert.deepEqual(ask('front', 'nobody'), UNKNOWN, 'a name without a domain is not asked of the world');
});

test('lookUp() gives addresses of the family that is asked for', () => {
  assert.deepEqual(ask('front', 'six', TYPE.AAAA), { rcode: RCODE.ok, answers: [{ ip6: '2001:db8::6' }] });
  assert.deepEqual(ask('front', 'six'), found());
});

test('lookUp() says whose an address is; private ones of others are nobody’s', () => {
  const whose = (ip: string): unknown => ask('front', `${ip.split('.').toReversed().join('.')}.in-addr.arpa`, TYPE.PTR);
  assert.deepEqual(whose('10.1.2.2'), { rcode: RCODE.ok, answers: [{ name: 'db.acme.internal' }] });
  assert.deepEqual(whose('10.9.9.9'), UNKNOWN);
  assert.equal(whose('198.51.100.1'), 'forward');
});

test('lookUp() leaves everybody else’s names to the resolvers', () => {
  assert.equal(ask('front', 'www.example.net'), 'forward');
  assert.equal(ask('front', 'notacme.internal'), 'forward');
});
