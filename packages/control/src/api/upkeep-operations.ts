/** `/queue/queues`, `/queue/retry` and their like: what is done to queues, and to many jobs at once. */
import {
  idSchema,
  limits,
  parseAs,
  queueChangeSchema,
  queueViewSchema,
  whyViewSchema,
  type JobFilter,
} from '@mvm-ci/protocol';
import { z } from 'zod';
import type { Core } from '../core.ts';
import type { JobListing } from '../queue/job-queue.ts';
import { bodyOf, noBody } from './body-spec.ts';
import { jobFilterShape } from './job-filter.ts';
import { noSearch, operation, value, type Operation } from './operation.ts';
import { jobViewSchema } from './schemas.ts';

const queues = operation({
  method: 'GET',
  route: 'queues',
  access: 'publisher',
  summary: 'Queues that have settings, or jobs that are ready or running, and the default one.',
  body: noBody,
  search: noSearch,
  answers: z.array(queueViewSchema),
  run: async ({ core }) => value(await core.queue.queues()),
});

const queue = operation({
  method: 'GET',
  route: 'queue',
  access: 'publisher',
  summary: 'One queue; one that nothing is known of is open and empty.',
  body: noBody,
  search: noSearch,
  answers: queueViewSchema,
  run: async ({ core, parameter }) => value(await core.queue.queue(queueName(parameter))),
});

const setQueue = operation({
  method: 'POST',
  route: 'queue',
  access: 'operator',
  summary: 'Change the settings of a queue: what is left out stays, null takes a setting back.',
  body: bodyOf(queueChangeSchema),
  search: noSearch,
  answers: queueViewSchema,
  run: async ({ core, parameter, body }) => value(await core.queue.setQueue(queueName(parameter), body)),
});

/** @throws INVALID_ARGUMENT */
const queueName = (name: string): string => parseAs(idSchema, name, 'the name of a queue');

const retry = operation({
  method: 'POST',
  route: 'retry',
  access: 'publisher',
  summary: 'Try a job again that failed or was cancelled, with all its attempts.',
  body: noBody,
  search: noSearch,
  answers: jobViewSchema,
  run: async ({ core, parameter }) => value(await core.queue.retry(parameter)),
});

// Strict: a filter that is misspelt would mean every job.
const manySchema = z.strictObject({
  ...jobFilterShape,
  /** Most jobs of one request; the answer says whether there are more. */
  limit: z.number().int().min(1).max(limits.listRowsMax).default(limits.listRowsMax),
  /** `next` of the answer before: each job is looked at once, also one that fits again by then. */
  after: z.number().int().positive().nullable().default(null),
});
const manyAnswer = z.object({ jobs: z.array(z.string()), more: z.boolean(), next: z.number().int().nullable() });

const retryMany = operation({
  method: 'POST',
  route: 'retryMany',
  access: 'operator',
  summary: 'Try failed jobs again that fit a filter (with "state": "cancelled" those), the oldest first.',
  body: bodyOf(manySchema),
  search: noSearch,
  answers: manyAnswer,
  run: async ({ core, body }) => {
    const { limit, after, ...filter } = body;
    const failed = { ...filter, state: filter.state ?? 'failed' };
    // What waited for another job is behind it, on this page or a later one: then it waits for it again.
    const { ids, ...rest } = await fitting(core, failed, { limit, before: null, above: after ?? 0 });
    return value({ jobs: ids.length === 0 ? [] : await core.queue.retryAll(ids), ...rest });
  },
});

const cancelMany = operation({
  method: 'POST',
  route: 'cancelMany',
  access: 'operator',
  summary: 'Cancel jobs that are not over and fit a filter, the newest first.',
  body: bodyOf(
    manySchema.extend({
      reason: z.string().max(limits.textCharsMax).optional(),
      grace_ms: z.number().int().min(0).max(limits.durationMsMax).optional(),
    }),
  ),
  search: noSearch,
  answers: manyAnswer,
  run: async ({ core, body }) => {
    const { limit, after, reason = 'cancelled by the operator', grace_ms: graceMs = null, ...filter } = body;
    const { ids, ...rest } = await fitting(
      core,
      { ...filter, state: filter.state ?? 'live' },
      { limit, before: after },
    );
    const ended = await Promise.allSettled(ids.map((id) => core.queue.cancel(id, reason, graceMs)));
    return value({ jobs: ids.filter((_, index) => ended[index]?.status === 'fulfilled'), ...rest });
  },
});

const fitting = async (
  core: Core,
  filter: JobFilter,
  place: Omit<JobListing, 'filter'>,
): Promise<{ readonly ids: readonly string[]; readonly more: boolean; readonly next: number | null }> => {
  const { jobs, next } = await core.queue.list({ filter, ...place });
  return { ids: jobs.map((job) => job.job_id), more: next !== null, next };
};

const why = operation({
  method: 'GET',
  route: 'why',
  access: 'publisher',
  summary: 'Why a job is where it is: the chain of reasons, in sentences and as data.',
  body: noBody,
  search: noSearch,
  answers: whyViewSchema,
  run: async ({ core, parameter }) => value(await core.queue.why(parameter)),
});

/** The operations of this file. */
export const upkeepOperations: readonly Operation[] = [why, queues, queue, setQueue, retry, retryMany, cancelMany];
