// The accounts a new cloud begins with: admin, and where asked for the demo's two tenants and its read-only admin. Passwords and
// keys are random, and told once to whoever starts the server.
import { randomBytes } from 'node:crypto';
import { newId } from '../../lib/id.ts';
import { BUILT_IN } from '../../model/built-in.ts';
import { hashPassword } from '../../store/password.ts';
import { seal } from '../../store/seal.ts';
import type { Tx } from '../../store/write.ts';
import { newKeys } from './user-keys.ts';

/** What a person needs to log in or to sign. `domain` is the path as login takes it: `/`, `/acme`. */
export interface Credential {
  readonly username: string;
  readonly password: string;
  readonly domain: string;
  readonly apikey: string;
  readonly secretkey: string;
}

interface Beginner {
  readonly name: string;
  /** 0 user, 1 root admin, 2 domain admin, 4 read-only admin. */
  readonly type: number;
  /** Name of a domain right below ROOT; absent: ROOT itself. */
  readonly domain?: string;
}

const ADMIN: Beginner = { name: 'admin', type: 1 };

const DEMO: readonly Beginner[] = [
  { name: 'acme-admin', type: 2, domain: 'acme' },
  { name: 'acme-user', type: 0, domain: 'acme' },
  { name: 'globex-admin', type: 2, domain: 'globex' },
  { name: 'readonly', type: 4 },
];

/** Makes the accounts that are not there, with a user of the same name each. Answers the secrets of the new ones by name. */
export async function addAccounts(
  tx: Tx,
  sealKey: Buffer,
  demo: boolean,
  created: string,
): Promise<Record<string, Credential>> {
  const wanted = demo ? [ADMIN, ...DEMO] : [ADMIN];
  const missing: { readonly beginner: Beginner; readonly domain: string }[] = [];
  for (const beginner of wanted) {
    const domain = await domainOf(tx, beginner.domain, created);
    const account = await tx.db
      .selectFrom('account')
      .select('id')
      .where('domain', '=', domain)
      .where('name', '=', beginner.name)
      .executeTakeFirst();
    if (account === undefined) missing.push({ beginner, domain });
  }
  const credentials = await Promise.all(
    missing.map(async ({ beginner, domain }) => {
      const password = randomBytes(15).toString('base64url');
      return { beginner, domain, password, hash: await hashPassword(password), ...newKeys() };
    }),
  );
  const told: Record<string, Credential> = {};
  for (const { beginner, domain, password, hash, apikey, secretkey } of credentials) {
    const account = beginner === ADMIN ? BUILT_IN.adminAccount : newId();
    await tx.insert('account', {
      id: account,
      name: beginner.name,
      domain,
      type: beginner.type,
      state: 'enabled',
      networkdomain: null,
      isdefault: beginner === ADMIN ? 1 : 0,
      created,
    });
    await tx.insert('user', {
      id: newId(),
      account,
      domain,
      username: beginner.name,
      password: hash,
      firstname: beginner.name,
      lastname: beginner.domain ?? 'cloud',
      email: `${beginner.name}@example.invalid`,
      timezone: null,
      state: 'enabled',
      apikey,
      secretkey: seal(sealKey, secretkey),
      failedlogins: 0,
      created,
    });
    told[beginner.name] = { username: beginner.name, password, domain: `/${beginner.domain ?? ''}`, apikey, secretkey };
  }
  return told;
}

/** The id of a domain right below ROOT, made if need be. */
async function domainOf(tx: Tx, name: string | undefined, created: string): Promise<string> {
  if (name === undefined) return BUILT_IN.rootDomain;
  const path = `ROOT/${name}`;
  const known = await tx.db.selectFrom('domain').select('id').where('path', '=', path).executeTakeFirst();
  if (known !== undefined) return known.id;
  const id = newId();
  await tx.insert('domain', {
    id,
    name,
    path,
    parent: BUILT_IN.rootDomain,
    level: 1,
    networkdomain: null,
    state: 'Active',
    created,
  });
  return id;
}
