// Which nodes can do without a router node that is Down: the others of the networks that a change concerns.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Host } from '../model/intent.ts';
import type { RouterRole } from '../model/router-role.ts';
import { standIns } from './stand-in.ts';

function role(id: string, peers: readonly string[], more: Partial<RouterRole> = {}): RouterRole {
  return {
    id,
    network: { id: `network-${id}`, name: id, cidr: '10.1.1.0/24', vlan: 100, domainName: '', dns: [] },
    ip: '10.1.1.254',
    gateway: '10.1.1.1',
    priority: 200,
    peers: [],
    peerNodes: peers.map((name) => ({ name, underlayIp: '192.0.2.12' })),
    mode: 'NATTED',
    routable: [],
    dhcp: true,
    dnsService: true,
    firewall: true,
    egressDefault: 'deny',
    egress: [],
    leases: [],
    routes: [],
    publicAddresses: [],
    ...more,
  };
}

function node(...routers: RouterRole[]): Host {
  const name = 'r1';
  return { id: name, name, kind: 'router', chassis: name, underlayIp: '192.0.2.11', instances: [], routers, scans: [] };
}

test('standIns() names the other nodes of the networks that a change concerns, and of no others', () => {
  const [pair, lonely] = [role('pair', ['r2']), role('lonely', [])];
  const wider = role('pair', ['r2'], { egressDefault: 'allow' });
  assert.deepEqual(standIns(node(wider, lonely), node(pair, lonely)), [['r2']]);
  assert.deepEqual(standIns(node(pair, role('lonely', [], { ip: '10.1.1.9' })), node(pair, lonely)), [[]]);
  assert.deepEqual(standIns(node(lonely), node(pair, lonely)), [['r2']], 'a network that went away');
});

test('standIns() counts all networks of the node where it is not known what changed', () => {
  const both = node(role('pair', ['r2', 'r3']), role('lonely', []));
  assert.deepEqual(standIns(both, both), [['r2', 'r3'], []]);
  assert.deepEqual(standIns(both, undefined), [['r2', 'r3'], []]);
  assert.equal(standIns(node(), node()), undefined, 'a node that routes for none');
});
