// Users as the wire needs them: who has a key, who logs in, whose session it is. Sessions live in the database, as hashes only,
// so that a restart logs nobody out and a stolen database lets nobody in.
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { type Accounts, type Login, type LoginWant, pathOfDomain } from '../../api/accounts.ts';
import type { Caller } from '../../api/command.ts';
import { refuse } from '../../api/error.ts';
import { compact } from '../../api/field.ts';
import type { Db } from '../../store/open.ts';
import { hashPassword, verifyPassword } from '../../store/password.ts';
import type { UserTable } from '../../store/schema/account.ts';
import { unseal } from '../../store/seal.ts';
import { readNumber } from '../../store/setting.ts';
import { roleOf } from './role.ts';
import type { House } from '../room.ts';

/** Seconds of silence after which a session ends. */
export const SESSION_SECONDS = 1800;
/** A session's end is moved at most this often: polling must not write at each call. */
const RENEW_MS = 60_000;

interface Known {
  readonly user: UserTable;
  readonly caller: Caller;
  /** User, account and domain are all enabled. */
  readonly enabled: boolean;
}

/** The wire's port to users and sessions. */
export function createAccounts({ store, log }: House): Accounts {
  // Checked against when there is no such user: the answer must not come sooner then.
  const nobody = hashPassword(randomBytes(16).toString('hex'));

  async function fail(known: Known): Promise<void> {
    const allowed = await readNumber(store.db, 'incorrect.login.attempts.allowed');
    await store.write(async (tx) => {
      const { failedlogins } = await tx.db
        .updateTable('user')
        .set((eb) => ({ failedlogins: eb('failedlogins', '+', 1) }))
        .where('id', '=', known.user.id)
        .returning('failedlogins')
        .executeTakeFirstOrThrow();
      // Root admins are only slowed down (api/login-limit.ts): nobody would be left to enable them again.
      if (allowed <= 0 || failedlogins < allowed || known.caller.role === 'admin') return;
      await tx.db
        .updateTable('user')
        .set({ state: 'disabled' })
        .where('id', '=', known.user.id)
        .where('state', '=', 'enabled')
        .execute();
      log.warn(
        { caller: known.caller.username, account: known.caller.accountId },
        'user disabled after too many failed logins',
      );
    });
  }

  return {
    async byApiKey(apikey) {
      const known = await find(store.db, 'apikey', apikey);
      if (known === undefined || !known.enabled || known.user.secretkey === null) return undefined;
      return { caller: known.caller, secretkey: unseal(store.sealKey, known.user.secretkey) };
    },

    async login(want) {
      const known = await findByName(store.db, want);
      const correct = await verifyPassword(want.password, known?.user.password ?? (await nobody));
      if (known === undefined || !correct) {
        if (known !== undefined) await fail(known);
        const where = want.domainid ?? want.domain ?? '/';
        throw refuse(
          'permission',
          `Failed to authenticate user '${want.username}' in domain '${where === '' ? '/' : where}'; please provide valid credentials`,
        );
      }
      if (!known.enabled) {
        throw refuse(
          'permission',
          `User ${known.user.username} (or their account) in domain ${known.caller.domainPath} is disabled/locked. Please contact the administrator.`,
        );
      }
      return open(known);
    },

    async session(cookie, sessionkey) {
      const row = await store.db.selectFrom('session').selectAll().where('id', '=', digest(cookie)).executeTakeFirst();
      const now = Date.now();
      if (row === undefined || Date.parse(row.expires) <= now) return undefined;
      if (!timingSafeEqual(Buffer.from(row.sessionkey), Buffer.from(digest(sessionkey)))) {
        // A cookie with a wrong key is somebody else's page or a thief: the session ends.
        await store.write((tx) => tx.db.deleteFrom('session').where('id', '=', row.id).execute());
        return undefined;
      }
      const known = await find(store.db, 'id', row.user);
      if (known === undefined || !known.enabled) return undefined;
      if (Date.parse(row.expires) - now < SESSION_SECONDS * 1000 - RENEW_MS) {
        const expires = new Date(now + SESSION_SECONDS * 1000).toISOString();
        await store.write((tx) => tx.db.updateTable('session').set({ expires }).where('id', '=', row.id).execute());
      }
      return known.caller;
    },

    async logout(cookie) {
      await store.write((tx) => tx.db.deleteFrom('session').where('id', '=', digest(cookie)).execute());
    },
  };

  async function open({ user, caller }: Known): Promise<Login> {
    // Always new ones: a cookie the client brought along is never taken over.
    const cookie = randomBytes(32).toString('base64url');
    const sessionkey = randomBytes(32).toString('base64url');
    const now = Date.now();
    await store.write(async (tx) => {
      await tx.insert('session', {
        id: digest(cookie),
        user: user.id,
        sessionkey: digest(sessionkey),
        created: new Date(now).toISOString(),
        expires: new Date(now + SESSION_SECONDS * 1000).toISOString(),
      });
      if (user.failedlogins > 0)
        await tx.db.updateTable('user').set({ failedlogins: 0 }).where('id', '=', user.id).execute();
    });
    return {
      caller,
      cookie,
      sessionkey,
      fields: compact<Record<string, string>>({
        username: user.username,
        userid: user.id,
        account: caller.accountName,
        domainid: caller.domainId,
        domainname: caller.domainPath.split('/').at(-1),
        firstname: user.firstname,
        lastname: user.lastname,
        type: String(caller.accountType),
        timezone: user.timezone,
        timeout: String(SESSION_SECONDS),
        registered: String(user.apikey !== null),
      }),
    };
  }
}

async function find(db: Db, by: 'id' | 'apikey', value: string): Promise<Known | undefined> {
  const user = await db.selectFrom('user').selectAll().where(by, '=', value).executeTakeFirst();
  return user === undefined ? undefined : complete(db, user);
}

/** By name and domain, letter case ignored as clients expect. */
async function findByName(db: Db, want: LoginWant): Promise<Known | undefined> {
  const query = db.selectFrom('domain').select('id');
  const domain = await (
    want.domainid !== undefined && want.domainid !== ''
      ? query.where('id', '=', want.domainid)
      : query.where((eb) => eb.fn<string>('lower', ['path']), '=', pathOfDomain(want.domain ?? ''))
  ).executeTakeFirst();
  if (domain === undefined) return undefined;
  const user = await db
    .selectFrom('user')
    .selectAll()
    .where('domain', '=', domain.id)
    .where((eb) => eb.fn<string>('lower', ['username']), '=', want.username.toLowerCase())
    .executeTakeFirst();
  return user === undefined ? undefined : complete(db, user);
}

async function complete(db: Db, user: UserTable): Promise<Known> {
  const account = await db.selectFrom('account').selectAll().where('id', '=', user.account).executeTakeFirstOrThrow();
  const domain = await db.selectFrom('domain').selectAll().where('id', '=', account.domain).executeTakeFirstOrThrow();
  return {
    user,
    enabled: user.state === 'enabled' && account.state === 'enabled' && domain.state === 'Active',
    caller: {
      userId: user.id,
      username: user.username,
      accountId: account.id,
      accountName: account.name,
      accountType: account.type,
      role: roleOf(account.type).role,
      domainId: domain.id,
      domainPath: domain.path,
    },
  };
}

function digest(secret: string): string {
  return createHash('sha256').update(secret).digest('hex');
}
