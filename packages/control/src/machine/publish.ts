/** `publish`: stores jobs, all or none. Idempotent by id and content hash (I3). */
import { bytesEqual, defaultQueue, handlerOf, isFinal, mvmError, optionsOf, type JobOptions } from '@mvm-ci/protocol';
import { commit, type Application } from './application.ts';
import { requestCancel } from './cancel.ts';
import type { PublishCommand, PublishItem } from './command.ts';
import { deadlineOf, isTimed } from './deadline.ts';
import { demandDependencies, tellResults, type Dependencies } from './dependency.ts';
import { noteDeadline, noteReady, noteRunAt } from './effects.ts';
import type { JobContent, JobRecord } from './job-row.ts';
import type { JobParent } from './job-table.ts';
import type { LaneName } from './lane-table.ts';
import type { ReplyTo } from './reply.ts';
import { runAtOf } from './run-at.ts';
import { neverMs } from './transition.ts';
import { keyTakenBy, takeKey } from './unique.ts';
import { resolveWorkflow, type WorkflowTarget } from './workflow-reference.ts';

/**
 * @throws QUEUE_FULL, JOB_EXISTS when an id is taken by another content or a unique key by another job, MODULE_NOT_FOUND,
 * WORKFLOW_NOT_FOUND, JOB_NOT_FOUND for a job to wait for, INVALID_ARGUMENT for a malformed reference
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

/** @throws QUEUE_FULL when the queue is draining, or has no room */
const refuseWhenClosed = (app: Application, queue: string): void => {
  const { queues, lanes } = app.tables;
  if (queues.isPlain(queue)) return;
  if (queues.mode(queue) === 'draining') {
    throw mvmError('QUEUE_FULL', `the queue "${queue}" is draining: it takes no new jobs until it is resumed`, {
      queue,
    });
  }
  const { pending_max: room } = queues.settings(queue);
  if (room === undefined) return;
  const pending = lanes.ready(queue);
  if (pending < room) return;
  throw mvmError('QUEUE_FULL', `the queue "${queue}" takes ${room} jobs that could run and holds ${pending}`, {
    queue,
    pending,
    pending_max: room,
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
  insert({ app, at, targets: new Map() }, item, { parent });
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
  const { unique } = demandedOptions(item);
  const holder = unique === undefined ? undefined : keyTakenBy(app, unique.key, at);
  const policy = unique?.policy ?? 'ignore';
  if (holder !== undefined && policy === 'ignore') return { job_id: holder.id, status: holder.state, created: false };
  if (holder !== undefined && policy === 'reject') throw keyTaken(unique?.key ?? '', holder);
  insert(batch, item, {});
  // A job that somebody runs is not disturbed: it goes on without the key. Read again: the new job may wait for it.
  if (holder !== undefined && isUnbegun(holder))
    requestCancel(app, app.tables.jobs.get(holder.id), { at, reason: `replaced by job ${item.id}` });
  return { job_id: item.id, status: 'pending', created: true };
};

/** Names that are kept as text, which has no place for half a character: different ones would be the same. @throws INVALID_ARGUMENT */
const demandedOptions = (item: PublishItem): JobOptions => {
  const options = optionsOf(item.options ?? null);
  const { key = '', unique } = options;
  if (key.isWellFormed() && (unique === undefined || unique.key.isWellFormed())) return options;
  throw mvmError('INVALID_ARGUMENT', `a key is well-formed Unicode, and one of job "${item.id}" has a lone surrogate`, {
    job_id: item.id,
  });
};

const isUnbegun = ({ state, epoch }: JobRecord): boolean => state === 'pending' && epoch === 0;

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

const keyTaken = (key: string, { id, state }: JobRecord): Error =>
  mvmError('JOB_EXISTS', `job "${id}" has the unique key "${key}", and the policy is to reject others`, {
    job_id: id,
    status: state,
    unique_key: key,
  });

const insert = (batch: Batch, item: PublishItem, { parent }: { readonly parent?: JobParent }): void => {
  const { app, at } = batch;
  const options = demandedOptions(item);
  const { queue = defaultQueue, priority = 0 } = options;
  refuseWhenClosed(app, queue);
  const content = newContent(batch, item);
  const dependencies = demandDependencies(app, item.id, options);
  const runAt = dependencies.left > 0 ? neverMs : runAtOf(options, at);
  const lane = app.tables.lanes.lane(laneName(content, options));
  const fresh = { ...unbegun, runAt } as const;
  const deadlineAt = deadlineOf(fresh, options, at);
  const number = app.tables.jobs.insert({
    id: item.id,
    at,
    content,
    parent,
    runAt,
    lane: lane.id,
    priority,
    isTimed: isTimed(options),
    deadlineAt,
    dependenciesLeft: dependencies.left,
  });
  if (item.options !== null && item.options !== undefined) keepOptions(app, { number, options, at });
  app.effects.tally.published += 1;
  noteDeadline(app.effects, deadlineAt);
  if (content.workflow !== null && runAt <= at) noteReady(app.effects, lane, { module: content.module });
  else if (content.workflow !== null && runAt < neverMs) noteRunAt(app.effects, runAt);
  settleDependencies(app, { id: item.id, number, dependencies, at });
};

/** What a new job's deadlines are computed from, beside its time. */
const unbegun = {
  state: 'pending',
  attempt: 1,
  attemptAt: null,
  attemptsForgiven: 0,
  retriedAt: null,
  cancelAt: null,
} as const;

const keepOptions = (
  app: Application,
  { number, options, at }: { readonly number: number; readonly options: JobOptions; readonly at: number },
): void => {
  app.tables.labels.insert(number, options);
  if (options.unique !== undefined) takeKey(app, options.unique, { job: number, at });
};

const settleDependencies = (
  app: Application,
  job: { readonly id: string; readonly number: number; readonly dependencies: Dependencies; readonly at: number },
): void => {
  const { id, number, dependencies, at } = job;
  for (const awaited of dependencies.jobs) {
    app.tables.dependencies.insert(awaited.number, number);
    if (!isFinal(awaited.state)) app.tables.jobs.noteDependent(awaited);
  }
  if (dependencies.jobs.length === 0 || dependencies.left > 0) return;
  const stored = app.tables.jobs.get(id);
  if (dependencies.refusal === null) tellResults(app, stored, at);
  else commit(app, { before: stored, next: dependencies.refusal(stored), at });
};

/** The lane of a job with this content. */
export const laneName = ({ workflow }: Pick<JobContent, 'workflow'>, options: JobOptions): LaneName => ({
  kind: workflow === null ? 'payload' : handlerOf(workflow) === undefined ? 'workflow' : workflow,
  queue: options.queue ?? defaultQueue,
  key: options.key ?? '',
  requires: options.requires ?? [],
});

const newContent = (batch: Batch, item: PublishItem): JobContent & { input: string } => {
  return {
    reference: item.reference,
    ...runOf(batch, item.reference),
    input: item.input,
    attemptsMax: item.attemptsMax,
    backoffInitialMs: item.backoff.initial_ms,
    backoffFactor: item.backoff.factor,
    backoffMaxMs: item.backoff.max_ms,
    createdAt: batch.at,
    hash: item.hash,
    response: null,
    options: item.options ?? null,
    trace: item.trace ?? null,
  };
};

const runOf = (batch: Batch, reference: string | null): Pick<JobContent, 'workflow' | 'module' | 'entry'> => {
  if (reference === null) return { workflow: null, module: null, entry: null };
  const handler = handlerOf(reference);
  if (handler !== undefined) return { workflow: reference, module: '', entry: handler };
  const { module, workflow } = targetOf(batch, reference);
  return { workflow: `${module.name}@${module.version}/${workflow}`, module: module.hash, entry: workflow };
};

const targetOf = (batch: Batch, reference: string): WorkflowTarget => {
  const known = batch.targets.get(reference);
  if (known !== undefined) return known;
  const target = resolveWorkflow(batch.app.tables.modules, reference);
  batch.targets.set(reference, target);
  return target;
};
