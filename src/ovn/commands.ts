// The ovn-nbctl(8) command for each kind of row: the natural one where there is one (lr-add, lsp-add, lr-route-add), the
// database commands (create, set, destroy) where there is none or where it does not say everything.
import type { Value } from '../compile/desired.ts';
import { isDefault, isScalar } from './codec.ts';
import type { Change } from './change.ts';
import type { Row } from './replica.ts';
import type { ColumnType, DatabaseSchema } from './schema.ts';

export interface Names {
  /** The row that refers to this row strongly, as far as the change touches it. */
  parent(uuid: string): Row | undefined;
  /** The row's name; its uuid when it has none. */
  name(table: string, uuid: string): string;
}

interface Context {
  readonly row: Row;
  readonly uuid: string;
  /** Name of the row that holds this one. */
  readonly parent: string;
  readonly names: Names;
}

interface Command {
  /** What the row is, in the words of a network engineer. */
  readonly thing: (context: Context) => string;
  readonly add: (context: Context) => readonly string[];
  readonly remove: (context: Context) => readonly string[];
  /** Columns that `add` says; the others are set behind it. */
  readonly says: readonly string[];
  /** Columns with a command of their own. */
  readonly also?: Readonly<Record<string, (context: Context) => readonly string[]>>;
}

const COMMANDS: Readonly<Record<string, Command>> = {
  Logical_Switch: {
    thing: ({ row }) => `switch ${text(row, 'name')}`,
    says: ['name'],
    add: ({ row }) => ['ls-add', text(row, 'name')],
    remove: ({ row }) => ['ls-del', text(row, 'name')],
  },
  Logical_Router: {
    thing: ({ row }) => `router ${text(row, 'name')}`,
    says: ['name'],
    add: ({ row }) => ['lr-add', text(row, 'name')],
    remove: ({ row }) => ['lr-del', text(row, 'name')],
  },
  Logical_Switch_Port: {
    thing: ({ row, parent }) => `port ${text(row, 'name')} on switch ${parent}`,
    says: ['name'],
    add: ({ row, parent }) => ['lsp-add', parent, text(row, 'name')],
    remove: ({ row }) => ['lsp-del', text(row, 'name')],
    also: {
      type: ({ row }) => ['lsp-set-type', text(row, 'name'), text(row, 'type')],
      addresses: ({ row }) => ['lsp-set-addresses', text(row, 'name'), ...list(row, 'addresses')],
      port_security: ({ row }) => ['lsp-set-port-security', text(row, 'name'), ...list(row, 'port_security')],
      options: ({ row }) => ['lsp-set-options', text(row, 'name'), ...options(row)],
      dhcpv4_options: ({ row }) => ['lsp-set-dhcpv4-options', text(row, 'name'), ...list(row, 'dhcpv4_options')],
    },
  },
  Logical_Router_Port: {
    thing: ({ row, parent }) => `port with ${list(row, 'networks').join(', ')} on router ${parent}`,
    says: ['name', 'mac', 'networks'],
    add: ({ row, parent }) => ['lrp-add', parent, text(row, 'name'), text(row, 'mac'), ...list(row, 'networks')],
    remove: ({ row }) => ['lrp-del', text(row, 'name')],
  },
  Gateway_Chassis: {
    thing: ({ row, parent }) => `gateway chassis ${text(row, 'chassis_name')} for router port ${parent}`,
    says: ['name', 'chassis_name', 'priority'],
    add: ({ row, parent }) => [
      'lrp-set-gateway-chassis',
      parent,
      text(row, 'chassis_name'),
      text(row, 'priority', '0'),
    ],
    remove: ({ row, parent }) => ['lrp-del-gateway-chassis', parent, text(row, 'chassis_name')],
  },
  Logical_Router_Static_Route: {
    thing: ({ row, parent }) => `route to ${text(row, 'ip_prefix')} by ${text(row, 'nexthop')} on router ${parent}`,
    says: ['ip_prefix', 'nexthop', 'output_port', 'policy'],
    add: ({ row, parent }) => [
      ...list(row, 'policy').map((policy) => `--policy=${policy}`),
      'lr-route-add',
      parent,
      text(row, 'ip_prefix'),
      text(row, 'nexthop'),
      ...list(row, 'output_port'),
    ],
    remove: ({ row, parent }) => ['lr-route-del', parent, text(row, 'ip_prefix'), text(row, 'nexthop')],
  },
  Logical_Router_Policy: {
    thing: ({ row, parent }) => `policy of priority ${text(row, 'priority', '0')} on router ${parent}`,
    says: ['priority', 'match', 'action', 'nexthop'],
    add: ({ row, parent }) => [
      'lr-policy-add',
      parent,
      text(row, 'priority', '0'),
      text(row, 'match'),
      text(row, 'action'),
      ...list(row, 'nexthop'),
    ],
    remove: ({ row, parent }) => ['lr-policy-del', parent, text(row, 'priority', '0'), text(row, 'match')],
  },
  ACL: {
    thing: ({ row, parent }) => `${text(row, 'direction')} rule of priority ${text(row, 'priority', '0')} on ${parent}`,
    says: ['direction', 'priority', 'match', 'action'],
    add: ({ row, parent }) => ['acl-add', parent, ...acl(row), text(row, 'action')],
    remove: ({ row, parent }) => ['acl-del', parent, ...acl(row)],
  },
  Port_Group: {
    thing: ({ row }) => `port group ${text(row, 'name')}`,
    says: ['name', 'ports'],
    add: ({ row, names }) => ['pg-add', text(row, 'name'), ...portNames(row, names)],
    remove: ({ row }) => ['pg-del', text(row, 'name')],
    also: { ports: ({ row, names }) => ['pg-set-ports', text(row, 'name'), ...portNames(row, names)] },
  },
  NAT: {
    thing: ({ row, parent }) => `translation of ${text(row, 'external_ip')} on router ${parent}`,
    says: ['type', 'external_ip', 'logical_ip'],
    add: ({ row, parent }) => [
      'lr-nat-add',
      parent,
      text(row, 'type'),
      text(row, 'external_ip'),
      text(row, 'logical_ip'),
    ],
    remove: ({ row, parent }) => ['lr-nat-del', parent, text(row, 'type'), text(row, 'external_ip')],
  },
};

