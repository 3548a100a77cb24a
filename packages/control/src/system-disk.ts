import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';

/** Bytes that are free on the file system that holds a file, for those who are not root; null when that can't be told. */
export const freeBytesBeside = (path: string): number | null => {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize;
  } catch {
    return null;
  }
};
