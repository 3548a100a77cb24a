/** WASI preview 1: the calls on descriptors (`fd_…`). Each writes its results into the guest's memory or throws its error. */
import type { Descriptor, DescriptorTable, OpenFile, Stream } from './descriptor-table.ts';
import { WasiError } from './errno.ts';
import type { GuestMemory } from './guest-memory.ts';
import type { WasiCalls } from './wasi-call.ts';
import { writeListing } from './listing.ts';
import { rights, setTimes, writeStat, type StatTarget } from './stat.ts';

const fileTypes = { stream: 0, directory: 3, file: 4 } as const;
const appendFlag = 1;
/** append, dsync, nonblock, rsync, sync: all but the first change nothing here. */
const flagsMask = 0x1f;
/** `noreuse`, the last one; all are only heard. */
const adviceMax = 5;
const origins = { set: 0, current: 1, end: 2 } as const;
const offsetMax = BigInt(Number.MAX_SAFE_INTEGER);

/** What the calls work on. */
export interface FileState {
  readonly memory: GuestMemory;
  readonly table: DescriptorTable;
  /** Guest time in ns. */
  readonly now: () => bigint;
}

/** A position or a size in a file. @throws {WasiError} `inval` when it is negative, `fbig` when it is beyond any file */
const fileOffset = (value: bigint): number => {
  if (value < 0n) throw new WasiError('inval');
  if (value > offsetMax) throw new WasiError('fbig');
  return Number(value);
};

/** The `fd_…` functions of the module `wasi_snapshot_preview1`. */
export const fileCalls = (state: FileState): WasiCalls => ({ ...contentCalls(state), ...descriptorCalls(state) });

/** What is in files. */
const contentCalls = ({ memory, table, now }: FileState): WasiCalls => ({
  fd_allocate: (fd: number, offset: bigint, length: bigint): void => {
    const { node } = writable(table.file(fd));
    const end = fileOffset(offset) + fileOffset(length);
    if (end > node.size) node.resize(end, now());
  },
  fd_filestat_set_size: (fd: number, size: bigint): void =>
    writable(table.file(fd)).node.resize(fileOffset(size), now()),
  fd_pread: (...[fd, list, count, offset, read]: readonly [number, number, number, bigint, number]): void => {
    const file = readable(table.file(fd));
    memory.setU32(read, readInto(file, memory.vectors(list, count), fileOffset(offset)));
  },
  fd_pwrite: (...[fd, list, count, offset, written]: readonly [number, number, number, bigint, number]): void => {
    const { node } = writable(table.file(fd));
    memory.setU32(written, writeFrom({ node, now: now() }, memory.vectors(list, count), fileOffset(offset)));
  },
  fd_read: (...[fd, list, count, read]: readonly [number, number, number, number]): void => {
    const open = readable(table.get(fd));
    const vectors = memory.vectors(list, count);
    memory.setU32(read, open.type === 'file' ? readOn(open, vectors) : readStream(open, vectors));
  },
  fd_readdir: (...[fd, place, length, cookie, used]: readonly [number, number, number, bigint, number]): void => {
    const { node } = table.directory(fd);
    memory.setU32(used, writeListing(node, memory.slice(place, length), cookie));
  },
  fd_seek: (...[fd, offset, whence, place]: readonly [number, bigint, number, number]): void => {
    const file = table.file(fd);
    file.offset = fileOffset(originOf(file, whence) + offset);
    memory.setU64(place, BigInt(file.offset));
  },
  fd_tell: (fd: number, place: number): void => memory.setU64(place, BigInt(table.file(fd).offset)),
  fd_write: (...[fd, list, count, written]: readonly [number, number, number, number]): void => {
    const open = writable(table.get(fd));
    const vectors = memory.vectors(list, count);
    memory.setU32(written, open.type === 'file' ? writeOn(open, vectors, now()) : writeStream(open, vectors));
  },
});

