import { execFile } from 'node:child_process';

/** What a command left. */
export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const outputBytesMax = 64 * 1024 * 1024;

/** Runs a command to its end, whatever that is. */
export const attempt = (
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<CommandResult> =>
  new Promise((resolve) => {
    execFile(command, args, { env, maxBuffer: outputBytesMax }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr });
    });
  });

/** Runs a command. @returns what it wrote to stdout. @throws when it fails */
export const run = async (
  command: string,
  args: readonly string[],
  env?: Readonly<Record<string, string | undefined>>,
): Promise<string> => {
  const { code, stdout, stderr } = await attempt(command, args, env);
  if (code === 0) return stdout;
  throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout.slice(-4_000)}\n${stderr.slice(-8_000)}`);
};
