// Virtual private networks: remote access with its users, and connections between sites.
import type { Kysely } from 'kysely';
import { type Table, createTables } from './table.ts';

const OWNED = { account: 'text', domain: 'text', created: 'text' } as const;
const OWNER = { account: 'account', domain: 'domain' } as const;

const TABLES: Readonly<Record<string, Table>> = {
  remotevpn: {
    columns: {
      id: 'text',
      publicip: 'text',
      vpc: 'text?',
      network: 'text?',
      kind: 'text',
      cidr: 'text',
      port: 'integer',
      secrets: 'text',
      certificates: 'text',
      state: 'text',
      toldby: 'text?',
      fault: 'text?',
      routed: 'text?',
      ...OWNED,
    },
    unique: [['publicip', 'kind']],
    index: [['vpc'], ['network'], ['account']],
    references: { publicip: 'publicip', vpc: 'vpc', network: 'network', ...OWNER },
  },
  vpnuser: {
    columns: {
      id: 'text',
      username: 'text',
      password: 'text',
      passwordhash: 'text',
      cidrlist: 'text',
      state: 'text',
      ...OWNED,
    },
    unique: [['account', 'username']],
    references: OWNER,
  },
  vpnclient: {
    columns: {
      id: 'text',
      remotevpn: 'text',
      vpnuser: 'text',
      ip: 'text',
      serial: 'text?',
      publickey: 'text?',
      presharedkey: 'text?',
      ends: 'text?',
      seen: 'text?',
      endpoint: 'text?',
      routes: 'text?',
      created: 'text',
    },
    unique: [['remotevpn', 'ip']],
    index: [['vpnuser']],
    references: { remotevpn: 'remotevpn', vpnuser: 'vpnuser' },
  },
  vpngateway: {
    columns: { id: 'text', vpc: 'text', publicip: 'text', privatekey: 'text', publickey: 'text', ...OWNED },
    unique: [['vpc']],
    index: [['publicip']],
    references: { vpc: 'vpc', publicip: 'publicip', ...OWNER },
  },
  customergateway: {
    columns: {
      id: 'text',
      name: 'text',
      kind: 'text',
      gateway: 'text',
      cidrlist: 'text',
      psk: 'text?',
      publickey: 'text?',
      port: 'integer?',
      ikepolicy: 'text',
      esppolicy: 'text',
      ikelifetime: 'integer',
      esplifetime: 'integer',
      dpd: 'integer',
      forceencap: 'integer',
      ikeversion: 'text',
      splitconnections: 'integer',
      ...OWNED,
    },
    unique: [['account', 'name']],
    references: OWNER,
  },
  vpnconnection: {
    columns: {
      id: 'text',
      vpngateway: 'text',
      customergateway: 'text',
      passive: 'integer',
      epoch: 'integer',
      state: 'text',
      reason: 'text?',
      toldby: 'text?',
      routed: 'text?',
      ...OWNED,
    },
    unique: [['vpngateway', 'customergateway']],
    index: [['customergateway']],
    references: { vpngateway: 'vpngateway', customergateway: 'customergateway', ...OWNER },
  },
};

export async function up(db: Kysely<never>): Promise<void> {
  await createTables(db, TABLES);
}
