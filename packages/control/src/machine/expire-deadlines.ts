/** `expire-deadlines`: what happens to jobs whose deadline has passed (`deadline.ts`). */
import { optionsOf, type JobOptions } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import { commit, type Application } from './application.ts';
import type { ExpireDeadlinesCommand } from './command.ts';
import { deadlines, type DeadlineKind } from './deadline.ts';
import type { JobContent, JobRecord } from './job-row.ts';
import type { ReplyTo } from './reply.ts';
import { cancelled, failed, failedByRule } from './transition.ts';

/** Does what the deadlines that have passed demand. `next` is the earliest that has not. */
export const expireDeadlines = (app: Application, command: ExpireDeadlinesCommand): ReplyTo<'expire-deadlines'> => {
  const overdue = app.tables.jobs.overdue(command.at, controlLimits.deadlinesPerCommand);
  for (const job of overdue) expireOne(app, job, command);
  return { type: 'expire-deadlines', next: app.tables.jobs.nextDeadline() };
};

const expireOne = (app: Application, job: JobRecord, command: ExpireDeadlinesCommand): void => {
  const content = app.tables.jobs.content(job);
  const options = optionsOf(content.options);
  const kind = deadlines(job, options, content.createdAt).find(([, at]) => at <= command.at)?.[0];
  // What is stored is what applies; were it not so, saving it again mends it.
  const next = kind === undefined ? job : expired(job, { kind, content, options, command });
  commit(app, { before: job, next, at: command.at });
};

const expired = (
  job: JobRecord,
  sent: {
    readonly kind: DeadlineKind;
    readonly content: JobContent;
    readonly options: JobOptions;
    readonly command: ExpireDeadlinesCommand;
  },
): JobRecord => {
  const { kind, content, options, command } = sent;
  switch (kind) {
    case 'total':
      return failedByRule(job, {
        code: 'JOB_TIMEOUT',
        message: `the job was not over ${options.timeout_ms} ms after its ${job.retriedAt === null ? 'publish' : 'retry'}`,
      });
    case 'cancel':
      return cancelled(job, job.cancelReason ?? '');
    case 'attempt': {
      const message = `attempt ${job.attempt} was not over ${options.attempt_timeout_ms} ms after its first claim`;
      const { at, jitter } = command;
      return failed(job, content, { code: 'ATTEMPT_TIMEOUT', message, retryable: true, at, jitter });
    }
    case 'start':
      return failedByRule(job, {
        code: 'START_TIMEOUT',
        message: `no worker began the job within ${options.start_timeout_ms} ms after it could run`,
      });
  }
};
