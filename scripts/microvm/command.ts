import { spawnSync } from 'node:child_process';

/** Of a program's output. */
export const outputBytesMax: number = 512 * 1024 * 1024;

/** Where programs are looked for: those for file systems are not on every user's PATH. */
export const searchPath: string = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;

/** Something that the user can mend: shown without a stack. */
export class UserError extends Error {}

/** Runs a program to its end. @returns what it wrote to stdout. @throws UserError with what it wrote to stderr */
export const run = (
  program: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv; readonly input?: string | Uint8Array } = {},
): Buffer => {
  const { status, signal, error, stdout, stderr } = spawnSync(program, args, {
    ...options,
    env: { ...process.env, PATH: searchPath, ...options.env },
    maxBuffer: outputBytesMax,
  });
  if (error) throw new UserError(`${program} can't be run: ${error.message}`);
  if (status === 0) return stdout;
  const how = signal ?? `code ${status}`;
  throw new UserError(`${program} ${args.slice(0, 4).join(' ')} failed (${how}):\n${String(stderr).slice(-2_000)}`);
};

/** Ends a script that throws: with its message when the user can mend it, else with everything. */
export const fail = (script: string, error: unknown): void => {
  const isWrongUse = error instanceof TypeError && 'code' in error;
  console.error(isWrongUse || error instanceof UserError ? `${script}: ${error.message}` : error);
  process.exitCode = isWrongUse ? 2 : 1;
};

/** For `unshare`: in a name space where the caller is root, files that it makes are root's, and it may change its root. */
export const asRoot: readonly string[] = ['--map-root-user'];
