// What networks that OVN routes for need to have every service: who carries their public side, lists on public addresses, balancers inside,
// IPv6, and what an instance is told at its first boot.
import { type Kysely, sql } from 'kysely';
import { type Column, type Table, addColumns, createTables } from './table.ts';

const OWNED = { account: 'text', domain: 'text', created: 'text' } as const;
const OWNER = { account: 'account', domain: 'domain' } as const;

const TABLES: Readonly<Record<string, Table>> = {
  sshkeypair: {
    columns: { id: 'text', name: 'text', publickey: 'text', fingerprint: 'text', ...OWNED },
    unique: [['account', 'name']],
    references: OWNER,
  },
  affinitygroup: {
    columns: { id: 'text', name: 'text', description: 'text', type: 'text', ...OWNED },
    unique: [['account', 'name']],
    references: OWNER,
  },
  affinitymember: {
    columns: { id: 'text', affinitygroup: 'text', instance: 'text', created: 'text' },
    unique: [['affinitygroup', 'instance']],
    index: [['instance']],
    references: { affinitygroup: 'affinitygroup', instance: 'instance' },
  },
  volume: {
    columns: {
      id: 'text',
      name: 'text',
      type: 'text',
      zone: 'text',
      size: 'integer',
      diskoffering: 'text?',
      instance: 'text?',
      deviceid: 'integer?',
      attached: 'text?',
      ...OWNED,
    },
    index: [['instance'], ['account']],
    references: { zone: 'zone', instance: 'instance', ...OWNER },
  },
  resourcelimit: {
    columns: { id: 'text', account: 'text?', domain: 'text', type: 'integer', max: 'integer', created: 'text' },
    index: [['account'], ['domain']],
    references: OWNER,
  },
  internalbalancer: {
    columns: {
      id: 'text',
      name: 'text',
      description: 'text',
      network: 'text',
      sourceip: 'text',
      protocol: 'text',
      publicport: 'integer',
      privateport: 'integer',
      algorithm: 'text',
      state: 'text',
      ...OWNED,
    },
    unique: [['network', 'sourceip', 'protocol', 'publicport']],
    index: [['account']],
    references: { network: 'network', ...OWNER },
  },
  internalmember: {
    columns: { id: 'text', internalbalancer: 'text', nic: 'text', ip: 'text', created: 'text' },
    unique: [['internalbalancer', 'nic', 'ip']],
    index: [['nic']],
    references: { internalbalancer: 'internalbalancer', nic: 'nic' },
  },
  guestprefix: {
    columns: { id: 'text', zone: 'text', prefix: 'text', created: 'text' },
    unique: [['zone', 'prefix']],
    references: { zone: 'zone' },
  },
  gatewayclaim: {
    columns: { port: 'text', unit: 'text', host: 'text', candidates: 'text', slots: 'text', since: 'text' },
    key: ['port'],
    index: [['host'], ['unit']],
    references: { host: 'host' },
  },
};

const CARRIERS: Readonly<Record<string, Column>> = { gatewayturn: 0, gatewayavoid: '' };
const FAMILIES: Readonly<Record<string, Column>> = { internetprotocol: 'ipv4' };

/** Value that rows have which are there already; null: none. */
const COLUMNS: Readonly<Record<string, Readonly<Record<string, Column>>>> = {
  vpc: CARRIERS,
  network: { ...CARRIERS, serviceip: null, ip6cidr: null, ip6gateway: null },
  nic: { ip6: null, dhcpoptions: null },
  instance: { keypairs: null, onetimepassword: null, passwordturn: 0 },
  publicrange: { ip6cidr: null, ip6gateway: null },
  publicip: { acl: null },
  aclitem: { reason: null },
  firewallrule: { family: 4 },
  networkoffering: FAMILIES,
  vpcoffering: { ...FAMILIES, capabilities: '{}' },
};

export async function up(db: Kysely<never>): Promise<void> {
  await createTables(db, TABLES);
  for (const [table, columns] of Object.entries(COLUMNS)) await addColumns(db, table, columns);
  await sql`create index publicip_by_acl on publicip (acl)`.execute(db);
  // An address may have thousands of rules: whether a port is taken, how many there are, and which holes are of a rule are found here.
  await sql`create index portforward_by_port on portforward (publicip, protocol, publicport, publicendport)`.execute(
    db,
  );
  await sql`create index firewallrule_by_related on firewallrule (related, publicip)`.execute(db);
  // Thousands of rows may wait at once, and each is asked whether something later of it does.
  await sql`create index transition_by_row on transition (kind, id)`.execute(db);
  await writeRootDisks(db);
}

interface Disk {
  readonly id: string;
  readonly name: string;
  readonly size: number;
}

/** Root disks were another view of their instances; from here on each is a row, with the id it has been listed with. */
async function writeRootDisks(db: Kysely<never>): Promise<void> {
  const { rows } = await sql<Disk>`
    select instance.id, instance.name, template.size from instance join template on template.id = instance.template`.execute(
    db,
  );
  for (const { id, name, size } of rows) {
    const tail = BigInt(`0x${id.slice(24)}`) ^ 0xd15c_d15c_d15cn;
    const volume = id.slice(0, 24) + tail.toString(16).padStart(12, '0');
    await sql`
      insert into volume (id, name, type, zone, size, instance, deviceid, attached, account, domain, created)
        select ${volume}, ${name.replace(/^i-([0-9]+)-VM$/, 'ROOT-$1')}, 'ROOT', zone, ${size}, id, 0, created, account, domain, created
        from instance where id = ${id}`.execute(db);
  }
}
