import type {
  BackfillRequest,
  BlobRef,
  CancelRequest,
  MoveRequest,
  CreatedTicket,
  CreateTicket,
  DeployedModule,
  JobFilter,
  JobVerdict,
  JobView,
  JournalBatches,
  NodeView,
  Published,
  PublishJob,
  QueueChange,
  QueueStats,
  QueueView,
  RepinRequest,
  RepinResult,
  ScheduleSpec,
  ScheduleView,
  SendMessage,
  SentMessage,
  TicketView,
  WebhookSpec,
  WebhookView,
  WhyView,
} from '@mvm-ci/protocol';
import { defaultFetch } from '#fetch';
import type { JournalView, LogLine } from './answer.ts';
import { Connection, type Fetch } from './connection.ts';
import { HttpClient } from './http-client.ts';
import type { EventsOptions } from './job-events.ts';
import type { LogEventsOptions } from './log-events.ts';

/** Which control plane, and how to reach it. */
export interface ClientOptions {
  /** Base URL, such as `http://localhost:3020`; with a `fetch` of another transport `iroh+h3://NODE`. */
  readonly url: string;
  /** The operator's token, where the control plane demands one. */
  readonly token?: string | undefined;
  /** @default the global `fetch`; in Node what costs less and does the same */
  readonly fetch?: Fetch | undefined;
}

/** Ends a call early: it rejects with `CANCELLED`. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** In which trace a publish is (W3C Trace Context): the headers of the request. */
export interface PublishOptions extends CallOptions {
  /** @default the control plane begins a trace, if it tells of any */
  readonly traceparent?: string | undefined;
  readonly tracestate?: string | undefined;
}

/** Which bytes of a blob: from `from` up to, not including, `to`. @default all */
export interface BlobOptions extends CallOptions {
  readonly from?: number | undefined;
  readonly to?: number | undefined;
}

/** Which jobs to change. */
export interface ManyJobsFilter extends JobFilter {
  /** `next` of the answer before: each job is looked at once, also one that fits again by then. @default the newest first */
  readonly after?: number | null | undefined;
}

/** What became of many jobs. */
export interface ManyJobs {
  /** Ids of those that were changed. */
  readonly jobs: readonly string[];
  /** Whether there are more that fit: call again, with `after`. */
  readonly more: boolean;
  /** Where they begin; null: there are none; undefined: a control plane of the release before does not say. */
  readonly next?: number | null | undefined;
}

/** Which jobs to list. */
export interface ListOptions extends JobFilter, CallOptions {
  /** @default 100 */
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly after?: string | undefined;
}

/** A page of jobs, newest first. */
export interface JobPage {
  readonly jobs: readonly JobView[];
  /** Where the next page begins; undefined at the end. */
  readonly next: string | undefined;
}

/** A module to deploy. */
export interface Deployment {
  readonly name: string;
  readonly version: string;
  /** The module file, as `mvm-ci build` writes it. */
  readonly file: Uint8Array;
}

/**
 * One control plane. Every call rejects with an MvmError: the control plane's own refusal, or `CONNECTION_LOST` when it
 * can't be reached after a few tries.
 */
