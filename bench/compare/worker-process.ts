/** The bench's hold of a worker process: what it was told to do, and which jobs ran there. */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Tally } from '../tally.ts';
import { noticeSchema, type Order } from './worker-message.ts';

const program = fileURLToPath(new URL('worker-program.ts', import.meta.url));
const endMsMax = 10_000;

/** See the head of this file. Runs are noted in the tally. */
export class WorkerProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #tally: Tally;
  readonly #startsMs = new Map<string, number>();
  #done = Promise.withResolvers<void>();
  #news = Promise.withResolvers<void>();

  constructor(tally: Tally) {
    this.#tally = tally;
    this.#child = fork(program, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], serialization: 'advanced' });
    this.#child.on('message', (message) => this.#hear(message));
    this.#child.once('exit', (code, signal) => this.#done.reject(new Error(`the worker ended: ${code ?? signal}`)));
    this.#done.promise.catch(() => undefined);
  }

  /** Resolves when it takes jobs. */
  start(system: string, url: string): Promise<void> {
    return this.#order({ order: 'start', system, url });
  }

  /** Resolves when it takes none any more, and all that ran there is noted. */
  stop(): Promise<void> {
    return this.#order({ order: 'stop' });
  }

  /** When a job first began, Unix ms. */
  startOf(id: string): number | undefined {
    return this.#startsMs.get(id);
  }

  /** Jobs that ran. */
  get ranIds(): readonly string[] {
    return [...this.#startsMs.keys()];
  }

  /** Resolves when more jobs have run. */
  get news(): Promise<void> {
    return this.#news.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = once(this.#child, 'exit');
    this.#child.disconnect();
    const insist = setTimeout(() => this.#child.kill('SIGKILL'), endMsMax);
    await exit;
    clearTimeout(insist);
  }

  #order(order: Order): Promise<void> {
    this.#child.send(order);
    return this.#done.promise;
  }

  #hear(message: unknown): void {
    const notice = noticeSchema.parse(message);
    if (notice.notice === 'ran') this.#noteRuns(notice.ids, notice.startsMs);
    else {
      this.#done.resolve();
      this.#done = Promise.withResolvers();
      this.#done.promise.catch(() => undefined);
    }
  }

  #noteRuns(ids: readonly string[], startsMs: readonly number[]): void {
    for (const [index, id] of ids.entries()) {
      this.#tally.completed(id);
      const startMs = startsMs[index];
      if (startMs !== undefined && !this.#startsMs.has(id)) this.#startsMs.set(id, startMs);
    }
    this.#news.resolve();
    this.#news = Promise.withResolvers();
  }
}
