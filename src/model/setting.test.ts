// The table of settings: what each can be, and that its own defaults hold to that.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SETTINGS, type Setting, settingNamed, settingProblem, settingValue } from './setting.ts';

test('every setting is in the table once, and its default is a value it can have', () => {
  assert.equal(new Set(SETTINGS.map(({ name }) => name)).size, SETTINGS.length);
  for (const setting of SETTINGS) assert.equal(settingProblem(setting, setting.value), undefined, setting.name);
});

test('settingProblem() keeps the kind of a setting, and what is said of it', () => {
  const problem = (name: string, value: string): string | undefined =>
    settingProblem(settingNamed(name) as Setting, value);
  assert.match(problem('vpc.max.networks', 'three') ?? '', /must be a whole number, such as 3; got three/);
  assert.match(problem('max.account.vpcs', '-2') ?? '', /or -1 for any number/);
  assert.match(problem('vpn.weak.policies.allowed', 'yes') ?? '', /must be true or false; got yes/);
  assert.match(problem('network.underlay.mtu', '0') ?? '', /must be 1280 to 9216: .*; got 0/);
  assert.match(problem('switch.review.interval', '0') ?? '', /must be at least 1/);
  assert.match(problem('network.vlan.reserved', '5000') ?? '', /Vnet range/);
  assert.match(problem('denied.routes', '10.0.0.0/8,x') ?? '', /x is none/);
  assert.equal(problem('denied.routes', '10.0.0.0/8, 2001:db8::/32'), undefined);
});

test('settingValue() is the default where nothing was stored, or nothing the setting could be', () => {
  assert.equal(settingValue('vpc.max.networks', undefined), '3');
  assert.equal(settingValue('vpc.max.networks', '9'), '9');
  assert.equal(settingValue('network.underlay.mtu', '0'), '1500');
});
