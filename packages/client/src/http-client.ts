/** The client of a control plane over HTTP: each call is one request of a route, but for those that page. */
import {
  blobRefSchema,
  createdTicketSchema,
  deployedModuleSchema,
  isFinal,
  jobVerdictSchema,
  journalBatchesSchema,
  nodeViewSchema,
  queryAnswerSchema,
  queueViewSchema,
  repinAnswerSchema,
  routePath,
  scheduleViewSchema,
  sentMessageSchema,
  ticketViewSchema,
  webhookViewSchema,
  whyViewSchema,
  type BackfillRequest,
  type BlobRef,
  type CancelRequest,
  type MoveRequest,
  type CreatedTicket,
  type CreateTicket,
  type DeployedModule,
  type JobVerdict,
  type JobView,
  type JournalBatches,
  type NodeView,
  type Published,
  type PublishJob,
  type QueueChange,
  type QueueStats,
  type QueueView,
  type RepinRequest,
  type RepinResult,
  type ScheduleSpec,
  type ScheduleView,
  type SendMessage,
  type SentMessage,
  type TicketView,
  type WebhookSpec,
  type WebhookView,
  type WhyView,
} from '@mvm-ci/protocol';
import { z } from 'zod';
import {
  jobViewSchema,
  journalViewSchema,
  logLinesSchema,
  modulesSchema,
  publishedManySchema,
  publishedSchema,
  queueStatsSchema,
  type JournalView,
  type LogLine,
} from './answer.ts';
import type {
  BlobOptions,
  CallOptions,
  Client,
  Deployment,
  JobPage,
  ListOptions,
  ManyJobs,
  ManyJobsFilter,
  PublishOptions,
} from './client.ts';
import type { Connection } from './connection.ts';
import { jobEvents, type EventsOptions } from './job-events.ts';
import { clientLimits } from './limits.ts';
import { logEvents, type LogEventsOptions } from './log-events.ts';
import { PublishGatherer } from './publish-gatherer.ts';

/** See the head of this file. */
export class HttpClient implements Client {
  readonly #connection: Connection;
  readonly #gatherer: PublishGatherer;

  constructor(connection: Connection) {
    this.#connection = connection;
    this.#gatherer = new PublishGatherer(connection);
  }

  get url(): string {
    return this.#connection.url;
  }

  publish(job: PublishJob, options: PublishOptions = {}): Promise<Published> {
    if (isPlain(options)) return this.#gatherer.publish(named(job));
    const request = {
      method: 'POST',
      body: named(job),
      signal: options.signal,
      headers: traceHeaders(options),
    } as const;
    return this.#connection.call(routePath('publish'), publishedSchema, request);
  }

