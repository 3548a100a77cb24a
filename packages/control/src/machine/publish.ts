/** `publish`: stores jobs, all or none. Idempotent by id and content hash (I3). */
import { bytesEqual, mvmError } from '@mvm-ci/protocol';
import { noteAvailable, type Application } from './application.ts';
import type { PublishCommand, PublishItem } from './command.ts';
import type { JobContent, JobRecord } from './job-row.ts';
import { resolveWorkflow } from './workflow-reference.ts';
import type { ReplyTo } from './reply.ts';

/**
 * @throws QUEUE_FULL, JOB_EXISTS when an id is taken by another content, MODULE_NOT_FOUND, WORKFLOW_NOT_FOUND,
 * INVALID_ARGUMENT for a malformed reference
 */
export const publish = (app: Application, command: PublishCommand): ReplyTo<'publish'> => {
  refuseWhenFull(app, command);
  return { type: 'publish', jobs: command.jobs.map((item) => publishOne(app, item, command.at)) };
};

const refuseWhenFull = (app: Application, command: PublishCommand): void => {
  const pending = app.tables.counters.get('pending');
  if (pending + command.jobs.length <= command.pendingJobsMax) return;
  throw mvmError('QUEUE_FULL', `the queue takes ${command.pendingJobsMax} pending jobs and holds ${pending}`, {
    pending,
    pendingJobsMax: command.pendingJobsMax,
  });
};

type PublishedJob = ReplyTo<'publish'>['jobs'][number];

const publishOne = (app: Application, item: PublishItem, at: number): PublishedJob => {
  const existing = app.tables.jobs.find(item.id);
  if (existing !== undefined) return publishedBefore(app, item, existing);
  const content = newContent(app, item, at);
  app.tables.jobs.insert({ id: item.id, at, content });
  if (content.workflow !== null) noteAvailable(app.effects, at, at);
  return { job_id: item.id, status: 'pending', created: true };
};

const publishedBefore = (app: Application, item: PublishItem, existing: JobRecord): PublishedJob => {
  if (bytesEqual(app.tables.jobs.content(existing).hash, item.hash)) {
    return { job_id: item.id, status: existing.state, created: false };
  }
  throw mvmError('JOB_EXISTS', `another job has the id "${item.id}": an id names one content for ever`, {
    job_id: item.id,
    status: existing.state,
  });
};

const newContent = (app: Application, item: PublishItem, at: number): JobContent & { input: string } => {
  const target = item.reference === null ? null : resolveWorkflow(app.tables.modules, item.reference);
  return {
    reference: item.reference,
    workflow: target === null ? null : `${target.module.name}@${target.module.version}/${target.workflow}`,
    module: target?.module.hash ?? null,
    entry: target?.workflow ?? null,
    input: item.input,
    attemptsMax: item.attemptsMax,
    backoffInitialMs: item.backoff.initial_ms,
    backoffFactor: item.backoff.factor,
    backoffMaxMs: item.backoff.max_ms,
    createdAt: at,
    hash: item.hash,
  };
};
