/** Schemas of the control plane's answers. Prose: `docs/reference/http-api.md`. */
import {
  defaultQueue,
  deployedModuleSchema,
  jobStates,
  logLevels,
  type DeployedModule,
  type JobView,
  type LogLevel,
  type Published,
  type QueueStats,
} from '@mvm-ci/protocol';
import { z } from 'zod';

const number = z.number();
const text = z.string();

export const publishedSchema: z.ZodType<Published> = z.object({ job_id: text, status: text, created: z.boolean() });

export const publishedManySchema: z.ZodType<{ readonly jobs: readonly Published[] }> = z.object({
  jobs: z.array(publishedSchema),
});

export const jobViewSchema: z.ZodType<JobView> = z.object({
  job_id: text,
  status: z.enum(jobStates),
  claimed_by: text.nullable(),
  completed_by: text.nullable(),
  created_at: number,
  updated_at: number,
  payload: z.unknown(),
  workflow: text.nullable(),
  module: text.nullable(),
  attempt: number,
  attempts_max: number,
  epoch: number,
  lost_leases: number,
  resumes: number,
  journal_entries: number,
  progress: z.object({ percent: number, text }).nullable(),
  result: z.unknown(),
  error: z.object({ code: text, message: text }).nullable(),
  created_at_ms: number,
  updated_at_ms: number,
  run_at_ms: number.nullable(),
  parent: text.nullable().default(null),
  response: z.object({ value: z.unknown() }).nullable().default(null),
  // A control plane of the release before says nothing of these.
  queue: z.string().default(defaultQueue),
  priority: number.default(0),
  key: z.string().nullable().default(null),
  tags: z.array(z.string()).default([]),
  requires: z.array(z.string()).default([]),
  after: z.array(z.string()).default([]),
  deadline_at_ms: number.nullable().default(null),
  change: number,
});

export const queueStatsSchema: z.ZodType<QueueStats> = z.object({
  pending: number,
  claimed: number,
  in_progress: number,
  waiting: number,
  completed: number,
  failed: number,
  cancelled: number,
  total: number,
  workers: number,
});

export const modulesSchema: z.ZodType<readonly DeployedModule[]> = z.array(deployedModuleSchema);

/** A line of a job's log. */
export interface LogLine {
  /** Number of the journal entry that holds it. */
  readonly seq: number;
  /** Unix ms: the time that the workflow saw. */
  readonly at: number;
  readonly level: LogLevel;
  readonly text: string;
}

export const logLineSchema: z.ZodType<LogLine> = z.object({ seq: number, at: number, level: z.enum(logLevels), text });
export const logLinesSchema: z.ZodType<readonly LogLine[]> = z.array(logLineSchema);

/** One journal entry as the API shows it: its number, its kind, and its kind's own fields. */
export interface JournalEntryView {
  readonly seq: number;
  readonly kind: string;
  readonly [field: string]: unknown;
}

/** A journal as the API shows it. */
export interface JournalView {
  readonly job_id: string;
  readonly attempt: number;
  readonly entries: readonly JournalEntryView[];
}

export const journalViewSchema: z.ZodType<JournalView> = z.object({
  job_id: text,
  attempt: number,
  entries: z.array(z.looseObject({ seq: number, kind: text })),
});
