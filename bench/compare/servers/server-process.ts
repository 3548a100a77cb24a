/** A server of somebody else's as a child process on loopback, and the search for its program. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';

const readyMsMax = 60_000;
const endMsMax = 30_000;

/** The path of a program: in PATH, or in one of `folders` (patterns), the last of them first. */
export const findProgram = (name: string, folders: readonly string[] = []): string | undefined => {
  const inPath = (process.env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const elsewhere = folders
    .flatMap((pattern) => globSync(pattern))
    .toSorted((a, b) => b.localeCompare(a, 'en', { numeric: true }));
  return [...inPath, ...elsewhere].map((folder) => join(folder, name)).find((path) => existsSync(path));
};

/** A port of 127.0.0.1 that nobody has at the moment. */
export const freePort = async (): Promise<number> => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no port');
  return address.port;
};

/** How a server is started. */
export interface ServerOptions {
  readonly program: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** Is written to its standard input, which then ends. */
  readonly input?: string;
  readonly uid?: number | undefined;
  readonly gid?: number | undefined;
  /** What it prints when it is ready. */
  readonly readyText: string;
  /** Ends it in order. */
  readonly endSignal: NodeJS.Signals;
}

/** A running server. Its disposer ends it, and returns when it has ended. */
export class ServerProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #endSignal: NodeJS.Signals;
  readonly #exit: Promise<unknown>;

  private constructor(child: ChildProcess, endSignal: NodeJS.Signals) {
    this.#child = child;
    this.#endSignal = endSignal;
    this.#exit = once(child, 'exit');
  }

  /** @throws when it ends, or says for a minute that it is not ready, with what it printed */
  static async start(options: ServerOptions): Promise<ServerProcess> {
    const { program, args, input, readyText, endSignal, ...how } = options;
    // In a group of its own: Ctrl-C is for the bench, which ends it in order.
    const child = spawn(program, args, { ...how, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    const server = new ServerProcess(child, endSignal);
    child.stdin.end(input ?? '');
    const printed = watchFor(child, readyText);
    try {
      await printed;
      return server;
    } catch (error) {
      await server[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.pid === undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill(this.#endSignal);
    const insist = setTimeout(() => this.#child.kill('SIGKILL'), endMsMax);
    await this.#exit;
    clearTimeout(insist);
  }
}

// It listens for as long as the server runs: a pipe that nobody reads fills up and stops its writer.
const watchFor = (child: ChildProcess, readyText: string): Promise<void> => {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let said = '';
  let isReady = false;
  const hear = (chunk: unknown): void => {
    if (isReady) return;
    said += String(chunk);
    isReady = said.includes(readyText);
    if (isReady) resolve();
  };
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  const fail = (why: string): void => reject(new Error(`${child.spawnfile} ${why}: ${said}`));
  child.once('error', (error) => fail(error.message));
  child.once('exit', () => fail('ended'));
  const late = setTimeout(() => fail('is not ready'), readyMsMax);
  return promise.finally(() => clearTimeout(late));
};

/** Runs a program to its end. @throws with what it printed, unless it succeeds */
export const runProgram = async (
  options: Pick<ServerOptions, 'program' | 'args' | 'cwd' | 'uid' | 'gid'>,
): Promise<void> => {
  const { program, args, ...how } = options;
  const child = spawn(program, args, { ...how, stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = once(child, 'close');
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr), ended]);
  if (child.exitCode !== 0) throw new Error(`${program} failed: ${err}${out}`);
};
