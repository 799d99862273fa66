// The first schema, whole. Columns are explained in schema.ts. Foreign keys are the last guard: commands refuse earlier, with a reason.
import type { ColumnDefinitionBuilder, Kysely } from 'kysely';

type ColumnType = 'text' | 'text?' | 'integer' | 'integer?';
interface Table {
  readonly columns: Readonly<Record<string, ColumnType>>;
  /** Instead of `id`. */
  readonly key?: readonly string[];
  readonly unique?: readonly (readonly string[])[];
  readonly index?: readonly (readonly string[])[];
  /** Column -> table whose id it holds. */
  readonly references?: Readonly<Record<string, string>>;
}

// In the order in which they can be created: whoever is referred to comes first.
const TABLES: Readonly<Record<string, Table>> = {
  domain: {
    columns: {
      id: 'text',
      name: 'text',
      path: 'text',
      parent: 'text?',
      level: 'integer',
      networkdomain: 'text?',
      state: 'text',
      created: 'text',
    },
    unique: [['path']],
  },
  account: {
    columns: {
      id: 'text',
      name: 'text',
      domain: 'text',
      type: 'integer',
      state: 'text',
      networkdomain: 'text?',
      isdefault: 'integer',
      created: 'text',
    },
    unique: [['domain', 'name']],
    index: [['domain']],
    references: { domain: 'domain' },
  },
  user: {
    columns: {
      id: 'text',
      account: 'text',
      domain: 'text',
      username: 'text',
      password: 'text',
      firstname: 'text',
      lastname: 'text',
      email: 'text',
      timezone: 'text?',
      state: 'text',
      apikey: 'text?',
      secretkey: 'text?',
      failedlogins: 'integer',
      created: 'text',
    },
    unique: [['domain', 'username']],
    index: [['account'], ['apikey']],
    references: { account: 'account' },
  },
  session: {
    columns: {
      id: 'text',
      user: 'text',
      sessionkey: 'text',
      created: 'text',
      expires: 'text',
    },
    index: [['user']],
    references: { user: 'user' },
  },
  zone: {
    columns: {
      id: 'text',
      name: 'text',
      dns1: 'text',
      dns2: 'text?',
      internaldns1: 'text',
      internaldns2: 'text?',
      networkdomain: 'text?',
      networktype: 'text',
      allocationstate: 'text',
      guestcidr: 'text?',
      created: 'text',
    },
    unique: [['name']],
  },
  physicalnetwork: {
    columns: {
      id: 'text',
      zone: 'text',
      name: 'text',
      vlan: 'text',
      state: 'text',
      tags: 'text?',
      isolationmethods: 'text?',
      networkspeed: 'text?',
      broadcastdomainrange: 'text',
      created: 'text',
    },
    unique: [['zone', 'name']],
    references: { zone: 'zone' },
  },
  traffictype: {
    columns: {
      id: 'text',
      physicalnetwork: 'text',
      traffictype: 'text',
      kvmnetworklabel: 'text?',
      created: 'text',
    },
    references: { physicalnetwork: 'physicalnetwork' },
  },
  host: {
    columns: {
      id: 'text',
      zone: 'text',
      name: 'text',
      underlayip: 'text',
      state: 'text',
      resourcestate: 'text',
      secret: 'text?',
      secretexpires: 'text?',
      serial: 'text?',
      facts: 'text?',
      lastseen: 'text?',
      created: 'text',
    },
    unique: [['name']],
    references: { zone: 'zone' },
  },
  serviceoffering: {
    columns: {
      id: 'text',
      name: 'text',
      displaytext: 'text',
      cpunumber: 'integer',
      cpuspeed: 'integer',
      memory: 'integer',
      tags: 'text?',
      networkrate: 'integer?',
      offerha: 'integer',
      issystem: 'integer',
      removed: 'integer',
      sort: 'integer',
      created: 'text',
    },
  },
  diskoffering: {
    columns: {
      id: 'text',
      name: 'text',
      displaytext: 'text',
      disksize: 'integer',
      iscustomized: 'integer',
      tags: 'text?',
      removed: 'integer',
      sort: 'integer',
      created: 'text',
    },
  },
  template: {
    columns: {
      id: 'text',
      name: 'text',
      displaytext: 'text',
      account: 'text',
      domain: 'text',
      zone: 'text?',
      ostypename: 'text',
      format: 'text',
      hypervisor: 'text',
      size: 'integer',
      url: 'text?',
      templatetype: 'text',
      passwordenabled: 'integer',
      sshkeyenabled: 'integer',
      ispublic: 'integer',
      isfeatured: 'integer',
      isextractable: 'integer',
      isdynamicallyscalable: 'integer',
      isready: 'integer',
      rootpassword: 'text?',
      removed: 'integer',
      created: 'text',
    },
  },
  networkoffering: {
    columns: {
      id: 'text',
      name: 'text',
      displaytext: 'text',
      guesttype: 'text',
      services: 'text',
      specifyvlan: 'integer',
      specifyipranges: 'integer',
      conservemode: 'integer',
      ispersistent: 'integer',
      isdefault: 'integer',
      forvpc: 'integer',
      egressdefaultpolicy: 'integer',
      availability: 'text',
      state: 'text',
      networkrate: 'integer?',
      tags: 'text?',
      serviceoffering: 'text?',
      segment: 'text',
      sort: 'integer',
      created: 'text',
    },
    unique: [['name']],
  },
  vpcoffering: {
    columns: {
      id: 'text',
      name: 'text',
      displaytext: 'text',
      services: 'text',
      isdefault: 'integer',
      redundant: 'integer',
      state: 'text',
      serviceoffering: 'text?',
      sort: 'integer',
      created: 'text',
    },
    unique: [['name']],
  },
  vpc: {
    columns: {
      id: 'text',
      name: 'text',
      displaytext: 'text',
      cidr: 'text',
      zone: 'text',
      account: 'text',
      domain: 'text',
      offering: 'text',
      networkdomain: 'text',
      state: 'text',
      restartrequired: 'integer',
      fordisplay: 'integer',
      epoch: 'integer',
      created: 'text',
    },
    // Lists are newest first: a page comes out of an index already in order.
    index: [
      ['created', 'id'],
      ['account', 'created', 'id'],
      ['domain', 'created', 'id'],
    ],
    references: { zone: 'zone', account: 'account', offering: 'vpcoffering' },
  },
  acl: {
    columns: {
      id: 'text',
      name: 'text',
      description: 'text',
      vpc: 'text?',
      account: 'text?',
      domain: 'text?',
      created: 'text',
    },
    references: { vpc: 'vpc' },
  },
  aclitem: {
    columns: {
      id: 'text',
      acl: 'text',
      number: 'integer',
      protocol: 'text',
      startport: 'integer?',
      endport: 'integer?',
      icmptype: 'integer?',
      icmpcode: 'integer?',
      traffictype: 'text',
      action: 'text',
      cidrlist: 'text',
      created: 'text',
    },
    unique: [['acl', 'number']],
    references: { acl: 'acl' },
  },
  network: {
    columns: {
      id: 'text',
      name: 'text',
      displaytext: 'text',
      zone: 'text',
      physicalnetwork: 'text?',
      account: 'text',
      domain: 'text',
      offering: 'text',
      guesttype: 'text',
      vpc: 'text?',
      cidr: 'text?',
      gateway: 'text?',
      startip: 'text?',
      endip: 'text?',
      segment: 'text',
      vlan: 'integer?',
      acl: 'text?',
      networkdomain: 'text?',
      ipexclusionlist: 'text?',
      dns1: 'text?',
      dns2: 'text?',
      state: 'text',
      restartrequired: 'integer',
      displaynetwork: 'integer',
      implicit: 'integer',
      created: 'text',
    },
    index: [['vpc'], ['created', 'id'], ['account', 'created', 'id'], ['domain', 'created', 'id']],
    references: { zone: 'zone', account: 'account', offering: 'networkoffering', vpc: 'vpc', acl: 'acl' },
  },
  vlan: {
    columns: {
      physicalnetwork: 'text',
      vlan: 'integer',
      network: 'text',
      pool: 'integer',
    },
    key: ['physicalnetwork', 'vlan', 'network'],
    index: [['network']],
    references: { network: 'network' },
  },
  address: {
    columns: {
      network: 'text',
      ip: 'text',
      kind: 'text',
      owner: 'text',
    },
    key: ['network', 'ip'],
    index: [['owner']],
    references: { network: 'network' },
  },
  privategateway: {
    columns: {
      id: 'text',
      vpc: 'text',
      network: 'text',
      ip: 'text',
      acl: 'text',
      sourcenat: 'integer',
      gateway: 'text?',
      netmask: 'text?',
      account: 'text',
      domain: 'text',
      state: 'text',
      created: 'text',
    },
    unique: [['vpc', 'network']],
    index: [['network']],
    references: { vpc: 'vpc', network: 'network', acl: 'acl' },
  },
  staticroute: {
    columns: {
      id: 'text',
      vpc: 'text',
      cidr: 'text',
      nexthop: 'text',
      privategateway: 'text?',
      account: 'text',
      domain: 'text',
      state: 'text',
      reason: 'text?',
      created: 'text',
    },
    unique: [['vpc', 'cidr']],
    references: { vpc: 'vpc' },
  },
  instance: {
    columns: {
      id: 'text',
      name: 'text',
      displayname: 'text',
      hostname: 'text',
      zone: 'text',
      account: 'text',
      domain: 'text',
      serviceoffering: 'text',
      template: 'text',
      host: 'text?',
      lasthost: 'text?',
      state: 'text',
      power: 'text',
      boot: 'integer',
      passwordhash: 'text',
      password: 'text?',
      userdata: 'text?',
      groupname: 'text?',
      details: 'text?',
      destroyed: 'text?',
      created: 'text',
    },
    unique: [['name']],
    index: [['account'], ['domain'], ['host']],
    references: {
      zone: 'zone',
      account: 'account',
      serviceoffering: 'serviceoffering',
      template: 'template',
      host: 'host',
    },
  },
  nic: {
    columns: {
      id: 'text',
      instance: 'text',
      network: 'text',
      ip: 'text',
      mac: 'text',
      isdefault: 'integer',
      deviceid: 'integer',
      created: 'text',
    },
    unique: [['instance', 'network']],
    index: [['network']],
    references: { instance: 'instance', network: 'network' },
  },
  tag: {
    columns: {
      id: 'text',
      kind: 'text',
      resource: 'text',
      key: 'text',
      value: 'text',
      account: 'text',
      domain: 'text',
      created: 'text',
    },
    unique: [['kind', 'resource', 'key']],
    index: [['resource']],
  },
  job: {
    columns: {
      id: 'text',
      user: 'text',
      account: 'text',
      domain: 'text',
      cmd: 'text',
      status: 'integer',
      resultcode: 'integer',
      result: 'text?',
      view: 'text?',
      instancetype: 'text?',
      instanceid: 'text?',
      generation: 'integer',
      request: 'text',
      created: 'text',
      completed: 'text?',
    },
    index: [['status', 'generation'], ['instanceid']],
  },
  transition: {
    columns: {
      generation: 'integer',
      kind: 'text',
      id: 'text',
      state: 'text',
    },
    key: ['generation', 'kind', 'id'],
  },
  event: {
    columns: {
      id: 'text',
      type: 'text',
      level: 'text',
      state: 'text',
      description: 'text',
      account: 'text',
      domain: 'text',
      user: 'text',
      parent: 'text?',
      resourcetype: 'text?',
      resource: 'text?',
      created: 'text',
      seq: 'integer',
    },
    index: [['account'], ['resource'], ['seq']],
  },
  configuration: {
    columns: {
      name: 'text',
      value: 'text',
      category: 'text',
      description: 'text',
      defaultvalue: 'text',
      isdynamic: 'integer',
    },
    key: ['name'],
  },
  change: {
    columns: {
      generation: 'integer',
      kind: 'text',
      id: 'text',
    },
    key: ['kind', 'id', 'generation'],
    index: [['generation']],
  },
  counter: {
    columns: {
      name: 'text',
      value: 'integer',
    },
    key: ['name'],
  },
};

