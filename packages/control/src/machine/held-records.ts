/**
 * The records of jobs that somebody holds, as the table has them: who finishes a job has claimed it a moment ago, and to read it
 * again would cost more than to write it. Owns no truth: what is not here is read from the table.
 *
 *   1. A record is here only as it was last saved: who changes a row otherwise drops it.
 *   2. All go when a command is undone or a transaction fails.
 */
import { controlLimits } from '../limits.ts';
import type { JobRecord } from './job-row.ts';
import { isHeld } from './transition.ts';

/** See the head of this file. */
export class HeldRecords {
  readonly #records: Map<string, JobRecord> = new Map();

  find(id: string): JobRecord | undefined {
    return this.#records.get(id);
  }

  /** A job was saved. */
  saved(job: JobRecord): void {
    if (!isHeld(job)) return this.drop(job);
    this.#makeRoom();
    // Without what doesn't change of it: inputs are long.
    const record = { ...job, content: undefined };
    this.#records.set(job.id, record);
  }

  /** The row of a job was changed by another way than saving it. */
  drop({ id }: Pick<JobRecord, 'id'>): void {
    this.#records.delete(id);
  }

  clear(): void {
    this.#records.clear();
  }

  // The oldest goes.
  #makeRoom(): void {
    if (this.#records.size < controlLimits.heldRecordsMax) return;
    for (const id of this.#records.keys()) {
      this.#records.delete(id);
      return;
    }
  }
}
