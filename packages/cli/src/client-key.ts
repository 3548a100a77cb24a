/**
 * Keys of the commands that go over the peer plane. One key belongs to one process at a time, and commands run side by side:
 * so a folder holds several, and a command takes the first that nobody uses.
 */
import { lockFolder, type FolderLock } from '@mvm-ci/net';
import { mvmError } from '@mvm-ci/protocol';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { cliLimits } from './limits.ts';
import { nodeKey } from './node-key.ts';

/** A key that this process alone has until it is disposed of. */
export interface ClientKey extends Disposable {
  readonly bytes: Uint8Array;
}

/** @throws CONFIG_INVALID when the folder can't be used, or all of its keys are in use */
export const clientKey = (folder: string, warn: (text: string) => void): ClientKey => {
  for (let number = 1; number <= cliLimits.clientKeysMax; number += 1) {
    const path = join(folder, String(number));
    const lock = lockOf(path);
    if (lock === undefined) continue;
    try {
      return { bytes: nodeKey(path, warn), [Symbol.dispose]: () => lock[Symbol.dispose]() };
    } catch (error) {
      lock[Symbol.dispose]();
      throw error;
    }
  }
  throw mvmError('CONFIG_INVALID', `${cliLimits.clientKeysMax} commands use the keys in ${folder} already`, { folder });
};

const lockOf = (folder: string): FolderLock | undefined => {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw mvmError('CONFIG_INVALID', `the folder of the commands' keys can't be made: ${String(error)}`, { folder });
  }
  return lockFolder(folder);
};
