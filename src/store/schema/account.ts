// Tenants: domains, accounts, users, and who is logged in. Columns are said here and nowhere else; what all tables have in common is in ../schema.ts.
import type { Bit } from './bit.ts';

/** A tenant tree: ROOT, and domains below it. `path` is ROOT/a/b. */
export interface DomainTable {
  id: string;
  name: string;
  path: string;
  parent: string | null;
  level: number;
  networkdomain: string | null;
  state: string;
  created: string;
}

/** type: 0 user, 1 root admin, 2 domain admin, 4 read-only admin (the CloudStack account types). */
export interface AccountTable {
  id: string;
  name: string;
  domain: string;
  type: number;
  state: string;
  networkdomain: string | null;
  isdefault: Bit;
  created: string;
}

export interface UserTable {
  id: string;
  account: string;
  /** The account's domain, kept here because a user's name is unique in it. */
  domain: string;
  username: string;
  /** scrypt, with its parameters and salt. */
  password: string;
  firstname: string;
  lastname: string;
  email: string;
  timezone: string | null;
  state: string;
  apikey: string | null;
  /** Sealed: the signature needs it, so it cannot be a hash. */
  secretkey: string | null;
  failedlogins: number;
  created: string;
}

export interface SessionTable {
  /** Hash of the cookie's value. */
  id: string;
  user: string;
  /** Hash of the session key. */
  sessionkey: string;
  created: string;
  expires: string;
}

/** How many objects of a kind an account (or, without one, a whole domain) may have; where there is no row a setting says it. */
export interface ResourceLimitTable {
  id: string;
  account: string | null;
  domain: string;
  /** CloudStack's number of the kind: 0 instances … 11 secondary storage. */
  type: number;
  /** -1: any number. */
  max: number;
  created: string;
}
