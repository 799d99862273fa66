// The rows the intent is made of, kept in memory with indexes: read whole once, afterwards only those that changed.
// Apart from intent-units.ts, which makes units of them, because this half knows SQL and that half knows the model.
import { sql } from 'kysely';
import type { Db } from './open.ts';
import type { IntentTable, Tables } from './schema.ts';

// Only what has a consequence on the network: a new name of a VPC's display text is nobody's concern down there.
const COLUMNS = {
  zone: ['id', 'name', 'dns1', 'dns2'],
  physicalnetwork: ['id', 'name'],
  host: ['id', 'name', 'underlayip', 'serial', 'kind', 'state', 'resourcestate', 'facts'],
  vpc: ['id', 'name', 'account', 'zone', 'cidr', 'networkdomain', 'offering', 'gatewayturn', 'gatewayavoid'],
  network: [
    'id',
    'name',
    'account',
    'zone',
    'physicalnetwork',
    'offering',
    'guesttype',
    'vpc',
    'cidr',
    'gateway',
    'segment',
    'vlan',
    'acl',
    'networkdomain',
    'dns1',
    'dns2',
    'gatewayturn',
    'gatewayavoid',
    'serviceip',
    'ip6cidr',
    'ip6gateway',
    'dhcpoptions',
  ],
  privategateway: ['id', 'vpc', 'network', 'ip', 'acl'],
  staticroute: ['id', 'vpc', 'cidr', 'nexthop'],
  acl: ['id', 'name'],
  aclitem: [
    'id',
    'acl',
    'number',
    'protocol',
    'startport',
    'endport',
    'icmptype',
    'icmpcode',
    'traffictype',
    'action',
    'cidrlist',
  ],
  instance: [
    'id',
    'name',
    'hostname',
    'host',
    'lasthost',
    'power',
    'boot',
    'passwordhash',
    'serviceoffering',
    'migratefrom',
    'zone',
    'userdata',
    'keypairs',
    'onetimepassword',
    'passwordturn',
  ],
  nic: ['id', 'instance', 'network', 'ip', 'ip6', 'mac', 'isdefault', 'deviceid', 'moved', 'dhcpoptions'],
  nicaddress: ['id', 'nic', 'ip', 'moved'],
  switch: [
    'id',
    'name',
    'driver',
    'address',
    'options',
    'secret',
    'nativevlan',
    'apply',
    'confirmed',
    'physicalnetwork',
  ],
  switchport: ['id', 'switch', 'name', 'role', 'host', 'managed'],
  member: ['id', 'network', 'device', 'switchport', 'ip', 'mac', 'tagged', 'isgateway', 'moved', 'state'],
  device: ['id', 'name', 'mac'],
  networkroute: ['id', 'network', 'cidr', 'member'],
  networkrouter: ['id', 'network', 'host', 'ip', 'priority'],
  publicip: [
    'id',
    'publicrange',
    'ip',
    'network',
    'vpc',
    'issourcenat',
    'helperslot',
    'nic',
    'vmip',
    'acl',
    'state',
    'moved',
  ],
  portforward: [
    'id',
    'publicip',
    'network',
    'protocol',
    'publicport',
    'publicendport',
    'privateport',
    'privateendport',
    'nic',
    'vmip',
    'cidrlist',
  ],
  firewallrule: [
    'id',
    'direction',
    'family',
    'network',
    'publicip',
    'protocol',
    'startport',
    'endport',
    'icmptype',
    'icmpcode',
    'cidrlist',
    'destcidrlist',
  ],
  loadbalancer: [
    'id',
    'publicip',
    'network',
    'protocol',
    'publicport',
    'privateport',
    'algorithm',
    'cidrlist',
    'stickiness',
    'healthcheck',
  ],
  balancermember: ['id', 'loadbalancer', 'nic', 'ip'],
  internalbalancer: ['id', 'network', 'sourceip', 'protocol', 'publicport', 'privateport', 'algorithm'],
  internalmember: ['id', 'internalbalancer', 'nic', 'ip'],
  remotevpn: ['id', 'publicip', 'vpc', 'network', 'kind', 'cidr', 'port', 'secrets', 'certificates'],
  vpnuser: ['id', 'username', 'password', 'passwordhash', 'cidrlist', 'state'],
  vpnclient: ['id', 'remotevpn', 'vpnuser', 'ip', 'serial', 'publickey', 'presharedkey', 'endpoint'],
  vpngateway: ['id', 'vpc', 'publicip', 'privatekey'],
  customergateway: [
    'id',
    'kind',
    'gateway',
    'cidrlist',
    'psk',
    'publickey',
    'port',
    'ikepolicy',
    'esppolicy',
    'ikelifetime',
    'esplifetime',
    'dpd',
    'forceencap',
    'ikeversion',
    'splitconnections',
  ],
  vpnconnection: ['id', 'vpngateway', 'customergateway', 'passive', 'epoch'],
  scan: ['id', 'network', 'host', 'state', 'route', 'nic', 'target'],
  publicrange: [
    'id',
    'zone',
    'network',
    'account',
    'domain',
    'physicalnetwork',
    'vlan',
    'gateway',
    'netmask',
    'ip6cidr',
    'ip6gateway',
  ],
  networkoffering: [
    'id',
    'services',
    'networkmode',
    'egressdefaultpolicy',
    'capabilities',
    'networkrate',
    'internetprotocol',
  ],
  vpcoffering: ['id', 'services', 'redundant', 'capabilities', 'internetprotocol'],
  serviceoffering: ['id', 'name', 'cpunumber', 'memory', 'networkrate'],
} as const satisfies {
  [T in IntentTable | 'networkoffering' | 'vpcoffering' | 'serviceoffering']: readonly (keyof Tables[T])[];
};

