/**
 * Many simulated workers: real ones in all but their engine, which completes every job in no time. Each has an iroh
 * endpoint, a connection and a long poll of its own; a few processes hold them all (`crowd-process.ts`).
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const drainMsMax = 20_000;
const program = fileURLToPath(new URL('crowd-process.ts', import.meta.url));

/** Workers to simulate. */
export interface CrowdOptions {
  readonly ticket: string;
  readonly workers: number;
  readonly processes: number;
  readonly signal: AbortSignal;
}

/** See the head of this file; it is gone when it is disposed of. */
export class Crowd implements AsyncDisposable {
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  /** Resolves when all have joined. */
  static async join({ ticket, workers, processes, signal }: CrowdOptions): Promise<Crowd> {
    const share = Math.ceil(workers / processes);
    const shares = Array.from({ length: processes }, (_, index) => Math.min(share, workers - index * share));
    const children = shares.map((count) =>
      spawn(process.execPath, [program, ticket, String(count)], { stdio: ['pipe', 'pipe', 'inherit'] }),
    );
    const crowd = new Crowd(children);
    try {
      await Promise.all(children.map((child) => untilJoined(child, signal)));
      return crowd;
    } catch (error) {
      await crowd[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ends = this.#children.filter(isRunning).map((child) => once(child, 'close'));
    // They drain: a claim of a worker that was killed stays in the queue until its connection is missed.
    for (const child of this.#children) child.stdin?.end();
    const late = setTimeout(() => this.#kill(), drainMsMax);
    await Promise.all(ends);
    clearTimeout(late);
  }

  #kill(): void {
    for (const child of this.#children) child.kill('SIGKILL');
  }
}

const isRunning = ({ exitCode, signalCode }: ChildProcess): boolean => exitCode === null && signalCode === null;

const untilJoined = async (child: ChildProcess, signal: AbortSignal): Promise<void> => {
  if (!child.stdout) throw new Error('a crowd process has no output');
  const lines = createInterface({ input: child.stdout });
  const ended = once(child, 'close').then(() => {
    throw new Error('a crowd process ended before all its workers had joined');
  });
  await Promise.race([once(lines, 'line', { signal }), ended]);
  ended.catch(() => undefined);
  lines.close();
};
