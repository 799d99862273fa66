// What IPsec may use, as CloudStack writes it: `aes256-sha256;modp2048,aes128-sha256;modp2048`. Read here for whoever judges it and for
// whoever hands it to a node. Pure.

/** One way of protecting a tunnel. */
export interface Proposal {
  readonly cipher: string;
  readonly hash: string;
  /** Diffie-Hellman group; of ESP: perfect forward secrecy, absent where there is none. */
  readonly group?: string;
}

export const CIPHERS: readonly string[] = ['3des', 'aes128', 'aes192', 'aes256'];
export const HASHES: readonly string[] = ['md5', 'sha1', 'sha256', 'sha384', 'sha512'];
export const GROUPS: readonly string[] = [
  'modp1024',
  'modp1536',
  'modp2048',
  'modp3072',
  'modp4096',
  'modp6144',
  'modp8192',
  'ecp256',
  'ecp384',
  'curve25519',
];

/** What was broken, or will be. */
const WEAK: ReadonlySet<string> = new Set(['3des', 'md5', 'sha1', 'modp1024', 'modp1536']);

const MOST = 8;

/** The proposals of a policy, best first as they were written; undefined when it cannot be read, or IKE's lacks a group. */
export function parsePolicy(text: string, of: 'ike' | 'esp'): readonly Proposal[] | undefined {
  const proposals: Proposal[] = [];
  for (const part of text.split(',')) {
    const [, cipher = '', hash = '', group] = /^([a-z0-9]+)-([a-z0-9]+)(?:;([a-z0-9]+))?$/.exec(part.trim()) ?? [];
    if (!CIPHERS.includes(cipher) || !HASHES.includes(hash)) return undefined;
    if (group === undefined ? of === 'ike' : !GROUPS.includes(group)) return undefined;
    proposals.push({ cipher, hash, ...(group === undefined ? {} : { group }) });
  }
  return proposals.length <= MOST ? proposals : undefined;
}

/** The weak parts of proposals, each once. */
export function weakParts(proposals: readonly Proposal[]): readonly string[] {
  const parts = proposals.flatMap(({ cipher, hash, group = '' }) => [cipher, hash, group]);
  return [...new Set(parts.filter((part) => WEAK.has(part)))];
}

/** As strongSwan writes them: aes256-sha256-modp2048. */
export function proposalTexts(proposals: readonly Proposal[]): string[] {
  return proposals.map(({ cipher, hash, group }) => [cipher, hash, ...(group === undefined ? [] : [group])].join('-'));
}
