// The linter finds what it is there for: rows that were sound, broken one way each.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { check } from './check.ts';
import { compile } from './compile.ts';
import type { DesiredRow } from './desired.ts';
import { THREE_HOSTS, threeVpcs, vlan } from './sample.test-support.ts';

test('check() names a port without guard rails, a reference to nothing, a VLAN port without chassis, and doubles', () => {
  const desired = compile(threeVpcs(vlan(300)));
  const broken = (change: (row: DesiredRow) => readonly DesiredRow[]): string =>
    check(
      {
        ...desired,
        units: new Map([...desired.units].map(([key, unit]) => [key, { ...unit, rows: unit.rows.flatMap(change) }])),
      },
      THREE_HOSTS,
    ).join('\n');
  const without =
    (column: string) =>
    (row: DesiredRow): readonly DesiredRow[] => [
      { ...row, columns: Object.fromEntries(Object.entries(row.columns).filter(([key]) => key !== column)) },
    ];
  assert.match(broken(without('port_security')), /has no port security/);
  assert.match(
    broken((row) => (row.table === 'Port_Group' ? [] : [row])),
    /in no port group/,
  );
  assert.match(
    broken((row) => (row.table === 'DHCP_Options' ? [] : [row])),
    /refers in dhcpv4_options to DHCP_Options .* not there/,
  );
  assert.match(broken(without('gateway_chassis')), /is on a VLAN and has no gateway chassis/);
  assert.match(
    broken((row) => (row.table === 'ACL' ? [row, row] : [row])),
    /is in vpc:.* and in vpc:/,
  );
  assert.match(
    broken((row) => (row.table === 'Logical_Router_Port' ? [] : [row])),
    /which no router has/,
  );
  assert.match(broken(without('external_ids')), /not marked/);
});
