/** The open descriptors of a guest: 0 to 2 are its standard streams, 3 is the root directory, preopened as "/". */
import { engineLimits } from '../../limits.ts';
import { WasiError } from './errno.ts';
import type { DirectoryNode, FileNode } from './file-node.ts';

/** A standard stream: stdin is read, stdout and stderr are written. */
export interface Stream {
  readonly type: 'stream';
  /** Fills `target`, returns how many bytes; 0 at the end. */
  readonly read?: (target: Uint8Array) => number;
  readonly write?: (bytes: Uint8Array) => void;
  rights: bigint;
}

/** An open file with its position. */
export interface OpenFile {
  readonly type: 'file';
  readonly node: FileNode;
  offset: number;
  /** WASI `fdflags`. */
  flags: number;
  /** WASI `rights`, of this descriptor and, for directories, of what is opened below. */
  rights: bigint;
}

/** An open directory. */
export interface OpenDirectory {
  readonly type: 'directory';
  readonly node: DirectoryNode;
  /** The path that it is preopened under. */
  readonly preopened?: string;
  rights: bigint;
  inheriting: bigint;
}

/** What a descriptor stands for. */
export type Descriptor = Stream | OpenFile | OpenDirectory;

export class DescriptorTable {
  readonly #open: (Descriptor | undefined)[];

  constructor(open: readonly Descriptor[]) {
    this.#open = [...open];
  }

  /** @throws {WasiError} `badf` */
  get(number: number): Descriptor {
    const found = this.#open[number >>> 0];
    if (!found) throw new WasiError('badf');
    return found;
  }

  /** @throws {WasiError} `badf`, `isdir`, or `spipe` for a stream */
  file(number: number): OpenFile {
    const found = this.get(number);
    if (found.type === 'directory') throw new WasiError('isdir');
    if (found.type === 'stream') throw new WasiError('spipe');
    return found;
  }

  /** @throws {WasiError} `badf`, `notdir` */
  directory(number: number): OpenDirectory {
    const found = this.get(number);
    if (found.type !== 'directory') throw new WasiError('notdir');
    return found;
  }

  /** Gives `descriptor` the lowest free number. @throws {WasiError} `mfile` when there are too many */
  add(descriptor: Descriptor): number {
    const free = this.#open.findIndex((slot) => slot === undefined);
    const number = free === -1 ? this.#open.length : free;
    if (number >= engineLimits.openFilesMax) throw new WasiError('mfile');
    if (descriptor.type === 'file') descriptor.node.opened();
    this.#open[number] = descriptor;
    return number;
  }

  /** @throws {WasiError} `badf` */
  close(number: number): void {
    const closed = this.get(number);
    this.#open[number >>> 0] = undefined;
    if (closed.type === 'file') closed.node.closed();
  }

  /** `from` becomes number `to`, whatever that was is closed. @throws {WasiError} `badf` when one of them isn't open */
  renumber(from: number, to: number): void {
    const moved = this.get(from);
    this.get(to);
    if (from >>> 0 === to >>> 0) return;
    this.close(to);
    this.#open[to >>> 0] = moved;
    this.#open[from >>> 0] = undefined;
  }
}
