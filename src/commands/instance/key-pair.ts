// SSH key pairs of accounts: made here (the private half is shown once and kept nowhere) or brought along as a public key. Which
// instances let one in is said when they are deployed, and can be changed while they are stopped.
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { type Refusal, refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import { list, ref, text } from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import type { Tables } from '../../store/schema.ts';
import { unknownId, visible } from '../access.ts';
import { ownerFields, ownersOf } from '../join.ts';
import { containing, named, ownedRows, ownerParams, page, pageParams } from '../list.ts';
import { type Owner, forParams, ownerOf } from '../owner.ts';
import { type Room, type WriteRoom, jobCommand, listCommand, writeCommand } from '../room.ts';
import { instanceView } from './instance-view.ts';
import { type MadePair, fingerprint, makePair, readPublicKey } from './key-material.ts';

type KeyPair = Tables['sshkeypair'];

const keyPairView = z.object({
  id: field.string('id of the key pair'),
  name: field.string('its name'),
  ...ownerFields,
  fingerprint: field.string('MD5 fingerprint of its public key'),
});

const madeView = keyPairView.extend({
  privatekey: field.string('the private key: shown this once, and kept nowhere'),
});

async function showKeyPairs(room: Room, rows: readonly KeyPair[]): Promise<z.infer<typeof keyPairView>[]> {
  const owner = await ownersOf(room.db, rows);
  return rows.map((row) => field.compact({ id: row.id, name: row.name, ...owner(row), fingerprint: row.fingerprint }));
}

const nameParam = text('Name of the key pair');

export const listSSHKeyPairs = listCommand({
  name: 'listSSHKeyPairs',
  summary: 'Lists SSH key pairs',
  roles: EVERYBODY,
  params: z.object({
    id: ref('sshkeypair', 'Only this one').optional(),
    name: text('Its name, whole').optional(),
    fingerprint: text('MD5 fingerprint of its public key').optional(),
    ...ownerParams,
    ...pageParams,
  }),
  key: 'sshkeypair',
  view: keyPairView,
  async list(room, want) {
    if (want.id !== undefined) await visible(room, 'sshkeypair', want.id);
    let query = room.db
      .selectFrom('sshkeypair')
      .selectAll()
      .where(await ownedRows(room, 'sshkeypair', want));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.name !== undefined) query = query.where(named('sshkeypair.name', want.name));
    if (want.fingerprint !== undefined) query = query.where('fingerprint', '=', want.fingerprint.toLowerCase());
    if (want.keyword !== undefined) query = query.where(containing('sshkeypair.name', want.keyword));
    const { count, rows } = await page(query.orderBy('name').orderBy('id'), want);
    return { count, rows: await showKeyPairs(room, rows) };
  },
});

/** Writes the row. Refuses a name or a key that the account has already. */
async function keep(room: WriteRoom, owner: Owner, name: string, publickey: string): Promise<KeyPair> {
  if (name.trim() === '') throw refuse('parameter', 'Give the key pair a name: it is how instances refer to it');
  const read = readPublicKey(publickey);
  if (read === undefined) {
    throw refuse(
      'parameter',
      'Public key is invalid: give one line as ssh-keygen writes it, such as "ssh-ed25519 AAAA… comment", without options in front. RSA, ECDSA and Ed25519 keys are taken',
    );
  }
  const mark = fingerprint(read.blob);
  const same = await room.db
    .selectFrom('sshkeypair')
    .select(['name', 'fingerprint'])
    .where('account', '=', owner.account.id)
    .where((eb) => eb.or([eb('name', '=', name), eb('fingerprint', '=', mark)]))
    .executeTakeFirst();
  if (same !== undefined) {
    throw refuse(
      'parameter',
      same.name === name
        ? `A key pair with name '${name}' already exists for account ${owner.account.name}. Delete it first, or choose another name`
        : `A key pair with fingerprint '${mark}' already exists for account ${owner.account.name}: it is called ${same.name}`,
    );
  }
  const row: KeyPair = {
    id: newId(),
    name,
    publickey: read.line,
    fingerprint: mark,
    account: owner.account.id,
    domain: owner.domain.id,
    created: new Date().toISOString(),
  };
  await room.tx.insert('sshkeypair', row);
  return row;
}

const createParams = z.object({ name: nameParam, ...forParams });
type CreateWant = z.infer<typeof createParams>;

export const createSSHKeyPair = writeCommand({
  name: 'createSSHKeyPair',
  summary: 'Makes an SSH key pair: the answer holds the private key, which is kept nowhere',
  roles: WRITERS,
  params: createParams,
  answer: { kind: 'object', key: 'keypair', view: madeView },
  event: 'REGISTER.SSH.KEYPAIR',
  prepare: async (_: Room, want: CreateWant): Promise<CreateWant & { readonly made: MadePair }> => ({
    ...want,
    made: await makePair(),
  }),
  async write(room, want) {
    const row = await keep(room, await ownerOf(room, want), want.name, want.made.publickey);
    return { keypair: { ...(await showKeyPairs(room, [row]))[0], privatekey: want.made.privatekey } };
  },
});

