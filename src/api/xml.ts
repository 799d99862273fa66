// Answers as XML: what CloudStack sends when nobody asks for JSON. Lists are repeated elements.

/** The version we claim to speak: the newest whose command set the facts of this API were checked against. */
export const CLOUDSTACK_VERSION = '4.18.0.0';

/** A document with one root element. */
export function toXml(root: string, body: Readonly<Record<string, unknown>>): string {
  const name = elementName(root);
  return `<?xml version="1.0" encoding="UTF-8"?><${name} cloud-stack-version="${CLOUDSTACK_VERSION}">${members(body)}</${name}>`;
}

function members(body: Readonly<Record<string, unknown>>): string {
  return Object.entries(body)
    .map(([name, value]) => element(elementName(name), value))
    .join('');
}

function element(name: string, value: unknown): string {
  if (value === undefined || value === null) return '';
  if (Array.isArray(value)) return value.map((item) => element(name, item)).join('');
  if (typeof value === 'object') return `<${name}>${members(value as Record<string, unknown>)}</${name}>`;
  return `<${name}>${escape(String(value))}</${name}>`;
}

/** A key that is no XML name (a detail may be called anything) gets its odd characters replaced. */
function elementName(key: string): string {
  const safe = key.replaceAll(/[^A-Za-z0-9_.-]/g, '_');
  return /^[A-Za-z_]/.test(safe) ? safe : `_${safe}`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

function escape(text: string): string {
  // Characters XML 1.0 cannot hold at all (section 2.2) become a replacement character.
  return text
    .replaceAll(/[&<>"']/g, (character) => ENTITIES[character]!)
    .replaceAll(/[^\P{Cc}\t\n\r]|[\ufffe\uffff]/gu, '\ufffd');
}
