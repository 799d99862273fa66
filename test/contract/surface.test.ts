// Our commands against what clients know of them: sync or async, parameter types, answer types. And against ourselves: the
// golden files show in review every change of the surface and of who may do what.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Registry, type Role } from '../../src/api/command.ts';
import { type ApiEntry, describe, mayUse } from '../../src/api/list-apis.ts';
import { KEY_OF_KIND, createRegistry } from '../../src/commands/index.ts';
import type { House } from '../../src/commands/room.ts';
import { FACTS } from './facts.ts';

// Built over nothing: only what the commands say of themselves is looked at.
const registry: Registry = createRegistry({} as House);
const apis: readonly ApiEntry[] = describe(registry, KEY_OF_KIND).map(([, entry]) => entry);

/** Commands of our own, which no client of CloudStack can know. */
const OURS = new Set([
  'createJoinToken',
  // CloudStack's since 4.18; the clients that were looked at do not send it.
  'resetUserDataForVirtualMachine',
  // Physical members: switches, their ports, devices, and networks behind devices.
  'addSwitch',
  'addSwitchPort',
  'attachDevice',
  'checkNetworkRoute',
  'confirmSwitchChanges',
  'createNetworkRoute',
  'deleteDevice',
  'deleteNetworkRoute',
  'deleteSwitch',
  'deleteSwitchPort',
  'detachDevice',
  'grantSwitchPort',
  'listDevices',
  'listNetworkMembers',
  'listNetworkRoutes',
  'listSwitchPorts',
  'listSwitches',
  'moveDevice',
  'registerDevice',
  'revokeSwitchPort',
  'updateDevice',
  'updateSwitch',
  'updateSwitchPort',
  // Who is on the wire (the first two are Cosmic's), and what became of an announcement.
  'listWhoHasThisIp',
  'listWhoHasThisMac',
  'listAddressReceipts',
  'listNetworkNeighbors',
  'scanNetwork',
  // CloudStack's documents know it; the lists of commands these facts are from do not.
  'listAlerts',
  'moveNetworkAclItem',
  'createGuestNetworkIpv6Prefix',
  'deleteGuestNetworkIpv6Prefix',
  'listGuestNetworkIpv6Prefixes',
  'createIpv6FirewallRule',
  'deleteIpv6FirewallRule',
  'listIpv6FirewallRules',
  'updateIpv6FirewallRule',
  'updateDefaultNicForVirtualMachine',
  'updateResourceCount',
  'assignVirtualMachine',
  // VPNs: kinds that CloudStack does not have, and what its lists of commands leave out.
  'checkVpn',
  'createVpnClientProfile',
  'listVpnClients',
  'removeVpnUser',
  'updateRemoteAccessVpn',
  'updateVpnConnection',
  'updateVpnGateway',
  'updateVpnUser',
]);

test('every command is one that clients know, or is named here as our own', () => {
  const unknown = apis.map(({ name }) => name).filter((name) => !FACTS.has(name) && !OURS.has(name));
  assert.deepEqual(unknown, []);
});

test('which commands are asynchronous is what every client believes', () => {
  const wrong = apis
    .filter(({ name, isasync }) => FACTS.has(name) && FACTS.get(name)!.isasync !== isasync)
    .map(({ name, isasync }) => `${name} is ${isasync ? 'a' : ''}synchronous`);
  assert.deepEqual(wrong, []);
});

/** Where our parameter differs on purpose: why. */
const PARAM_EXCEPTIONS: Readonly<Record<string, string>> = {
  'updateNetworkOffering.id': '4.18 says optional and fails without it: nothing else names the offering',
  'login.domainid': 'ids are UUIDs everywhere; 4.18 still says long here',
};

/** Types that are the same to a client: both are sent as one text. */
const SAME: readonly (readonly [string, string])[] = [
  ['string', 'uuid'],
  ['integer', 'long'],
  ['integer', 'short'],
];
const alike = (a: string, b: string): boolean =>
  a === b || SAME.some(([x, y]) => (a === x && b === y) || (a === y && b === x));

