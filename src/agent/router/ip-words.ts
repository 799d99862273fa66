// Items' words as arguments of ip(8), and back. Apart because the families differ in what ip(8) takes and shows, and the rest of the driver
// need not know.

/** Whether the words hold an IPv6 address or prefix: no name of a device or label has two colons. */
export function isSix(words: string): boolean {
  return words.split(' ').some((word) => /:.*:/.test(word));
}

/**
 * What an IPv6 address of ours has on a device that is not ours, instead of the label that only IPv4 can have: nothing of the node's own is
 * sent from it, since it may be at the peer in a moment, and it makes no route of its own. Nobody else has use for the two together.
 */
export const OURS6 = ['noprefixroute', 'preferred_lft', '0'] as const;

/** The same, as `ip -json` shows it. */
export function isOurs6(info: {
  readonly noprefixroute?: boolean;
  readonly deprecated?: boolean;
  readonly dynamic?: boolean;
}): boolean {
  return info.noprefixroute === true && info.deprecated === true && info.dynamic !== true;
}

/** `rule pref 1 …` with the verb: `ip rule add pref 1 …`; neighbours have theirs before `proxy`, too. */
export function ipArgv(verb: 'add' | 'del', words: string): string[] {
  const [object, ...rest] = words.split(' ');
  if (!isSix(words)) return ['ip', object!, verb, ...rest];
  if (object !== 'addr') return ['ip', '-6', object!, verb, ...rest];
  const [host, dev, device, label] = rest;
  const at = ['ip', '-6', 'addr', verb, host!, dev!, device!];
  if (verb === 'del') return at;
  // It is ours alone to give, and counts at once: nobody is asked whether he has it.
  return [...at, 'nodad', ...(label === undefined ? [] : OURS6)];
}
