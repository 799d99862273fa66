// What the tests of the provider's commands share: the text of a refusal, rows of a list, a network row that is in the way.
import assert from 'node:assert/strict';
import type { Cloud, Params, Who } from '../../../test/support/cloud.ts';
import { Refusal } from '../../api/error.ts';
import { newId } from '../../lib/id.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import type { Tables } from '../../store/schema.ts';

export type Row = Record<string, unknown>;

/** What a call was refused with; fails when it was not. */
export async function refusal(work: Promise<unknown>): Promise<{ readonly kind: string; readonly text: string }> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Refusal, `a refusal, not ${String(error)}`);
  return { kind: error.kind, text: error.message };
}

/** Asserts that a call is refused, with this kind and a text that holds these words. */
export async function refused(work: Promise<unknown>, kind: string, words: string): Promise<void> {
  const { kind: found, text } = await refusal(work);
  assert.ok(text.includes(words), `"${text}" holds "${words}"`);
  assert.equal(found, kind);
}

/** The rows of a list, as admin unless said. */
export async function rowsOf(
  cloud: Cloud,
  command: string,
  key: string,
  params: Params = {},
  who: Who = 'admin',
): Promise<Row[]> {
  return ((await cloud.callAs(who, command, params))[key] ?? []) as Row[];
}

/** The only row of a list. */
export async function rowOf(
  cloud: Cloud,
  command: string,
  key: string,
  params: Params = {},
  who: Who = 'admin',
): Promise<Row> {
  const rows = await rowsOf(cloud, command, key, params, who);
  assert.equal(rows.length, 1, `${command} finds one, not ${rows.length}`);
  return rows[0]!;
}

/** A network row of an account on the first physical network, and on a VLAN if one is given: from the pool, or by hand. */
export async function putNetwork(
  cloud: Cloud,
  who: Who,
  more: Partial<Tables['network']> = {},
  pool: 0 | 1 = 1,
): Promise<Tables['network']> {
  const owner = await cloud.caller(who);
  const offering = await cloud.store.db
    .selectFrom('networkoffering')
    .select('id')
    .orderBy('sort')
    .executeTakeFirstOrThrow();
  const id = newId();
  const row: Tables['network'] = {
    id,
    name: `net-${id.slice(0, 4)}`,
    displaytext: 'net',
    zone: BUILT_IN.zone,
    physicalnetwork: BUILT_IN.physicalNetwork,
    account: owner.accountId,
    domain: owner.domainId,
    offering: offering.id,
    guesttype: 'Isolated',
    vpc: null,
    cidr: '10.9.0.0/24',
    gateway: '10.9.0.1',
    startip: null,
    endip: null,
    segment: 'vlan',
    vlan: null,
    acl: null,
    networkdomain: null,
    ipexclusionlist: null,
    dns1: null,
    dns2: null,
    state: 'Implemented',
    restartrequired: 0,
    gatewayturn: 0,
    gatewayavoid: '',
    serviceip: null,
    ip6cidr: null,
    ip6gateway: null,
    dhcpoptions: null,
    displaynetwork: 1,
    implicit: 0,
    shared: null,
    guestcidr: null,
    created: new Date().toISOString(),
    ...more,
  };
  const { vlan } = row;
  await cloud.store.write(async (tx) => {
    await tx.insert('network', row);
    if (vlan !== null) await tx.insert('vlan', { physicalnetwork: BUILT_IN.physicalNetwork, vlan, network: id, pool });
  });
  return row;
}
