/** `/queue/…`: what publishers, operators and the seed's own workers use. */
import {
  cancelSchema,
  moveSchema,
  idSchema,
  isFinal,
  jobStates,
  jobVerdictSchema,
  journalBatchesSchema,
  limits,
  mvmError,
  protocolOf,
  publishJobSchema,
  publishManySchema,
  queryAnswerSchema,
  queryJobSchema,
  sendMessageSchema,
  sentMessageSchema,
  statusReportSchema,
  traceContext,
  type JobView,
  type StatusReport,
  type TraceContext,
} from '@mvm-ci/protocol';
import { z } from 'zod';
import { controlLimits } from '../limits.ts';
import { journalEntryView, logLines } from '../queue/journal-view.ts';
import { bodyOf, noBody } from './body-spec.ts';
import { jobFilterShape, seedState } from './job-filter.ts';
import { speaksForOthers, type Admitted } from './caller.ts';
import { noSearch, operation, value, type Call, type Operation, type Outcome } from './operation.ts';
import {
  jobListSchema,
  jobViewSchema,
  journalSchema,
  logsSchema,
  publishedManySchema,
  publishedSchema,
  statsSchema,
} from './schemas.ts';

const listSearch = z.object({
  ...jobFilterShape,
  limit: z.coerce.number().int().min(1).max(limits.listRowsMax).default(100),
  after: z.coerce.number().int().positive().optional(),
});
// A body is not required: the seed's workers send none.
const bareClaimSchema = z
  .object({
    tags: z.array(idSchema).max(limits.tagsMax).optional(),
    queues: z.array(idSchema).min(1).max(limits.claimQueuesMax).optional(),
  })
  .default({});
const statusSearch = z.object({
  wait_ms: z.coerce.number().int().min(0).max(limits.waitMsMax).default(0),
  wait_for: z.enum(['end', 'response']).default('end'),
});
const attempt = z.coerce.number().int().positive().optional();
const journalSearch = z.object({
  attempt,
  from: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(controlLimits.journalRowsMax).default(controlLimits.journalRowsMax),
});

const traceOf = (header: (name: string) => string | null): TraceContext | undefined => {
  const parent = header('traceparent');
  return parent === null ? undefined : traceContext(parent, header('tracestate'));
};

const publish = operation({
  method: 'POST',
  route: 'publish',
  access: 'publisher',
  summary: 'Publish a job: a run of a workflow, or a bare payload. Idempotent by job_id.',
  body: bodyOf(publishJobSchema),
  search: noSearch,
  answers: publishedSchema,
  run: async ({ core, body, header }) => value((await core.queue.publish([body], traceOf(header)))[0]),
});

const publishMany = operation({
  method: 'POST',
  route: 'publishMany',
  access: 'publisher',
  summary: 'Publish up to 1,000 jobs at once: all of them, or none.',
  body: bodyOf(publishManySchema),
  search: noSearch,
  answers: publishedManySchema,
  run: async ({ core, body, header }) => value({ jobs: await core.queue.publish(body.jobs, traceOf(header)) }),
});

const claimBare = operation({
  method: 'POST',
  route: 'claimBare',
  access: 'worker',
  summary: 'Claim one payload job for five minutes; its end is reported to /queue/status/{job}.',
  body: bodyOf(bareClaimSchema),
  search: noSearch,
  answers: jobViewSchema,
  mayBeEmpty: true,
  run: async ({ core, caller, body }): Promise<Outcome> => {
    const worker = caller.kind === 'peer' ? caller.node : 'operator';
    const able = { tags: core.nodes.tagsOf(worker, body.tags ?? []), queues: body.queues ?? null };
    const job = await core.queue.claimBare(worker, able);
    return job === null ? { type: 'nothing' } : value(job);
  },
});