test('parameters have the types clients know, and none is required that they may leave out', () => {
  const wrong = apis.flatMap(({ name, params }) =>
    params.flatMap((param) => {
      const known = FACTS.get(name)?.params?.get(param.name.toLowerCase());
      if (known === undefined || `${name}.${param.name}` in PARAM_EXCEPTIONS) return [];
      return [
        ...(alike(known.type, param.type) ? [] : [`${name}.${param.name}: ${param.type} instead of ${known.type}`]),
        ...(param.required && !known.required ? [`${name}.${param.name} is required`] : []),
      ];
    }),
  );
  assert.deepEqual(wrong, []);
});

test('parameters that clients must send are declared, so that they are not ignored in silence', () => {
  const missing = apis.flatMap(({ name, params }) => {
    const declared = new Set(params.map((param) => param.name.toLowerCase()));
    return [...(FACTS.get(name)?.params ?? [])]
      .filter(([param, { required }]) => required && !declared.has(param))
      .map(([param]) => `${name}.${param}`);
  });
  assert.deepEqual(missing, []);
});

const JSON_TYPE: Readonly<Record<string, string>> = {
  string: 'string',
  date: 'string',
  integer: 'number',
  long: 'number',
  boolean: 'boolean',
  list: 'list',
  map: 'map',
  responseobject: 'any',
};

/** Fields whose JSON type differs between SDKs, and which we answer all the same: why. */
const FIELD_EXCEPTIONS: Readonly<Record<string, string>> = {
  success:
    'the text "true" in a synchronous answer, true in a job result: libcloud needs the one, the Go SDKs the other',
};

test('answer fields have the JSON types the SDKs decode; what they contradict each other on is left out', () => {
  const wrong = apis.flatMap(({ name, response }) =>
    response.flatMap((field) => {
      const known = FACTS.get(name)?.fields.get(field.name);
      const ours = JSON_TYPE[field.type];
      if (known === undefined || ours === 'any' || known === ours || field.name in FIELD_EXCEPTIONS) return [];
      return [`${name}.${field.name}: ${ours} instead of ${known}`];
    }),
  );
  assert.deepEqual(wrong, []);
});

test('every parameter and every field has a description', () => {
  const bare = apis.flatMap(({ name, params, response }) =>
    [...params, ...response].filter(({ description }) => description.trim() === '').map((one) => `${name}.${one.name}`),
  );
  assert.deepEqual(bare, []);
});

const ROLES: readonly Role[] = ['admin', 'domain-admin', 'readonly', 'user'];

test('no command is without a role, and the read-only admin has only what changes nothing', () => {
  for (const command of registry.values()) {
    assert.ok(command.roles.length > 0, `${command.name} names no role, so nobody can use it`);
    if (command.roles.includes('readonly')) assert.match(command.name, /^(list|check|login$|logout$)/);
  }
});

function golden(file: string, text: string): void {
  const path = new URL(`./golden/${file}`, import.meta.url);
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(path, text);
  assert.equal(
    text,
    readFileSync(path, 'utf8'),
    `${file} differs: look at the difference, then write it anew with UPDATE_GOLDEN=1`,
  );
}

test('golden/roles.txt: who may give which command', () => {
  const mark = (name: string): string => ROLES.map((role) => (mayUse(registry.get(name)!, role) ? 'x' : '.')).join(' ');
  golden(
    'roles.txt',
    [
      'a d r u   (admin, domain admin, read-only admin, user)',
      ...apis.map(({ name }) => `${mark(name)}   ${name}`),
      '',
    ].join('\n'),
  );
});

test('golden/surface.txt: every command with its parameters and the key of its answer', () => {
  const lines = apis.map(({ name, isasync, params }) => {
    const { answer } = registry.get(name)!;
    const shown = params.map((param) => `${param.required ? '*' : ''}${param.name}:${param.type}`).join(' ');
    return `${name} ${isasync ? 'async' : 'sync'} ${'key' in answer ? answer.key : answer.kind}\n    ${shown}`.trimEnd();
  });
  golden('surface.txt', `${lines.join('\n')}\n`);
});