const COUNTERS = ['generation', 'instance', 'event'];

export async function up(db: Kysely<never>): Promise<void> {
  for (const [name, table] of Object.entries(TABLES)) {
    let create = db.schema.createTable(name);
    const key = table.key ?? ['id'];
    for (const [column, type] of Object.entries(table.columns)) {
      const shape = (builder: ColumnDefinitionBuilder): ColumnDefinitionBuilder => {
        const target = table.references?.[column];
        const referring = target === undefined ? builder : builder.references(`${target}.id`);
        return type.endsWith('?') ? referring : referring.notNull();
      };
      create = create.addColumn(column, type.startsWith('text') ? 'text' : 'bigint', shape);
    }
    create = create.addPrimaryKeyConstraint(`${name}_key`, key as never);
    for (const [position, columns] of (table.unique ?? []).entries()) {
      create = create.addUniqueConstraint(`${name}_unique_${position}`, columns as never);
    }
    await create.execute();
    for (const columns of table.index ?? []) {
      await db.schema
        .createIndex(`${name}_by_${columns.join('_')}`)
        .on(name)
        .columns([...columns])
        .execute();
    }
  }
  const counters = db as unknown as Kysely<{ counter: { name: string; value: number } }>;
  await counters
    .insertInto('counter')
    .values(COUNTERS.map((name) => ({ name, value: 0 })))
    .execute();
}
