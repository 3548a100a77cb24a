/**
 * Blobs in a folder: `<first two digits>/<hash>`, beside `incoming/` for those that are being written.
 *
 *   1. A file has its name only when all of its bytes are on the disk, and its name is when `keep` resolves.
 *   2. What a process left in `incoming` when it ended, the next one removes.
 */
import type { ByteSource } from '@mvm-ci/protocol';
import { mvmError } from '@mvm-ci/protocol';
import { createReadStream, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { mkdir, open, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { BlobFiles, BlobWriter } from '../blobs/blob-files.ts';

const namePattern = /^[0-9a-f]{64}$/;
const shelfDigits = 2;

/** The blobs of a folder, which is made when the first is written. */
export const blobFolder = (folder: string): BlobFiles => {
  const incoming = join(folder, 'incoming');
  rmSync(incoming, { recursive: true, force: true });
  const shelf = (hash: string): string => shelfPath(folder, hash);
  const pathOf = (hash: string): string => blobPath(folder, hash);
  let begun = 0;
  return {
    begin: async () => {
      mkdirSync(incoming, { recursive: true, mode: 0o700 });
      begun += 1;
      const path = join(incoming, String(begun));
      const file = await open(path, 'wx', 0o600);
      return new FileWriter(file, path, { shelf, pathOf });
    },
    read: (hash, from, to) => bytesOf(pathOf(hash), from, to),
    has: (hash) => existsSync(pathOf(hash)),
    remove: async (hashes) => {
      for (const hash of hashes) await rm(pathOf(hash), { force: true });
    },
    list: () => Promise.resolve(blobNames(folder)),
  };
};

/** Opens the file when somebody begins to read: what nobody reads holds nothing open. */
const bytesOf = async function* (path: string, from: number, to: number): ByteSource {
  if (from < to) yield* createReadStream(path, { start: from, end: to - 1 });
};

const shelfPath = (folder: string, hash: string): string => join(folder, hash.slice(0, shelfDigits));

/** Where the file of a blob is. */
export const blobPath = (folder: string, hash: string): string => join(shelfPath(folder, hash), hash);

/** The hashes of all blobs whose files are in a folder. */
export const blobNames = (folder: string): readonly string[] => {
  if (!existsSync(folder)) return [];
  const shelves = readdirSync(folder).filter((name) => name.length === shelfDigits);
  return shelves.flatMap((name) => readdirSync(join(folder, name)).filter((file) => namePattern.test(file)));
};

interface Places {
  readonly shelf: (hash: string) => string;
  readonly pathOf: (hash: string) => string;
}

class FileWriter implements BlobWriter {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #places: Places;
  #isClosed = false;

  constructor(file: FileHandle, path: string, places: Places) {
    this.#file = file;
    this.#path = path;
    this.#places = places;
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      await this.#file.writeFile(bytes);
    } catch (error) {
      throw refused(error);
    }
  }

  async keep(hash: string): Promise<void> {
    const shelf = this.#places.shelf(hash);
    try {
      await this.#file.sync();
      await this.#close();
      await mkdir(shelf, { recursive: true, mode: 0o700 });
      await rename(this.#path, this.#places.pathOf(hash));
      await syncFolder(shelf);
      await syncFolder(join(shelf, '..'));
    } catch (error) {
      throw refused(error);
    }
  }

  async discard(): Promise<void> {
    await this.#close();
    await rm(this.#path, { force: true });
  }

  async #close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    await this.#file.close();
  }
}

/** A name is durable when its folder is. */
const syncFolder = async (path: string): Promise<void> => {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
};

const refused = (error: unknown): Error =>
  mvmError(
    'UNAVAILABLE',
    `a blob can't be written: ${error instanceof Error ? error.message : String(error)}`,
    {},
    {
      cause: error,
    },
  );
