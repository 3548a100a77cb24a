import { closeSync, fsyncSync, openSync } from 'node:fs';

/** Makes a file's bytes durable, or the names in a folder. */
export const sync = (path: string): void => {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
};
