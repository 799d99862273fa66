// The lab's physical switch in the hands of its operator: registered with the product by requests, and changed behind the product's
// back as an engineer does it. Apart from the stories, since several begin with it.
import { labPaths } from '../lab/layout.ts';
import { field, rows, text } from './answer.ts';
import type { More } from './tenant.ts';
import type { World } from './story.ts';

export interface LabSwitch {
  readonly id: string;
  /** Registers a port, unless it is registered already; its id. `more` as addSwitchPort has it. */
  port(name: string, more?: More): Promise<string>;
  /** Registers the cables of these hypervisors. */
  trunks(nodes: readonly string[], more?: More): Promise<void>;
  /** Lets a domain with all below it use a port. */
  grant(port: string, domain: string): Promise<void>;
  /** What an engineer types at the switch itself: `ovs-vsctl` with these words; gives what it printed. */
  vsctl(...argv: readonly string[]): Promise<string>;
}

/** Registers the switch, looked at every second, unless it is registered already. Throws when a request is refused. */
export async function registerSwitch(world: World): Promise<LabSwitch> {
  const { operator, state, lab } = world;
  const { name, parking } = lab.topology.switch;
  const known = rows(await operator('listSwitches', { name }), 'switch')[0];
  const id = text(known ?? (await add()), 'id');

  async function add(): Promise<object> {
    const [physical] = rows(await operator('listPhysicalNetworks'), 'physicalnetwork');
    const folder = labPaths(state).node(name);
    await operator('updateConfiguration', { name: 'switch.review.interval', value: '1' });
    const added = await operator('addSwitch', {
      name,
      zoneid: text(physical, 'zoneid'),
      physicalnetworkid: text(physical, 'id'),
      driver: 'ovsdb',
      url: `unix:${folder}/db.sock`,
      'details[0].bridge': `br-${name}`,
      'details[0].rundir': folder,
      ...(parking === undefined ? {} : { nativevlan: `${parking}` }),
    });
    world.say(`switch ${name} is registered: Open vSwitch, spoken to over its database, free ports in VLAN ${parking}`);
    return field(added, 'switch');
  }

  const port: LabSwitch['port'] = async (portName, more = {}) => {
    const had = rows(await operator('listSwitchPorts', { switchid: id, name: portName }), 'switchport')[0];
    if (had !== undefined) return text(had, 'id');
    const added = await operator('addSwitchPort', { switchid: id, name: portName, ...more });
    return text(rows(added, 'switchport')[0], 'id');
  };

  return {
    id,
    port,
    async trunks(nodes, more = {}) {
      const hosts = rows(await operator('listHosts'), 'host');
      for (const node of nodes) {
        const host = hosts.find((each) => text(each, 'name') === node);
        await port(`${node}-eth0`, { role: 'hypervisor', hostid: text(host, 'id'), ...more });
      }
    },
    async grant(portId, domain) {
      const domains = rows(await operator('listDomains', { name: domain, listall: 'true' }), 'domain');
      await operator('grantSwitchPort', { id: portId, domainid: text(domains[0], 'id') });
    },
    async vsctl(...argv) {
      const { code, stdout, stderr } = await world.exec(name, ['ovs-vsctl', '--timeout=10', ...argv]);
      if (code !== 0) throw new Error(`ovs-vsctl ${argv.join(' ')} at ${name}: ${stderr.trim()}`);
      return stdout.trim();
    },
  };
}
