/**
 * One process of ours in a load test: the command line in a process of its own, until it is killed.
 *
 * Owns the child process and the end of its output. `start` returns when it has printed its ready line, or throws with what it printed;
 * `end` returns when it is gone. It ends by itself, at once, when this process is gone: `main.ts` sees the channel close.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { mvmError } from '@mvm-ci/protocol';
import { z } from 'zod';
import { loadLimits } from '../limits.ts';

const program = fileURLToPath(new URL('../../bin/mvm-ci.mjs', import.meta.url));

const readySchema = z.looseObject({ ready: z.string() });

/** How to start one. */
export interface ChildOptions {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly signal: AbortSignal;
}

/** A running process of ours. */
export class OwnProcess {
  readonly #child: ChildProcess;
  readonly #gone: Promise<unknown>;
  readonly #fields: Readonly<Record<string, unknown>>;

  private constructor(child: ChildProcess, gone: Promise<unknown>, fields: Readonly<Record<string, unknown>>) {
    this.#child = child;
    this.#gone = gone;
    this.#fields = fields;
  }

  /** @throws UNAVAILABLE with its output when it ends, or is silent for too long, before it is ready; what aborts `signal` */
  static async start({ args, env, cwd, signal }: ChildOptions): Promise<OwnProcess> {
    signal.throwIfAborted();
    const child = spawn(process.execPath, [program, ...args, '--log-level', 'warn', '--json'], {
      env,
      cwd,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    const gone = once(child, 'close');
    let output = '';
    const keep = (chunk: unknown): void => {
      output = (output + String(chunk)).slice(-loadLimits.outputCharsMax);
    };
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', keep);
    try {
      return new OwnProcess(child, gone, await readyFields(child, signal));
    } catch (error) {
      child.kill('SIGKILL');
      await gone;
      signal.throwIfAborted();
      throw mvmError('UNAVAILABLE', `mvm-ci ${args[0] ?? ''} did not become ready: ${output.trim() || String(error)}`);
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Whether it still runs. */
  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** A field of the ready line. */
  field(name: string): string {
    const value = this.#fields[name];
    if (typeof value === 'string') return value;
    throw mvmError('UNAVAILABLE', `the ready line has no "${name}": ${JSON.stringify(this.#fields)}`);
  }

  /** Kills it: a load test's cluster has nothing that must be kept. */
  async end(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#gone;
  }
}

const readyFields = async (child: ChildProcess, signal: AbortSignal): Promise<Readonly<Record<string, unknown>>> => {
  if (child.stdout === null) throw new Error('it has no standard output');
  const timely = AbortSignal.any([signal, AbortSignal.timeout(loadLimits.readyMsMax)]);
  const lines = createInterface({ input: child.stdout });
  const failed = once(child, 'error', { signal: timely }).then(([error]) => {
    throw error;
  });
  try {
    return await Promise.race([firstReadyLine(lines), failed]);
  } finally {
    failed.catch(() => undefined);
    lines.close();
    child.stdout.resume();
  }
};

const firstReadyLine = async (lines: AsyncIterable<string>): Promise<Readonly<Record<string, unknown>>> => {
  for await (const line of lines) {
    if (!line.startsWith('{')) continue;
    const { success, data } = readySchema.safeParse(JSON.parse(line));
    if (success) return data;
  }
  throw new Error('it ended without a ready line');
};