  async publishMany(jobs: readonly PublishJob[], options: PublishOptions = {}): Promise<readonly Published[]> {
    const body = { jobs: jobs.map(named) };
    const request = { method: 'POST', body, signal: options.signal, headers: traceHeaders(options) } as const;
    return (await this.#connection.call(routePath('publishMany'), publishedManySchema, request)).jobs;
  }

  status(job: string, { signal }: CallOptions = {}): Promise<JobView> {
    return this.#connection.call(routePath('status', { job }), jobViewSchema, { signal });
  }

  async wait(job: string, { signal }: CallOptions = {}): Promise<JobView> {
    const path = routePath('status', { job }, { wait_ms: clientLimits.waitMs });
    for (;;) {
      const view = await this.#connection.call(path, jobViewSchema, { signal });
      if (isFinal(view.status)) return view;
    }
  }

  async waitForResponse(job: string, { signal }: CallOptions = {}): Promise<JobView> {
    const path = routePath('status', { job }, { wait_ms: clientLimits.waitMs, wait_for: 'response' });
    for (;;) {
      const view = await this.#connection.call(path, jobViewSchema, { signal });
      if (isFinal(view.status) || view.response !== null) return view;
    }
  }

  send(job: string, message: SendMessage, { signal }: CallOptions = {}): Promise<SentMessage> {
    const body = { ...message, message_id: message.message_id ?? randomId() };
    return this.#connection.call(routePath('send', { job }), sentMessageSchema, { method: 'POST', body, signal });
  }

  async query(...[job, name, args = null, options = {}]: Parameters<Client['query']>): Promise<unknown> {
    const body = { name, args };
    const { signal } = options;
    return (
      await this.#connection.call(routePath('query', { job }), queryAnswerSchema, { method: 'POST', body, signal })
    ).value;
  }

  children(job: string, { signal }: CallOptions = {}): Promise<readonly JobView[]> {
    return this.#connection.call(routePath('children', { job }), z.array(jobViewSchema), { signal });
  }

  async list({ signal, ...search }: ListOptions = {}): Promise<JobPage> {
    const path = routePath('list', {}, search);
    const answer = await this.#connection.callWithHeaders(path, z.array(jobViewSchema), { signal });
    return { jobs: answer.value, next: answer.headers.get('x-next') ?? undefined };
  }

  stats({ signal }: CallOptions = {}): Promise<QueueStats> {
    return this.#connection.call(routePath('stats'), queueStatsSchema, { signal });
  }

  cancel(job: string, { signal, ...body }: CallOptions & CancelRequest = {}): Promise<JobView> {
    return this.#connection.call(routePath('cancel', { job }), jobViewSchema, { method: 'POST', body, signal });
  }

  move(job: string, { signal, ...body }: CallOptions & MoveRequest): Promise<JobView> {
    return this.#connection.call(routePath('move', { job }), jobViewSchema, { method: 'POST', body, signal });
  }

  cancelMany(filter: ManyJobsFilter, { signal, ...request }: CallOptions & CancelRequest = {}): Promise<ManyJobs> {
    const body = { ...filter, ...request };
    return this.#connection.call(routePath('cancelMany'), manyJobsSchema, { method: 'POST', body, signal });
  }

  retry(job: string, { signal }: CallOptions = {}): Promise<JobView> {
    // Repeated, it would find the job that it revived not over: the caller asks again.
    const options = { method: 'POST', signal, repeatable: false } as const;
    return this.#connection.call(routePath('retry', { job }), jobViewSchema, options);
  }

  retryMany(body: ManyJobsFilter, { signal }: CallOptions = {}): Promise<ManyJobs> {
    return this.#connection.call(routePath('retryMany'), manyJobsSchema, { method: 'POST', body, signal });
  }

  why(job: string, { signal }: CallOptions = {}): Promise<WhyView> {
    return this.#connection.call(routePath('why', { job }), whyViewSchema, { signal });
  }

  schedules({ signal }: CallOptions = {}): Promise<readonly ScheduleView[]> {
    return this.#connection.call(routePath('schedules'), z.array(scheduleViewSchema), { signal });
  }

  schedule(schedule: string, { signal }: CallOptions = {}): Promise<ScheduleView> {
    return this.#connection.call(routePath('schedule', { schedule }), scheduleViewSchema, { signal });
  }

  setSchedule(schedule: string, body: ScheduleSpec, { signal }: CallOptions = {}): Promise<ScheduleView> {
    const options = { method: 'POST', body, signal } as const;
    return this.#connection.call(routePath('schedule', { schedule }), scheduleViewSchema, options);
  }

  async deleteSchedule(schedule: string, { signal }: CallOptions = {}): Promise<void> {
    const options = { method: 'POST', signal } as const;
    await this.#connection.call(routePath('scheduleDelete', { schedule }), deletedSchema, options);
  }

  triggerSchedule(schedule: string, { signal }: CallOptions = {}): Promise<Published> {
    const options = { method: 'POST', signal, repeatable: false } as const;
    return this.#connection.call(routePath('scheduleTrigger', { schedule }), publishedSchema, options);
  }

  async backfillSchedule(
    schedule: string,
    body: BackfillRequest,
    { signal }: CallOptions = {},
  ): Promise<readonly Published[]> {
    const options = { method: 'POST', body, signal } as const;
    return (await this.#connection.call(routePath('scheduleBackfill', { schedule }), publishedManySchema, options))
      .jobs;
  }

  webhooks({ signal }: CallOptions = {}): Promise<readonly WebhookView[]> {
    return this.#connection.call(routePath('webhooks'), z.array(webhookViewSchema), { signal });
  }

  setWebhook(webhook: string, body: WebhookSpec, { signal }: CallOptions = {}): Promise<WebhookView> {
    const options = { method: 'POST', body, signal } as const;
    return this.#connection.call(routePath('webhook', { webhook }), webhookViewSchema, options);
  }

  async deleteWebhook(webhook: string, { signal }: CallOptions = {}): Promise<void> {
    const options = { method: 'POST', signal } as const;
    await this.#connection.call(routePath('webhookDelete', { webhook }), deletedSchema, options);
  }

  queues({ signal }: CallOptions = {}): Promise<readonly QueueView[]> {
    return this.#connection.call(routePath('queues'), z.array(queueViewSchema), { signal });
  }

  queue(queue: string, { signal }: CallOptions = {}): Promise<QueueView> {
    return this.#connection.call(routePath('queue', { queue }), queueViewSchema, { signal });
  }

  setQueue(queue: string, body: QueueChange, { signal }: CallOptions = {}): Promise<QueueView> {
    return this.#connection.call(routePath('queue', { queue }), queueViewSchema, { method: 'POST', body, signal });
  }

  async journal(job: string, { attempt, signal }: AttemptOptions = {}): Promise<JournalView> {
    const limit = clientLimits.journalPageEntries;
    const page = (from: number, of = attempt): Promise<JournalView> =>
      this.#connection.call(routePath('journal', { job }, { attempt: of, from, limit }), journalViewSchema, { signal });
    const first = await page(0);
    const entries = [...first.entries];
    while (entries.length > 0 && entries.length % limit === 0) {
      // The attempt is named: the next one may have begun between two pages.
      const { entries: more } = await page(entries.length, first.attempt);
      if (more.length === 0) break;
      entries.push(...more);
    }
    return { ...first, entries };
  }

  async checkJournal(job: string, { attempt, signal }: AttemptOptions = {}): Promise<void> {
    // All of it is checked, whatever part is asked for.
    const path = routePath('journal', { job }, { attempt, limit: 1 });
    await this.#connection.call(path, journalViewSchema, { signal });
  }

  async journalBatches(job: string, options: AttemptOptions = {}): Promise<Omit<JournalBatches, 'next'>> {
    const { attempt, signal } = options;
    const part = (from: number, of = attempt): Promise<JournalBatches> => {
      const path = routePath('journalBatches', { job }, { attempt: of, from });
      return this.#connection.call(path, journalBatchesSchema, { signal });
    };
    const { next: second, ...first } = await part(0);
    const batches = [...first.batches];
    for (let from = second; from !== null;) {
      const more = await part(from, first.attempt);
      for (const batch of more.batches) batches.push(batch);
      from = more.next;
    }
    return { ...first, batches };
  }

  replay(job: string, module: string, { signal }: CallOptions = {}): Promise<JobVerdict> {
    const path = routePath('replay', { job }, { module });
    return this.#connection.call(path, jobVerdictSchema, { method: 'POST', signal });
  }

  async keepCandidate(file: Uint8Array, { signal }: CallOptions = {}): Promise<string> {
    const options = { method: 'POST', body: file, signal } as const;
    return (await this.#connection.call(routePath('candidate'), candidateSchema, options)).hash;
  }

  async moduleFile(hash: string, { signal }: CallOptions = {}): Promise<Uint8Array> {
    const response = await this.#connection.open(routePath('moduleFile', { hash }), { signal });
    return new Uint8Array(await response.arrayBuffer());
  }

  async blob(hash: string, { from, to, signal }: BlobOptions = {}): Promise<ReadableStream<Uint8Array>> {
    const headers = from === undefined && to === undefined ? {} : { range: rangeOf(from ?? 0, to) };
    const response = await this.#connection.open(routePath('blob', { hash }), { signal, headers });
    return response.body ?? new Blob([]).stream();
  }

  putBlob(body: ReadableStream<Uint8Array> | Uint8Array, { signal }: CallOptions = {}): Promise<BlobRef> {
    // A stream is there once.
    const options = { method: 'POST', body, signal, repeatable: body instanceof Uint8Array } as const;
    return this.#connection.call(routePath('blobs'), blobRefSchema, options);
  }

  logs(job: string, { attempt, signal }: AttemptOptions = {}): Promise<readonly LogLine[]> {
    return this.#connection.call(routePath('logs', { job }, { attempt }), logLinesSchema, { signal });
  }

  logEvents(job: string, options: LogEventsOptions = {}): AsyncIterable<LogLine> {
    return logEvents(this.#connection, job, options);
  }

  events(options: EventsOptions = {}): AsyncIterable<JobView> {
    return jobEvents(this.#connection, options);
  }

  deploy({ name, version, file }: Deployment, { signal }: CallOptions = {}): Promise<DeployedModule> {
    const path = routePath('modules', {}, { name, version });
    return this.#connection.call(path, deployedModuleSchema, { method: 'POST', body: file, signal });
  }

  async repin(body: RepinRequest, { signal }: CallOptions = {}): Promise<readonly RepinResult[]> {
    const options = { method: 'POST', body, signal } as const;
    return (await this.#connection.call(routePath('repin'), repinAnswerSchema, options)).results;
  }

  modules({ signal }: CallOptions = {}): Promise<readonly DeployedModule[]> {
    return this.#connection.call(routePath('modules'), modulesSchema, { signal });
  }

  nodes({ signal }: CallOptions = {}): Promise<readonly NodeView[]> {
    return this.#connection.call(routePath('nodes'), z.array(nodeViewSchema), { signal });
  }

  drainNode(
    node: string,
    { graceMs, signal }: CallOptions & { readonly graceMs?: number | undefined } = {},
  ): Promise<NodeView> {
    const body = { grace_ms: graceMs };
    return this.#connection.call(routePath('nodeDrain', { node }), nodeViewSchema, { method: 'POST', body, signal });
  }

  banNode(node: string, { reason, signal }: CancelOptions = {}): Promise<NodeView> {
    const body = reason === undefined ? {} : { reason };
    return this.#connection.call(routePath('nodeBan', { node }), nodeViewSchema, { method: 'POST', body, signal });
  }

  allowNode(node: string, { signal }: CallOptions = {}): Promise<NodeView> {
    return this.#connection.call(routePath('nodeAllow', { node }), nodeViewSchema, { method: 'POST', signal });
  }

  renameNode(node: string, name: string, { signal }: CallOptions = {}): Promise<NodeView> {
    const body = { name };
    return this.#connection.call(routePath('nodeRename', { node }), nodeViewSchema, { method: 'POST', body, signal });
  }

  createTicket(body: CreateTicket = {}, { signal }: CallOptions = {}): Promise<CreatedTicket> {
    const options = { method: 'POST', body, signal, repeatable: false } as const;
    return this.#connection.call(routePath('tickets'), createdTicketSchema, options);
  }

  tickets({ signal }: CallOptions = {}): Promise<readonly TicketView[]> {
    return this.#connection.call(routePath('tickets'), z.array(ticketViewSchema), { signal });
  }

  revokeTicket(ticket: string, { signal }: CallOptions = {}): Promise<TicketView> {
    return this.#connection.call(routePath('ticketRevoke', { ticket }), ticketViewSchema, { method: 'POST', signal });
  }
}

/** Whether a publish has nothing that needs a request of its own. */
const isPlain = ({ signal, traceparent, tracestate }: PublishOptions): boolean =>
  (signal ?? traceparent ?? tracestate) === undefined;

const traceHeaders = ({ traceparent, tracestate }: PublishOptions): Readonly<Record<string, string>> => ({
  ...(traceparent !== undefined && { traceparent }),
  ...(tracestate !== undefined && { tracestate }),
});

type CancelOptions = CallOptions & { readonly reason?: string | undefined };
type AttemptOptions = CallOptions & { readonly attempt?: number | undefined };

const rangeOf = (from: number, to: number | undefined): string => `bytes=${from}-${to === undefined ? '' : to - 1}`;

const manyJobsSchema = z.object({ jobs: z.array(z.string()), more: z.boolean(), next: z.number().nullish() });

const deletedSchema = z.object({ deleted: z.string() });

const candidateSchema = z.object({ hash: z.string() });

const named = (job: PublishJob): PublishJob => ({ ...job, job_id: job.job_id ?? randomId() });

// `crypto.randomUUID` exists in secure contexts only; random bytes are everywhere.
const randomId = (): string => crypto.getRandomValues(new Uint8Array(16)).toHex();
