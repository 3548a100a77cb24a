/**
 * One guest's private file system, in the host's memory. It owns the nodes, their names and their budget; open files and
 * the WASI calls are its neighbours' (`descriptor-table.ts`, `file-calls.ts`).
 *
 *   1. Nothing in it depends on the host: inode numbers, times and the order of listings follow from the guest's own calls.
 *   2. A path never leads out of the directory that it starts from, as WASI demands (`notcapable`).
 *   3. There are no links, neither hard nor symbolic: a node has one name.
 */
import { engineLimits } from '../../limits.ts';
import { WasiError } from './errno.ts';
import { DirectoryNode, FileBudget, FileNode, type Node } from './file-node.ts';

/** Where a path leads: the directory of its last part, that part's name, and the node of that name, if there is one. */
interface Place {
  readonly directory: DirectoryNode;
  /** '' when the path ends in "." or "..", or is the start itself. */
  readonly name: string;
  readonly node: Node | undefined;
}

export class FileTree {
  readonly root: DirectoryNode;
  readonly #budget: FileBudget;
  #nextInode = 1;

  /** @param onWork - told how many bytes of a file are about to be filled or cut off. @default nothing */
  constructor(now: bigint, onWork: (bytes: number) => void = () => undefined) {
    this.#budget = new FileBudget({ bytes: engineLimits.fileBytesMax, nodes: engineLimits.filesMax }, onWork);
    this.root = new DirectoryNode(this.#inode(), undefined, now);
    this.makeDirectory(this.root, 'tmp', now);
  }

  /** The node at `path`, seen from `start`. @throws {WasiError} `noent` and what a walk throws */
  find(start: DirectoryNode, path: string): Node {
    const { node } = this.#walk(start, path);
    if (!node) throw new WasiError('noent');
    return node;
  }

  /** The file at `path`, made when it isn't there. @throws {WasiError} `exist` when `exclusive`; `nospc`, `isdir` */
  create(start: DirectoryNode, path: string, options: { readonly exclusive: boolean; readonly now: bigint }): Node {
    const { directory, name, node } = this.#walk(start, path);
    if (node && options.exclusive) throw new WasiError('exist');
    if (node) return node;
    if (path.endsWith('/')) throw new WasiError('isdir');
    this.#takeRoom({ directory, name });
    const file = new FileNode(this.#inode(), this.#budget, options.now);
    directory.add(name, file, options.now);
    return file;
  }

  makeDirectory(start: DirectoryNode, path: string, now: bigint): void {
    const { directory, name, node } = this.#walk(start, path);
    if (node) throw new WasiError('exist');
    this.#takeRoom({ directory, name });
    directory.add(name, new DirectoryNode(this.#inode(), directory, now), now);
  }

  /** @throws {WasiError} `isdir`, `noent` */
  unlink(start: DirectoryNode, path: string, now: bigint): void {
    const { directory, name, node } = this.#walk(start, path);
    if (!node) throw new WasiError('noent');
    if (node.type === 'directory') throw new WasiError('isdir');
    if (path.endsWith('/')) throw new WasiError('notdir');
    directory.remove(name, now);
    node.unlinked();
  }

  /** @throws {WasiError} `notdir`, `notempty`, `noent`, `inval` for a directory that the path starts from or leads through */
  removeDirectory(start: DirectoryNode, path: string, now: bigint): void {
    const { directory, name, node } = this.#walk(start, path);
    if (!node) throw new WasiError('noent');
    if (node.type !== 'directory') throw new WasiError('notdir');
    if (name === '') throw new WasiError('inval');
    if (node.entries.size > 0) throw new WasiError('notempty');
    this.#drop(directory, name, now);
  }

  /** Renames as POSIX does: a file may replace a file, a directory an empty directory. */
  rename(from: { start: DirectoryNode; path: string }, to: { start: DirectoryNode; path: string }, now: bigint): void {
    const source = this.#walk(from.start, from.path);
    const target = this.#walk(to.start, to.path);
    const { node } = source;
    if (!node) throw new WasiError('noent');
    if (source.name === '' || target.name === '') throw new WasiError('inval');
    if (node === target.node) return;
    checkName(target);
    if (node.type === 'directory' && isWithin(target.directory, node)) throw new WasiError('inval');
    if (node.type === 'file' && to.path.endsWith('/')) throw new WasiError('notdir');
    if (target.node) this.#makeWay(target, node, now);
    source.directory.remove(source.name, now);
    target.directory.add(target.name, node, now);
  }

  #makeWay({ directory, name, node }: Place, mover: Node, now: bigint): void {
    if (node?.type === 'file') {
      if (mover.type === 'directory') throw new WasiError('notdir');
      directory.remove(name, now);
      node.unlinked();
    } else if (node) {
      if (mover.type === 'file') throw new WasiError('isdir');
      if (node.entries.size > 0) throw new WasiError('notempty');
      this.#drop(directory, name, now);
    }
  }

  #drop(directory: DirectoryNode, name: string, now: bigint): void {
    const node = directory.entries.get(name)?.node;
    if (node?.type === 'directory') node.isLinked = false;
    directory.remove(name, now);
    this.#budget.giveNode();
  }

  #takeRoom(place: Pick<Place, 'directory' | 'name'>): void {
    checkName(place);
    this.#budget.takeNode();
  }

  #inode(): number {
    return this.#nextInode++;
  }

  #walk(start: DirectoryNode, path: string): Place {
    if (path.startsWith('/')) throw new WasiError('notcapable');
    if (path === '') throw new WasiError('noent');
    if (path.length > engineLimits.pathCharsMax) throw new WasiError('nametoolong');
    const parts = path.split('/').filter((part) => part !== '');
    let place: Place = { directory: start, name: '', node: start };
    let depth = 0;
    for (const part of parts) {
      if (!place.node) throw new WasiError('noent');
      if (place.node.type !== 'directory') throw new WasiError('notdir');
      depth += depthOf(part);
      if (depth < 0) throw new WasiError('notcapable');
      place = step(place.node, part);
    }
    if (place.node?.type === 'file' && path.endsWith('/')) throw new WasiError('notdir');
    return place;
  }
}

const depthOf = (part: string): number => {
  if (part === '..') return -1;
  return part === '.' ? 0 : 1;
};

const checkName = ({ directory, name }: Pick<Place, 'directory' | 'name'>): void => {
  if (!directory.isLinked) throw new WasiError('noent');
  if (Buffer.byteLength(name) > engineLimits.fileNameBytesMax) throw new WasiError('nametoolong');
};

const step = (directory: DirectoryNode, part: string): Place => {
  if (part === '..') return { directory: directory.parent, name: '', node: directory.parent };
  if (part === '.') return { directory, name: '', node: directory };
  return { directory, name: part, node: directory.entries.get(part)?.node };
};

/** Whether `directory` is `ancestor` or lies below it. */
const isWithin = (directory: DirectoryNode, ancestor: DirectoryNode): boolean =>
  directory === ancestor || (directory.parent !== directory && isWithin(directory.parent, ancestor));
