/** The archive that the kernel unpacks into memory before it starts anything: the "newc" form of cpio. */

/** A file of the archive. */
export interface ArchivedFile {
  /** Without a slash at its beginning; its folders are made. */
  readonly path: string;
  readonly content: Uint8Array;
  readonly isExecutable: boolean;
}

const modes = { folder: 0o040755, program: 0o100755, data: 0o100644 } as const;
const end = 'TRAILER!!!';

const padded = (bytes: Buffer): Buffer => Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);

const record = (inode: number, path: string, { mode, content }: { mode: number; content: Uint8Array }): Buffer => {
  const name = Buffer.from(`${path}\0`);
  // inode, mode, user, group, links, time, size, device (2), special device (2), length of the name, checksum
  const fields = [inode, mode, 0, 0, 1, 0, content.length, 0, 0, 0, 0, name.length, 0];
  const head = `070701${fields.map((field) => field.toString(16).padStart(8, '0')).join('')}`;
  return Buffer.concat([padded(Buffer.concat([Buffer.from(head), name])), padded(Buffer.from(content))]);
};

const foldersOf = (path: string): readonly string[] => {
  const parts = path.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
};

/** Makes the archive; the same files make the same bytes. */
export const initramfs = (files: readonly ArchivedFile[]): Buffer => {
  const nothing = new Uint8Array();
  const folders = [...new Set(files.flatMap(({ path }) => foldersOf(path)))].toSorted();
  const entries = [
    ...folders.map((path) => ({ path, mode: modes.folder, content: nothing })),
    ...files.map(({ path, content, isExecutable }) => ({
      path,
      mode: isExecutable ? modes.program : modes.data,
      content,
    })),
    { path: end, mode: 0, content: nothing },
  ];
  return Buffer.concat(entries.map(({ path, ...entry }, index) => record(index + 1, path, entry)));
};
