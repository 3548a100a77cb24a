import type { Client } from '@mvm-ci/client';
import { isFinal, type JobView } from '@mvm-ci/protocol';

type Listener = (jobs: readonly JobView[]) => void;

/** Follows a set of jobs through the event stream, and wakes whoever waits for something to become true of them. */
export class JobWatch implements Disposable {
  readonly #jobs: Map<string, JobView | undefined>;
  readonly #listeners = new Set<Listener>();
  readonly #failed = Promise.withResolvers<never>();
  readonly #over = new AbortController();

  constructor(client: Client, ids: readonly string[], signal: AbortSignal) {
    this.#jobs = new Map(ids.map((id) => [id, undefined]));
    this.#failed.promise.catch(() => undefined);
    this.#follow(client, AbortSignal.any([signal, this.#over.signal])).catch(this.#failed.reject);
  }

  /** Calls `listener` with the latest view of all jobs, after each change. */
  onChange(listener: Listener): void {
    this.#listeners.add(listener);
  }

  /** Waits until `find` returns something of the jobs. @throws what `find` throws, and when the signal fires */
  until<T>(find: (jobs: readonly JobView[]) => T | undefined): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    const listener: Listener = (jobs) => {
      try {
        const found = find(jobs);
        if (found === undefined) return;
        resolve(found);
      } catch (error) {
        reject(error);
      }
      this.#listeners.delete(listener);
    };
    this.#listeners.add(listener);
    listener(this.#known());
    return Promise.race([promise, this.#failed.promise]);
  }

  /** Waits until every job is over. */
  untilAllFinal(): Promise<readonly JobView[]> {
    return this.until((jobs) =>
      jobs.length === this.#jobs.size && jobs.every((job) => isFinal(job.status)) ? jobs : undefined,
    );
  }

  /** Ends the event stream. */
  [Symbol.dispose](): void {
    this.#over.abort();
  }

  async #follow(client: Client, signal: AbortSignal): Promise<void> {
    for await (const job of client.events({ after: 0, signal })) {
      if (!this.#jobs.has(job.job_id)) continue;
      this.#jobs.set(job.job_id, job);
      for (const listener of this.#listeners) listener(this.#known());
    }
    throw new Error('it was interrupted, or took too long');
  }

  #known(): readonly JobView[] {
    return [...this.#jobs.values()].filter((job) => job !== undefined);
  }
}
