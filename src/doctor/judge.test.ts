// What the doctor says of machines that never were: each judgement from facts alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Facts, FEATURES } from './facts.ts';
import { formatFindings } from './format.ts';
import { exitStatus, judge } from './judge.ts';

const GOOD: Facts = {
  root: true,
  system: 'debian 12',
  kernel: '6.1.0',
  node: '24.11.0',
  programs: {
    'ovn-northd': 'ovn-northd 23.03.1',
    'ovn-controller': 'ovn-controller 23.03.1',
    'ovs-vswitchd': 'ovs-vswitchd (Open vSwitch) 3.1.0',
    openssl: 'OpenSSL 3.0',
    keepalived: 'Keepalived v2.2.7',
    nft: 'nftables v1.0.6',
    dnsmasq: 'Dnsmasq version 2.90',
    haproxy: 'HAProxy version 2.6.12',
    conntrackd: 'Connection tracking userspace daemon v1.4.7',
    conntrack: 'conntrack v1.4.7 (conntrack-tools)',
    arping: 'arping from iputils 20221126',
    'arp-scan': 'arp-scan 1.10.0',
    virsh: '9.0.0',
    openvpn: 'OpenVPN 2.6.14',
    wg: 'wireguard-tools v1.0.20210914',
    swanctl: 'strongSwan 5.9.8 swanctl',
  },
  features: Object.fromEntries(FEATURES.map((name) => [name, true])) as unknown as Facts['features'],
  ovs: {
    version: '3.1.0',
    bridges: ['br-int', 'br-ex'],
    settings: {
      'system-id': 'h1',
      'ovn-remote': 'tcp:192.0.2.1:6642',
      'ovn-encap-ip': '192.0.2.11',
      'ovn-bridge-mappings': 'physnet1:br-ex',
      'ovn-ofctrl-wait-before-clear': '8000',
    },
  },
  southbound: true,
  underlayMtu: 1558,
  kvm: true,
  virtualization: 'none',
  clockSynchronized: true,
};
const ALL = ['server', 'hypervisor', 'gateway', 'witness', 'router'] as const;

const wrong = (facts: Facts): string[] =>
  judge(facts, ALL)
    .filter(({ grade }) => grade !== 'ok')
    .map(({ about }) => about);

test('judge() finds nothing wrong with a machine that has everything', () => {
  assert.deepEqual(wrong(GOOD), []);
  assert.equal(exitStatus(judge(GOOD, ALL)), 0);
});

test('judge() names what is missing, each with a remedy, and the exit status says so', () => {
  const bare: Facts = {
    ...GOOD,
    programs: {},
    features: { ...GOOD.features, vlan: 'Unknown device type', ipvs: 'exit status 1' },
    kvm: false,
    clockSynchronized: false,
  };
  delete (bare as { ovs?: unknown }).ovs;
  const findings = judge(bare, ALL);
  assert.equal(exitStatus(findings), 1);
  for (const finding of findings.filter(({ grade }) => grade !== 'ok')) assert.ok(finding.remedy, finding.about);
  for (const about of ['ovn-northd', 'ovn-controller', 'open vswitch', 'nft', 'vlan', 'ipvs', 'clock'])
    assert.ok(wrong(bare).includes(about), about);
});

test('judge() names the packages of VPNs for a gateway, of wireguard-go only where the kernel has no WireGuard', () => {
  const programs = { 'ovn-controller': 'ovn-controller 23.03.1', 'ovs-vswitchd': '3.1.0' };
  const about = (features: Facts['features']): readonly string[] =>
    judge({ ...GOOD, programs, features }, ['gateway']).flatMap(({ grade, about: name }) =>
      grade === 'less' ? [name] : [],
    );
  assert.deepEqual(about(GOOD.features), ['openvpn', 'wg', 'swanctl']);
  assert.deepEqual(about({ ...GOOD.features, wireguard: 'Unknown device type' }), [
    'openvpn',
    'wg',
    'wireguard-go',
    'swanctl',
  ]);
  const ipsec = judge({ ...GOOD, programs }, ['gateway']).find((one) => one.about === 'swanctl');
  assert.match(ipsec?.remedy ?? '', /charon-systemd .*libcharon-extauth-plugins/);
});