const list = operation({
  method: 'GET',
  route: 'list',
  access: 'publisher',
  summary: 'Jobs, newest first. The header X-Next, when there is one, is the `after` of the next page.',
  body: noBody,
  search: listSearch,
  answers: jobListSchema,
  run: async ({ core, search }) => {
    const { limit, after, ...filter } = search;
    const page = await core.queue.list({ filter, limit, before: after ?? null });
    return value(page.jobs, page.next === null ? {} : { 'x-next': String(page.next) });
  },
});

const stats = operation({
  method: 'GET',
  route: 'stats',
  access: 'publisher',
  summary: 'How many jobs are in each state, and how many workers are alive.',
  body: noBody,
  search: noSearch,
  answers: statsSchema,
  run: async ({ core }) => value(await core.queue.stats(core.nodes.countAlive())),
});

const status = operation({
  method: 'GET',
  route: 'status',
  access: 'member',
  summary:
    'One job. With wait_ms the answer comes at the end of the job (or, with wait_for=response, at its early response), or when that time is over.',
  body: noBody,
  search: statusSearch,
  answers: jobViewSchema,
  run: async ({ core, caller, parameter, search, signal }) => {
    const job = await core.queue.status(parameter);
    demandVisible(job, caller);
    if (search.wait_ms === 0) return value(job);
    return value(await core.queue.statusAtEnd(parameter, { waitMs: search.wait_ms, until: search.wait_for, signal }));
  },
});

// A job's payload and result are for those who publish; a worker sees what it has worked on anyway.
const demandVisible = (job: JobView, caller: Admitted): void => {
  if (caller.kind === 'operator' || caller.role !== 'worker' || job.claimed_by === caller.node) return;
  throw mvmError('FORBIDDEN', `job "${job.job_id}" is not one of this worker: it sees only those that it claimed`, {
    job_id: job.job_id,
  });
};

const report = operation({
  method: 'POST',
  route: 'status',
  access: 'worker',
  summary: 'Report on a payload job whose bare claim is current.',
  body: bodyOf(statusReportSchema),
  search: noSearch,
  answers: jobViewSchema,
  run: async (call) => value(await call.core.queue.report(bareReport(call))),
});

const bareReport = ({
  body,
  caller,
  parameter,
}: Call<StatusReport, unknown>): Parameters<Call<never, never>['core']['queue']['report']>[0] => {
  const state = seedState(body.status);
  if (state === undefined) {
    throw mvmError(
      'INVALID_ARGUMENT',
      `a status is one of ${jobStates.join(', ')}, or the same as Completed, not "${body.status}"`,
    );
  }
  const result = body.result === undefined ? null : JSON.stringify(body.result);
  if (result !== null && Buffer.byteLength(result) > limits.resultBytesMax) {
    throw mvmError('PAYLOAD_TOO_LARGE', `a result has at most ${limits.resultBytesMax} bytes as JSON`);
  }
  const worker = caller.kind === 'operator' || speaksForOthers(caller) ? null : caller.node;
  return { job: parameter, worker, status: state, result: isFinal(state) ? result : null, error: body.error ?? null };
};

const cancel = operation({
  method: 'POST',
  route: 'cancel',
  access: 'publisher',
  summary: 'Cancel a job: at once when nobody runs it, else as soon as its worker hears of it.',
  body: bodyOf(cancelSchema.default({})),
  search: noSearch,
  answers: jobViewSchema,
  run: async ({ core, parameter, body }) =>
    value(await core.queue.cancel(parameter, body.reason ?? 'cancelled by the operator', body.grace_ms ?? null)),
});

const move = operation({
  method: 'POST',
  route: 'move',
  access: 'operator',
  summary: 'Ask the worker of a running job to give it back once it is at rest, for another worker to go on with it.',
  body: bodyOf(moveSchema),
  search: noSearch,
  answers: jobViewSchema,
  run: async ({ core, parameter, body }) => {
    const { node, name } = core.nodes.find(body.worker);
    if (core.drains.isAsked(node))
      throw mvmError('WORKER_UNSUITABLE', `worker ${node} (${name}) was asked to drain`, { worker: node, lacks: [] });
    const { claimed_by: holder } = await core.queue.status(parameter);
    if (holder !== null) core.processes.demand(holder, protocolOf.giveBack, 'a move');
    return value(await core.queue.move(parameter, node));
  },
});

