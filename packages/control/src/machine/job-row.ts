/** A job as it is stored: `jobs` (what changes) and `content` (what does not). */
import { jobStates, mvmError, type JobState } from '@mvm-ci/protocol';
import { bytesOrNull, number, numberOrNull, text, textOrNull, type Row } from './column.ts';

/** The changing part of a job. Times are Unix ms. */
export interface JobRecord {
  /** Publish order; the key of the tables. */
  readonly number: number;
  readonly id: string;
  readonly state: JobState;
  /** Whether it runs a workflow; false for a payload job. */
  readonly durable: boolean;
  readonly attempt: number;
  readonly epoch: number;
  readonly lostLeases: number;
  /** Leases lost one after another while the job got nowhere: how suspect it is of ending its workers. */
  readonly strikes: number;
  /** When the last claim was. */
  readonly claimedAt: number;
  /** Entries in its journal at the last claim. */
  readonly claimedEntries: number;
  readonly resumes: number;
  readonly runAt: number;
  readonly worker: string | null;
  readonly incarnation: string | null;
  /** Whether the current or last claim is a bare one. */
  readonly bare: boolean;
  /** Set when somebody asked for the cancellation of a held job. */
  readonly cancelReason: string | null;
  readonly journalEntries: number;
  readonly journalBytes: number;
  /** Hash of the journal's last batch; null while the journal is empty. */
  readonly journalHash: Uint8Array | null;
  readonly progressPercent: number | null;
  readonly progressText: string | null;
  /** JSON text. */
  readonly result: string | null;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly completedBy: string | null;
  /** Epoch of the last finish that was accepted. */
  readonly finishedEpoch: number | null;
  /** Who sent it. */
  readonly finishedBy: string | null;
  /** Hash of that finish's outcome. */
  readonly outcomeHash: Uint8Array | null;
  readonly updatedAt: number;
  readonly change: number;
  /** Id of the job that started it; null: it was published. */
  readonly parent: string | null;
  /** The attempt of its parent that started it. */
  readonly parentAttempt: number;
  /** Whether it goes on when its parent ends. */
  readonly isDetached: boolean;
  /** Whether it ever started jobs. */
  readonly hasChildren: boolean;
  /** The number of the last item that came into its inbox. */
  readonly inboxLast: number;
  /** How many of them wait there. */
  readonly inboxItems: number;
  /** Where it stands when it is ready (`lane-table.ts`). */
  readonly lane: number;
  readonly priority: number;
  /** Orders the jobs of a lane: lowest first, then by publish order. */
  readonly rank: number;
  /** Whether it can be claimed: pending or waiting, its time has come, and it is no suspect. Kept by `JobTable`. */
  readonly isReady: boolean;
  /** Whether it has timeouts. */
  readonly isTimed: boolean;
  /** When something must be done about it unless it gets on: a timeout, or the end of a cancellation's grace. Kept by `commit`. */
  readonly deadlineAt: number | null;
  /** When the current attempt was first claimed; null before. */
  readonly attemptAt: number | null;
  /** When its cancellation no longer waits for its holder; null: it does, or nobody wants it. */
  readonly cancelAt: number | null;
  /** Attempts that don't count any more, as somebody retried the job. */
  readonly attemptsForgiven: number;
  /** When somebody last retried the job; null: nobody did. */
  readonly retriedAt: number | null;
  /** Jobs that must be over before this one can run. */
  readonly dependenciesLeft: number;
  /** Whether jobs wait for this one. */
  readonly hasDependents: boolean;
}

/** The part of a job that never changes, but for its response, which is given once, and its module, which `repin` changes. */
export interface JobContent {
  readonly reference: string | null;
  /** `name@version/workflow`. */
  readonly workflow: string | null;
  /** Module hash, hex. */
  readonly module: string | null;
  /** Entry point in the module. */
  readonly entry: string | null;
  /** JSON text; null in a listing when it is too long for one. */
  readonly input: string | null;
  readonly attemptsMax: number;
  readonly backoffInitialMs: number;
  readonly backoffFactor: number;
  readonly backoffMaxMs: number;
  readonly createdAt: number;
  readonly hash: Uint8Array;
  /** Its early response, JSON text, once it gave one; null in a listing when it is too long for one. */
  readonly response: string | null;
  /** How it is queued (`JobOptions`), JSON text; null: as by default. */
  readonly options: string | null;
  /** The trace that it was published in, as text (`traceText`); null: none. */
  readonly trace: string | null;
}

