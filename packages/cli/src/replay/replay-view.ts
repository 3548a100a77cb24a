/** What a replay came to, as `--json` prints it and as people read it. */
import type { ReplayReport } from '@mvm-ci/engine';
import { cliLimits } from '../limits.ts';
import type { Paint } from '../output/terminal.ts';
import type { StoredAttempt, TimedReport } from './local-replayer.ts';

/** One replay, for programs. */
export interface ReplayView {
  readonly job_id: string;
  readonly attempt: number;
  /** Hash of the module that it was replayed with. */
  readonly module: string;
  readonly compatible: boolean;
  readonly entries: number;
  readonly steps: number;
  readonly divergence: ReplayReport['divergence'] | null;
  readonly failure: ReplayReport['failure'] | null;
  readonly logs: ReplayReport['logs'];
  /** Wall time, the start of a guest thread included. */
  readonly ms: number;
  readonly entries_per_s: number;
}

/** A report as {@link ReplayView}. */
export const replayView = ({ job, attempt }: StoredAttempt, report: TimedReport): ReplayView => {
  const { module, compatible, entries, steps, divergence = null, failure = null, logs, ms } = report;
  const whole = Math.round(ms);
  const rate = Math.round((entries * 1_000) / Math.max(1, ms));
  return {
    job_id: job,
    attempt,
    module,
    compatible,
    entries,
    steps,
    divergence,
    failure,
    logs,
    ms: whole,
    entries_per_s: rate,
  };
};

/** The verdict and its reasons, one a line. */
export const verdictFacts = (view: ReplayView, paint: Paint): readonly (readonly [string, string])[] => [
  ['job', `${view.job_id}, attempt ${view.attempt}`],
  ['module', view.module],
  ['verdict', view.compatible ? paint.green('compatible') : paint.red(view.divergence ? 'diverged' : 'failed')],
  ...(view.divergence ? divergenceFacts(view.divergence) : []),
  ...(view.failure ? [['failure', `${view.failure.code}: ${view.failure.message}`] as const] : []),
  ['replayed', `${view.entries} entries, ${view.steps} steps, in ${view.ms} ms${rateText(view)}`],
];

/** Of a short journal most of the time is the start of a guest thread, and says nothing of a rate. */
const rateText = ({ entries, entries_per_s: rate }: ReplayView): string =>
  entries < cliLimits.ratedEntriesMin ? '' : ` (${rate} entries/s)`;

const divergenceFacts = ({
  entry,
  recorded,
  asked,
}: NonNullable<ReplayReport['divergence']>): readonly (readonly [string, string])[] => [
  ['entry', String(entry)],
  ['recorded', recorded],
  ['asked', asked],
];
