// Which translated addresses come to a node, from the updates of the southbound database.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTranslations } from './translated.ts';

const options = ['map', [['peer', 'lrp-a']]];
const text = (mac: string, ips: string, at: string): string =>
  `02:00:00:00:00:${mac} ${ips} is_chassis_resident("${at}")`;
const set = (...texts: string[]): unknown => (texts.length === 1 ? texts[0] : ['set', texts]);

test('createTranslations() tells addresses that come here, with their instance or by a rule, and none that were here', () => {
  const translations = createTranslations();
  const here = new Set(['cr-lrp-a']);
  const arrivals = (): string[] => translations.arrivals((port) => here.has(port)).map(({ mac, ip }) => `${mac} ${ip}`);
  const modified = (...texts: string[]): void =>
    translations.take({ Port_Binding: { a: { modify: { nat_addresses: set(...texts) } } } });
  const central = text('0a', '203.0.113.10 203.0.113.11', 'cr-lrp-a');
  translations.take({
    Chassis: { own: { initial: { name: 'h1' } } },
    Port_Binding: {
      a: { initial: { options, nat_addresses: set(central, text('12', '203.0.113.12', 'nic-1')) } },
      cr: { initial: { options: ['map', [['distributed-port', 'lrp-a']]], chassis: ['uuid', 'own'] } },
    },
  });
  assert.deepEqual(arrivals(), [], 'they were here before');
  here.add('nic-1');
  assert.deepEqual(arrivals(), ['02:00:00:00:00:12 203.0.113.12']);
  assert.deepEqual(arrivals(), []);
  here.delete('nic-1');
  assert.deepEqual(arrivals(), []);
  here.add('nic-1');
  assert.deepEqual(arrivals(), ['02:00:00:00:00:12 203.0.113.12'], 'its instance comes back');
  // Of a set, an update says what came and what went.
  modified(central, text('0a', '203.0.113.10', 'cr-lrp-a'), text('11', '203.0.113.11', 'nic-1'));
  assert.deepEqual(arrivals(), ['02:00:00:00:00:11 203.0.113.11'], 'from the gateway to its instance');
  modified(central, text('0a', '203.0.113.10', 'cr-lrp-a'), text('11', '203.0.113.11', 'nic-1'));
  assert.deepEqual(arrivals(), ['02:00:00:00:00:0a 203.0.113.11'], 'and back');
  translations.take({ Port_Binding: { a: { delete: null } } });
  assert.deepEqual(arrivals(), []);
  translations.take({ Port_Binding: { b: { insert: { options, nat_addresses: set(central) } } } });
  assert.deepEqual(arrivals().length, 2);
});

test('createTranslations() reads what names no chassis as nobody’s', () => {
  const translations = createTranslations();
  translations.arrivals(() => true);
  translations.take({ Port_Binding: { a: { insert: { options, nat_addresses: '02:00:00:00:00:0a 203.0.113.10' } } } });
  assert.deepEqual(
    translations.arrivals(() => true),
    [],
  );
});
