// Requests built by hand, the way an attacker would: signed over one thing and sent as another.
import { createHmac } from 'node:crypto';
import type { Answered, Cloud } from '../support/cloud.ts';

export interface Keys {
  readonly apikey: string;
  readonly secretkey: string;
}

/** Signs `name=value` pairs that are encoded already: sorted, lower-cased, HMAC-SHA1. */
export function signature(pairs: readonly string[], secretkey: string): string {
  return createHmac('sha1', secretkey)
    .update([...pairs].toSorted().join('&').toLowerCase())
    .digest('base64');
}

/** The pairs with API key and signature. */
export function sign(pairs: readonly string[], { apikey, secretkey }: Keys): string[] {
  const all = [...pairs, `apikey=${apikey}`, 'response=json'];
  return [...all, `signature=${encodeURIComponent(signature(all, secretkey))}`];
}

export const get = (cloud: Cloud, pairs: readonly string[], init?: RequestInit): Promise<Answered> =>
  cloud.fetch(`/client/api?${pairs.join('&')}`, init);

export const post = (cloud: Cloud, pairs: readonly string[], query: readonly string[] = []): Promise<Answered> =>
  cloud.fetch(`/client/api?${query.join('&')}`, {
    method: 'POST',
    body: pairs.join('&'),
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });

/** `yyyy-MM-ddTHH:mm:ss` + suffix, encoded, `seconds` from now, as it reads `offsetMinutes` east of Greenwich. */
export function expires(seconds: number, suffix = '+0000', offsetMinutes = 0): string {
  const at = new Date(Date.now() + seconds * 1000 + offsetMinutes * 60_000);
  return `expires=${encodeURIComponent(`${at.toISOString().slice(0, 19)}${suffix}`)}`;
}