type LoadedTable = keyof typeof COLUMNS;

/** A row of a loaded table, with the columns that are loaded. */
export type Row<T extends LoadedTable> = Pick<Tables[T], (typeof COLUMNS)[T][number] & keyof Tables[T]>;

// Column -> for which other tables' rows it is looked up.
const INDEXES = {
  zone: [],
  physicalnetwork: [],
  host: [],
  vpc: [],
  network: ['vpc', 'acl', 'zone', 'physicalnetwork'],
  privategateway: ['vpc', 'network', 'acl'],
  staticroute: ['vpc'],
  acl: [],
  aclitem: ['acl'],
  instance: ['lasthost', 'host', 'migratefrom'],
  nic: ['network', 'instance'],
  nicaddress: ['nic'],
  switch: [],
  switchport: ['switch', 'host'],
  member: ['network', 'switchport', 'device'],
  device: [],
  networkroute: ['network', 'member'],
  networkrouter: ['network', 'host'],
  publicip: ['network', 'vpc', 'nic', 'acl', 'publicrange'],
  portforward: ['publicip', 'network', 'nic'],
  firewallrule: ['publicip', 'network'],
  loadbalancer: ['publicip', 'network'],
  balancermember: ['loadbalancer', 'nic'],
  internalbalancer: ['network'],
  internalmember: ['internalbalancer', 'nic'],
  remotevpn: ['publicip', 'vpc', 'network'],
  vpnuser: [],
  vpnclient: ['remotevpn', 'vpnuser'],
  vpngateway: ['vpc', 'publicip'],
  customergateway: [],
  vpnconnection: ['vpngateway', 'customergateway'],
  scan: ['host', 'network'],
  publicrange: ['zone', 'physicalnetwork'],
  networkoffering: [],
  vpcoffering: [],
  serviceoffering: [],
} as const satisfies { [T in LoadedTable]: readonly (keyof Row<T>)[] };

type IndexOf<T extends LoadedTable> = (typeof INDEXES)[T][number];

/** The rows of one table. Lists are in ascending order of id. */
export interface RowSet<T extends LoadedTable> {
  get(id: string): Row<T> | undefined;
  all(): Iterable<Row<T>>;
  by(index: IndexOf<T>, key: string): readonly Row<T>[];
  /** Replaces the row with this id (undefined: it is gone) and gives the one that was there. */
  put(id: string, row: Row<T> | undefined): Row<T> | undefined;
}

export type Rows = { readonly [T in LoadedTable]: RowSet<T> };

/** Offerings are no intent: what matters of them here never changes, so they are read when first needed. */
const OFFERINGS = ['networkoffering', 'vpcoffering', 'serviceoffering'] as const;

