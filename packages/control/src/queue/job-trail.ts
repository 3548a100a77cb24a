/**
 * What can be followed of jobs from outside: spans of their publishes and claims, and log lines. A job keeps the trace that it
 * was published in; all its claims, on any worker and in any attempt, and the jobs that it starts, are in that trace.
 *
 *   1. Without a tracer nothing is begun: a trace that came with a publish is kept and handed on as it came.
 *   2. Ids are made here, outside the state machine, and come to it with the commands (I1).
 */
import {
  traceFields,
  traceOfText,
  traceText,
  type LogFields,
  type Published,
  type PublishJob,
  type SpanStart,
  type TraceContext,
  type Tracer,
} from '@mvm-ci/protocol';
import type { Logger } from '../logger.ts';
import type { ClaimedRow } from '../machine/reply.ts';

/** A publish in progress. */
export interface Publishing {
  /** For the jobs, as it is stored; null: they are not traced. */
  readonly trace: string | null;
  published(jobs: readonly Published[]): void;
  refused(error: unknown): void;
}

/** See the head of this file. */
export class JobTrail {
  readonly #tracer: Tracer | undefined;
  readonly #logger: Logger;

  constructor({ tracer, logger }: { readonly tracer?: Tracer | undefined; readonly logger: Logger }) {
    this.#tracer = tracer;
    this.#logger = logger;
  }

  /** Begins a publish, in the trace that its request came with. */
  publishing(jobs: readonly PublishJob[], given: TraceContext | undefined): Publishing {
    const span = this.#tracer?.begin(publishSpan(jobs, given));
    const trace = span?.trace ?? given;
    return {
      trace: trace === undefined ? null : traceText(trace),
      published: (answers) => {
        span?.end();
        for (const { job_id: job, created } of answers)
          if (created) this.#logger.debug({ job, attempt: 1, ...traceFields(trace) }, 'job published');
      },
      refused: (error) => span?.end({ error: String(error) }),
    };
  }

  /** A schedule's time has come. @returns the trace for its job, null without one */
  scheduled(schedule: string, job: PublishJob): string | null {
    if (!this.#tracer) return null;
    const { attributes, ...start } = publishSpan([job], undefined);
    const span = this.#tracer.begin({ ...start, attributes: { ...attributes, 'mvm_ci.schedule': schedule } });
    span.end();
    return traceText(span.trace);
  }

  /** A worker was given a job. @returns what its run is below; undefined when the job is not traced */
  claimed(row: ClaimedRow, worker: string): TraceContext | undefined {
    const stored = row.content.trace === null ? undefined : traceOfText(row.content.trace);
    const trace = stored && this.#claimSpan(row, worker, stored);
    const { job, attempt, epoch } = row;
    const line: LogFields = { job, attempt, epoch, worker, ...traceFields(trace) };
    this.#logger.debug(line, 'job handed to a worker');
    return trace;
  }

  #claimSpan(row: ClaimedRow, worker: string, parent: TraceContext): TraceContext {
    if (!this.#tracer) return parent;
    const { job, attempt, epoch, workflow, journalEntries } = row;
    const attributes = {
      'mvm_ci.job.id': job,
      'mvm_ci.job.attempt': attempt,
      'mvm_ci.job.epoch': epoch,
      'mvm_ci.workflow': workflow,
      'mvm_ci.worker': worker,
      'mvm_ci.resumed': journalEntries > 0,
    };
    const span = this.#tracer.begin({ name: `claim ${workflow}`, kind: 'internal', parent, attributes });
    span.end();
    return span.trace;
  }
}

const publishSpan = (jobs: readonly PublishJob[], parent: TraceContext | undefined): SpanStart => {
  const [first] = jobs;
  const what = first?.workflow ?? first?.handler ?? 'payload';
  return {
    name: `publish ${what}`,
    kind: 'producer',
    parent,
    attributes: {
      'messaging.system': 'mvm-ci',
      'messaging.operation.type': 'send',
      'messaging.operation.name': 'publish',
      'messaging.destination.name': first?.queue ?? 'default',
      ...(jobs.length > 1 && { 'messaging.batch.message_count': jobs.length }),
      ...(first?.job_id !== undefined && { 'mvm_ci.job.id': first.job_id }),
      'mvm_ci.workflow': what,
    },
  };
};
