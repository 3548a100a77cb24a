/** `append`: adds batches to journals, each item by itself. Idempotent by (epoch, first entry, hash) (I3). */
import {
  bytesEqual,
  chainHash,
  chainStart,
  limits,
  mvmError,
  type InternalEffect,
  type ItemAnswer,
  type JobProgress,
  type JournalBatch,
} from '@mvm-ci/protocol';
import { commit, type Application } from './application.ts';
import type { AppendCommand, FinishCommand } from './command.ts';
import { demandHolder } from './holder.ts';
import { applyInternal, demandItems, refusals, type InternalContext } from './internal.ts';
import { itemAnswer } from './item-answer.ts';
import type { JobRecord } from './job-row.ts';
import type { BatchPlace } from './journal-table.ts';
import type { ReplyTo } from './reply.ts';
import { grown } from './transition.ts';

/** A batch with what goes with it. */
export type ProgressBatch = JournalBatch & {
  readonly progress?: JobProgress | undefined;
  readonly internal?: readonly InternalEffect[] | undefined;
};

/** What the effects inside the system need of a command. */
export const internalContext = ({ at, pendingJobsMax = Infinity }: AppendCommand | FinishCommand): InternalContext => ({
  at,
  pendingJobsMax,
});

/** Applies each append; one that is refused changes nothing and harms no other. */
export const append = (app: Application, command: AppendCommand): ReplyTo<'append'> => {
  const context = internalContext(command);
  const results = command.appends.map((item): ItemAnswer =>
    itemAnswer(() => {
      const job = app.tables.jobs.get(item.job);
      demandHolder(job, command.worker, item);
      const next = appended(app, job, { batch: item, context });
      if (next !== job) commit(app, { before: job, next, at: command.at });
      return item.internal === undefined ? [] : refusals(app, next, item.internal);
    }),
  );
  return { type: 'append', results };
};

/**
 * Writes the batch, applies its internal effects, and gives the job after them; the job itself when the batch is there already.
 *
 * @throws JOURNAL_CONFLICT when the batch does not follow from the journal or consumes what is not in the inbox,
 *   LIMIT_EXCEEDED when the journal would be too long
 */
export const appended = (
  app: Application,
  job: JobRecord,
  { batch, context }: { readonly batch: ProgressBatch; readonly context: InternalContext },
): JobRecord => {
  const place = { job: job.number, attempt: job.attempt, firstSeq: batch.firstSeq };
  if (batch.firstSeq < job.journalEntries) return repeated(app, job, { place, batch });
  demandNext(job, batch);
  demandRoom(job, batch);
  const { internal = [] } = batch;
  demandItems(app, job, internal);
  app.tables.journal.insert(place, { ...batch, epoch: job.epoch });
  const { count, bytes, hash, progress } = batch;
  const next = grown(job, { count, bytes: bytes.length, hash, progress });
  return applyInternal(app, next, { internal, context });
};

const repeated = (app: Application, job: JobRecord, sent: { place: BatchPlace; batch: JournalBatch }): JobRecord => {
  const stored = app.tables.journal.find(sent.place);
  if (stored !== undefined && stored.epoch === job.epoch && bytesEqual(stored.hash, sent.batch.hash)) return job;
  throw conflict(job, sent.batch, 'another batch stands there');
};

const demandNext = (job: JobRecord, batch: JournalBatch): void => {
  if (batch.firstSeq !== job.journalEntries) throw conflict(job, batch, 'entries before it are missing');
  const previous = job.journalHash ?? chainStart(job.id, job.attempt);
  if (!bytesEqual(chainHash(previous, batch), batch.hash))
    throw conflict(job, batch, 'its hash does not follow from the stored one');
};

const conflict = (job: JobRecord, batch: JournalBatch, why: string): Error =>
  mvmError(
    'JOURNAL_CONFLICT',
    `the batch at entry ${batch.firstSeq} does not continue the journal of job "${job.id}", which has ${job.journalEntries} entries: ${why}`,
    { job_id: job.id, firstSeq: batch.firstSeq, journal_entries: job.journalEntries },
  );

const demandRoom = (job: JobRecord, batch: JournalBatch): void => {
  const added = batch.bytes.length;
  if (added > limits.appendBytesMax) throw tooLong(job, `${limits.appendBytesMax} bytes in one append`, added);
  const entries = job.journalEntries + batch.count;
  if (entries > limits.journalEntriesMax) throw tooLong(job, `${limits.journalEntriesMax} entries`, entries);
  const size = job.journalBytes + batch.bytes.length;
  if (size > limits.journalBytesMax) throw tooLong(job, `${limits.journalBytesMax} bytes`, size);
};

const tooLong = (job: JobRecord, rule: string, received: number): Error =>
  mvmError(
    'LIMIT_EXCEEDED',
    `the journal of an attempt has at most ${rule}; job "${job.id}" would have ${received} with this batch`,
    {
      job_id: job.id,
      received,
    },
  );
