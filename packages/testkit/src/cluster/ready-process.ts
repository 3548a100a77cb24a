/**
 * One process of ours under test: the real command line in a process of its own, started, watched and ended.
 *
 * Owns the child process and what it printed. The caller owns its data folder.
 *
 * 1. `start` returns once the process has printed its ready line, or throws with all that it printed.
 * 2. `stop` and `kill` return once the process is gone: none outlives its test.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const cli = fileURLToPath(new URL('../../../cli/bin/mvm-ci.mjs', import.meta.url));
const outputCharsMax = 2_000_000;
const readyMsMax = 60_000;

/** What a process says once it is ready: the line's fields, such as `http`, `node`, `ticket`. */
export type ReadyLine = Readonly<Record<string, unknown>>;

/** How to start a process of ours. */
export interface ReadyProcessOptions {
  /** Arguments of `mvm-ci`; `--json` is added. */
  readonly args: readonly string[];
  /** On top of the caller's environment. @default {} */
  readonly env?: Readonly<Record<string, string>>;
  /** Working directory. @default the caller's */
  readonly cwd?: string | undefined;
  /** Another release's `mvm-ci.mjs`. @default ours */
  readonly program?: string | undefined;
  readonly signal?: AbortSignal;
}

/** A running `mvm-ci control-plane` or `mvm-ci worker`. */
export class ReadyProcess implements AsyncDisposable {
  readonly ready: ReadyLine;
  readonly #child: ChildProcess;
  readonly #output: string[];
  readonly #exited: Promise<number | NodeJS.Signals>;

  private constructor(started: StartedChild, ready: ReadyLine) {
    this.ready = ready;
    this.#child = started.child;
    this.#output = started.output;
    this.#exited = started.exited;
  }

  /** Starts the process. @throws {Error} with its output when it ends, or is silent for a minute, before it is ready. */
  static async start(options: ReadyProcessOptions): Promise<ReadyProcess> {
    const started = spawnCli(options);
    const signal = AbortSignal.any([AbortSignal.timeout(readyMsMax), ...(options.signal ? [options.signal] : [])]);
    try {
      return new ReadyProcess(started, await readyLine(started, signal));
    } catch (error) {
      started.child.kill('SIGKILL');
      await started.exited;
      const said = started.output.join('').trim();
      throw new Error(`mvm-ci ${options.args.join(' ')} did not become ready:\n${said}`, { cause: error });
    }
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error('the process has no id: it never started');
    return this.#child.pid;
  }

  /** All that it has printed so far, both streams. */
  get output(): string {
    return this.#output.join('');
  }

  /** Its exit code, or the signal that ended it. */
  get exited(): Promise<number | NodeJS.Signals> {
    return this.#exited;
  }

  /** A field of the ready line that must be a text. */
  field(name: string): string {
    const value = this.ready[name];
    if (typeof value !== 'string')
      throw new Error(`the ready line has no text "${name}": ${JSON.stringify(this.ready)}`);
    return value;
  }

  /** Waits until it has printed `text`, on either stream; what it printed before counts. */
  async says(text: string, signal: AbortSignal): Promise<void> {
    while (!this.output.includes(text)) {
      signal.throwIfAborted();
      const streams = [this.#child.stdout, this.#child.stderr].filter((stream) => stream !== null);
      const heard = new AbortController();
      const either = AbortSignal.any([signal, heard.signal]);
      await Promise.race(streams.map((stream) => once(stream, 'data', { signal: either })));
      // The other stream is listened to no longer.
      heard.abort();
    }
  }

  /** Sends a signal and does not wait: for `SIGSTOP` and `SIGCONT`. */
  signal(name: NodeJS.Signals): void {
    this.#child.kill(name);
  }

  /** Ends it at once, as a power cut would. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  /** Asks it to drain and waits for its end. @returns the exit code, or the signal that ended it */
  stop(): Promise<number | NodeJS.Signals> {
    this.#child.kill('SIGCONT');
    this.#child.kill('SIGTERM');
    return this.#exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

interface StartedChild {
  readonly child: ChildProcess;
  readonly output: string[];
  readonly exited: Promise<number | NodeJS.Signals>;
}

const spawnCli = ({ args, env = {}, cwd, program = cli }: ReadyProcessOptions): StartedChild => {
  const child = spawn(process.execPath, [program, ...args, '--json'], {
    env: { ...process.env, ...env },
    cwd,
    // Over the channel it sees when this process is gone, and ends.
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  const output: string[] = [];
  let chars = 0;
  const keep = (chunk: Buffer): void => {
    if (chars < outputCharsMax) output.push(chunk.toString());
    chars += chunk.length;
  };
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', keep);
  return { child, output, exited: exitOf(child) };
};

const exitOf = async (child: ChildProcess): Promise<number | NodeJS.Signals> => {
  await once(child, 'close');
  return child.exitCode ?? child.signalCode ?? 'SIGKILL';
};

const readyLine = async ({ child, exited }: StartedChild, signal: AbortSignal): Promise<ReadyLine> => {
  if (!child.stdout) throw new Error('the process has no standard output');
  const lines = createInterface({ input: child.stdout, signal });
  try {
    return await Promise.race([
      firstReadyLine(lines),
      exited.then((code) => {
        throw new Error(`it ended with ${code}`);
      }),
      once(signal, 'abort').then(() => {
        throw new Error('it was silent for too long', { cause: signal.reason });
      }),
    ]);
  } finally {
    lines.close();
    child.stdout.resume();
  }
};

const firstReadyLine = async (lines: AsyncIterable<string>): Promise<ReadyLine> => {
  for await (const line of lines) {
    const parsed = parseObject(line);
    if (parsed && 'ready' in parsed) return parsed;
  }
  throw new Error('its output ended without a ready line');
};

const parseObject = (line: string): ReadyLine | undefined => {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null ? { ...value } : undefined;
  } catch {
    return undefined;
  }
};