/** Tables without a natural command: what their rows are. */
const THINGS: Readonly<Record<string, (row: Row) => string>> = {
  DHCP_Options: (row) => `DHCP answer for ${text(row, 'cidr')}`,
  Static_MAC_Binding: (row) => `fixed MAC address of ${text(row, 'ip')} on router port ${text(row, 'logical_port')}`,
};

export interface Commands {
  /** What the changed row is, in an engineer's words. */
  thing(change: Change): string;
  /** The arguments of ovn-nbctl for the change; undefined when other changes' commands already say it all. */
  argvOf(change: Change): readonly string[] | undefined;
}

export function createCommands(names: Names, schema: DatabaseSchema): Commands {
  const contextOf = ({ uuid, before, after }: Change): Context => {
    const held = names.parent(uuid);
    return { row: after ?? before ?? {}, uuid, parent: held === undefined ? '' : text(held, 'name'), names };
  };
  return {
    thing(change) {
      const { table, uuid } = change;
      const context = contextOf(change);
      const words = table.replaceAll('_', ' ').toLowerCase();
      return COMMANDS[table]?.thing(context) ?? THINGS[table]?.(context.row) ?? `${words} ${nameOf(context.row, uuid)}`;
    },
    argvOf(change) {
      const { kind, table, uuid, before } = change;
      const context = contextOf(change);
      const { row } = context;
      const orphan = context.parent === '' && schema.tables[table]?.isRoot === false;
      const command = orphan ? undefined : COMMANDS[table];
      const types = schema.tables[table]?.columns ?? {};
      if (kind === 'delete' || kind === 'drop')
        return command?.remove(context) ?? ['destroy', table, nameOf(row, uuid)];
      if (kind === 'insert') {
        const rest = columnsToShow(Object.keys(row), row, types, command?.says ?? []);
        if (command === undefined)
          return [`--id=${uuid}`, 'create', table, ...rest.flatMap((column) => assign(column, row, types[column]!))];
        return joined([command.add(context), ...settings(rest, table, context, types, undefined)]);
      }
      // Children have commands of their own, and our mark is worth showing only when nothing else is wrong.
      const own = change.columns.filter((column) => !isChildren(types[column]));
      const shown = own.filter((column) => column !== 'external_ids' || change.columns.length === 1);
      return joined(settings(shown, table, context, types, before));
    },
  };
}

