/**
 * The span of a lease: what a worker does with a job from its claim to its end there. Its id is computed from the job and the epoch
 * (`leaseTrace`), so that the next holder can name it, also when this process dies and never tells of it.
 */
import {
  leaseTrace,
  traceFields,
  traceParts,
  type ClaimedJob,
  type LogFields,
  type OpenSpan,
  type TraceContext,
  type Tracer,
} from '@mvm-ci/protocol';
import type { HeldJobEnd } from './held-job.ts';

/** What every log line about a held job says. */
export const jobFacts = ({ job, attempt, epoch, trace }: ClaimedJob): LogFields => ({
  job,
  attempt,
  epoch,
  ...traceFields(trace),
});

interface TracedLease {
  /** What runs here is below the span. */
  readonly claimed: ClaimedJob;
  readonly ended: (end: HeldJobEnd) => void;
}

interface LeaseSpanParts {
  readonly tracer: Tracer | undefined;
  readonly node: string;
}

/** Begins the span; without a tracer, or of a job that is not traced, nothing changes. */
export const traceLease = (claimed: ClaimedJob, { tracer, node }: LeaseSpanParts): TracedLease => {
  const { trace } = claimed;
  if (!tracer || !trace) return { claimed, ended: () => undefined };
  const span = begin(tracer, { ...claimed, trace }, node);
  return {
    claimed: { ...claimed, trace: span.trace },
    ended: (end) =>
      span.end({
        attributes: { 'mvm_ci.end': end },
        ...(isFailure.has(end) && { error: `the job's lease ended as ${end}` }),
      }),
  };
};

const begin = (tracer: Tracer, claimed: ClaimedJob & { readonly trace: TraceContext }, node: string): OpenSpan => {
  const { job, attempt, epoch, workflow, journalEntries, trace } = claimed;
  return tracer.begin({
    name: `run ${workflow}`,
    kind: 'consumer',
    parent: trace,
    spanId: traceParts(leaseTrace(trace, { job, epoch })).spanId,
    links: epoch > 1 ? [leaseTrace(trace, { job, epoch: epoch - 1 })] : [],
    attributes: {
      'messaging.system': 'mvm-ci',
      'messaging.operation.type': 'process',
      'messaging.operation.name': 'run',
      'mvm_ci.job.id': job,
      'mvm_ci.job.attempt': attempt,
      'mvm_ci.job.epoch': epoch,
      'mvm_ci.workflow': workflow,
      'mvm_ci.node': node,
      'mvm_ci.resumed': journalEntries > 0,
      'mvm_ci.journal.entries': journalEntries,
    },
  });
};

const isFailure: ReadonlySet<HeldJobEnd> = new Set(['failed', 'lost', 'abandoned']);
