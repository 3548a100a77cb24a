/**
 * The effects inside the system that an append brings (I7, `docs/internals/inbox.md`). Applied in the transaction that
 * stores its entries, to a job that its caller saves: success leaves no trace but the effect, a refusal is an item of the
 * job's own inbox.
 */
import {
  defaultBackoff,
  idSchema,
  leaseTrace,
  MvmError,
  mvmError,
  optionsText,
  traceOfText,
  traceText,
  type ErrorRecord,
  type InboxItem,
  type InternalEffect,
} from '@mvm-ci/protocol';
import { contentHash } from '../queue/content-hash.ts';
import type { Application } from './application.ts';
import { deliver, demandReceiver, withItem } from './inbox.ts';
import type { JobRecord } from './job-row.ts';
import { publishChild } from './publish.ts';

type StartEffect = Extract<InternalEffect, { type: 'start' }>;
type SendEffect = Extract<InternalEffect, { type: 'send' }>;

/** When the append is applied, and how many pending jobs there may be. */
export interface InternalContext {
  readonly at: number;
  readonly pendingJobsMax: number;
}

/** Refuses an append that consumes what isn't there, before anything of it is written. @throws JOURNAL_CONFLICT */
export const demandItems = (app: Application, job: JobRecord, internal: readonly InternalEffect[]): void => {
  const items = internal.flatMap((effect) => (effect.type === 'consume' ? effect.items : []));
  const missing = items.find((item) => !app.tables.inbox.has(job.number, item));
  if (missing === undefined && new Set(items).size === items.length) return;
  const what = missing === undefined ? 'an inbox item twice' : `inbox item ${missing}, which is not there`;
  throw mvmError('JOURNAL_CONFLICT', `the append to job "${job.id}" consumes ${what}`, {
    job_id: job.id,
    item: missing,
  });
};

/** Applies them in order. @returns the job after them */
export const applyInternal = (
  app: Application,
  job: JobRecord,
  { internal, context }: { readonly internal: readonly InternalEffect[]; readonly context: InternalContext },
): JobRecord => internal.reduce((current, effect) => applyOne(app, current, { effect, context }), job);

/** The items that tell what of `internal` was refused, also when the append was stored earlier. */
export const refusals = (
  app: Application,
  job: JobRecord,
  internal: readonly InternalEffect[],
): readonly InboxItem[] => {
  const calls = internal.flatMap((effect) => ('call' in effect ? [effect.call] : []));
  const first = calls[0];
  if (first === undefined || job.inboxItems === 0) return [];
  return app.tables.inbox.refused(job.number, Math.min(...calls), Math.max(...calls));
};

interface One {
  readonly effect: InternalEffect;
  readonly context: InternalContext;
}

const applyOne = (app: Application, job: JobRecord, { effect, context }: One): JobRecord => {
  switch (effect.type) {
    case 'consume':
      for (const item of effect.items) app.tables.inbox.delete(job.number, item);
      return { ...job, inboxItems: job.inboxItems - effect.items.length };
    case 'start':
      return orRefused(app, job, { effect, context, run: () => start(app, job, { effect, context }) });
    case 'send':
      return orRefused(app, job, { effect, context, run: () => send(app, job, { effect, context }) });
    case 'respond':
      if (app.tables.jobs.respond(job.number, effect.value)) app.effects.responses.push(job.id);
      return job;
  }
};

interface Refusable {
  readonly effect: StartEffect | SendEffect;
  readonly context: InternalContext;
  readonly run: () => JobRecord;
}

/** Each effect checks before it writes, so a refusal leaves nothing behind. */
const orRefused = (app: Application, job: JobRecord, { effect, context, run }: Refusable): JobRecord => {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof MvmError) || error.code === 'INTERNAL') throw error;
    return withItem(app, job, { at: context.at, body: { type: 'refused', call: effect.call, error: brief(error) } });
  }
};

const brief = (error: MvmError): ErrorRecord => {
  const { code, message } = error.toRecord();
  return { code, message };
};

const start = (
  app: Application,
  job: JobRecord,
  { effect, context }: { readonly effect: StartEffect; readonly context: InternalContext },
): JobRecord => {
  demandId(effect.job);
  const { workflow: reference, input, attemptsMax } = effect;
  const options = effect.options && optionsText(effect.options);
  const content = { reference, input, attemptsMax, backoff: defaultBackoff, ...(options && { options }) };
  const trace = childTrace(app, job);
  const item = { id: effect.job, ...content, trace, hash: contentHash(content) };
  const parent = { id: job.id, attempt: job.attempt, isDetached: effect.detached };
  publishChild(app, item, { ...context, parent });
  return { ...job, hasChildren: true };
};

/** Below the span of the lease that starts it. */
const childTrace = (app: Application, { number, id, epoch }: JobRecord): string | null => {
  const trace = app.tables.jobs.trace(number);
  return trace === null ? null : traceText(leaseTrace(traceOfText(trace), { job: id, epoch }));
};

const send = (
  app: Application,
  job: JobRecord,
  { effect, context }: { readonly effect: SendEffect; readonly context: InternalContext },
): JobRecord => {
  demandId(effect.job);
  const body = { type: 'message', from: job.id, messageType: effect.messageType, data: effect.data } as const;
  const arrival = { at: context.at, body };
  const isOwn = effect.job === job.id;
  const receiver = isOwn ? job : app.tables.jobs.get(effect.job);
  demandReceiver(receiver);
  if (!isOwn) deliver(app, receiver, arrival);
  else app.effects.inboxes.push(job.id);
  return isOwn ? withItem(app, job, arrival) : job;
};

const demandId = (id: string): void => {
  if (idSchema.safeParse(id).success) return;
  throw mvmError(
    'INVALID_ARGUMENT',
    `a job id has letters, digits and . _ : - only, starts with a letter or digit and has at most 128 characters, not ${JSON.stringify(id.slice(0, 200))}`,
  );
};
