/**
 * Journals that workers replay for somebody else: to judge another module, or to answer a question. Owns nothing; the errands and the
 * store own theirs.
 */
import {
  isFinal,
  mvmError,
  type Errand,
  type ErrandRequest,
  type JournalBatches,
  type JobVerdict,
  type QueryAnswer,
  type QueryJob,
} from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { JobRow } from '../machine/job-row.ts';
import type { Store } from '../store/store.ts';
import type { ErrandBoard } from './errand-board.ts';
import { jobNotFound } from './job-not-found.ts';
import type { JournalDesk } from './journal-desk.ts';

/** What it works with. */
export interface ReplayDeskParts {
  readonly store: Store;
  readonly journals: Pick<JournalDesk, 'batches'>;
  readonly errands: ErrandBoard;
}

/** See the head of this file. */
export class ReplayDesk {
  readonly #parts: ReplayDeskParts;

  constructor(parts: ReplayDeskParts) {
    this.#parts = parts;
  }

  /**
   * Has an idle worker replay the current attempt of a job with a module.
   *
   * @throws JOB_NOT_FOUND; INVALID_ARGUMENT when it runs no workflow; UNAVAILABLE when no worker does it
   */
  async replay(id: string, module: string, signal: AbortSignal): Promise<JobVerdict> {
    const { row } = await this.#parts.store.read<'job'>({ type: 'job', id });
    if (row === null) throw jobNotFound(id);
    const errand = { ...(await this.#errandOf(id, row)), module };
    return { attempt: errand.attempt, ...(await this.#parts.errands.ask(errand, signal)) };
  }

  /**
   * Has a worker ask a live job's workflow, at the end of its journal.
   *
   * @throws JOB_NOT_FOUND; INVALID_TRANSITION when it is over; QUERY_NOT_FOUND, QUERY_FAILED; what {@link ReplayDesk.replay} throws
   */
  async query(id: string, { name, args = null }: QueryJob, signal: AbortSignal): Promise<QueryAnswer> {
    const { row } = await this.#parts.store.read<'job'>({ type: 'job', id });
    if (row === null) throw jobNotFound(id);
    if (isFinal(row.state))
      throw mvmError('INVALID_TRANSITION', `job "${id}" is ${row.state} and can't be asked any more`, { job_id: id });
    // Before the journal, which then has all entries behind it.
    const { snapshot } = await this.#parts.store.read<'snapshot'>({ type: 'snapshot', id, attempt: row.attempt });
    const asked = { ...(await this.#errandOf(id, row)), query: { name, args: JSON.stringify(args) } };
    const errand = snapshot === null ? asked : { ...asked, snapshot };
    return { value: JSON.parse(await this.#parts.errands.query(errand, signal)) };
  }

  /** The replay of a job's current attempt. @throws INVALID_ARGUMENT */
  async #errandOf(id: string, { content }: JobRow): Promise<Omit<Errand, 'id' | 'query'>> {
    const { entry: workflow } = content;
    if (workflow === null) throw mvmError('INVALID_ARGUMENT', `job "${id}" runs no workflow`, { job_id: id });
    const { attempt, batches, module, next } = await this.#parts.journals.batches(id, null, 0);
    const errand = { job: id, attempt, module: module ?? content.module ?? '', workflow, batches };
    // One that grows meanwhile has a next part too, however short it is: what was read is all of it as it was.
    const isWhole = next === null || byteCount(batches) < controlLimits.journalPartBytes;
    return isWhole ? errand : { ...errand, next };
  }

  /** The next part of a journal that a worker was given only a part of. @throws INVALID_TRANSITION, JOB_NOT_FOUND */
  part(errand: string, from: number): Promise<JournalBatches> {
    const { job, attempt } = this.#parts.errands.taken(errand);
    return this.#parts.journals.batches(job, attempt, from);
  }

  /** An idle worker says what came of its last errand, and takes the next one. */
  errand(request: ErrandRequest): Errand | null {
    const { errands } = this.#parts;
    if (request.done) errands.settle(request.done.id, request.done.outcome);
    return errands.take(request.readsParts === true) ?? null;
  }
}

const byteCount = (batches: readonly { readonly bytes: Uint8Array }[]): number =>
  batches.reduce((sum, { bytes }) => sum + bytes.length, 0);
