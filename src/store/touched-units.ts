// Which units of the intent a touched row changes: the other half of intent-units.ts, and to be kept in step with it.
import type { UnitKey } from '../model/intent.ts';
import type { Row, Rows, Touched } from './intent-rows.ts';
import { switchesAtHost, switchesOfInstance, switchesOfNetwork, withLinked } from './switch-unit.ts';

/** The unit a network belongs to: its VPC where it is a tier, else itself. */
function unitOfNetwork(row: Row<'network'>): UnitKey {
  return row.vpc === null ? `network:${row.id}` : `vpc:${row.vpc}`;
}

/**
 * Which units a touched row changes, as far as the rows know now: to be asked before and after rows were replaced, because a
 * row that left a unit changed that one, too.
 */
export function unitsOf(rows: Rows, touched: Touched): Set<UnitKey> {
  const units = new Set<UnitKey>();
  const network = (id: string): void => {
    const row = rows.network.get(id);
    if (row !== undefined) units.add(unitOfNetwork(row));
  };
  const host = (id: string | null | undefined): void => {
    if (typeof id === 'string') units.add(`host:${id}`);
  };
  const switches = (ids: readonly string[]): void => {
    for (const id of withLinked(rows, ids)) units.add(`switch:${id}`);
  };
  const instance = (row: Row<'instance'>): void => {
    for (const at of [row.lasthost, row.migratefrom]) host(at);
    switches(switchesOfInstance(rows, row));
    for (const nic of rows.nic.by('instance', row.id)) {
      network(nic.network);
      routers(nic.network);
    }
  };
  /** The router nodes of a network: their leases and rules name its instances. */
  const routers = (id: string | null | undefined): void => {
    if (typeof id === 'string') for (const leg of rows.networkrouter.by('network', id)) host(leg.host);
  };
  const nicOf = (id: string): void => {
    const nic = rows.nic.get(id);
    if (nic === undefined) return;
    network(nic.network);
    routers(nic.network);
    const owner = rows.instance.get(nic.instance);
    for (const at of [owner?.lasthost, owner?.migratefrom]) host(at);
  };
  /** Whoever has the public side that an address or a rule belongs to. */
  const publicSide = (row: { readonly network?: string | null; readonly vpc?: string | null } | undefined): void => {
    if (typeof row?.vpc === 'string') units.add(`vpc:${row.vpc}`);
    if (typeof row?.network !== 'string') return;
    // Router nodes do it for their networks, and then OVN does not.
    if (rows.networkrouter.by('network', row.network).length > 0) routers(row.network);
    else network(row.network);
  };
  const users = (acl: string): void => {
    for (const tierRow of rows.network.by('acl', acl)) units.add(unitOfNetwork(tierRow));
    for (const gateway of rows.privategateway.by('acl', acl)) units.add(`vpc:${gateway.vpc}`);
    for (const address of rows.publicip.by('acl', acl)) publicSide(address);
  };
  const { table } = touched;
  switch (table) {
    case 'zone':
      for (const row of rows.network.by('zone', touched.id)) {
        units.add(unitOfNetwork(row));
        // The resolvers its routers announce may be the zone's.
        routers(row.id);
      }
      // Instances are told the zone's name.
      if (touched.was?.name !== touched.is?.name) for (const row of rows.host.all()) host(row.id);
      break;
    case 'physicalnetwork':
      for (const row of rows.network.by('physicalnetwork', touched.id)) units.add(unitOfNetwork(row));
      break;
    case 'host':
      units.add('fabric').add(`host:${touched.id}`);
      // Both ends of a move are told of each other, and where the instance's ports are follows from both.
      for (const row of rows.instance.by('host', touched.id)) if (row.migratefrom !== null) instance(row);
      for (const row of rows.instance.by('migratefrom', touched.id)) instance(row);
      switches(switchesAtHost(rows, touched.id));
      // The other router of a pair is told name and address of this one.
      for (const leg of rows.networkrouter.by('host', touched.id)) routers(leg.network);
      if (touched.was?.name !== touched.is?.name)
        for (const row of rows.instance.by('lasthost', touched.id)) instance(row);
      break;
    case 'vpc':
      units.add(`vpc:${touched.id}`);
      break;
    case 'network':
      for (const row of [touched.was, touched.is]) if (row !== undefined) units.add(unitOfNetwork(row));
      // The size of packets its instances may send follows from the segment, and where they are told what from its services.
      for (const nic of rows.nic.by('network', touched.id)) {
        const owner = rows.instance.get(nic.instance);
        for (const at of [owner?.lasthost, owner?.migratefrom]) host(at);
      }
      routers(touched.id);
      switches(switchesOfNetwork(rows, touched.id));
      break;
    case 'privategateway':
      for (const row of [touched.was, touched.is])
        if (row !== undefined) {
          units.add(`vpc:${row.vpc}`).add(`network:${row.network}`);
          switches(switchesOfNetwork(rows, row.network));
        }
      break;
    case 'staticroute':
      for (const row of [touched.was, touched.is]) if (row !== undefined) units.add(`vpc:${row.vpc}`);
      break;
    case 'acl':
      users(touched.id);
      break;
    case 'aclitem':
      for (const row of [touched.was, touched.is]) if (row !== undefined) users(row.acl);
      break;
    case 'instance':
      for (const row of [touched.was, touched.is]) if (row !== undefined) instance(row);
      break;
    case 'nic':
      for (const row of [touched.was, touched.is]) {
        if (row === undefined) continue;
        network(row.network);
        routers(row.network);
        const owner = rows.instance.get(row.instance);
        for (const at of [owner?.lasthost, owner?.migratefrom]) host(at);
        switches(switchesOfInstance(rows, owner));
      }
      break;
    case 'nicaddress':
      for (const row of [touched.was, touched.is]) if (row !== undefined) nicOf(row.nic);
      break;
    case 'switch':
      switches([touched.id]);
      break;
    case 'switchport':
      for (const row of [touched.was, touched.is]) if (row !== undefined) switches([row.switch]);
      break;
    case 'device':
      for (const row of rows.member.by('device', touched.id)) {
        network(row.network);
        switches(switchesOfNetwork(rows, row.network));
      }
      break;
    case 'member':
      for (const row of [touched.was, touched.is]) {
        if (row === undefined) continue;
        network(row.network);
        routers(row.network);
        const port = rows.switchport.get(row.switchport);
        if (port !== undefined) switches([port.switch]);
      }
      break;
    case 'networkroute':
      for (const row of [touched.was, touched.is]) {
        if (row === undefined) continue;
        network(row.network);
        routers(row.network);
      }
      break;
    case 'networkrouter':
      for (const row of [touched.was, touched.is]) {
        if (row === undefined) continue;
        network(row.network);
        host(row.host);
        routers(row.network);
        switches(switchesAtHost(rows, row.host));
      }
      break;
    case 'publicrange':
      switches([...rows.switch.all()].map(({ id }) => id));
      for (const row of rows.publicip.by('publicrange', touched.id)) publicSide(row);
      // By which of them IPv6 leaves is decided among all of a zone.
      for (const zone of new Set([touched.was?.zone, touched.is?.zone]))
        if (zone !== undefined)
          for (const row of rows.network.by('zone', zone)) {
            if (row.ip6cidr === null) continue;
            units.add(unitOfNetwork(row));
            routers(row.id);
          }
      break;
    case 'publicip':
    case 'portforward':
    case 'firewallrule':
    case 'loadbalancer':
    case 'internalbalancer':
      for (const row of [touched.was, touched.is]) publicSide(row);
      break;
    case 'balancermember':
      for (const row of [touched.was, touched.is])
        if (row !== undefined) publicSide(rows.loadbalancer.get(row.loadbalancer));
      break;
    case 'internalmember':
      for (const row of [touched.was, touched.is])
        if (row !== undefined) publicSide(rows.internalbalancer.get(row.internalbalancer));
      break;
    case 'remotevpn':
      for (const row of [touched.was, touched.is]) publicSide(row);
      break;
    case 'vpnclient':
      for (const row of [touched.was, touched.is]) if (row !== undefined) publicSide(rows.remotevpn.get(row.remotevpn));
      break;
    case 'vpnuser':
      for (const client of rows.vpnclient.by('vpnuser', touched.id)) publicSide(rows.remotevpn.get(client.remotevpn));
      break;
    case 'vpngateway':
      for (const row of [touched.was, touched.is]) publicSide(row);
      break;
    case 'vpnconnection':
      for (const row of [touched.was, touched.is])
        if (row !== undefined) publicSide(rows.vpngateway.get(row.vpngateway));
      break;
    case 'customergateway':
      for (const row of rows.vpnconnection.by('customergateway', touched.id))
        publicSide(rows.vpngateway.get(row.vpngateway));
      break;
    case 'scan':
      for (const row of [touched.was, touched.is]) if (row !== undefined) host(row.host);
      break;
    default:
      table satisfies never;
  }
  return units;
}
