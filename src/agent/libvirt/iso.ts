// A small ISO 9660 image with Joliet names: the one form of a disk that every system reads at its first start. Pure, and written here
// since it is a hundred lines and the programs that do it are rarely installed.

const SECTOR = 2048;
/** Sectors of the descriptors, the path tables and the two root folders; files begin at {@link FIRST_FILE}. */
const [PRIMARY, JOLIET, END] = [16, 17, 18];
const [TABLES, JOLIET_TABLES] = [19, 21];
const [ROOT, JOLIET_ROOT, FIRST_FILE] = [23, 24, 25];
/** 2000-01-01 00:00 UTC, so that the same files give the same image (ECMA-119 9.1.5). */
const DATE = Buffer.from([100, 1, 1, 0, 0, 0, 0]);
const LONG_DATE = Buffer.concat([Buffer.from('2000010100000000'), Buffer.from([0])]);

/** An image with these files in its only folder. Names are those of Joliet, at most 64 characters; all must fit into one sector. */
export function isoImage(label: string, files: readonly { readonly name: string; readonly content: string }[]): Buffer {
  let next = FIRST_FILE;
  const placed = files.map(({ name, content }, index) => {
    const data = Buffer.from(content);
    const at = next;
    next += Math.max(1, Math.ceil(data.length / SECTOR));
    // The plain name is of the old kind and read by nobody: what matters is that it is legal and different.
    return { name, plain: `FILE${index}.;1`, data, at };
  });
  const image = Buffer.alloc(next * SECTOR);
  const put = (sector: number, ...parts: Buffer[]): void => void Buffer.concat(parts).copy(image, sector * SECTOR);
  put(PRIMARY, descriptor(1, text(label, 32), text('', 32), next, ROOT, TABLES));
  put(JOLIET, descriptor(2, wide(label, 32), escape(), next, JOLIET_ROOT, JOLIET_TABLES));
  put(END, Buffer.from([255]), Buffer.from('CD001'), Buffer.from([1]));
  for (const [tables, root] of [
    [TABLES, ROOT],
    [JOLIET_TABLES, JOLIET_ROOT],
  ] as const) {
    put(tables, Buffer.from([1, 0]), le32(root), Buffer.from([1, 0, 0, 0]));
    put(tables + 1, Buffer.from([1, 0]), be32(root), Buffer.from([0, 1, 0, 0]));
  }
  put(
    ROOT,
    ...folder(
      ROOT,
      placed.map((file) => ({ ...file, id: Buffer.from(file.plain) })),
    ),
  );
  put(
    JOLIET_ROOT,
    ...folder(
      JOLIET_ROOT,
      placed.map((file) => ({ ...file, id: utf16(file.name) })),
    ),
  );
  for (const { at, data } of placed) put(at, data);
  return image;
}

/** A volume descriptor (ECMA-119 8.4, 8.5). `unused` are the 32 bytes that hold Joliet's escape sequence. */
function descriptor(
  type: number,
  label: Buffer,
  unused: Buffer,
  sectors: number,
  root: number,
  tables: number,
): Buffer {
  const blank = (length: number): Buffer => (type === 1 ? text('', length) : wide('', length));
  return Buffer.concat([
    Buffer.from([type]),
    Buffer.from('CD001'),
    Buffer.from([1, 0]),
    blank(32),
    label,
    Buffer.alloc(8),
    both32(sectors),
    type === 1 ? Buffer.alloc(32) : unused,
    both16(1),
    both16(1),
    both16(SECTOR),
    both32(10),
    le32(tables),
    le32(0),
    be32(tables + 1),
    be32(0),
    record(Buffer.from([0]), root, SECTOR, true),
    blank(128),
    blank(128),
    blank(128),
    blank(128),
    blank(37),
    blank(37),
    blank(37),
    LONG_DATE,
    LONG_DATE,
    LONG_DATE,
    LONG_DATE,
    Buffer.from([1, 0]),
  ]);
}

function folder(
  own: number,
  files: readonly { readonly id: Buffer; readonly at: number; readonly data: Buffer }[],
): Buffer[] {
  const sorted = files.toSorted((a, b) => Buffer.compare(a.id, b.id));
  return [
    record(Buffer.from([0]), own, SECTOR, true),
    record(Buffer.from([1]), own, SECTOR, true),
    ...sorted.map(({ id, at, data }) => record(id, at, data.length, false)),
  ];
}

/** A directory record (ECMA-119 9.1). */
function record(id: Buffer, at: number, size: number, isFolder: boolean): Buffer {
  const pad = Buffer.alloc(id.length % 2 === 0 ? 1 : 0);
  const rest = Buffer.concat([
    Buffer.from([0]),
    both32(at),
    both32(size),
    DATE,
    Buffer.from([isFolder ? 2 : 0, 0, 0]),
    both16(1),
    Buffer.from([id.length]),
    id,
    pad,
  ]);
  return Buffer.concat([Buffer.from([rest.length + 1]), rest]);
}

/** Joliet level 3: names are UCS-2. */
function escape(): Buffer {
  return Buffer.concat([Buffer.from('%/E'), Buffer.alloc(29)]);
}

function text(value: string, length: number): Buffer {
  return Buffer.from(value.padEnd(length, ' ').slice(0, length));
}

function wide(value: string, length: number): Buffer {
  const even = utf16(value.padEnd(Math.floor(length / 2), ' ').slice(0, Math.floor(length / 2)));
  return Buffer.concat([even, Buffer.alloc(length - even.length)]);
}

function utf16(value: string): Buffer {
  return Buffer.from(value, 'utf16le').swap16();
}

function le32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function be32(value: number): Buffer {
  return le32(value).swap32();
}

function both32(value: number): Buffer {
  return Buffer.concat([le32(value), be32(value)]);
}

function both16(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt16LE(value, 0);
  bytes.writeUInt16BE(value, 2);
  return bytes;
}
