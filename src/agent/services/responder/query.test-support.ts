// Queries as bytes, for tests.

/** A query for a name, with EDNS of this size where one is given. */
export function query(name: string, { id = 7, type = 1, edns = 0 } = {}): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  const head = Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, edns > 0 ? 1 : 0]);
  const opt = edns > 0 ? Buffer.from([0, 0, 41, edns >> 8, edns & 255, 0, 0, 0, 0, 0, 0]) : Buffer.alloc(0);
  return Buffer.concat([head, ...labels, Buffer.from([0, type >> 8, type & 255, 0, 1]), opt]);
}
