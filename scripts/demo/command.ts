import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../..', import.meta.url));
const cli = fileURLToPath(new URL('../../packages/cli/bin/mvm-ci.mjs', import.meta.url));

/** Runs `mvm-ci` in the project's folder. @returns what it printed. @throws with its stderr when it fails */
export const runCli = async (args: readonly string[]): Promise<string> => {
  const { stdout } = await promisify(execFile)(process.execPath, [cli, ...args], { cwd: root });
  return stdout.trimEnd();
};