test('judge() refuses an OVN older than 23.03 and says what its 23.03 must not be used for', () => {
  const old = { ...GOOD, programs: { ...GOOD.programs, 'ovn-controller': 'ovn-controller 22.03.3' } };
  const finding = judge(old, ['hypervisor']).find(({ about }) => about === 'ovn-controller');
  assert.equal(finding?.grade, 'cannot');
  assert.match(finding.text, /22\.03 is older than 23\.03/);
  const now = judge(GOOD, ['hypervisor']).find(({ about }) => about === 'ovn-controller');
  assert.match(now?.text ?? '', /CVE-2025-0650/);
});

test('judge() knows the other arping (S53), a southbound database that is silent, and an underlay too small', () => {
  const facts: Facts = {
    ...GOOD,
    programs: { ...GOOD.programs, arping: 'ARPing 2.22, by Thomas Habets' },
    southbound: 'connect ECONNREFUSED',
    underlayMtu: 1300,
  };
  assert.deepEqual(wrong(facts).toSorted(), ['arping', 'ovn-remote', 'underlay']);
});

test('judge() tells of an underlay through which nothing of the usual size reaches an overlay network, and calls it no fault', () => {
  const findings = judge({ ...GOOD, underlayMtu: 1500 }, ALL);
  const [said] = findings.filter(({ grade }) => grade !== 'ok');
  assert.deepEqual([said?.about, said?.grade], ['underlay', 'less']);
  assert.match(said?.text ?? '', /carry 1442 bytes, and nothing larger reaches their instances from outside/);
  assert.match(said?.remedy ?? '', /mtu 1558 or more/);
  assert.equal(exitStatus(findings), 0);
});

test('judge() asks of each role only what the role needs', () => {
  const bare = { ...GOOD, programs: { 'ovn-northd': 'ovn-northd 23.03.1', openssl: 'OpenSSL 3.0' } };
  assert.equal(exitStatus(judge(bare, ['server'])), 0);
  assert.equal(exitStatus(judge(bare, ['router'])), 1);
});

test('formatFindings() puts what is wrong first and ends with a sum', () => {
  const lines = formatFindings(judge({ ...GOOD, clockSynchronized: false }, ALL))
    .trimEnd()
    .split('\n');
  assert.match(lines[0]!, /^DANGER {2}clock/);
  assert.match(lines[1]!, /-> apt-get install/);
  assert.equal(lines.at(-1), '1 to put right');
});

test('judge() asks gateways for their wires and witnesses not, and both for restarts without a loss', () => {
  const { 'ovn-bridge-mappings': _, 'ovn-ofctrl-wait-before-clear': __, ...settings } = GOOD.ovs!.settings;
  const facts: Facts = { ...GOOD, ovs: { ...GOOD.ovs!, settings }, programs: { ...GOOD.programs, virsh: undefined } };
  const about = (role: 'gateway' | 'witness'): string[] =>
    judge(facts, [role])
      .filter(({ grade }) => grade !== 'ok')
      .map((finding) => finding.about);
  assert.deepEqual(about('gateway'), ['ovn-bridge-mappings', 'ovn-ofctrl-wait-before-clear']);
  assert.deepEqual(about('witness'), ['ovn-ofctrl-wait-before-clear']);
});

test('judge() asks a router node for what it announces and ends connections with, which a hypervisor does without', () => {
  const facts: Facts = { ...GOOD, programs: { ...GOOD.programs, arping: undefined, conntrack: undefined } };
  const about = (role: 'hypervisor' | 'router'): string[] =>
    judge(facts, [role])
      .filter(({ grade }) => grade !== 'ok')
      .map((finding) => finding.about);
  assert.deepEqual(about('router'), ['conntrack', 'arping']);
  assert.deepEqual(about('hypervisor'), []);
});
