// What the parameters of a stickiness policy mean. Apart because whoever refuses a wrong one and whoever makes it true must agree.
// Names, defaults and meanings are CloudStack's (HAProxyConfigurator.java), which are haproxy's.
import type { Balancer, StickyCookie } from './public-side.ts';

export const METHODS = ['SourceBased', 'LbCookie', 'AppCookie'] as const;
export type StickinessMethod = (typeof METHODS)[number];

export interface StickinessPolicy {
  readonly methodname: string;
  readonly params: Readonly<Record<string, string>>;
}

/** How one parameter is written. */
export interface StickinessParam {
  readonly name: string;
  readonly about: string;
  /** What is wrong with the text, as half a sentence (`is to be …`); undefined when nothing is. */
  refuses(text: string): string | undefined;
}

/** Letters, digits and what else a cookie's name may hold (RFC 6265: a token) that no configuration file takes for syntax. */
const NAME = /^[A-Za-z0-9_.-]{1,64}$/;
const DOMAIN = /^\.?[A-Za-z0-9]([A-Za-z0-9.-]{0,250}[A-Za-z0-9])?$/;
const TIME = /^([0-9]{1,9})(ms|s|m|h|d)?$/;
const SECONDS: Readonly<Record<string, number>> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86_400 };
const LONGEST_SECONDS = 7 * 86_400;

const flag = (name: string, about: string): StickinessParam => ({
  name,
  about,
  refuses: (text) => (/^(true|false)?$/i.test(text) ? undefined : 'is to be true or false'),
});
const pattern = (name: string, about: string, form: RegExp, said: string): StickinessParam => ({
  name,
  about,
  refuses: (text) => (form.test(text) ? undefined : said),
});
const time = (name: string, about: string): StickinessParam => ({
  name,
  about,
  refuses(text) {
    const seconds = secondsOf(text);
    return seconds !== undefined && seconds >= 1 && seconds <= LONGEST_SECONDS
      ? undefined
      : 'is to be a time from 1s to 7d, such as 30m';
  },
});
const cookieName = pattern(
  'cookie-name',
  'name of the cookie',
  NAME,
  'is to be a name of at most 64 letters, digits, dots, dashes and underscores',
);

export const STICKINESS_PARAMS: Readonly<Record<StickinessMethod, readonly StickinessParam[]>> = {
  SourceBased: [
    pattern('tablesize', 'clients remembered; 20k', /^[0-9]{1,7}k?$/, 'is to be a number, such as 20k'),
    time('expire', 'how long a client is remembered after its last connection; 30m'),
  ],
  LbCookie: [
    cookieName,
    pattern(
      'mode',
      'insert, rewrite or prefix; insert',
      /^(insert|rewrite|prefix)$/,
      'is to be insert, rewrite or prefix',
    ),
    flag('nocache', 'caches are told to keep no answer that sets the cookie'),
    flag('indirect', 'members do not see the cookie'),
    flag('postonly', 'only answers to POST set the cookie'),
    pattern('domain', 'domain of the cookie', DOMAIN, 'is to be a domain name'),
  ],
  AppCookie: [
    cookieName,
    pattern(
      'length',
      'characters of the value that count; 52',
      /^([1-9]|[1-9][0-9]|1[01][0-9]|12[0-8])$/,
      'is to be 1 to 128',
    ),
    time('holdtime', 'how long a value is remembered; 3h'),
  ],
};

/** Parameters of CloudStack's that mean something its haproxy could do and ours cannot any more. */
export const STICKINESS_GONE: Readonly<Record<string, string>> = {
  'request-learn': 'haproxy has no appsession any more; cookies that clients bring are looked up as they are',
  prefix: 'haproxy has no appsession any more; give the whole name of the cookie',
  mode: 'haproxy has no appsession any more; cookies are looked at, not paths and queries',
};

/** Seconds of `30m`, `1500ms`, `20`; milliseconds where no unit stands, as haproxy reads it. Undefined when it is no time. */
export function secondsOf(text: string): number | undefined {
  const match = TIME.exec(text);
  return match === null ? undefined : Number(match[1]) * SECONDS[match[2] ?? 'ms']!;
}

/** What a policy, whose parameters were checked, means for a balancer. */
export function stickinessOf({ methodname, params }: StickinessPolicy): Pick<Balancer, 'stickySeconds' | 'cookie'> {
  const given = (name: string): string | undefined => (params[name] === '' ? undefined : params[name]);
  if (methodname === 'SourceBased') {
    const expire = given('expire');
    return expire === undefined ? {} : { stickySeconds: Math.round(secondsOf(expire) ?? 1800) };
  }
  return { cookie: methodname === 'LbCookie' ? balancerCookie(given) : applicationCookie(given) };
}

function balancerCookie(given: (name: string) => string | undefined): StickyCookie {
  const domain = given('domain');
  const flags = (['nocache', 'indirect', 'postonly'] as const).filter((name) => given(name)?.toLowerCase() === 'true');
  const mode = (given('mode') ?? 'insert') as 'insert' | 'rewrite' | 'prefix';
  return {
    kind: 'balancer',
    name: given('cookie-name') ?? 'SERVERID',
    mode,
    flags,
    ...(domain === undefined ? {} : { domain }),
  };
}

function applicationCookie(given: (name: string) => string | undefined): StickyCookie {
  return {
    kind: 'application',
    name: given('cookie-name') ?? 'JSESSIONID',
    length: Number(given('length') ?? 52),
    holdSeconds: Math.round(secondsOf(given('holdtime') ?? '3h') ?? 10_800),
  };
}
