// VPN users: who may come to the remote access of an account, and which networks are behind him. His password is sealed, since IKEv2
// proves it without saying it, and hashed for the others.
import { z } from 'zod';
import { EVERYBODY, WRITERS } from '../../api/command.ts';
import { type Refusal, refuse } from '../../api/error.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { newId } from '../../lib/id.ts';
import { seal } from '../../store/seal.ts';
import type { Tables } from '../../store/schema.ts';
import { readNumber } from '../../store/setting.ts';
import { visible } from '../access.ts';
import { ownerFields, ownersOf } from '../join.ts';
import { knownIds } from '../known.ts';
import { containing, ownedRows, ownerParams, page, pageParams } from '../list.ts';
import { forParams, ownerOf } from '../owner.ts';
import { type Room, jobCommand, listCommand } from '../room.ts';
import { hashPassword } from './vpn-keys.ts';
import { readNetworks, refuseBehindUser } from './vpn-place.ts';
import { dropClientsOf } from './vpn-removal.ts';

export type VpnUser = Tables['vpnuser'];

export const vpnUserView = z.object({
  id: field.string('id of the user'),
  username: field.string('his name'),
  state: field.string('Add, Active, or Revoke until his connections are cut'),
  cidrlist: field.string('networks behind him, separated by commas; empty: none'),
  created: field.date('when he was added'),
  ...ownerFields,
});

type View = z.infer<typeof vpnUserView>;

const object = { kind: 'object', key: 'vpnuser', view: vpnUserView } as const;

const CIDRLIST = 'Networks behind the user, such as those of a branch office: they are routed to him';
/** More would make files of clients that nobody reads. */
const MOST_NETWORKS = 16;

async function showVpnUsers(room: Room, rows: readonly VpnUser[]): Promise<View[]> {
  const owner = await ownersOf(room.db, rows);
  return rows.map((row) =>
    field.compact<View>({
      id: row.id,
      username: row.username,
      state: row.state,
      cidrlist: row.cidrlist,
      created: field.clientDate(row.created),
      ...owner(row),
    }),
  );
}

/** The user with this id as a job's result shows him. */
export async function viewVpnUser(room: Room, id: string): Promise<View | undefined> {
  const rows = await room.db.selectFrom('vpnuser').selectAll().where('id', '=', id).execute();
  return (await showVpnUsers(room, rows))[0];
}

function checkName(name: string): void {
  if (/^[A-Za-z][A-Za-z0-9@._-]{2,63}$/.test(name)) return;
  throw refuse(
    'parameter',
    "Username has to be begin with an alphabet have 3-64 characters including alphabets, numbers and the set '@.-_'",
  );
}