/** What is known of them. */
const descriptorCalls = ({ memory, table, now }: FileState): WasiCalls => ({
  fd_advise: (...[fd, , , advice]: readonly [number, bigint, bigint, number]): void => {
    table.file(fd);
    if (advice >>> 0 > adviceMax) throw new WasiError('inval');
  },
  fd_close: (fd: number): void => table.close(fd),
  fd_datasync: (fd: number): void => void table.get(fd),
  fd_sync: (fd: number): void => void table.get(fd),
  fd_fdstat_get: (fd: number, place: number): void => {
    const open = table.get(fd);
    memory.write(place, new Uint8Array(24));
    memory.write(place, new Uint8Array([fileTypes[open.type], 0, open.type === 'file' ? open.flags : 0]));
    memory.setU64(place + 8, open.rights);
    memory.setU64(place + 16, open.type === 'directory' ? open.inheriting : 0n);
  },
  fd_fdstat_set_flags: (fd: number, flags: number): void => {
    if ((flags & ~flagsMask) !== 0) throw new WasiError('inval');
    const open = table.get(fd);
    if (open.type === 'file') open.flags = flags;
  },
  fd_fdstat_set_rights: (fd: number, base: bigint, inheriting: bigint): void => {
    const open = table.get(fd);
    const below = open.type === 'directory' ? open.inheriting : rights.all;
    if ((base & ~open.rights) !== 0n || (inheriting & ~below) !== 0n) throw new WasiError('notcapable');
    open.rights = base;
    if (open.type === 'directory') open.inheriting = inheriting;
  },
  fd_filestat_get: (fd: number, place: number): void => writeStat(memory, place, statOf(table.get(fd))),
  fd_filestat_set_times: (...[fd, accessed, modified, flags]: readonly [number, bigint, bigint, number]): void => {
    const open = table.get(fd);
    if (open.type === 'stream') throw new WasiError('badf');
    setTimes(open.node, { accessed, modified, flags, now: now() });
  },
  fd_prestat_get: (fd: number, place: number): void => {
    const path = preopenedPath(table.get(fd));
    memory.setU32(place, 0);
    memory.setU32(place + 4, Buffer.byteLength(path));
  },
  fd_prestat_dir_name: (fd: number, place: number, length: number): void => {
    const path = Buffer.from(preopenedPath(table.get(fd)));
    if (length >>> 0 < path.length) throw new WasiError('nametoolong');
    memory.write(place, path);
  },
  fd_renumber: (from: number, to: number): void => table.renumber(from, to),
});

type NoDirectory<T extends Descriptor> = Exclude<T, { readonly type: 'directory' }>;

const readable = <T extends Descriptor>(open: T): NoDirectory<T> => allowed(open, rights.read);
const writable = <T extends Descriptor>(open: T): NoDirectory<T> => allowed(open, rights.write);

const isNoDirectory = <T extends Descriptor>(open: T): open is NoDirectory<T> => open.type !== 'directory';

// Like a descriptor that was opened for the other direction.
const allowed = <T extends Descriptor>(open: T, right: bigint): NoDirectory<T> => {
  if (!isNoDirectory(open)) throw new WasiError('isdir');
  if ((open.rights & right) === 0n) throw new WasiError('badf');
  return open;
};

const originOf = ({ offset, node }: OpenFile, whence: number): bigint => {
  switch (whence) {
    case origins.set:
      return 0n;
    case origins.current:
      return BigInt(offset);
    case origins.end:
      return BigInt(node.size);
    default:
      throw new WasiError('inval');
  }
};

const readOn = (file: OpenFile, vectors: readonly Uint8Array[]): number => {
  const read = readInto(file, vectors, file.offset);
  file.offset += read;
  return read;
};

const readInto = ({ node }: OpenFile, vectors: readonly Uint8Array[], from: number): number => {
  let at = from;
  for (const target of vectors) at += node.read(target, at);
  return at - from;
};

const writeOn = (file: OpenFile, vectors: readonly Uint8Array[], now: bigint): number => {
  if ((file.flags & appendFlag) !== 0) file.offset = file.node.size;
  const written = writeFrom({ node: file.node, now }, vectors, file.offset);
  file.offset += written;
  return written;
};

const writeFrom = (
  { node, now }: Pick<OpenFile, 'node'> & { readonly now: bigint },
  vectors: readonly Uint8Array[],
  from: number,
): number => {
  let at = from;
  for (const source of vectors) {
    node.write(source, at, now);
    at += source.length;
  }
  return at - from;
};

const readStream = ({ read }: Stream, vectors: readonly Uint8Array[]): number => {
  if (!read) throw new WasiError('badf');
  return vectors.reduce((sum, target) => sum + read(target), 0);
};

const writeStream = ({ write }: Stream, vectors: readonly Uint8Array[]): number => {
  if (!write) throw new WasiError('badf');
  let written = 0;
  for (const source of vectors) {
    write(source);
    written += source.length;
  }
  return written;
};

const preopenedPath = (open: Descriptor): string => {
  if (open.type !== 'directory' || open.preopened === undefined) throw new WasiError('badf');
  return open.preopened;
};

const statOf = (open: Descriptor): StatTarget => (open.type === 'stream' ? 'stream' : open.node);