export const registerSSHKeyPair = writeCommand({
  name: 'registerSSHKeyPair',
  summary: 'Takes down a public key under a name',
  roles: WRITERS,
  params: z.object({ name: nameParam, publickey: text('The public key, one line', 5120), ...forParams }),
  answer: { kind: 'object', key: 'keypair', view: keyPairView },
  event: 'REGISTER.SSH.KEYPAIR',
  async write(room, want) {
    const row = await keep(room, await ownerOf(room, want), want.name, want.publickey);
    return { keypair: (await showKeyPairs(room, [row]))[0] };
  },
});

/** Clients decide "it is gone" by this sentence. */
function noSuchPair(name: string, account: Pick<Tables['account'], 'name' | 'domain'>): Refusal {
  return refuse(
    'parameter',
    `A key pair with name '${name}' does not exist for account ${account.name} in specified domain id ${account.domain}`,
  );
}

export const deleteSSHKeyPair = writeCommand({
  name: 'deleteSSHKeyPair',
  summary: 'Forgets a key pair; instances that let it in go on doing so',
  roles: WRITERS,
  params: z.object({ name: nameParam, ...forParams }),
  answer: { kind: 'success' },
  event: 'SSH.KEYPAIR.DELETE',
  async write(room, want) {
    const owner = await ownerOf(room, want);
    const row = await room.db
      .selectFrom('sshkeypair')
      .select('id')
      .where('account', '=', owner.account.id)
      .where('name', '=', want.name)
      .executeTakeFirst();
    if (row === undefined) throw noSuchPair(want.name, owner.account);
    await room.tx.remove('sshkeypair', row.id);
    return undefined;
  },
});

/** The public keys of an account's pairs with these names, as instances keep them. `missing` words the refusal of a name there is none of. */
export async function publicKeysOf(
  room: Room,
  account: string,
  names: readonly string[],
  missing: (name: string) => Refusal,
): Promise<string> {
  const rows = await room.db
    .selectFrom('sshkeypair')
    .select(['name', 'publickey'])
    .where('account', '=', account)
    .where('name', 'in', names)
    .execute();
  const keys = new Map(rows.map((row) => [row.name, row.publickey]));
  return JSON.stringify(
    [...new Set(names)].map((name) => {
      const key = keys.get(name);
      if (key === undefined) throw missing(name);
      return key;
    }),
  );
}

/** Key pairs of one instance. */
const MOST_PAIRS = 20;

/** The names a deployment or a reset asks for: `keypair`, and `keypairs` of newer clients. Refuses more than an instance can have. */
export function askedPairs(want: {
  readonly keypair?: string | undefined;
  readonly keypairs?: readonly string[] | undefined;
}): string[] {
  const names = new Set([...(want.keypair ? [want.keypair] : []), ...(want.keypairs ?? [])]);
  if (names.size > MOST_PAIRS) {
    throw refuse(
      'parameter',
      `${names.size} key pairs are too many: an instance lets in at most ${MOST_PAIRS}. Name fewer in keypairs, and add further keys in the guest`,
    );
  }
  return [...names];
}

export const resetSSHKeyForVirtualMachine = jobCommand({
  name: 'resetSSHKeyForVirtualMachine',
  summary: 'Gives a stopped instance other key pairs: its guest takes them at its next start',
  roles: WRITERS,
  params: z.object({
    id: ref('instance', 'The instance'),
    keypair: text('Name of the key pair').optional(),
    keypairs: list('Names of several key pairs').optional(),
    ...forParams,
  }),
  answer: { kind: 'object', key: 'virtualmachine', view: instanceView },
  event: 'VM.RESETSSHKEY',
  async job(room, want) {
    const instance = await visible(room, 'instance', want.id);
    const names = askedPairs(want);
    if (names.length === 0) throw refuse('parameter', 'Name a key pair in keypair, or several in keypairs');
    const account = await room.db
      .selectFrom('account')
      .select(['id', 'name', 'domain'])
      .where('id', '=', instance.account)
      .executeTakeFirstOrThrow();
    // The keys are those of the instance's account, whoever asks.
    if (want.account !== undefined && (await ownerOf(room, want)).account.id !== account.id)
      throw unknownId(room, 'id', want.id);
    const keypairs = await publicKeysOf(room, account.id, names, (name) => noSuchPair(name, account));
    if (instance.state !== 'Stopped') {
      throw refuse(
        'parameter',
        `Vm ${instance.hostname} should be stopped to do SSH Key reset: it is ${instance.state}. Stop it first`,
      );
    }
    await room.tx.update('instance', instance.id, { keypairs });
    return {
      about: { type: 'VirtualMachine', id: instance.id },
      view: 'virtualmachine',
      text: `resetting the SSH key of instance ${instance.hostname}`,
    };
  },
});
