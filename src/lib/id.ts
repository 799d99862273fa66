// Identifiers: random ones for what users create, derived ones (uuid version 5) for what follows from them.
// Derived ids are what makes the compiler idempotent: the same intent names the same row, always.
import { createHash, randomUUID } from 'node:crypto';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Whether the text is a UUID as this product writes them: lower-case hexadecimal with dashes. */
export function isUuid(text: string): boolean {
  return UUID.test(text);
}

export function newId(): string {
  return randomUUID();
}

/** A MAC address (02:…: locally administered, unicast) that follows from a name, such as an interface's id. */
export function macOf(name: string): string {
  const hash = createHash('sha1').update(`mac/${name}`).digest('hex');
  return `02:${hash.slice(0, 2)}:${hash.slice(2, 4)}:${hash.slice(4, 6)}:${hash.slice(6, 8)}:${hash.slice(8, 10)}`;
}

const NAMESPACE = Buffer.from('6f9619ff8b86d011b42d00c04fc964ff', 'hex');

/** The uuid (version 5, RFC 9562) that follows from a name. */
export function derivedId(name: string): string {
  const hash = createHash('sha1').update(NAMESPACE).update(name).digest();
  hash[6] = (hash[6]! & 0x0f) | 0x50;
  hash[8] = (hash[8]! & 0x3f) | 0x80;
  const hex = hash.toString('hex', 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20, 32)}`;
}
