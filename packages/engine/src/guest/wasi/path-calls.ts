/** WASI preview 1: the calls on paths (`path_…`). Each writes its results into the guest's memory or throws its error. */
import { engineLimits } from '../../limits.ts';
import { WasiError } from './errno.ts';
import type { FileState } from './file-calls.ts';
import type { DirectoryNode, FileNode, Node } from './file-node.ts';
import type { FileTree } from './file-tree.ts';
import { rights, setTimes, writeStat } from './stat.ts';
import type { WasiCalls } from './wasi-call.ts';

const creation = { create: 1, directory: 2, exclusive: 4, truncate: 8 } as const;

/** The `path_…` functions of the module `wasi_snapshot_preview1`. */
export const pathCalls = ({ memory, table, now }: FileState, tree: FileTree): WasiCalls => {
  const at = (fd: number, path: number, length: number): [start: DirectoryNode, path: string] => {
    // No character takes more than 4 bytes.
    if (length >>> 0 > 4 * engineLimits.pathCharsMax) throw new WasiError('nametoolong');
    return [table.directory(fd).node, memory.text(path, length)];
  };
  return {
    path_create_directory: (fd: number, path: number, length: number): void =>
      tree.makeDirectory(...at(fd, path, length), now()),
    path_filestat_get: (...[fd, , path, length, place]: readonly [number, number, number, number, number]): void =>
      writeStat(memory, place, tree.find(...at(fd, path, length))),
    path_filestat_set_times: (
      ...[fd, , path, length, accessed, modified, flags]: readonly [
        number,
        number,
        number,
        number,
        bigint,
        bigint,
        number,
      ]
    ): void => setTimes(tree.find(...at(fd, path, length)), { accessed, modified, flags, now: now() }),
    path_link: notSupported,
    path_symlink: notSupported,
    path_readlink: (fd: number, path: number, length: number): void => {
      tree.find(...at(fd, path, length));
      throw new WasiError('inval');
    },
    path_open: (
      ...[fd, , path, length, creationFlags, base, inheriting, flags, opened]: readonly [
        number,
        number,
        number,
        number,
        number,
        bigint,
        bigint,
        number,
        number,
      ]
    ): void => {
      const [start, name] = at(fd, path, length);
      const granted = { base: base & rights.all, inheriting: inheriting & rights.all, flags };
      const node = openNode({ tree, start, path: name, now: now() }, creationFlags);
      memory.setU32(opened, openAs(table, node, granted));
    },
    path_remove_directory: (fd: number, path: number, length: number): void =>
      tree.removeDirectory(...at(fd, path, length), now()),
    path_rename: (
      ...[fd, path, length, newFd, newPath, newLength]: readonly [number, number, number, number, number, number]
    ): void => {
      const [start, name] = at(fd, path, length);
      const [newStart, newName] = at(newFd, newPath, newLength);
      tree.rename({ start, path: name }, { start: newStart, path: newName }, now());
    },
    path_unlink_file: (fd: number, path: number, length: number): void => tree.unlink(...at(fd, path, length), now()),
  };
};

const notSupported = (): void => {
  throw new WasiError('notsup');
};

interface Opening {
  readonly tree: FileTree;
  readonly start: DirectoryNode;
  readonly path: string;
  readonly now: bigint;
}

const openNode = ({ tree, start, path, now }: Opening, flags: number): Node => {
  const has = (flag: number): boolean => (flags & flag) !== 0;
  if (has(creation.create) && has(creation.directory)) throw new WasiError('inval');
  const node = has(creation.create)
    ? tree.create(start, path, { exclusive: has(creation.exclusive), now })
    : tree.find(start, path);
  if (has(creation.directory) && node.type !== 'directory') throw new WasiError('notdir');
  if (has(creation.truncate)) truncate(node, now);
  return node;
};

const truncate = (node: Node, now: bigint): void => {
  if (node.type === 'directory') throw new WasiError('isdir');
  node.resize(0, now);
};

interface Granted {
  readonly base: bigint;
  readonly inheriting: bigint;
  readonly flags: number;
}

const openAs = (table: FileState['table'], node: Node, { base, inheriting, flags }: Granted): number => {
  if (node.type === 'file') return table.add(openFile(node, base, flags));
  if ((base & rights.write) !== 0n) throw new WasiError('isdir');
  return table.add({ type: 'directory', node, rights: base, inheriting });
};

const openFile = (node: FileNode, granted: bigint, flags: number): Parameters<FileState['table']['add']>[0] => ({
  type: 'file',
  node,
  offset: 0,
  flags,
  rights: granted,
});
