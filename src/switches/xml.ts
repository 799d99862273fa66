// The little XML that NETCONF needs: written with everything escaped, read strictly and with namespaces resolved. Apart and our own
// because RFC 6241 (3.2) forbids document types, so the dangerous half of XML need not exist here at all.

export interface XmlElement {
  readonly namespace: string;
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly XmlElement[];
  /** The text directly inside, without the space around it. */
  readonly text: string;
}

const DEEPEST = 100;
const NAME = /[A-Za-z_][A-Za-z0-9_.-]*(?::[A-Za-z_][A-Za-z0-9_.-]*)?/y;
const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" };

/** Text or an attribute's value, fit to stand in XML. Throws at characters that XML 1.0 cannot hold. */
export function escapeXml(text: string): string {
  if (/[^\t\n\r\x20-\uffff]|[\ufffe\uffff]/.test(text)) throw new Error('XML cannot hold control characters');
  return text.replaceAll(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** An element with what is inside, which is XML already. */
export function element(
  name: string,
  attributes: Readonly<Record<string, string>>,
  ...inside: readonly string[]
): string {
  const start = [name, ...Object.entries(attributes).map(([key, value]) => `${key}="${escapeXml(value)}"`)].join(' ');
  return inside.length === 0 ? `<${start}/>` : `<${start}>${inside.join('')}</${name}>`;
}

/** Reads one document. Throws where it is not well-formed, or has a document type. */
export function parseXml(text: string): XmlElement {
  const reader = createReader(text);
  reader.skipMisc();
  const root = reader.element({}, 0);
  reader.skipMisc();
  if (!reader.atEnd()) reader.fail('something follows the document');
  return root;
}

/** The first child of that name, whatever its namespace. */
export function child(parent: XmlElement | undefined, name: string): XmlElement | undefined {
  return parent?.children.find((each) => each.name === name);
}

/** The element at the end of a path of names. */
export function at(parent: XmlElement | undefined, ...path: readonly string[]): XmlElement | undefined {
  return path.reduce(child, parent);
}

type Prefixes = Readonly<Record<string, string>>;

function createReader(text: string) {
  let position = text.startsWith('\ufeff') ? 1 : 0;

  const fail = (why: string): never => {
    throw new Error(`not well-formed XML at character ${position}: ${why}`);
  };
  const take = (expected: string): void => {
    if (!text.startsWith(expected, position)) fail(`expected "${expected}"`);
    position += expected.length;
  };
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = position;
    const found = pattern.exec(text)?.[0];
    if (found !== undefined) position += found.length;
    return found;
  };
  const through = (end: string): string => {
    const to = text.indexOf(end, position);
    if (to < 0) fail(`no "${end}" follows`);
    const inside = text.slice(position, to);
    position = to + end.length;
    return inside;
  };
  const space = (): boolean => match(/[ \t\r\n]+/y) !== undefined;
  const name = (): string => match(NAME) ?? fail('a name is expected');

  /** Comments, processing instructions and space between elements. */
  function skipMisc(): void {
    for (;;) {
      if (space()) continue;
      if (match(/<!--/y) !== undefined) through('-->');
      else if (match(/<\?/y) !== undefined) through('?>');
      else return;
    }
  }

  function attributes(): Record<string, string> {
    const found: Record<string, string> = {};
    while (space() && !/[/>]/.test(text[position] ?? '>')) {
      const key = name();
      if (match(/[ \t\r\n]*=[ \t\r\n]*/y) === undefined) fail('"=" is expected');
      const quote = match(/["']/y) ?? fail('a quote is expected');
      const value = through(quote);
      if (value.includes('<')) fail('"<" in an attribute');
      if (Object.hasOwn(found, key)) fail(`attribute ${key} twice`);
      found[key] = decode(value, fail);
    }
    return found;
  }

  function parseElement(outer: Prefixes, depth: number): XmlElement {
    if (depth > DEEPEST) fail(`more than ${DEEPEST} elements inside each other`);
    take('<');
    const tag = name();
    const given = attributes();
    const prefixes: Record<string, string> = { ...outer };
    for (const [key, value] of Object.entries(given)) {
      if (key === 'xmlns') prefixes[''] = value;
      else if (key.startsWith('xmlns:')) prefixes[key.slice('xmlns:'.length)] = value;
    }
    const children: XmlElement[] = [];
    const own = resolve(tag, prefixes);
    let inner = '';
    if (match(/\/>/y) === undefined) {
      take('>');
      while (!text.startsWith('</', position)) {
        inner += decode(match(/[^<]+/y) ?? '', fail);
        if (text.startsWith('</', position)) break;
        if (match(/<!\[CDATA\[/y) !== undefined) inner += through(']]>');
        else if (/^<[!?]/.test(text.slice(position, position + 2))) {
          const before = position;
          skipMisc();
          if (position === before) fail('a declaration inside an element');
        } else children.push(parseElement(prefixes, depth + 1));
      }
      take('</');
      take(tag);
      space();
      take('>');
    }
    return { ...own, attributes: given, children, text: inner.trim() };
  }

  function resolve(tag: string, prefixes: Prefixes): { namespace: string; name: string } {
    const [first, second] = tag.split(':');
    if (second === undefined) return { namespace: prefixes[''] ?? '', name: first! };
    const namespace = Object.hasOwn(prefixes, first!) ? prefixes[first!] : undefined;
    return { namespace: namespace ?? fail(`prefix ${first} has no namespace`), name: second };
  }

  return { skipMisc, fail, atEnd: () => position >= text.length, element: parseElement };
}

function decode(text: string, fail: (why: string) => never): string {
  return text.replaceAll(/&([^;&]{1,10});|&/g, (_all, entity: string | undefined) => {
    if (entity === undefined) return fail('"&" without an entity');
    const [, hex, decimal] = /^#(?:x([0-9A-Fa-f]{1,6})|(\d{1,7}))$/.exec(entity) ?? [];
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16);
    if (code > 0 && code <= 0x10_ff_ff) return String.fromCodePoint(code);
    return (Object.hasOwn(ENTITIES, entity) ? ENTITIES[entity] : undefined) ?? fail(`unknown entity ${entity}`);
  });
}
