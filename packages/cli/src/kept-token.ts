import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mvmError } from '@mvm-ci/protocol';

const tokenBytes = 32;

/** A token and the file that keeps it. */
export interface KeptToken {
  readonly token: string;
  readonly path: string;
}

/**
 * The token in `<folder>/<name>`, made at its first use and readable by its owner alone.
 *
 * @throws CONFIG_INVALID when the file can't be read or written, or is empty
 */
export const keptToken = (folder: string, name: string): KeptToken => {
  const path = join(folder, name);
  try {
    return { token: storedToken(path) ?? newToken(folder, path), path };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw mvmError('CONFIG_INVALID', `the token can't be kept: ${reason}`, { path });
  }
};

const storedToken = (path: string): string | undefined => {
  let token: string;
  try {
    token = readFileSync(path, 'utf8').trim();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
  if (token === '') throw new Error(`${path} is empty: remove it, and a new one is made`);
  return token;
};

const newToken = (folder: string, path: string): string => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const token = randomBytes(tokenBytes).toString('base64url');
  // Of two processes that start at once, one fails here instead of both demanding another token than the file's.
  writeFileSync(path, `${token}\n`, { mode: 0o600, flag: 'wx' });
  return token;
};
