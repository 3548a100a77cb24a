import type { JobState, JobView } from '@mvm-ci/protocol';
import type { Column, Paint, Terminal } from './terminal.ts';

/** A state in its colour. */
export const stateText = (state: JobState, paint: Paint): string => {
  switch (state) {
    case 'completed':
      return paint.green(state);
    case 'failed':
      return paint.red(state);
    case 'cancelled':
      return paint.yellow(state);
    case 'claimed':
    case 'in_progress':
      return paint.cyan(state);
    case 'pending':
    case 'waiting':
      return state;
  }
};

/** The columns of a list of jobs. */
export const jobColumns = (paint: Paint, names: WorkerNames): readonly Column<JobView>[] => [
  { head: 'JOB', cell: (job) => job.job_id },
  { head: 'STATE', cell: (job) => stateText(job.status, paint) },
  { head: 'WORKFLOW', cell: (job) => job.workflow ?? '(payload)' },
  { head: 'ATTEMPT', cell: (job) => `${job.attempt}/${job.attempts_max}` },
  { head: 'PROGRESS', cell: progressText },
  { head: 'WORKER', cell: (job) => names.get(workerOf(job)) ?? workerOf(job).slice(0, 10) },
  { head: 'UPDATED', cell: (job) => timeText(job.updated_at_ms) },
];

/** The names of nodes, by their ids. */
export type WorkerNames = ReadonlyMap<string, string>;

/** Who holds or held a job; empty when nobody did. */
const workerOf = (job: JobView): string => job.claimed_by ?? job.completed_by ?? '';

const workerText = (job: JobView, names: WorkerNames): string => {
  const name = names.get(workerOf(job));
  return name === undefined ? workerOf(job) : `${name} (${workerOf(job)})`;
};

/** Everything that people ask about one job. */
export const jobFacts = (job: JobView, terminal: Terminal, names: WorkerNames): string => {
  const { paint } = terminal;
  const facts: [string, string][] = [
    ['job', job.job_id],
    ['state', stateText(job.status, paint)],
    ['workflow', job.workflow ?? '(payload)'],
    ['attempt', `${job.attempt} of ${job.attempts_max}`],
    ['progress', progressText(job)],
    ['worker', workerText(job, names)],
    ['journal', journalText(job)],
    ['published', timeText(job.created_at_ms)],
    ['updated', timeText(job.updated_at_ms)],
    ['runs after', job.status === 'pending' && job.run_at_ms !== null ? timeText(job.run_at_ms) : ''],
    ['waits', job.status === 'waiting' ? waitText(job) : ''],
    ['parent', job.parent ?? ''],
    ['response', job.response === null ? '' : JSON.stringify(job.response.value)],
    ['error', job.error ? paint.red(`${job.error.code}: ${job.error.message}`) : ''],
    ['result', job.status === 'completed' ? JSON.stringify(job.result) : ''],
  ];
  return terminal.facts(facts.filter(([, value]) => value !== ''));
};

const waitText = ({ run_at_ms: until }: JobView): string =>
  until === null
    ? 'for a message, or the end of a job that it started'
    : `until ${timeText(until)}, or for a message or the end of a job that it started`;

/** Unix ms as text. */
export const timeText = (ms: number): string => new Date(ms).toISOString().replace('T', ' ').slice(0, 19);

/** How far a job says it is. */
export const progressText = ({ progress }: JobView): string =>
  progress ? `${Math.round(progress.percent)}% ${progress.text}`.trim() : '';

const journalText = ({ journal_entries: entries, resumes, lost_leases: leases }: JobView): string =>
  `${counted(entries, 'entry', 'entries')}, resumed ${counted(resumes, 'time', 'times')}, ${counted(leases, 'lease', 'leases')} lost`;

const counted = (count: number, one: string, many: string): string => `${count} ${count === 1 ? one : many}`;