/** Reads everything. */
export async function loadRows(db: Db): Promise<Rows> {
  const rows = Object.fromEntries(
    (Object.keys(COLUMNS) as LoadedTable[]).map((table) => [table, createRowSet(INDEXES[table])]),
  ) as unknown as Rows;
  for (const table of Object.keys(COLUMNS) as LoadedTable[]) await fill(db, rows, table);
  return rows;
}

async function fill<T extends LoadedTable>(db: Db, rows: Rows, table: T): Promise<void> {
  for (const row of await select(db, table)) (rows[table] as unknown as RowSet<T>).put(row.id, row);
}

/** A row that was touched, as it was and as it is now. */
export type Touched = {
  readonly [T in IntentTable]: {
    readonly table: T;
    readonly id: string;
    readonly was: Row<T> | undefined;
    readonly is: Row<T> | undefined;
  };
}[IntentTable];

/** Reads the rows with these ids again and gives what was and what is. Ids that never were give neither. */
export async function rereadRows<T extends IntentTable>(
  db: Db,
  rows: Rows,
  table: T,
  ids: readonly string[],
): Promise<Touched[]> {
  const set = rows[table] as unknown as RowSet<T>;
  const touched: Touched[] = [];
  for (let start = 0; start < ids.length; start += 500) {
    const part = ids.slice(start, start + 500);
    const found = new Map((await select(db, table, part)).map((row) => [row.id, row]));
    for (const id of part) {
      const is = found.get(id);
      const was = set.put(id, is);
      touched.push({ table, id, was, is } as unknown as Touched);
    }
  }
  return touched;
}

/** Reads offerings again if a touched row names one that is not known yet. */
export async function completeOfferings(db: Db, rows: Rows, touched: readonly Touched[]): Promise<void> {
  const missing = touched.some(
    (one) =>
      (one.table === 'vpc' && one.is !== undefined && rows.vpcoffering.get(one.is.offering) === undefined) ||
      (one.table === 'network' && one.is !== undefined && rows.networkoffering.get(one.is.offering) === undefined) ||
      (one.table === 'instance' &&
        one.is !== undefined &&
        rows.serviceoffering.get(one.is.serviceoffering) === undefined),
  );
  if (!missing) return;
  for (const table of OFFERINGS) await fill(db, rows, table);
}

async function select<T extends LoadedTable>(
  db: Db,
  table: T,
  ids?: readonly string[],
): Promise<(Row<T> & { id: string })[]> {
  const columns = sql.join(COLUMNS[table].map((column) => sql.ref(column)));
  const where = ids === undefined ? sql`` : sql` where id in (${sql.join(ids)})`;
  const result = await sql<Row<T> & { id: string }>`select ${columns} from ${sql.table(table)}${where}`.execute(db);
  return result.rows;
}

function createRowSet<T extends LoadedTable>(indexes: readonly string[]): RowSet<T> {
  type Any = Readonly<Record<string, unknown>>;
  const byId = new Map<string, Row<T>>();
  const lookup = new Map(indexes.map((index) => [index, new Map<string, Map<string, Row<T>>>()]));

  function file(row: Row<T>, id: string): void {
    for (const [index, keys] of lookup) {
      const key = (row as Any)[index];
      if (typeof key !== 'string') continue;
      const filed = keys.get(key);
      if (filed === undefined) keys.set(key, new Map([[id, row]]));
      else filed.set(id, row);
    }
  }

  function unfile(row: Row<T>, id: string): void {
    for (const [index, keys] of lookup) {
      const key = (row as Any)[index];
      if (typeof key !== 'string') continue;
      const filed = keys.get(key);
      filed?.delete(id);
      if (filed?.size === 0) keys.delete(key);
    }
  }

  return {
    get: (id) => byId.get(id),
    all: () => byId.values(),
    by(index, key) {
      const filed = lookup.get(index as string)?.get(key);
      if (filed === undefined) return [];
      return [...filed].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
    },
    put(id, row) {
      const was = byId.get(id);
      if (was !== undefined) unfile(was, id);
      if (row === undefined) byId.delete(id);
      else {
        byId.set(id, row);
        file(row, id);
      }
      return was;
    },
  };
}
