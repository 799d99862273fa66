// Small desired states for tests: units with a router, a switch, DHCP, a port group, shaped like the compiler's output but
// made without it, so that the planner is tested against the contract alone.
import * as fc from 'fast-check';
import type { Desired, DesiredRow, DesiredUnit, Value } from '../compile/desired.ts';
import { derivedId } from '../lib/id.ts';

export interface UnitShape {
  readonly ports: readonly number[];
  readonly routes: readonly number[];
  readonly rules: readonly number[];
  readonly tagged: boolean;
  readonly dhcp: boolean;
  readonly binding: boolean;
  readonly name: string;
}

export const SMALL: UnitShape = {
  ports: [1],
  routes: [1],
  rules: [],
  tagged: false,
  dhcp: true,
  binding: false,
  name: 'a',
};

/** One unit: a router with a leg on a switch, instance ports, routes, filter rules. */
export function unit(key: string, shape: Partial<UnitShape> = {}): DesiredUnit {
  const { ports, routes, rules, tagged, dhcp, binding, name } = { ...SMALL, ...shape };
  const id = (part: string): string => derivedId(`${key}/${part}`);
  const leg = `lrp-${key}`;
  const row = (table: string, part: string, columns: Record<string, Value>): DesiredRow => {
    const ids = { id: part, unit: key };
    return {
      table,
      uuid: table === 'Static_MAC_Binding' ? derivedId(`${table}/${leg}/${String(columns['ip'])}`) : id(part),
      columns: table === 'Static_MAC_Binding' ? columns : { ...columns, external_ids: ids },
    };
  };
  const nics = ports.map((number) => `nic${number}`);
  const acls = rules.map((number) => `rule${number}`);
  const members = ports.map((number) => `${key}-nic${number}`);
  const rows = [
    row('Logical_Router', 'router', {
      name: `lr-${key}`,
      options: { dynamic_neigh_routers: 'true', note: name },
      ports: [id('leg')],
      static_routes: routes.map((number) => id(`route${number}`)),
    }),
    row('Logical_Router_Port', 'leg', { name: leg, mac: '02:00:00:00:00:01', networks: ['10.0.0.1/24'] }),
    ...routes.map((number) =>
      row('Logical_Router_Static_Route', `route${number}`, { ip_prefix: `10.${number}.0.0/16`, nexthop: '10.0.0.254' }),
    ),
    row('Logical_Switch', 'switch', { name: `ls-${key}`, ports: [id('uplink'), ...nics.map(id)] }),
    row('Logical_Switch_Port', 'uplink', {
      name: `up-${key}`,
      type: 'router',
      addresses: ['router'],
      options: { 'router-port': leg },
    }),
    ...ports.map((number, at) =>
      row('Logical_Switch_Port', nics[at]!, {
        name: members[at]!,
        addresses: [`02:00:00:00:01:0${number} 10.0.0.${number + 10}`],
        ...(tagged ? { tag_request: [7], enabled: [true] } : {}),
        ...(dhcp ? { dhcpv4_options: [id('dhcp')] } : {}),
      }),
    ),
    row('Port_Group', 'group', { name: `pg_${key.replaceAll(/\W/g, '_')}`, ports: nics.map(id), acls: acls.map(id) }),
    ...acls.map((acl, at) =>
      row('ACL', acl, {
        direction: 'to-lport',
        priority: 1000 + at,
        match: `ip4.src==10.${rules[at]}.0.0/16`,
        action: 'allow-related',
      }),
    ),
    ...(dhcp
      ? [row('DHCP_Options', 'dhcp', { cidr: '10.0.0.0/24', options: { lease_time: '3600', mtu: '1442' } })]
      : []),
    ...(binding
      ? [row('Static_MAC_Binding', 'binding', { logical_port: leg, ip: '10.0.0.254', mac: '02:00:00:00:00:99' })]
      : []),
  ];
  return { key, rows, chassis: [], findings: [] };
}

export function desired(generation: number, ...units: readonly DesiredUnit[]): Desired {
  return { generation, units: new Map(units.map((one) => [one.key, one])) };
}

const numbers = fc.uniqueArray(fc.integer({ min: 1, max: 6 }), { maxLength: 4 });

const shape: fc.Arbitrary<UnitShape> = fc.record({
  ports: numbers,
  routes: numbers,
  rules: numbers,
  tagged: fc.boolean(),
  dhcp: fc.boolean(),
  binding: fc.boolean(),
  name: fc.constantFrom('a', 'b', 'ü "{'),
});

/** Up to four units of any shape. */
export const anyUnits: fc.Arbitrary<readonly DesiredUnit[]> = fc
  .dictionary(fc.constantFrom('vpc:1', 'vpc:2', 'network:3', 'network:4'), shape)
  .map((shapes) => Object.entries(shapes).map(([key, one]) => unit(key, one)));
