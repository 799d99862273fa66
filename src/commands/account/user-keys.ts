// API keys: made here, shown once, kept sealed. New ones replace the old at once.
import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { WRITERS } from '../../api/command.ts';
import * as field from '../../api/field.ts';
import * as param from '../../api/param.ts';
import { seal } from '../../store/seal.ts';
import { readCommand, writeCommand } from '../room.ts';
import { HIDDEN } from './user-view.ts';
import { ruledUser } from './user.ts';

const keysView = z.object({
  apikey: field.string('names the user in a request'),
  secretkey: field.string('signs the request; shown once'),
});

const params = z.object({ id: param.ref('user', 'The user') });

/** A new key and secret: random, in letters that need no encoding anywhere. */
export function newKeys(): { readonly apikey: string; readonly secretkey: string } {
  return { apikey: randomBytes(48).toString('base64url'), secretkey: randomBytes(48).toString('base64url') };
}

export const registerUserKeys = writeCommand({
  name: 'registerUserKeys',
  summary: 'Makes a new API key and secret key for a user; the old ones end',
  roles: WRITERS,
  params,
  answer: { kind: 'object', key: 'userkeys', view: keysView },
  event: 'REGISTER.USER.KEY',
  async write(room, want) {
    const row = await ruledUser(room, want.id);
    const keys = newKeys();
    await room.tx.update('user', row.id, { apikey: keys.apikey, secretkey: seal(room.store.sealKey, keys.secretkey) });
    return { userkeys: keys };
  },
});

export const getUserKeys = readCommand({
  name: 'getUserKeys',
  summary: "Shows a user's API key; the secret key is shown only when it is made",
  roles: WRITERS,
  params,
  answer: { kind: 'object', key: 'userkeys', view: keysView },
  async read(room, want) {
    const row = await ruledUser(room, want.id);
    return { userkeys: row.apikey === null ? {} : { apikey: row.apikey, secretkey: HIDDEN } };
  },
});