/** Never says what it was. */
function checkPassword(password: string): void {
  if (/^[A-Za-z0-9@#+=._-]{3,32}$/.test(password)) return;
  throw refuse('parameter', "Password has to be 3-32 characters including alphabets, numbers and the set '@#+=.-_'");
}

function checkedNetworks(list: readonly string[] | undefined): string[] {
  const networks = readNetworks(list ?? [], 'behind the user');
  if (networks.length <= MOST_NETWORKS) return networks;
  throw refuse(
    'parameter',
    `${networks.length} networks cannot be behind one user: the limit is ${MOST_NETWORKS}. Give them as fewer, larger ones`,
  );
}

const addParams = z.object({
  username: param.text('His name'),
  password: param.text('His password'),
  cidrlist: param.list(CIDRLIST).optional(),
  ...forParams,
});

export const addVpnUser = jobCommand({
  name: 'addVpnUser',
  summary: "Adds a user of the account's remote access VPNs",
  roles: WRITERS,
  event: 'VPN.USER.ADD',
  answer: object,
  params: addParams,
  async prepare(_room, want) {
    checkName(want.username);
    checkPassword(want.password);
    return { ...want, hash: await hashPassword(want.password) };
  },
  async job(room, want: z.infer<typeof addParams> & { hash: string }) {
    const { account, domain } = await ownerOf(room, want);
    const networks = checkedNetworks(want.cidrlist);
    const users = await room.db.selectFrom('vpnuser').selectAll().where('account', '=', account.id).execute();
    // IKE makes no difference between anna and Anna: one would come in as the other.
    const twin = users.find(({ username }) => username.toLowerCase() === want.username.toLowerCase());
    if (twin?.state === 'Revoke')
      throw refuse(
        'parameter',
        `VPN User with name ${twin.username} is being removed from account ${account.name}: wait until his connections are cut`,
      );
    if (twin !== undefined)
      throw refuse('parameter', `VPN User with name ${twin.username} is already added for account ${account.name}`);
    const limit = await readNumber(room.db, 'remote.access.vpn.user.limit');
    if (users.filter(({ state }) => state !== 'Revoke').length >= limit)
      throw refuse(
        'accountLimit',
        `Cannot add more than ${limit} remote access vpn users: remove one of account ${account.name}, or ask the operator (remote.access.vpn.user.limit)`,
      );
    await refuseBehindUser(room.db, account.id, networks);
    const id = newId();
    await room.tx.insert('vpnuser', {
      id,
      username: want.username,
      password: seal(room.store.sealKey, want.password),
      passwordhash: want.hash,
      cidrlist: networks.join(','),
      state: 'Add',
      account: account.id,
      domain: domain.id,
      created: new Date().toISOString(),
    });
    return {
      id,
      about: { type: 'VpnUser', id },
      view: 'vpnuser',
      enters: [{ kind: 'vpnuser', id, state: 'Active' }],
      text: `adding VPN user ${want.username}`,
    };
  },
});

const updateParams = z.object({
  id: param.ref('vpnuser', 'The user'),
  password: param.text('New password').optional(),
  cidrlist: param.list(`${CIDRLIST}; an empty list for none`).optional(),
});

export const updateVpnUser = jobCommand({
  name: 'updateVpnUser',
  summary: "Changes a VPN user's password, or the networks behind him; his profiles stay good",
  roles: WRITERS,
  event: 'VPN.USER.UPDATE',
  answer: object,
  params: updateParams,
  async prepare(_room, want) {
    if (want.password === undefined) return { ...want, hash: undefined };
    checkPassword(want.password);
    return { ...want, hash: await hashPassword(want.password) };
  },
  async job(room, want: z.infer<typeof updateParams> & { hash: string | undefined }) {
    const user = await activeUser(room, want.id, 'id');
    const patch: Partial<VpnUser> = {};
    if (want.password !== undefined && want.hash !== undefined) {
      patch.password = seal(room.store.sealKey, want.password);
      patch.passwordhash = want.hash;
    }
    if (want.cidrlist !== undefined) {
      const networks = checkedNetworks(want.cidrlist);
      await refuseBehindUser(room.db, user.account, networks, user.id);
      patch.cidrlist = networks.join(',');
    }
    const changed = Object.keys(patch).length > 0;
    if (changed) await room.tx.update('vpnuser', user.id, { ...patch, state: 'Add' });
    return {
      about: { type: 'VpnUser', id: user.id },
      view: 'vpnuser',
      ...(changed ? { enters: [{ kind: 'vpnuser' as const, id: user.id, state: 'Active' }] } : {}),
      text: `updating VPN user ${user.username}`,
    };
  },
});

/** The user with this id; refuses one who is being removed. */
export async function activeUser(room: Room, id: string, what: string): Promise<VpnUser> {
  const user = await visible(room, 'vpnuser', id, what);
  if (user.state === 'Revoke') throw beingRemoved(user);
  return user;
}

function beingRemoved({ username }: VpnUser): Refusal {
  return refuse('parameter', `VPN user ${username} is being removed: add him anew once that is done`);
}

/** The user of an account by his name; refuses a name nobody has. */
export async function userNamed(room: Room, account: Tables['account'], username: string): Promise<VpnUser> {
  const user = await room.db
    .selectFrom('vpnuser')
    .selectAll()
    .where('account', '=', account.id)
    .where('username', '=', username)
    .executeTakeFirst();
  if (user === undefined)
    throw refuse(
      'parameter',
      `Could not find VPN user ${username} of account ${account.name}: listVpnUsers shows who there is`,
    );
  if (user.state === 'Revoke') throw beingRemoved(user);
  return user;
}

export const removeVpnUser = jobCommand({
  name: 'removeVpnUser',
  summary: 'Removes a VPN user: his running connections are cut, and his profiles are worth nothing',
  roles: WRITERS,
  event: 'VPN.USER.REMOVE',
  answer: { kind: 'success' },
  params: z.object({ username: param.text('His name'), ...forParams }),
  async job(room, want) {
    const { account } = await ownerOf(room, want);
    const user = await userNamed(room, account, want.username);
    await dropClientsOf(room.tx, user.id);
    await room.tx.update('vpnuser', user.id, { state: 'Revoke' });
    return {
      about: { type: 'VpnUser', id: user.id },
      enters: [{ kind: 'vpnuser', id: user.id, state: 'Removed' }],
      text: `removing VPN user ${user.username}`,
    };
  },
});

export const listVpnUsers = listCommand({
  name: 'listVpnUsers',
  summary: 'Lists users of remote access VPNs',
  roles: EVERYBODY,
  key: 'vpnuser',
  view: vpnUserView,
  params: z.object({
    id: param.ref('vpnuser', 'The user with this id').optional(),
    username: param.text('Users of this name').optional(),
    ...pageParams,
    ...ownerParams,
  }),
  async list(room, want) {
    await knownIds(room, want, { id: 'vpnuser' });
    let query = room.db
      .selectFrom('vpnuser')
      .selectAll()
      .where(await ownedRows(room, 'vpnuser', want));
    if (want.id !== undefined) query = query.where('id', '=', want.id);
    if (want.username !== undefined) query = query.where('username', '=', want.username);
    if (want.keyword !== undefined) query = query.where(containing('username', want.keyword));
    const { count, rows } = await page(query.orderBy('created', 'desc').orderBy('id'), want);
    return { count, rows: await showVpnUsers(room, rows) };
  },
});
