// Tenants beside those of the demo: each a domain of its own with an account that administers it, made through the API.
import { createClient } from '../../src/client/client.ts';
import { field, text } from '../../src/demo/answer.ts';
import type { Caller, Cloud } from '../../src/demo/cloud.ts';
import { type Tenant, tenantOf } from '../../src/demo/tenant.ts';

const PASSWORD = 'a-password-for-tests';

/** A new domain of this name and a tenant who administers it. */
export async function newTenant(cloud: Cloud, name: string): Promise<Tenant> {
  const admin = cloud.as('admin');
  const domainid = text(field(await admin('createDomain', { name }), 'domain'), 'id');
  const username = `${name}-admin`;
  const person = { username, password: PASSWORD, email: `${username}@example.org`, firstname: name, lastname: 'Admin' };
  const made = field(await admin('createAccount', { ...person, accounttype: '2', domainid }), 'account');
  const [user] = (made as { readonly user: readonly object[] }).user;
  const keys = field(await admin('registerUserKeys', { id: text(user, 'id') }), 'userkeys');
  const [apikey, secretkey] = [text(keys, 'apikey'), text(keys, 'secretkey')];
  const { endpoint, accounts } = cloud.access;
  const client = createClient({ endpoint, apikey, secretkey });
  const own: Caller = (command, params = {}) => client.call(command, params);
  const account = { username, password: PASSWORD, domain: name, apikey, secretkey };
  return tenantOf(
    {
      as: (who) => (who === username ? own : cloud.as(who)),
      access: { endpoint, accounts: { ...accounts, [username]: account } },
    },
    username,
  );
}
