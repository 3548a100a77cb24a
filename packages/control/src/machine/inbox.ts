/**
 * What comes into a job's inbox, and `send-message` (`docs/internals/inbox.md`). An item that arrives makes a waiting job
 * pending in the same transaction: no wake-up is lost.
 */
import { isFinal, limits, mvmError, type InboxBody, type InboxItem } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import { commit, type Application } from './application.ts';
import type { SendMessageCommand } from './command.ts';
import type { JobRecord } from './job-row.ts';
import type { ReplyTo } from './reply.ts';

/** Something that arrives. */
export interface Arrival {
  readonly at: number;
  readonly body: InboxBody;
}

/**
 * Sends a message to a job that is not over. Idempotent by the message's id.
 *
 * @throws JOB_NOT_FOUND, INVALID_TRANSITION when the job is over, QUEUE_FULL when its inbox is full
 */
export const sendMessage = (app: Application, command: SendMessageCommand): ReplyTo<'send-message'> => {
  const job = app.tables.jobs.get(command.job);
  const known = command.id === null ? undefined : app.tables.inbox.findMessage(job.number, command.id);
  if (known !== undefined) return { type: 'send-message', number: known, created: false };
  demandReceiver(job);
  const body = { type: 'message', from: null, messageType: command.messageType, data: command.data } as const;
  const number = deliver(app, job, { at: command.at, body }).inboxLast;
  if (command.id !== null) app.tables.inbox.rememberMessage(job.number, command.id, number);
  return { type: 'send-message', number, created: true };
};

/** @throws INVALID_TRANSITION for a job that is over or that runs no workflow, QUEUE_FULL for one whose inbox is full */
export const demandReceiver = (job: JobRecord): void => {
  const details = { job_id: job.id, state: job.state };
  if (!job.durable)
    throw mvmError('INVALID_TRANSITION', `job "${job.id}" runs no workflow and receives no messages`, details);
  if (isFinal(job.state))
    throw mvmError('INVALID_TRANSITION', `job "${job.id}" is ${job.state} and receives no messages any more`, details);
  if (job.inboxItems < limits.inboxItemsMax && job.inboxLast < controlLimits.inboxNumbersMax) return;
  throw mvmError(
    'QUEUE_FULL',
    `the inbox of job "${job.id}" takes ${limits.inboxItemsMax} items at a time and ${controlLimits.inboxNumbersMax} in all; it holds ${job.inboxItems} and had ${job.inboxLast}`,
    { job_id: job.id, waiting: job.inboxItems, received: job.inboxLast },
  );
};

/** Puts something into a job's inbox, and wakes the job when it waits. */
export const deliver = (app: Application, job: JobRecord, arrival: Arrival): JobRecord => {
  const next = withItem(app, job, arrival);
  app.effects.inboxes.push(job.id);
  const woken = job.state === 'waiting' ? ({ ...next, state: 'pending', runAt: arrival.at } as const) : next;
  return commit(app, { before: job, next: woken, at: arrival.at });
};

/** Stores an item; the job that it belongs to is the caller's to save. */
export const withItem = (app: Application, job: JobRecord, { at, body }: Arrival): JobRecord => {
  const item: InboxItem = { number: job.inboxLast + 1, at, body };
  app.tables.inbox.insert(job.number, item);
  return { ...job, inboxLast: item.number, inboxItems: job.inboxItems + 1 };
};
