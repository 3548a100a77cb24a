import { chmodSync, statSync } from 'node:fs';
import { platform } from 'node:os';

/** Group and others. */
const foreignBits = 0o077;

/**
 * Takes a file of secrets away from everybody but its owner. `warn` hears what was wrong, and whether it could be mended: the
 * secret may have been read by then, but a process that refuses to start would not change that. Modes mean nothing on Windows.
 */
export const keepPrivate = (path: string, warn: (text: string) => void): void => {
  if (platform() === 'win32') return;
  const mode = statSync(path).mode & 0o777;
  if ((mode & foreignBits) === 0) return;
  const wrong = `${path} had the mode ${mode.toString(8)}: others on this machine could read or change the secret in it`;
  try {
    chmodSync(path, 0o600);
    warn(`${wrong}. It has the mode 600 now; make a new one if somebody may have read it`);
  } catch (error) {
    warn(`${wrong}, and still can: ${error instanceof Error ? error.message : String(error)}`);
  }
};
