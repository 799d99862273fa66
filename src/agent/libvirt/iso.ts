// A small ISO 9660 image with Joliet names: the one form of a disk that every system reads at its first start. Pure, and written here
// since it is a hundred lines and the programs that do it are rarely installed.

const SECTOR = 2048;
/** Sectors of the descriptors; the path tables, the folders and the files follow. */
const [PRIMARY, JOLIET, END, TABLES] = [16, 17, 18, 19];
/** 2000-01-01 00:00 UTC, so that the same files give the same image (ECMA-119 9.1.5). */
const DATE = Buffer.from([100, 1, 1, 0, 0, 0, 0]);
const LONG_DATE = Buffer.concat([Buffer.from('2000010100000000'), Buffer.from([0])]);

export interface IsoFile {
  /** With slashes, where it is in folders. */
  readonly name: string;
  readonly content: string | Buffer;
}

interface Folder {
  readonly name: string;
  /** Index among all folders, the root first, each after its parent. */
  readonly parent: number;
  readonly depth: number;
}

/** An image with these files. Names are those of Joliet, at most 64 characters a part; a folder's must fit into one sector. */
export function isoImage(label: string, files: readonly IsoFile[]): Buffer {
  const folders = foldersOf(files);
  const tables = [false, true].map((joliet) => tableOf(folders, joliet));
  const tableSectors = Math.ceil(Math.max(...tables.map((table) => table.length)) / SECTOR);
  // Two tables (little and big endian) of each kind, then the folders of each kind.
  const [plainTables, jolietTables] = [TABLES, TABLES + 2 * tableSectors];
  const [plainRoot, jolietRoot] = [jolietTables + 2 * tableSectors, jolietTables + 2 * tableSectors + folders.length];
  let next = jolietRoot + folders.length;
  const placed = files.map(({ name, content }, index) => {
    const data = Buffer.from(content);
    const at = next;
    next += Math.max(1, Math.ceil(data.length / SECTOR));
    const parts = name.split('/');
    const folder = folders.findIndex((one) => pathOf(folders, one) === parts.slice(0, -1).join('/'));
    // The plain name is of the old kind and read by nobody: what matters is that it is legal and different.
    return { name: parts.at(-1)!, plain: `FILE${index}.;1`, folder, data, at };
  });
  const image = Buffer.alloc(next * SECTOR);
  const put = (sector: number, ...parts: Buffer[]): void => void Buffer.concat(parts).copy(image, sector * SECTOR);
  const sizes = tables.map((table) => table.length) as [number, number];
  put(PRIMARY, descriptor(1, text(label, 32), text('', 32), next, plainRoot, plainTables, tableSectors, sizes[0]));
  put(JOLIET, descriptor(2, wide(label, 32), escape(), next, jolietRoot, jolietTables, tableSectors, sizes[1]));
  put(END, Buffer.from([255]), Buffer.from('CD001'), Buffer.from([1]));
  for (const joliet of [false, true]) {
    const [at, root] = joliet ? [jolietTables, jolietRoot] : [plainTables, plainRoot];
    put(at, tableOf(folders, joliet, { root, endian: 'little' }));
    put(at + tableSectors, tableOf(folders, joliet, { root, endian: 'big' }));
    for (const [index, one] of folders.entries()) {
      const below = folders.flatMap((other, number) =>
        number > 0 && other.parent === index
          ? [{ id: idOf(other, number, joliet), at: root + number, size: SECTOR, isFolder: true }]
          : [],
      );
      const held = placed
        .filter((file) => file.folder === index)
        .map((file) => ({
          id: joliet ? utf16(file.name) : Buffer.from(file.plain),
          at: file.at,
          size: file.data.length,
          isFolder: false,
        }));
      put(root + index, ...folder(root + index, root + one.parent, [...below, ...held]));
    }
  }
  for (const { at, data } of placed) put(at, data);
  return image;
}

/** Every folder the files are in, by depth and parent as path tables want them (ECMA-119 6.9.1). */
function foldersOf(files: readonly IsoFile[]): Folder[] {
  const paths = new Set(
    files.flatMap(({ name }) =>
      name
        .split('/')
        .slice(0, -1)
        .map((_, index, parts) => parts.slice(0, index + 1).join('/')),
    ),
  );
  const folders: Folder[] = [{ name: '', parent: 0, depth: 0 }];
  const index = new Map([['', 0]]);
  const depthOf = (path: string): number => path.split('/').length;
  for (const path of [...paths].toSorted((a, b) => depthOf(a) - depthOf(b) || (a < b ? -1 : 1))) {
    const cut = path.lastIndexOf('/');
    index.set(path, folders.length);
    folders.push({
      name: path.slice(cut + 1),
      parent: index.get(path.slice(0, Math.max(0, cut)))!,
      depth: depthOf(path),
    });
  }
  return folders;
}

function pathOf(folders: readonly Folder[], { name, parent, depth }: Folder): string {
  if (depth === 0) return '';
  const above = pathOf(folders, folders[parent]!);
  return above === '' ? name : `${above}/${name}`;
}

function idOf({ name }: Folder, number: number, joliet: boolean): Buffer {
  if (number === 0) return Buffer.from([0]);
  return joliet ? utf16(name) : Buffer.from(`DIR${number}`);
}

/** A path table (ECMA-119 9.4); without `at` only its length is right. */
function tableOf(
  folders: readonly Folder[],
  joliet: boolean,
  at: { readonly root: number; readonly endian: 'little' | 'big' } = { root: 0, endian: 'little' },
): Buffer {
  const entries = folders.map((one, number) => {
    const id = idOf(one, number, joliet);
    const head = Buffer.alloc(8);
    head[0] = id.length;
    const parent = one.parent + 1;
    if (at.endian === 'little') {
      head.writeUInt32LE(at.root + number, 2);
      head.writeUInt16LE(parent, 6);
    } else {
      head.writeUInt32BE(at.root + number, 2);
      head.writeUInt16BE(parent, 6);
    }
    return Buffer.concat([head, id, Buffer.alloc(id.length % 2)]);
  });
  return Buffer.concat(entries);
}

/** A volume descriptor (ECMA-119 8.4, 8.5). `unused` are the 32 bytes that hold Joliet's escape sequence. */
function descriptor(
  type: number,
  label: Buffer,
  unused: Buffer,
  sectors: number,
  root: number,
  tables: number,
  tableSectors: number,
  tableSize: number,
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
    both32(tableSize),
    le32(tables),
    le32(0),
    be32(tables + tableSectors),
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

interface Entry {
  readonly id: Buffer;
  readonly at: number;
  readonly size: number;
  readonly isFolder: boolean;
}

function folder(own: number, parent: number, entries: readonly Entry[]): Buffer[] {
  const sorted = entries.toSorted((a, b) => Buffer.compare(a.id, b.id));
  const records = [
    record(Buffer.from([0]), own, SECTOR, true),
    record(Buffer.from([1]), parent, SECTOR, true),
    ...sorted.map(({ id, at, size, isFolder }) => record(id, at, size, isFolder)),
  ];
  const length = records.reduce((sum, one) => sum + one.length, 0);
  if (length > SECTOR)
    throw new Error(`a folder of the image has ${entries.length} entries: they do not fit into one sector`);
  return records;
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