/** Commands that bring the columns to the row's values. */
function settings(
  columns: readonly string[],
  table: string,
  context: Context,
  types: Readonly<Record<string, ColumnType>>,
  before: Row | undefined,
): readonly (readonly string[])[] {
  const { row, uuid } = context;
  const also = COMMANDS[table]?.also ?? {};
  const target = [table, nameOf(row, uuid)];
  const commands: (readonly string[])[] = [];
  const assignments: string[] = [];
  for (const column of columns) {
    const type = types[column];
    if (type === undefined) continue;
    if (also[column] !== undefined) commands.push(also[column](context));
    else if (type.value !== undefined) {
      const kept = (row[column] ?? {}) as Readonly<Record<string, string>>;
      const gone = Object.keys(before?.[column] ?? {}).filter((key) => !Object.hasOwn(kept, key));
      if (gone.length > 0) commands.push(['remove', ...target, column, ...gone.map(quoted)]);
      assignments.push(...assign(column, row, type));
    } else if (row[column] === undefined || (!isScalar(type) && isDefault(type, row[column])))
      commands.push(['clear', ...target, column]);
    else assignments.push(...assign(column, row, type));
  }
  if (assignments.length > 0) commands.push(['set', ...target, ...assignments]);
  return commands;
}

/** What is worth showing of a new row: neither defaults, nor children (they have commands of their own), nor our mark. */
function columnsToShow(
  columns: readonly string[],
  row: Row,
  types: Readonly<Record<string, ColumnType>>,
  said: readonly string[],
): readonly string[] {
  return columns.filter((column) => {
    const type = types[column];
    if (type === undefined || said.includes(column) || column === 'external_ids' || isChildren(type)) return false;
    return !isDefault(type, row[column]!);
  });
}

function isChildren(type: ColumnType | undefined): boolean {
  return type?.refTable !== undefined && type.weak !== true;
}

function assign(column: string, row: Row, type: ColumnType): readonly string[] {
  if (type.value !== undefined) {
    const values = (row[column] ?? {}) as Readonly<Record<string, string>>;
    return Object.entries(values).map(([key, value]) => `${column}:${quoted(key)}=${quoted(value)}`);
  }
  return [`${column}=${isScalar(type) ? quoted(text(row, column)) : list(row, column).map(quoted).join(',')}`];
}

/** A word as the database commands take it: in double quotes when it has characters of their notation (ovn-nbctl(8)). */
function quoted(word: string): string {
  return /^[\w./-]+$/.test(word) ? word : JSON.stringify(word);
}

function joined(commands: readonly (readonly string[])[]): readonly string[] | undefined {
  if (commands.length === 0) return undefined;
  return commands.flatMap((command, at) => (at === 0 ? command : ['--', ...command]));
}

function nameOf(row: Row, uuid: string): string {
  return typeof row['name'] === 'string' && row['name'] !== '' ? row['name'] : uuid;
}

function text(row: Row, column: string, otherwise = ''): string {
  const value = row[column];
  return value === undefined ? otherwise : String(value);
}

function list(row: Row, column: string): readonly string[] {
  return ((row[column] ?? []) as readonly Value[]).map(String);
}

function options(row: Row): readonly string[] {
  const values = (row['options'] ?? {}) as Readonly<Record<string, string>>;
  return Object.entries(values).map(([key, value]) => `${key}=${value}`);
}

function acl(row: Row): readonly string[] {
  return [text(row, 'direction'), text(row, 'priority', '0'), text(row, 'match')];
}

function portNames(row: Row, names: Names): readonly string[] {
  return list(row, 'ports').map((uuid) => names.name('Logical_Switch_Port', uuid));
}
