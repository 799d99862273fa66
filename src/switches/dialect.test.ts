// The lines for the network team, dialect by dialect: golden, and for SONiC run against a table of members.
import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { run } from '../lib/run.ts';
import { silentLog } from '../lib/log.ts';
import type { PortSpec, SwitchDocument } from '../protocol/switch.ts';
import { DIALECTS, linesFor } from './dialect.ts';
import { reviewSwitch, type Review } from './review.ts';
import { access, documentOf, trunk } from './switch.test-support.ts';

function told(dialect: string, ports: readonly PortSpec[], rest: Partial<SwitchDocument> = {}): Promise<Review> {
  const document = documentOf(ports, {
    driver: 'instructions',
    address: 'core1',
    options: { dialect },
    confirmed: 3,
    ...rest,
  });
  return reviewSwitch(document, { apply: true, log: silentLog() });
}

const lines = async (dialect: string, ports: readonly PortSpec[]): Promise<string> =>
  (await told(dialect, ports)).report.lines!.map((line) => `${line}\n`).join('');

const ports = (name: (number: number) => string): readonly PortSpec[] => [
  access(name(7), 1234),
  access(name(8), 20, [1234, 1235]),
  access(name(9)),
  trunk(name(1), [1234, 1235, 1300], [1400]),
  { ...trunk(name(2), [1234]), mode: 'check' },
];

test('cisco-ios: lines to type for access ports, trunks of devices and trunks of nodes', async () => {
  assert.equal(
    await lines(
      'cisco-ios',
      ports((number) => `GigabitEthernet1/0/${number}`),
    ),
    `! port GigabitEthernet1/0/2 (hypervisor GigabitEthernet1/0/2-host) is not ours to set: see that it carries VLAN 1234 (network net1234) tagged
vlan 20
 exit
vlan 1234
 exit
vlan 1235
 exit
vlan 1300
 exit
! port GigabitEthernet1/0/7 (device GigabitEthernet1/0/7-box): VLAN 1234 (network net1234) untagged
interface GigabitEthernet1/0/7
 switchport
 switchport mode access
 switchport access vlan 1234
 exit
! port GigabitEthernet1/0/8 (device GigabitEthernet1/0/8-box): VLAN 20 (network net20) untagged, VLAN 1234 (network net1234) tagged, VLAN 1235 (network net1235) tagged
interface GigabitEthernet1/0/8
 switchport
 switchport trunk native vlan 20
 switchport trunk allowed vlan 20,1234-1235
 switchport mode trunk
 exit
! port GigabitEthernet1/0/9 (nobody): no network
interface GigabitEthernet1/0/9
 switchport
 switchport mode access
 switchport access vlan 1
 exit
! port GigabitEthernet1/0/1 (hypervisor GigabitEthernet1/0/1-host): VLAN 1234 (network net1234) tagged, VLAN 1235 (network net1235) tagged, VLAN 1300 (network net1300) tagged
interface GigabitEthernet1/0/1
 switchport trunk allowed vlan add 1234-1235,1300
 switchport trunk allowed vlan remove 1400
 exit
end
copy running-config startup-config
`,
  );
});

test('arista-eos: the same words, another way to keep them', async () => {
  assert.equal(
    await lines('arista-eos', [access('Ethernet7', 1234)]),
    `vlan 1234
 exit
! port Ethernet7 (device Ethernet7-box): VLAN 1234 (network net1234) untagged
interface Ethernet7
 switchport
 switchport mode access
 switchport access vlan 1234
 exit
end
write memory
`,
  );
});

test('junos: members of ethernet-switching, the native VLAN among them', async () => {
  assert.equal(
    await lines('junos', [
      access('ge-0/0/7', 1234),
      access('ge-0/0/8', 20, [1234, 1235]),
      trunk('ge-0/0/1', [1234], [1400]),
    ]),
    `set vlans trunkline-20 vlan-id 20
set vlans trunkline-1234 vlan-id 1234
set vlans trunkline-1235 vlan-id 1235
# port ge-0/0/7 (device ge-0/0/7-box): VLAN 1234 (network net1234) untagged
delete interfaces ge-0/0/7 native-vlan-id
delete interfaces ge-0/0/7 unit 0 family ethernet-switching vlan
set interfaces ge-0/0/7 unit 0 family ethernet-switching interface-mode access
set interfaces ge-0/0/7 unit 0 family ethernet-switching vlan members 1234
# port ge-0/0/8 (device ge-0/0/8-box): VLAN 20 (network net20) untagged, VLAN 1234 (network net1234) tagged, VLAN 1235 (network net1235) tagged
delete interfaces ge-0/0/8 native-vlan-id
delete interfaces ge-0/0/8 unit 0 family ethernet-switching vlan
set interfaces ge-0/0/8 native-vlan-id 20
set interfaces ge-0/0/8 unit 0 family ethernet-switching interface-mode trunk
set interfaces ge-0/0/8 unit 0 family ethernet-switching vlan members 20
set interfaces ge-0/0/8 unit 0 family ethernet-switching vlan members 1234-1235
# port ge-0/0/1 (hypervisor ge-0/0/1-host): VLAN 1234 (network net1234) tagged
set interfaces ge-0/0/1 unit 0 family ethernet-switching vlan members 1234
delete interfaces ge-0/0/1 unit 0 family ethernet-switching vlan members 1400
commit
`,
  );
});