/** All of a job. */
export interface JobRow extends JobRecord {
  readonly content: JobContent;
}

const stateSet: ReadonlySet<string> = new Set(jobStates);
const isState = (value: string): value is JobState => stateSet.has(value);

const state = (row: Row): JobState => {
  const value = text(row, 'state');
  if (isState(value)) return value;
  throw mvmError('INTERNAL', `the database is damaged: a job is in state "${value}"`);
};

/** The changing part, from a row of `jobs`. */
export const jobRecord = (row: Row): JobRecord => ({
  number: number(row, 'number'),
  id: text(row, 'id'),
  state: state(row),
  durable: number(row, 'durable') === 1,
  attempt: number(row, 'attempt'),
  epoch: number(row, 'epoch'),
  lostLeases: number(row, 'lost_leases'),
  strikes: number(row, 'strikes'),
  claimedAt: number(row, 'claimed_at'),
  claimedEntries: number(row, 'claimed_entries'),
  resumes: number(row, 'resumes'),
  runAt: number(row, 'run_at'),
  worker: textOrNull(row, 'worker'),
  incarnation: textOrNull(row, 'incarnation'),
  bare: number(row, 'bare') === 1,
  cancelReason: textOrNull(row, 'cancel_reason'),
  journalEntries: number(row, 'journal_entries'),
  journalBytes: number(row, 'journal_bytes'),
  journalHash: bytesOrNull(row, 'journal_hash'),
  progressPercent: numberOrNull(row, 'progress_percent'),
  progressText: textOrNull(row, 'progress_text'),
  result: textOrNull(row, 'result'),
  errorCode: textOrNull(row, 'error_code'),
  errorMessage: textOrNull(row, 'error_message'),
  completedBy: textOrNull(row, 'completed_by'),
  finishedEpoch: numberOrNull(row, 'finished_epoch'),
  finishedBy: textOrNull(row, 'finished_by'),
  outcomeHash: bytesOrNull(row, 'outcome_hash'),
  updatedAt: number(row, 'updated_at'),
  change: number(row, 'change'),
  parent: textOrNull(row, 'parent'),
  parentAttempt: number(row, 'parent_attempt'),
  isDetached: number(row, 'detached') === 1,
  hasChildren: number(row, 'has_children') === 1,
  inboxLast: number(row, 'inbox_last'),
  inboxItems: number(row, 'inbox_items'),
  lane: number(row, 'lane'),
  priority: number(row, 'priority'),
  rank: number(row, 'rank'),
  isReady: number(row, 'ready') === 1,
  isTimed: number(row, 'timed') === 1,
  deadlineAt: numberOrNull(row, 'deadline_at'),
  attemptAt: numberOrNull(row, 'attempt_at'),
  cancelAt: numberOrNull(row, 'cancel_at'),
  attemptsForgiven: number(row, 'attempts_forgiven'),
  retriedAt: numberOrNull(row, 'retried_at'),
  dependenciesLeft: number(row, 'dependencies_left'),
  hasDependents: number(row, 'has_dependents') === 1,
});

/** The constant part, from a row of `content` (its hash as `content_hash`). */
export const jobContent = (row: Row): JobContent => ({
  reference: textOrNull(row, 'reference'),
  workflow: textOrNull(row, 'workflow'),
  module: textOrNull(row, 'module'),
  entry: textOrNull(row, 'entry'),
  input: textOrNull(row, 'input'),
  attemptsMax: number(row, 'attempts_max'),
  backoffInitialMs: number(row, 'backoff_initial_ms'),
  backoffFactor: number(row, 'backoff_factor'),
  backoffMaxMs: number(row, 'backoff_max_ms'),
  createdAt: number(row, 'created_at'),
  hash: bytesOrNull(row, 'content_hash') ?? new Uint8Array(),
  response: textOrNull(row, 'response'),
  options: textOrNull(row, 'options'),
  trace: textOrNull(row, 'trace'),
});

/** Both parts, from a row of the join. */
export const jobRow = (row: Row): JobRow => ({ ...jobRecord(row), content: jobContent(row) });
