// Reads what `swanctl --list-sas --raw` prints: one line per IKE SA, of nested `name {...}`. Pure.

export interface IpsecSa {
  /** Of the connection. */
  readonly name: string;
  /** ESTABLISHED, CONNECTING, … */
  readonly state: string;
  readonly remoteHost: string;
  readonly remotePort: string;
  /** States of its child SAs: INSTALLED, … */
  readonly children: readonly string[];
}

/** Lines begin with `list-sa event {NAME {…}}`. */
export function parseSas(text: string): readonly IpsecSa[] {
  return text.split('\n').flatMap((line) => {
    const [, name, body] = /^list-sa event \{([^ ={}]+) \{(.*)\}\}\s*$/.exec(line) ?? [];
    if (name === undefined || body === undefined) return [];
    const [own = '', rest = ''] = splitAt(body, 'child-sas {');
    const value = (key: string): string => new RegExp(`(?:^| )${key}=([^ {}]*)`).exec(own)?.[1] ?? '';
    return [
      {
        name,
        state: value('state'),
        remoteHost: value('remote-host'),
        remotePort: value('remote-port'),
        children: [...rest.matchAll(/(?:^| |\{)state=([A-Z_]+)/g)].map((match) => match[1]!),
      },
    ];
  });
}

function splitAt(text: string, word: string): readonly string[] {
  const at = text.indexOf(word);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + word.length)];
}
