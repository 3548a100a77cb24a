/** `publish`: stores jobs, all or none. Idempotent by id and content hash (I3). */
import { bytesEqual, mvmError } from '@mvm-ci/protocol';
import { noteAvailable, type Application } from './application.ts';
import type { PublishCommand, PublishItem } from './command.ts';
import type { JobContent, JobRecord } from './job-row.ts';
import type { JobParent } from './job-table.ts';
import { resolveWorkflow, type WorkflowTarget } from './workflow-reference.ts';
import type { ReplyTo } from './reply.ts';

/**
 * @throws QUEUE_FULL, JOB_EXISTS when an id is taken by another content, MODULE_NOT_FOUND, WORKFLOW_NOT_FOUND,
 * INVALID_ARGUMENT for a malformed reference
 */
export const publish = (app: Application, command: PublishCommand): ReplyTo<'publish'> => {
  refuseWhenFull(app, command.jobs.length, command.pendingJobsMax);
  const batch: Batch = { app, at: command.at, targets: new Map() };
  return { type: 'publish', jobs: command.jobs.map((item) => publishOne(batch, item)) };
};

const refuseWhenFull = (app: Application, added: number, pendingJobsMax: number): void => {
  const pending = app.tables.counters.get('pending');
  if (pending + added <= pendingJobsMax) return;
  throw mvmError('QUEUE_FULL', `the queue takes ${pendingJobsMax} pending jobs and holds ${pending}`, {
    pending,
    pendingJobsMax,
  });
};

/**
 * Stores a job that another job starts.
 *
 * @throws QUEUE_FULL, JOB_EXISTS when the id is taken, MODULE_NOT_FOUND, WORKFLOW_NOT_FOUND, INVALID_ARGUMENT
 */
export const publishChild = (
  app: Application,
  item: PublishItem,
  { at, pendingJobsMax, parent }: { readonly at: number; readonly pendingJobsMax: number; readonly parent: JobParent },
): void => {
  const existing = app.tables.jobs.find(item.id);
  if (existing !== undefined) throw jobExists(existing);
  refuseWhenFull(app, 1, pendingJobsMax);
  const content = newContent({ app, at, targets: new Map() }, item);
  app.tables.jobs.insert({ id: item.id, at, content, parent });
  noteAvailable(app.effects, at, at);
};

type PublishedJob = ReplyTo<'publish'>['jobs'][number];

/** One command's jobs: nothing is deployed between them, so each reference is looked up once. */
interface Batch {
  readonly app: Application;
  readonly at: number;
  readonly targets: Map<string, WorkflowTarget>;
}

const publishOne = (batch: Batch, item: PublishItem): PublishedJob => {
  const { app, at } = batch;
  const existing = app.tables.jobs.find(item.id);
  if (existing !== undefined) return publishedBefore(app, item, existing);
  const content = newContent(batch, item);
  app.tables.jobs.insert({ id: item.id, at, content });
  if (content.workflow !== null) noteAvailable(app.effects, at, at);
  return { job_id: item.id, status: 'pending', created: true };
};

const publishedBefore = (app: Application, item: PublishItem, existing: JobRecord): PublishedJob => {
  if (bytesEqual(app.tables.jobs.content(existing).hash, item.hash)) {
    return { job_id: item.id, status: existing.state, created: false };
  }
  throw jobExists(existing);
};

const jobExists = ({ id, state }: JobRecord): Error =>
  mvmError('JOB_EXISTS', `another job has the id "${id}": an id names one content for ever`, {
    job_id: id,
    status: state,
  });

const newContent = (batch: Batch, item: PublishItem): JobContent & { input: string } => {
  const target = item.reference === null ? null : targetOf(batch, item.reference);
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
    createdAt: batch.at,
    hash: item.hash,
    response: null,
  };
};

const targetOf = (batch: Batch, reference: string): WorkflowTarget => {
  const known = batch.targets.get(reference);
  if (known !== undefined) return known;
  const target = resolveWorkflow(batch.app.tables.modules, reference);
  batch.targets.set(reference, target);
  return target;
};