export interface Client {
  readonly url: string;
  /** Publishes a job. Its id is made here unless given, so that a try whose answer got lost is repeated harmlessly. */
  publish(job: PublishJob, options?: PublishOptions): Promise<Published>;
  /** Publishes up to `limits.publishJobsMax` jobs at once: all or none. Answers are in the jobs' order. */
  publishMany(jobs: readonly PublishJob[], options?: PublishOptions): Promise<readonly Published[]>;
  /** @throws JOB_NOT_FOUND */
  status(job: string, options?: CallOptions): Promise<JobView>;
  /** Waits until the job is over, however long that takes. @throws JOB_NOT_FOUND */
  wait(job: string, options?: CallOptions): Promise<JobView>;
  /** Waits for what the workflow responds with while it goes on, or for its end. @throws JOB_NOT_FOUND */
  waitForResponse(job: string, options?: CallOptions): Promise<JobView>;
  /**
   * Sends a message to a workflow; it waits there until it is received. Its id is made here unless given, so that a try whose
   * answer got lost is repeated harmlessly.
   *
   * @throws JOB_NOT_FOUND; INVALID_TRANSITION when the job is over; QUEUE_FULL when its inbox is full
   */
  send(job: string, message: SendMessage, options?: CallOptions): Promise<SentMessage>;
  /**
   * Asks a live job: what its workflow's `query` handler of this name returns. The job doesn't notice.
   *
   * @throws QUERY_NOT_FOUND; QUERY_FAILED; INVALID_TRANSITION when the job is over; UNAVAILABLE when no worker answers; JOB_NOT_FOUND
   * @default args null
   */
  query(job: string, name: string, args?: unknown, options?: CallOptions): Promise<unknown>;
  /** The jobs that a job started, oldest first. */
  children(job: string, options?: CallOptions): Promise<readonly JobView[]>;
  list(options?: ListOptions): Promise<JobPage>;
  stats(options?: CallOptions): Promise<QueueStats>;
  /** Asks for the end of a job; one that runs ends soon after. @throws JOB_NOT_FOUND, INVALID_TRANSITION */
  cancel(job: string, options?: CallOptions & CancelRequest): Promise<JobView>;
  /**
   * Asks the worker of a running job to give it back once it is at rest, for another worker to go on with it.
   *
   * @throws JOB_NOT_FOUND, NODE_NOT_FOUND, NODE_AMBIGUOUS, WORKER_UNSUITABLE, INVALID_TRANSITION when no worker runs it, or this one does
   */
  move(job: string, options: CallOptions & MoveRequest): Promise<JobView>;
  /** Cancels up to 1,000 jobs that are not over and fit a filter. */
  cancelMany(filter: ManyJobsFilter, options?: CallOptions & CancelRequest): Promise<ManyJobs>;
  /** Tries a job again that failed or was cancelled, with all its attempts. @throws JOB_NOT_FOUND, INVALID_TRANSITION */
  retry(job: string, options?: CallOptions): Promise<JobView>;
  /** Tries up to 1,000 jobs again that fit a filter, the oldest first: what waited for another one waits for it again. @default state 'failed' */
  retryMany(filter: ManyJobsFilter, options?: CallOptions): Promise<ManyJobs>;
  /** By name. */
  schedules(options?: CallOptions): Promise<readonly ScheduleView[]>;
  /** @throws SCHEDULE_NOT_FOUND */
  schedule(name: string, options?: CallOptions): Promise<ScheduleView>;
  /** Sets a schedule, or replaces what it does. @throws INVALID_ARGUMENT, QUEUE_FULL */
  setSchedule(name: string, spec: ScheduleSpec, options?: CallOptions): Promise<ScheduleView>;
  /** Its jobs stay. @throws SCHEDULE_NOT_FOUND */
  deleteSchedule(name: string, options?: CallOptions): Promise<void>;
  /** Publishes its job now. Sent once: what gets lost is a job that nobody waits for. @throws SCHEDULE_NOT_FOUND */
  triggerSchedule(name: string, options?: CallOptions): Promise<Published>;
  /** Publishes the jobs of all times of a span. @throws SCHEDULE_NOT_FOUND, INVALID_ARGUMENT above 1,000 of them */
  backfillSchedule(name: string, span: BackfillRequest, options?: CallOptions): Promise<readonly Published[]>;
  /** By name. */
  webhooks(options?: CallOptions): Promise<readonly WebhookView[]>;
  /** Sets a webhook, or replaces one. @throws INVALID_ARGUMENT, QUEUE_FULL */
  setWebhook(name: string, spec: WebhookSpec, options?: CallOptions): Promise<WebhookView>;
  /** @throws WEBHOOK_NOT_FOUND */
  deleteWebhook(name: string, options?: CallOptions): Promise<void>;
  /** Why a job is where it is. @throws JOB_NOT_FOUND */
  why(job: string, options?: CallOptions): Promise<WhyView>;
  /** Queues that have settings, or jobs that are ready or running, and the default one. */
  queues(options?: CallOptions): Promise<readonly QueueView[]>;
  queue(queue: string, options?: CallOptions): Promise<QueueView>;
  /** Changes what is set for a queue: what is left out stays, null takes a setting back. @throws QUEUE_FULL */
  setQueue(queue: string, change: QueueChange, options?: CallOptions): Promise<QueueView>;
  /** A job's journal. @default attempt the current one */
  journal(job: string, options?: CallOptions & { readonly attempt?: number | undefined }): Promise<JournalView>;
  /**
   * Has the control plane check the whole journal of an attempt: its numbers, its chain of hashes, its entries.
   *
   * @default attempt the current one @throws JOB_NOT_FOUND; JOURNAL_CORRUPT with what is wrong
   */
  checkJournal(job: string, options?: CallOptions & { readonly attempt?: number | undefined }): Promise<void>;
  /**
   * An attempt's journal as it is stored, with the hash of the module that it runs with (null: the one that its first entry names). Check
   * it with `readBatches`. @default attempt the current one @throws JOB_NOT_FOUND
   */
  journalBatches(
    job: string,
    options?: CallOptions & { readonly attempt?: number | undefined },
  ): Promise<Omit<JournalBatches, 'next'>>;
  /**
   * Has an idle worker replay the current attempt of a job with a module: a deployed one, or one that was kept by `keepCandidate`.
   *
   * @throws JOB_NOT_FOUND; UNAVAILABLE when no worker does it
   */
  replay(job: string, module: string, options?: CallOptions): Promise<JobVerdict>;
  /** Keeps a module file for replays, without deploying it. @returns its hash */
  keepCandidate(file: Uint8Array, options?: CallOptions): Promise<string>;
  /** A module's file. @throws MODULE_NOT_FOUND */
  moduleFile(hash: string, options?: CallOptions): Promise<Uint8Array>;
  /** The bytes of a blob, or one range of them. @throws BLOB_NOT_FOUND */
  blob(hash: string, options?: BlobOptions): Promise<ReadableStream<Uint8Array>>;
  /** Keeps bytes as a blob, which is forgotten after a week in which no job refers to it. @throws PAYLOAD_TOO_LARGE */
  putBlob(body: ReadableStream<Uint8Array> | Uint8Array, options?: CallOptions): Promise<BlobRef>;
  /** What a job logged. @default attempt the current one */
  logs(job: string, options?: CallOptions & { readonly attempt?: number | undefined }): Promise<readonly LogLine[]>;
  /** What a job logs, line by line, until it is over. @throws JOB_NOT_FOUND @default attempt from the current one on */
  logEvents(job: string, options?: LogEventsOptions): AsyncIterable<LogLine>;
  /** Jobs as they change. @example for await (const job of client.events({ signal })) show(job); */
  events(options?: EventsOptions): AsyncIterable<JobView>;
  /** @throws MODULE_EXISTS when this name and version has other content; MODULE_INVALID and its like */
  deploy(module: Deployment, options?: CallOptions): Promise<DeployedModule>;
  /** Moves jobs to a deployed module, each one only if it is where it was replayed to and nobody holds it. @throws MODULE_NOT_FOUND */
  repin(request: RepinRequest, options?: CallOptions): Promise<readonly RepinResult[]>;
  modules(options?: CallOptions): Promise<readonly DeployedModule[]>;
  nodes(options?: CallOptions): Promise<readonly NodeView[]>;
  /**
   * Asks a worker to take no more jobs, finish or give back those that it holds, and end. By id, beginning of an id, or name.
   *
   * @param options.graceMs what its jobs get; @default its own setting
   * @throws NODE_NOT_FOUND, NODE_AMBIGUOUS, INVALID_ARGUMENT for a node that runs no jobs, INVALID_TRANSITION for one that is not here
   */
  drainNode(node: string, options?: CallOptions & { readonly graceMs?: number | undefined }): Promise<NodeView>;
  /** Shuts a node out: by its id, the beginning of its id, or its name. @throws NODE_NOT_FOUND, NODE_AMBIGUOUS */
  banNode(node: string, options?: CallOptions & { readonly reason?: string | undefined }): Promise<NodeView>;
  /** Ends a ban. @throws NODE_NOT_FOUND, NODE_AMBIGUOUS */
  allowNode(node: string, options?: CallOptions): Promise<NodeView>;
  /** @throws NODE_NOT_FOUND, NODE_AMBIGUOUS */
  renameNode(node: string, name: string, options?: CallOptions): Promise<NodeView>;
  /** Makes a ticket; only this answer has its text. Sent once: what gets lost is a ticket that nobody knows. */
  createTicket(ticket?: CreateTicket, options?: CallOptions): Promise<CreatedTicket>;
  /** The latest first. */
  tickets(options?: CallOptions): Promise<readonly TicketView[]>;
  /** @throws TICKET_NOT_FOUND */
  revokeTicket(id: string, options?: CallOptions): Promise<TicketView>;
}

/**
 * A client of the control plane at `url`; runs in Node and in browsers.
 *
 * @throws INVALID_ARGUMENT when `url` is not an http(s) URL
 * @example const client = createClient({ url: 'http://localhost:3020' });
 *   const { job_id } = await client.publish({ workflow: 'crawler', input: { url: 'http://…' } });
 *   const job = await client.wait(job_id);
 */
export const createClient = (options: ClientOptions): Client => {
  const { url, token, fetch = defaultFetch } = options;
  return new HttpClient(new Connection({ url, token, fetch }));
};