const send = operation({
  method: 'POST',
  route: 'send',
  access: 'publisher',
  summary:
    'Send a message to a workflow job that is not over; it waits until the workflow receives it. Idempotent by message_id.',
  body: bodyOf(sendMessageSchema),
  search: noSearch,
  answers: sentMessageSchema,
  run: async ({ core, parameter, body }) => value(await core.queue.send(parameter, body)),
});

const query = operation({
  method: 'POST',
  route: 'query',
  access: 'publisher',
  summary: 'Ask a workflow job that is not over: a worker answers from its journal, and the job does not notice.',
  body: bodyOf(queryJobSchema),
  bodyBytesMax: limits.messageBytesMax,
  search: noSearch,
  answers: queryAnswerSchema,
  run: async ({ core, parameter, body, signal }) => value(await core.replays.query(parameter, body, signal)),
});

const children = operation({
  method: 'GET',
  route: 'children',
  access: 'publisher',
  summary: 'The jobs that a job started, oldest first, up to 1,000.',
  body: noBody,
  search: noSearch,
  answers: jobListSchema,
  run: async ({ core, parameter }) => value(await core.queue.children(parameter)),
});

const journal = operation({
  method: 'GET',
  route: 'journal',
  access: 'operator',
  summary: 'The journal of an attempt (the current one unless named), decoded, its hash chain checked.',
  body: noBody,
  search: journalSearch,
  answers: journalSchema,
  run: async ({ core, parameter, search }) => {
    const { attempt: named = null, from, limit: entriesMax } = search;
    const found = await core.journals.part(parameter, named, { from, entriesMax });
    const views = found.entries.map((entry, index) => journalEntryView(entry, from + index));
    return value({ job_id: parameter, attempt: found.attempt, entries: views });
  },
});

const journalBatches = operation({
  method: 'GET',
  route: 'journalBatches',
  access: 'operator',
  summary: 'The batches of an attempt’s journal from entry `from` on, as they are stored: to be checked and replayed.',
  body: noBody,
  search: z.object({ attempt, from: z.coerce.number().int().min(0).default(0) }),
  answers: journalBatchesSchema,
  run: async ({ core, parameter, search }) =>
    value(await core.journals.batches(parameter, search.attempt ?? null, search.from)),
});

const replay = operation({
  method: 'POST',
  route: 'replay',
  access: 'operator',
  summary: 'Have an idle worker replay the current attempt of a job with a module, without any effect.',
  body: noBody,
  search: z.object({ module: z.string().regex(/^[0-9a-f]{64}$/, 'the hash of a module') }),
  answers: jobVerdictSchema,
  run: async ({ core, parameter, search, signal }) =>
    value(await core.replays.replay(parameter, search.module, signal)),
});

const logs = operation({
  method: 'GET',
  route: 'logs',
  access: 'operator',
  summary: 'What an attempt logged, the last 10,000 lines.',
  body: noBody,
  search: z.object({ attempt }),
  answers: logsSchema,
  run: async ({ core, parameter, search }) => {
    const { entries } = await core.journals.entries(parameter, search.attempt ?? null);
    return value(logLines(entries).slice(-controlLimits.journalRowsMax));
  },
});

/** Those of them that are asked most often. */
export const shortQueueOperations: readonly Operation[] = [publish, publishMany];

/** The operations of this file. */
export const queueOperations: readonly Operation[] = [
  publish,
  publishMany,
  claimBare,
  list,
  stats,
  status,
  report,
  cancel,
  move,
  send,
  query,
  children,
  journal,
  journalBatches,
  replay,
  logs,
];
