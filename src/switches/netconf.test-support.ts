// For tests of this layer: a real NETCONF server, Debian's netconfd (yuma123) behind sshd's subsystem, with the part of OpenConfig's
// model that a switch port needs, as plain data.
import { mkdir, writeFile } from 'node:fs/promises';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { sleep } from '../lib/sleep.ts';
import type { PortActual } from '../protocol/switch.ts';
import type { NetconfSession } from './netconf-session.ts';
import { portsOf } from './openconfig.ts';
import { end, start, startSshServer, type TestSshServer } from './sshd.test-support.ts';
import { child } from './xml.ts';

/** Names and namespaces as in OpenConfig; only what we read or write. */
const MODULES: Readonly<Record<string, string>> = {
  'openconfig-interfaces': `
    namespace "http://openconfig.net/yang/interfaces"; prefix oc-if; revision 2026-01-01;
    container interfaces { list interface { key name;
      leaf name { type string; }
      container config { leaf description { type string; } } } }`,
  'openconfig-if-ethernet': `
    namespace "http://openconfig.net/yang/interfaces/ethernet"; prefix oc-eth;
    import openconfig-interfaces { prefix oc-if; } revision 2026-01-01;
    augment "/oc-if:interfaces/oc-if:interface" { container ethernet { } }`,
  'openconfig-vlan': `
    namespace "http://openconfig.net/yang/vlan"; prefix oc-vlan;
    import openconfig-interfaces { prefix oc-if; } import openconfig-if-ethernet { prefix oc-eth; } revision 2026-01-01;
    typedef vlan-id { type uint16 { range "1..4094"; } }
    augment "/oc-if:interfaces/oc-if:interface/oc-eth:ethernet" { container switched-vlan { container config {
      leaf interface-mode { type enumeration { enum ACCESS; enum TRUNK; } }
      leaf native-vlan { type vlan-id; must "not(. = 666)" { error-message "VLAN 666 is reserved on this switch"; } }
      leaf access-vlan { type vlan-id; must "not(. = 666)" { error-message "VLAN 666 is reserved on this switch"; } }
      leaf-list trunk-vlans { type union { type vlan-id; type string { pattern "[0-9]+\\.\\.[0-9]+"; } } } } } }`,
};

export interface TestNetconfServer extends TestSshServer {
  stop(): Promise<void>;
}

/** Starts both programs; `more` are options of netconfd besides. Ready when its socket is there. */
export async function startNetconf(...more: readonly string[]): Promise<TestNetconfServer> {
  const socket = (directory: string): string => join(directory, 'ncx.sock');
  const ssh = await startSshServer(({ directory, port }) => [
    `Subsystem netconf "/usr/sbin/netconf-subsystem --ncxserver-sockname=${port}@${socket(directory)}"`,
  ]);
  const { directory, port, user } = ssh;
  await mkdir(join(directory, 'yang'));
  for (const [name, body] of Object.entries(MODULES))
    await writeFile(join(directory, 'yang', `${name}.yang`), `module ${name} { yang-version 1; ${body} }\n`);
  const daemon = start(
    [
      'netconfd',
      ...Object.keys(MODULES).map((name) => `--module=${join(directory, 'yang', `${name}.yang`)}`),
      `--modpath=${join(directory, 'yang')}:/usr/share/yuma/modules`,
      `--superuser=${user}`,
      '--target=candidate',
      '--no-startup',
      `--port=${port}`,
      `--log=${join(directory, 'netconfd.log')}`,
      `--ncxserver-sockname=${socket(directory)}`,
      ...more,
    ],
    { HOME: directory },
  );
  for (let tries = 0; !(await there(socket(directory))); tries++) {
    if (tries === 250 || daemon.exitCode !== null) throw new Error('netconfd (package netconfd) did not come up');
    await sleep(20);
  }
  return {
    ...ssh,
    async stop() {
      await end(daemon);
      await ssh.stop();
    },
  };
}

const INTERFACES = 'http://openconfig.net/yang/interfaces';
const NC = 'urn:ietf:params:xml:ns:netconf:base:1.0';

/** The ports as they are configured, asked for by somebody else than the driver. */
export async function runningPorts(engineer: NetconfSession): Promise<readonly PortActual[]> {
  const filter = `<filter type="subtree"><interfaces xmlns="${INTERFACES}"/></filter>`;
  const reply = await engineer.request(`<get-config><source><running/></source>${filter}</get-config>`);
  return portsOf(child(reply, 'data'));
}

/** Gives the server these ports and no others, in no VLAN. */
export async function plainPorts(engineer: NetconfSession, names: readonly string[]): Promise<void> {
  const ports = names.map(
    (name) =>
      `<interface nc:operation="replace"><name>${name}</name><config><description>ours</description></config></interface>`,
  );
  const config = `<config><interfaces xmlns="${INTERFACES}" xmlns:nc="${NC}">${ports.join('')}</interfaces></config>`;
  // The first edit after the start is acknowledged and lost.
  for (let tries = 0; tries < 3; tries++) {
    await engineer.request(`<edit-config><target><candidate/></target>${config}</edit-config>`);
    await engineer.request('<commit/>');
    if ((await runningPorts(engineer)).length === names.length) return;
  }
  throw new Error('the server does not take its ports');
}

function there(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
