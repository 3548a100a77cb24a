/** What the API answers, as schemas: for its description. */
import {
  deployedModuleSchema,
  jobStates,
  logLevels,
  type JobView,
  type Published,
  type QueueStats,
} from '@mvm-ci/protocol';
import { z } from 'zod';
import type { LogLineView } from '../queue/journal-view.ts';

const count = z.number().int().nonnegative();
const time = z.number().int();
const json = z.unknown();

export const publishedSchema: z.ZodType<Published> = z.object({
  job_id: z.string(),
  status: z.string(),
  created: z.boolean(),
});

export const publishedManySchema: z.ZodType<{ readonly jobs: readonly Published[] }> = z.object({
  jobs: z.array(publishedSchema),
});

export const jobViewSchema: z.ZodType<JobView> = z.object({
  job_id: z.string(),
  status: z.enum(jobStates),
  claimed_by: z.string().nullable(),
  completed_by: z.string().nullable(),
  created_at: time,
  updated_at: time,
  payload: json,
  workflow: z.string().nullable(),
  module: z.string().nullable(),
  attempt: count,
  attempts_max: count,
  epoch: count,
  lost_leases: count,
  resumes: count,
  journal_entries: count,
  progress: z.object({ percent: z.number(), text: z.string() }).nullable(),
  result: json,
  error: z.object({ code: z.string(), message: z.string() }).nullable(),
  created_at_ms: time,
  updated_at_ms: time,
  run_at_ms: time.nullable(),
  parent: z.string().nullable(),
  response: z.object({ value: json }).nullable(),
  queue: z.string(),
  priority: z.number().int(),
  key: z.string().nullable(),
  tags: z.array(z.string()),
  requires: z.array(z.string()),
  after: z.array(z.string()),
  deadline_at_ms: time.nullable(),
  change: count,
});

export const jobListSchema: z.ZodType<readonly JobView[]> = z.array(jobViewSchema);

export const statsSchema: z.ZodType<QueueStats> = z.object({
  pending: count,
  claimed: count,
  in_progress: count,
  waiting: count,
  completed: count,
  failed: count,
  cancelled: count,
  total: count,
  workers: count,
});

export const journalSchema: z.ZodType = z.object({
  job_id: z.string(),
  attempt: count,
  entries: z.array(
    z.looseObject({ seq: count, kind: z.enum(['started', 'intents', 'answered', 'completed', 'failed']) }),
  ),
});

export const logsSchema: z.ZodType<readonly LogLineView[]> = z.array(
  z.object({ seq: count, at: time, level: z.enum(logLevels), text: z.string() }),
);

export const modulesSchema: z.ZodType = z.array(deployedModuleSchema);

export const infoSchema: z.ZodType = z.object({
  name: z.string(),
  version: z.string(),
  cluster: z.string(),
  jobs: statsSchema,
  lease: z.object({ lease_ms: count, heartbeat_ms: count, idle_heartbeat_ms: count }),
  peer_protocol: z.object({ oldest: count, newest: count }),
});

export const readySchema: z.ZodType = z.object({ ready: z.boolean() });
