/**
 * Somebody else's program, run so that it does not outlive the bench: a process of its own (`keeper-program.ts`) starts it, and ends it
 * when the channel to the bench closes. The bench closes it when it needs the program no more; it closes by itself when the bench is
 * gone, however it ended.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { KeptOptions } from './keeper-message.ts';

const keeper = fileURLToPath(new URL('keeper-program.ts', import.meta.url));

/** A program that runs, or has ended. Its disposer ends it, and returns when it has ended. */
export class KeptProgram implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exit: Promise<unknown>;

  constructor(options: KeptOptions) {
    // In a session of its own: Ctrl-C is for the bench, which ends it in order.
    this.#child = fork(keeper, { detached: true, stdio: ['ignore', 'pipe', 'pipe', 'ipc'] });
    // A child whose channel was closed from here never says 'close'.
    this.#exit = once(this.#child, 'exit');
    this.#exit.catch(() => undefined);
    this.#child.send(options);
  }

  /** Calls `hear` with what it prints, on either stream. */
  onOutput(hear: (text: string) => void): void {
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (chunk: unknown) => hear(String(chunk)));
  }

  /** Resolves when it has ended: to its exit code, null for a signal. Rejects when it could not be started. */
  get ended(): Promise<number | null> {
    return this.#exit.then(() => this.#child.exitCode);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.#exit;
  }
}

/** Runs a program to its end. @throws with what it printed, unless it succeeds; what aborts `signal` */
export const runProgram = async (
  options: Omit<KeptOptions, 'endSignal' | 'input'>,
  signal?: AbortSignal,
): Promise<void> => {
  await using program = new KeptProgram({ ...options, endSignal: 'SIGTERM' });
  let said = '';
  program.onOutput((text) => (said += text));
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal?.reason);
  signal?.addEventListener('abort', abort);
  try {
    signal?.throwIfAborted();
    const code = await Promise.race([program.ended, aborted.promise]);
    if (code !== 0) throw new Error(`${options.program} failed: ${said}`);
  } finally {
    signal?.removeEventListener('abort', abort);
  }
};
