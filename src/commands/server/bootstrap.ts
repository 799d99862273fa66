// What a cloud has from its first start: the root domain, a zone with its physical network, the offerings and templates clients
// look for by name, the two ACL lists, the settings, the first accounts. Runs at every start and adds what is not there.
import { derivedId } from '../../lib/id.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { SETTINGS } from '../../model/setting.ts';
import type { Store } from '../../store/open.ts';
import type { Tx } from '../../store/write.ts';
import { type Credential, addAccounts } from '../account/bootstrap-accounts.ts';
import {
  diskOfferings,
  networkOfferings,
  serviceOfferings,
  templates,
  vpcOfferings,
} from '../offering/bootstrap-offerings.ts';

export interface BootstrapOptions {
  /** Also the demo's domains and accounts. */
  readonly demo?: boolean;
  /** The first zone's pool of VLANs (default 1000-1999). */
  readonly vlan?: string;
}

export interface Bootstrapped {
  /** Secrets of the accounts made just now, by name; empty when all were there. They are told this once. */
  readonly credentials: Readonly<Record<string, Credential>>;
  readonly ids: typeof BUILT_IN;
}

/**
 * Brings the state to where every cloud begins, in one transaction. What an operator changed or deleted since the first start stays
 * so: zone, offerings and templates are made in an empty state only; network offerings that are new in this version later, too,
 * since those that come with the cloud cannot be deleted.
 */
export async function bootstrap(
  store: Store,
  { demo = false, vlan = '1000-1999' }: BootstrapOptions = {},
): Promise<Bootstrapped> {
  return store.write(async (tx) => {
    const created = new Date().toISOString();
    const root = await tx.db.selectFrom('domain').select('id').where('id', '=', BUILT_IN.rootDomain).executeTakeFirst();
    if (root === undefined) await addRootDomain(tx, created);
    const credentials = await addAccounts(tx, store.sealKey, demo, created);
    if (root === undefined) {
      await addZone(tx, vlan, created);
      await addOfferings(tx, created);
    }
    await addNetworkOfferings(tx, created);
    await addAclLists(tx, created);
    await addSettings(tx);
    return { credentials, ids: BUILT_IN };
  });
}

async function addRootDomain(tx: Tx, created: string): Promise<void> {
  await tx.insert('domain', {
    id: BUILT_IN.rootDomain,
    name: 'ROOT',
    path: 'ROOT',
    parent: null,
    level: 0,
    networkdomain: null,
    state: 'Active',
    created,
  });
}

async function addZone(tx: Tx, vlan: string, created: string): Promise<void> {
  await tx.insert('zone', {
    id: BUILT_IN.zone,
    name: 'zone1',
    dns1: '8.8.8.8',
    dns2: null,
    internaldns1: '8.8.8.8',
    internaldns2: null,
    networkdomain: null,
    networktype: 'Advanced',
    allocationstate: 'Enabled',
    guestcidr: '10.1.1.0/24',
    created,
  });
  await tx.insert('physicalnetwork', {
    id: BUILT_IN.physicalNetwork,
    zone: BUILT_IN.zone,
    name: 'physnet1',
    vlan,
    state: 'Enabled',
    tags: null,
    isolationmethods: 'VLAN',
    networkspeed: null,
    broadcastdomainrange: 'ZONE',
    created,
  });
  for (const traffictype of ['Guest', 'Management', 'Public']) {
    const id = derivedId(`builtin/traffictype/${traffictype}`);
    await tx.insert('traffictype', {
      id,
      physicalnetwork: BUILT_IN.physicalNetwork,
      traffictype,
      kvmnetworklabel: null,
      created,
    });
  }
}

async function addOfferings(tx: Tx, created: string): Promise<void> {
  for (const row of vpcOfferings(created)) await tx.insert('vpcoffering', row);
  for (const row of serviceOfferings(created)) await tx.insert('serviceoffering', row);
  for (const row of diskOfferings(created)) await tx.insert('diskoffering', row);
  for (const row of templates(created)) await tx.insert('template', row);
}

/** All that are not there, but for names that an operator has given to others. */
async function addNetworkOfferings(tx: Tx, created: string): Promise<void> {
  const known = await tx.db.selectFrom('networkoffering').select(['id', 'name']).execute();
  const ids = new Set(known.map((row) => row.id));
  const names = new Set(known.map((row) => row.name.toLowerCase()));
  for (const row of networkOfferings(created))
    if (!ids.has(row.id) && !names.has(row.name.toLowerCase())) await tx.insert('networkoffering', row);
}

const ACL_LISTS = [
  { id: BUILT_IN.allowList, name: 'default_allow', description: 'Default Network ACL Allow All', action: 'Allow' },
  { id: BUILT_IN.denyList, name: 'default_deny', description: 'Default Network ACL Deny All', action: 'Deny' },
] as const;

/** The two lists that belong to no VPC. Each has an item for each direction, so that it says the same wherever it is attached. */
async function addAclLists(tx: Tx, created: string): Promise<void> {
  for (const { id, name, description, action } of ACL_LISTS) {
    const known = await tx.db.selectFrom('acl').select('id').where('id', '=', id).executeTakeFirst();
    if (known !== undefined) continue;
    await tx.insert('acl', { id, name, description, vpc: null, account: null, domain: null, created });
    for (const [index, traffictype] of ['Ingress', 'Egress'].entries()) {
      await tx.insert('aclitem', {
        id: derivedId(`builtin/aclitem/${name}/${traffictype}`),
        acl: id,
        number: index + 1,
        protocol: 'all',
        startport: null,
        endport: null,
        icmptype: null,
        icmpcode: null,
        traffictype,
        action,
        cidrlist: '0.0.0.0/0',
        reason: null,
        created,
      });
    }
  }
}

/** Settings that are new in this version of the program, too; of the others what is said of them, not what an operator chose. */
async function addSettings(tx: Tx): Promise<void> {
  const rows = await tx.db.selectFrom('configuration').selectAll().execute();
  const known = new Map(rows.map((row) => [row.name, row]));
  const wanted = SETTINGS.map(({ name, value, category, description, isdynamic }) => ({
    name,
    value,
    said: { category, description, defaultvalue: value, isdynamic },
  }));
  const missing = wanted
    .filter(({ name }) => !known.has(name))
    .map(({ name, value, said }) => ({ name, value, ...said }));
  if (missing.length > 0) await tx.db.insertInto('configuration').values(missing).execute();
  for (const { name, said } of wanted) {
    const row = known.get(name);
    if (row !== undefined && Object.entries(said).some(([key, text]) => row[key as keyof typeof said] !== text))
      await tx.db.updateTable('configuration').set(said).where('name', '=', name).execute();
  }
}
