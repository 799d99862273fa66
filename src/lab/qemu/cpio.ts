// A cpio archive ("newc"), the form the Linux kernel unpacks as its first file system. Written here since it is thirty lines and
// the program that does it is often not installed.

/** One thing in the archive. Paths are relative to the root, without a leading slash. */
export type CpioEntry =
  | { readonly kind: 'folder'; readonly path: string; readonly mode?: number }
  | { readonly kind: 'file'; readonly path: string; readonly content: Buffer; readonly mode: number }
  | { readonly kind: 'link'; readonly path: string; readonly to: string };

const FOLDER = 0o040000;
const FILE = 0o100000;
const LINK = 0o120000;

/** The archive, all of it root's. Folders must come before what lies in them. (Linux, Documentation/driver-api/early-userspace/buffer-format.rst.) */
export function cpio(entries: readonly CpioEntry[]): Buffer {
  const parts = entries.flatMap((entry, index) => {
    switch (entry.kind) {
      case 'folder':
        return member(index + 1, entry.path, FOLDER | (entry.mode ?? 0o755), Buffer.alloc(0));
      case 'file':
        return member(index + 1, entry.path, FILE | entry.mode, entry.content);
      case 'link':
        return member(index + 1, entry.path, LINK | 0o777, Buffer.from(entry.to));
    }
  });
  return Buffer.concat([...parts, ...member(0, 'TRAILER!!!', 0, Buffer.alloc(0))]);
}

function member(inode: number, path: string, mode: number, content: Buffer): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  const links = 1;
  const fields = [inode, mode, 0, 0, links, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const header = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  return [padded(Buffer.concat([Buffer.from(header), name])), padded(content)];
}

function padded(part: Buffer): Buffer {
  const missing = (4 - (part.length % 4)) % 4;
  return missing === 0 ? part : Buffer.concat([part, Buffer.alloc(missing)]);
}
