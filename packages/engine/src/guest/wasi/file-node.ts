/** What a guest's file system is made of. Nodes hold content only; `file-tree.ts` owns paths and the budget. */
import { WasiError } from './errno.ts';

/** Bytes and nodes that one guest's files may take, together. */
export class FileBudget {
  #bytes: number;
  #nodes: number;
  readonly #onWork: (bytes: number) => void;

  /** @param onWork - told how many bytes are about to be filled or cut off. */
  constructor({ bytes, nodes }: { readonly bytes: number; readonly nodes: number }, onWork: (bytes: number) => void) {
    this.#bytes = bytes;
    this.#nodes = nodes;
    this.#onWork = onWork;
  }

  /** Takes (or, when negative, gives back) bytes. @throws {WasiError} `nospc` */
  takeBytes(bytes: number): void {
    if (bytes > this.#bytes) throw new WasiError('nospc');
    this.#bytes -= bytes;
    this.#onWork(Math.abs(bytes));
  }

  /** @throws {WasiError} `nospc` */
  takeNode(): void {
    if (this.#nodes === 0) throw new WasiError('nospc');
    this.#nodes -= 1;
  }

  giveNode(): void {
    this.#nodes += 1;
  }
}

/** Times in ns since the epoch, as guests read and set them. */
interface NodeTimes {
  accessed: bigint;
  modified: bigint;
  changed: bigint;
}

const timesAt = (now: bigint): NodeTimes => ({ accessed: now, modified: now, changed: now });

/** A regular file. */
export class FileNode {
  readonly type = 'file';
  readonly inode: number;
  readonly times: NodeTimes;
  readonly #budget: FileBudget;
  #content: Uint8Array = new Uint8Array(0);
  #size = 0;
  #isLinked = true;
  #opens = 0;

  constructor(inode: number, budget: FileBudget, now: bigint) {
    this.inode = inode;
    this.#budget = budget;
    this.times = timesAt(now);
  }

  get size(): number {
    return this.#size;
  }

  get isLinked(): boolean {
    return this.#isLinked;
  }

  /** Copies from offset `at` into `target`; returns how many bytes there were. */
  read(target: Uint8Array, at: number): number {
    const end = Math.min(at + target.length, this.#size);
    if (end <= at) return 0;
    target.set(this.#content.subarray(at, end));
    return end - at;
  }

  /** Writes all of `source` at offset `at`; a gap before it becomes zeroes. @throws {WasiError} `nospc` */
  write(source: Uint8Array, at: number, now: bigint): void {
    const end = at + source.length;
    if (source.length > 0 && end > this.#size) this.#resize(end);
    this.#content.set(source, at);
    this.#touch(now);
  }

  /** Cuts the file, or fills it up with zeroes. @throws {WasiError} `nospc` */
  resize(size: number, now: bigint): void {
    this.#resize(size);
    this.#touch(now);
  }

  #touch(now: bigint): void {
    this.times.modified = now;
    this.times.changed = now;
  }

  #resize(size: number): void {
    this.#budget.takeBytes(size - this.#size);
    if (size > this.#content.length) this.#grow(size);
    else if (size < this.#size) this.#cut(size);
    this.#size = size;
  }

  opened(): void {
    this.#opens += 1;
  }

  closed(): void {
    this.#opens -= 1;
    this.#freeIfUnused();
  }

  /** Its name is gone; its content stays until nobody has it open. */
  unlinked(): void {
    this.#isLinked = false;
    this.#freeIfUnused();
  }

  #grow(size: number): void {
    const larger = new Uint8Array(Math.max(size, this.#content.length * 2));
    larger.set(this.#content.subarray(0, this.#size));
    this.#content = larger;
  }

  /** What was given back to the budget is not kept: each of many files could be as large as all of them may be. */
  #cut(size: number): void {
    if (size < this.#content.length / 2) this.#content = this.#content.slice(0, size);
    else this.#content.fill(0, size, this.#size);
  }

  #freeIfUnused(): void {
    if (this.#isLinked || this.#opens > 0) return;
    this.#resize(0);
    this.#budget.giveNode();
  }
}

/** An entry of a directory; `cookie` grows with every entry that is added, so a listing goes on when others are removed. */
export interface DirectoryEntry {
  readonly name: string;
  readonly cookie: number;
  readonly node: Node;
}

/** A directory. */
export class DirectoryNode {
  readonly type = 'directory';
  readonly inode: number;
  readonly times: NodeTimes;
  /** Itself for the root. */
  parent: DirectoryNode;
  /** In the order in which they were added. */
  readonly entries: Map<string, DirectoryEntry> = new Map();
  isLinked = true;
  // 0 and 1 are "." and "..".
  #nextCookie = 2;

  constructor(inode: number, parent: DirectoryNode | undefined, now: bigint) {
    this.inode = inode;
    this.parent = parent ?? this;
    this.times = timesAt(now);
  }

  readonly size: number = 0;

  add(name: string, node: Node, now: bigint): void {
    this.entries.set(name, { name, cookie: this.#nextCookie, node });
    this.#nextCookie += 1;
    if (node.type === 'directory') node.parent = this;
    this.#touch(now);
  }

  remove(name: string, now: bigint): void {
    this.entries.delete(name);
    this.#touch(now);
  }

  #touch(now: bigint): void {
    this.times.modified = now;
    this.times.changed = now;
  }
}

/** A file or a directory. */
export type Node = FileNode | DirectoryNode;
