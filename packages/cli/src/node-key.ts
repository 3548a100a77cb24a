import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keepPrivate, lockFolder, type FolderLock } from '@mvm-ci/net';
import { mvmError } from '@mvm-ci/protocol';

const keyBytes = 32;

/**
 * The secret key of this node, made at its first use and kept in `<folder>/node.key`, readable by its owner alone. Without
 * a folder: a key for this run only. One key belongs to one running process. A file that others can read is taken from them,
 * and `warn` hears of it.
 *
 * @throws CONFIG_INVALID when the file can't be read or isn't a key
 */
export const nodeKey = (folder: string | undefined, warn: (text: string) => void): Uint8Array => {
  if (folder === undefined) return new Uint8Array(randomBytes(keyBytes));
  const path = join(folder, 'node.key');
  try {
    return storedKey(path, warn) ?? newKey(folder, path);
  } catch (error) {
    throw mvmError('CONFIG_INVALID', `the node's key can't be used: ${reasonOf(error)}`, { path });
  }
};

const storedKey = (path: string, warn: (text: string) => void): Uint8Array | undefined => {
  let key: Uint8Array;
  try {
    key = new Uint8Array(readFileSync(path));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  if (key.length !== keyBytes) throw new Error(`${path} has ${key.length} bytes, a key has ${keyBytes}`);
  keepPrivate(path, warn);
  return key;
};

const newKey = (folder: string, path: string): Uint8Array => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const key = new Uint8Array(randomBytes(keyBytes));
  // Of two processes that start at once, one fails here instead of both using another key than the file's.
  writeFileSync(path, key, { mode: 0o600, flag: 'wx' });
  return key;
};

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** A node's key that this process alone has until it is disposed of. */
export interface OwnKey extends Disposable {
  readonly bytes: Uint8Array;
}

/**
 * The key of a worker, whose folder is its own: two endpoints with one key would get each other's packets. Without a folder
 * there is nothing to share.
 *
 * @throws CONFIG_INVALID when another worker uses the folder, it can't be made, or its key can't be used
 */
export const workerKey = (folder: string | undefined, warn: (text: string) => void): OwnKey => {
  const lock = folder === undefined ? undefined : lockOf(folder);
  try {
    return { bytes: nodeKey(folder, warn), [Symbol.dispose]: () => lock?.[Symbol.dispose]() };
  } catch (error) {
    lock?.[Symbol.dispose]();
    throw error;
  }
};

const lockOf = (folder: string): FolderLock => {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw mvmError('CONFIG_INVALID', `the data folder can't be made: ${reasonOf(error)}`, { folder });
  }
  const lock = lockFolder(folder);
  if (lock) return lock;
  const rule = 'a node has one key and one process';
  throw mvmError('CONFIG_INVALID', `another worker uses the data folder ${folder}: ${rule}, give this one its own`, {
    folder,
  });
};
