// Checks that a request was signed with a secret. Clients build the text they sign in slightly different ways, so several
// reconstructions of the same request are tried; each is an HMAC over all parameters, so none of them proves less.
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Sent } from './decode.ts';

/** How a client may have built the text: which characters it left unencoded, and how it sorted. */
type Form = (sent: readonly Sent[]) => string;

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

const joined = (
  sent: readonly Sent[],
  name: (sent: Sent) => string,
  encode: (text: string) => string,
  encodeName = encode,
): string =>
  sent
    .toSorted((a, b) => byText(name(a), name(b)))
    .map((one) => `${encodeName(name(one))}=${encode(one.value)}`)
    .join('&');

/** RFC 3986, but `*` and what `free` names stay as they are. */
function encoder(free: readonly string[], encoded: readonly string[] = []): (text: string) => string {
  return (text) => {
    let out = encodeURIComponent(text).replaceAll(/[!'()]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
    for (const character of free) out = out.replaceAll(encodeURIComponent(character), character);
    for (const character of encoded) out = out.replaceAll(character, `%${character.charCodeAt(0).toString(16)}`);
    return out;
  };
}

const canonical = encoder([]);
const java = encoder([], ['~']);
const brackets = encoder(['[', ']']);
const asIs = (text: string): string => text;

/** Measured with cs, Ansible, libcloud, cmk and csclient on awkward values; the first fits nearly every request. */
const FORMS: readonly Form[] = [
  (sent) => joined(sent, (one) => one.name, canonical),
  (sent) => joined(sent, (one) => one.name, canonical, asIs),
  (sent) => joined(sent, (one) => one.name, java),
  (sent) => joined(sent, (one) => one.name.toLowerCase(), brackets),
  (sent) => joined(sent, (one) => one.name.toLowerCase(), canonical),
  (sent) =>
    sent
      .map((one) => one.raw.replaceAll('+', '%20'))
      .toSorted(byText)
      .join('&'),
];

/** Whether `signature` (base64) is the HMAC-SHA1 of the parameters under this secret. Takes no shorter for a near miss. */
export function signed(sent: readonly Sent[], signature: string, secret: string): boolean {
  const covered = sent.filter((one) => one.name.toLowerCase() !== 'signature');
  // A `+` that the client forgot to encode arrives as a space; base64 has none.
  const given = Buffer.from(signature.replaceAll(' ', '+'), 'base64');
  return FORMS.some((form) => {
    const wanted = sign(form(covered), secret);
    return given.length === wanted.length && timingSafeEqual(given, wanted);
  });
}

function sign(text: string, secret: string): Buffer {
  return createHmac('sha1', secret).update(text.toLowerCase()).digest();
}

/** A signature that is valid for longer would be a password in all but name. */
export const MAX_AHEAD_HOURS = 24;

/** Why a signature is not valid now, as a sentence; undefined when it is. Versions 1 and 2 know no expiry. */
export function expired(version: string | undefined, expires: string | undefined, now: number): string | undefined {
  if (version !== undefined && !/^[123]$/.test(version)) return `signatureVersion must be 1, 2 or 3`;
  if (version !== '3' && expires === undefined) return undefined;
  if (expires === undefined) return 'signatureVersion 3 needs the parameter expires, such as 2026-11-22T10:00:00+0000';
  const at = instant(expires);
  if (at === undefined) return 'expires must be written as 2026-11-22T10:00:00+0000';
  if (at <= now)
    return `the request expired at ${new Date(at).toISOString()}; it is ${new Date(now).toISOString()} here: check your clock`;
  if (at > now + MAX_AHEAD_HOURS * 3_600_000)
    return `expires is more than ${MAX_AHEAD_HOURS} hours ahead; sign for a shorter time`;
  return undefined;
}

const INSTANT = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.\d{1,9})?(?:Z|([+ -])(\d{2}):?(\d{2}))$/;

/** Milliseconds of `yyyy-MM-ddTHH:mm:ss` with `Z`, `+0000` or `+00:00`. A `+` may have arrived as a space. */
function instant(text: string): number | undefined {
  const match = INSTANT.exec(text);
  if (match === null) return undefined;
  const [, local, sign, hours = '00', minutes = '00'] = match;
  if (Number(hours) > 14 || Number(minutes) > 59) return undefined;
  const at = Date.parse(`${local}${sign === '-' ? '-' : '+'}${hours}:${minutes}`);
  return Number.isNaN(at) ? undefined : at;
}