test('sonic: the lines make a port exactly what is wanted, whatever it was, and touch no other', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'tl-sonic-'));
  try {
    const table = join(directory, 'members');
    // Programs of SONiC over a text file: `Vlan7|Ethernet1 tagged`.
    const programs = {
      sudo: 'exec "$@"',
      'sonic-db-cli': `shift; if [ "$1" = keys ]; then p=\${2#VLAN_MEMBER|\\*|}; awk -F'[| ]' -v p="$p" '$2 == p {print "VLAN_MEMBER|" $1 "|" $2}' ${table}
        else k=\${2#VLAN_MEMBER|}; awk -v k="$k" '$1 == k {print $2}' ${table}; fi`,
      config: `case "$1 $2 $3" in
        "vlan member add") m=tagged; [ "$4" != -u ] || { m=untagged; shift; }; ! grep -q "^Vlan$4|$5 " ${table} || { echo "already a member"; exit 1; }; echo "Vlan$4|$5 $m" >>${table} ;;
        "vlan member del") grep -v "^Vlan$4|$5 " ${table} >${table}.new; mv ${table}.new ${table} ;;
        "vlan add $3") [ "$3" != 1234 ] || { echo "1234 already exists"; exit 1; } ;;
        "save -y "*) ;;
        *) echo "unknown: $*"; exit 2 ;;
      esac`,
    };
    for (const [name, body] of Object.entries(programs)) {
      await writeFile(join(directory, name), `#!/bin/sh\n${body}\n`);
      await chmod(join(directory, name), 0o755);
    }
    await writeFile(
      table,
      'Vlan1|Ethernet7 untagged\nVlan1234|Ethernet7 tagged\nVlan9|Ethernet8 tagged\nVlan9|Ethernet70 tagged\nVlan9|Ethernet1 tagged\nVlan1400|Ethernet1 tagged\n',
    );
    const script = await lines('sonic', [
      access('Ethernet7', 1234, [20]),
      access('Ethernet8'),
      trunk('Ethernet1', [1234], [1400]),
    ]);
    for (let twice = 0; twice < 2; twice++) {
      const { stdout, stderr } = await run(['bash', '-e'], {
        input: script,
        env: { PATH: `${directory}:${process.env['PATH']}` },
      });
      assert.doesNotMatch(stdout + stderr, /unknown|not found/);
      const members = (await readFile(table, 'utf8')).trim().split('\n').toSorted();
      assert.deepEqual(members, [
        'Vlan1234|Ethernet1 tagged',
        'Vlan1234|Ethernet7 untagged',
        'Vlan1|Ethernet8 untagged',
        'Vlan20|Ethernet7 tagged',
        'Vlan9|Ethernet1 tagged',
        'Vlan9|Ethernet70 tagged',
      ]);
    }
  } finally {
    await rm(directory, { recursive: true });
  }
});

test('a long list of VLANs is cut into lines that a switch takes', () => {
  const vlans = Array.from({ length: 100 }, (_, index) => 2 + index * 2);
  const made = linesFor(documentOf([access('Gi1', 1, vlans), trunk('Gi2', vlans)]), DIALECTS['cisco-ios']);
  assert.ok(made.every((line) => line.length < 254));
  const allowed = made.filter((line) => line.includes('allowed vlan'));
  assert.equal(
    allowed.filter((line) => !line.includes('allowed vlan add')).length,
    1,
    'only the first sets, the others add',
  );
});

test('a switch under instructions: the lines until they are confirmed, then the document is true', async () => {
  const waiting = await told('cisco-ios', [access('Gi1/0/7', 1234)]);
  assert.deepEqual(
    [waiting.report.generation, waiting.report.error, waiting.steps, waiting.report.actual],
    [3, undefined, [], undefined],
  );
  assert.ok(waiting.report.lines!.length > 0);
  const done = await told('cisco-ios', [access('Gi1/0/7', 1234)], { confirmed: 7 });
  assert.deepEqual([done.report.generation, done.report.lines], [7, undefined]);
  assert.deepEqual(done.report.actual?.ports, [{ name: 'Gi1/0/7', untagged: 1234, tagged: [] }]);
  const nothing = await told('cisco-ios', []);
  assert.deepEqual(
    [nothing.report.generation, nothing.report.lines],
    [7, undefined],
    'nothing to type, nothing to wait for',
  );
});

test('no name and no option can put a line of its own among the lines', async () => {
  const evil = { ...access('Gi1', 5), behind: 'device a\nreload', because: { 5: 'blue\nno vlan 1\r\n' } };
  for (const dialect of ['cisco-ios', 'arista-eos', 'junos', 'sonic'])
    for (const line of (await told(dialect, [evil])).report.lines!) {
      assert.doesNotMatch(line, /[\n\r]/);
      if (/reload|no vlan/.test(line)) assert.match(line, /^[!#] /);
    }
  for (const name of ['Gi1\nreload', 'Gi1 reload', 'Gi1;reload', "e'x", '$(id)', '-x', ''])
    assert.match(
      (await told('sonic', [{ ...access('Gi1', 5), name }])).report.error!,
      /cannot be a port of it: a port's name is letters/,
    );
  assert.match(
    (await told('nexus', [])).report.error!,
    /option dialect: which lines to print: cisco-ios, arista-eos, junos or sonic/,
  );
});
