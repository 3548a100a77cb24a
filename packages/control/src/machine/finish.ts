/** `finish`: ends leases, each item by itself, with its last append in the same transaction (I7). Idempotent by epoch (I3). */
import { bytesEqual, limits, mvmError, type ItemAnswer } from '@mvm-ci/protocol';
import { appended, internalContext } from './append.ts';
import { commit, type Application } from './application.ts';
import type { FinishCommand, HashedFinish } from './command.ts';
import { demandHolder } from './holder.ts';
import { itemAnswer } from './item-answer.ts';
import type { JobRecord } from './job-row.ts';
import { keptForMove } from './move.ts';
import type { ReplyTo } from './reply.ts';
import { cancelled, completed, failed, finished, released, suspended } from './transition.ts';

/** Applies each finish; one that is refused changes nothing and harms no other. */
export const finish = (app: Application, command: FinishCommand): ReplyTo<'finish'> => {
  const results = command.finishes.map((item): ItemAnswer =>
    itemAnswer(() => {
      finishOne(app, item, command);
      // Nobody is left to hear of a refusal but the next holder, who finds it in the inbox.
      return [];
    }),
  );
  return { type: 'finish', results };
};

const finishOne = (app: Application, item: HashedFinish, command: FinishCommand): void => {
  const job = app.tables.jobs.get(item.job);
  if (isRepeated(job, item, command.worker)) return;
  demandHolder(job, command.worker, item);
  demandPossible(job, item);
  const last =
    item.append === undefined ? job : appended(app, job, { batch: item.append, context: internalContext(command) });
  const next = finished(outcome(app, last, { item, command }), item.epoch, item.outcomeHash);
  commit(app, { before: job, next, at: command.at });
};

const isRepeated = (job: JobRecord, item: HashedFinish, worker: string): boolean =>
  job.finishedEpoch === item.epoch &&
  job.finishedBy === worker &&
  job.outcomeHash !== null &&
  bytesEqual(job.outcomeHash, item.outcomeHash);

// Checked before the append is written, so that a refused finish leaves nothing behind.
const demandPossible = (job: JobRecord, item: HashedFinish): void => {
  if (item.outcome.type === 'cancelled' && job.cancelReason === null) {
    throw mvmError('INVALID_TRANSITION', `nobody asked for the cancellation of job "${job.id}"`, { job_id: job.id });
  }
  if (item.outcome.type !== 'completed') return;
  const resultBytes = item.outcome.result.length;
  if (resultBytes <= limits.resultBytesMax) return;
  throw mvmError(
    'LIMIT_EXCEEDED',
    `a result has at most ${limits.resultBytesMax} bytes of JSON; this one has ${resultBytes}`,
    {
      job_id: job.id,
      received: resultBytes,
    },
  );
};

const outcome = (app: Application, job: JobRecord, sent: { item: HashedFinish; command: FinishCommand }): JobRecord => {
  const { at, jitter } = sent.command;
  const { outcome: end } = sent.item;
  switch (end.type) {
    case 'completed':
      return completed(job, end.result);
    case 'failed':
      return failed(job, app.tables.jobs.content(job), {
        code: end.error.code,
        message: end.error.message.slice(0, limits.errorMessageCharsMax),
        retryable: end.retryable,
        retryAfterMs: end.retryAfterMs,
        at,
        jitter,
      });
    case 'cancelled':
      return cancelled(job, job.cancelReason ?? '');
    case 'released':
      return keptForMove(app, released(job, at), at);
    case 'suspended':
      return suspended(job, { ...end, at });
  }
};
