/**
 * The child jobs of one attempt: which ones it started, which starts were refused, and how those that it joined ended. So a
 * join is answered as often as it is asked, and a join that nothing can ever answer says so.
 */
import { mvmError, type ChildOutcome, type ErrorRecord } from '@mvm-ci/protocol';

/** How a child ended, and the inbox item that said so. */
export interface ChildEnd {
  readonly item: number;
  readonly outcome: ChildOutcome;
}

/** All that a book of children holds, by job. */
export interface ChildFacts {
  /** Calls whose starts were not refused. */
  readonly starts: readonly (readonly [job: string, calls: readonly number[]])[];
  readonly refusals: readonly (readonly [job: string, error: ErrorRecord])[];
  readonly ends: readonly (readonly [job: string, end: ChildEnd])[];
}

export class ChildBook {
  /** Starts of each job that were not refused, by call. */
  readonly #starts = new Map<string, Set<number>>();
  readonly #refusals = new Map<string, ErrorRecord>();
  readonly #ends = new Map<string, ChildEnd>();

  get facts(): ChildFacts {
    const starts = [...this.#starts].map(([job, calls]) => [job, [...calls]] as const);
    return { starts, refusals: [...this.#refusals], ends: [...this.#ends] };
  }

  /** Goes on where another book stood. */
  restore({ starts, refusals, ends }: ChildFacts): void {
    for (const [job, calls] of starts) this.#starts.set(job, new Set(calls));
    for (const [job, error] of refusals) this.#refusals.set(job, error);
    for (const [job, end] of ends) this.#ends.set(job, end);
  }

  started(job: string, call: number): void {
    const calls = this.#starts.get(job) ?? new Set();
    this.#starts.set(job, calls.add(call));
  }

  refused(job: string, call: number, error: ErrorRecord): void {
    this.#starts.get(job)?.delete(call);
    this.#refusals.set(job, error);
  }

  ended(job: string, end: ChildEnd): void {
    this.#ends.set(job, end);
  }

  /** How the child ended, as far as it was told before. */
  end(job: string): ChildEnd | undefined {
    return this.#ends.get(job);
  }

  /** Why a join of this job can never be answered. */
  objection(job: string): ErrorRecord | undefined {
    if ((this.#starts.get(job)?.size ?? 0) > 0) return undefined;
    return (
      this.#refusals.get(job) ??
      mvmError('JOB_NOT_FOUND', `job "${job}" is no child that this attempt started: only such can be joined`, {
        job,
      }).toRecord()
    );
  }
}
