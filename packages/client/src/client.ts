import {
  createdTicketSchema,
  deployedModuleSchema,
  isFinal,
  jobVerdictSchema,
  journalBatchesSchema,
  nodeViewSchema,
  repinAnswerSchema,
  routePath,
  sentMessageSchema,
  ticketViewSchema,
  type CreatedTicket,
  type CreateTicket,
  type DeployedModule,
  type JobState,
  type JobVerdict,
  type JobView,
  type JournalBatches,
  type NodeView,
  type Published,
  type PublishJob,
  type QueueStats,
  type RepinRequest,
  type RepinResult,
  type SendMessage,
  type SentMessage,
  type TicketView,
} from '@mvm-ci/protocol';
import { z } from 'zod';
import {
  jobViewSchema,
  journalViewSchema,
  logLinesSchema,
  modulesSchema,
  publishedSchema,
  queueStatsSchema,
  type JournalView,
  type LogLine,
} from './answer.ts';
import { Connection, type Fetch } from './connection.ts';
import { jobEvents, type EventsOptions } from './job-events.ts';
import { clientLimits } from './limits.ts';
import { logEvents, type LogEventsOptions } from './log-events.ts';

/** Which control plane, and how to reach it. */
export interface ClientOptions {
  /** Base URL, such as `http://localhost:3020`; with a `fetch` of another transport `iroh+h3://NODE`. */
  readonly url: string;
  /** The operator's token, where the control plane demands one. */
  readonly token?: string | undefined;
  /** @default the global `fetch` */
  readonly fetch?: Fetch | undefined;
}

/** Ends a call early: it rejects with `CANCELLED`. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Which jobs to list. */
export interface ListOptions extends CallOptions {
  /** `live`: not over yet. */
  readonly state?: JobState | 'live' | undefined;
  /** Only runs of modules of this name. */
  readonly module?: string | undefined;
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
  publish(job: PublishJob, options?: CallOptions): Promise<Published>;
  /** Publishes up to `limits.publishJobsMax` jobs at once: all or none. Answers are in the jobs' order. */
  publishMany(jobs: readonly PublishJob[], options?: CallOptions): Promise<readonly Published[]>;
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
  /** The jobs that a job started, oldest first. */
  children(job: string, options?: CallOptions): Promise<readonly JobView[]>;
  list(options?: ListOptions): Promise<JobPage>;
  stats(options?: CallOptions): Promise<QueueStats>;
  /** Asks for the end of a job; one that runs ends soon after. @throws JOB_NOT_FOUND, INVALID_TRANSITION */
  cancel(job: string, options?: CallOptions & { readonly reason?: string | undefined }): Promise<JobView>;
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
  const fetchOption = options.fetch ?? ((url, init): Promise<Response> => fetch(url, init));
  return new HttpClient(new Connection({ url: options.url, token: options.token, fetch: fetchOption }));
};

class HttpClient implements Client {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get url(): string {
    return this.#connection.url;
  }

  publish(job: PublishJob, { signal }: CallOptions = {}): Promise<Published> {
    return this.#connection.call(routePath('publish'), publishedSchema, { method: 'POST', body: named(job), signal });
  }

  async publishMany(jobs: readonly PublishJob[], { signal }: CallOptions = {}): Promise<readonly Published[]> {
    const body = { jobs: jobs.map(named) };
    const answer = await this.#connection.call(routePath('publishMany'), manySchema, { method: 'POST', body, signal });
    return answer.jobs;
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

  children(job: string, { signal }: CallOptions = {}): Promise<readonly JobView[]> {
    return this.#connection.call(routePath('children', { job }), z.array(jobViewSchema), { signal });
  }

  async list({ state, module, limit, after, signal }: ListOptions = {}): Promise<JobPage> {
    const path = routePath('list', {}, { state, module, limit, after });
    const response = await this.#connection.open(path, { signal });
    const jobs = await this.#connection.read(response, z.array(jobViewSchema), path);
    return { jobs, next: response.headers.get('x-next') ?? undefined };
  }

  stats({ signal }: CallOptions = {}): Promise<QueueStats> {
    return this.#connection.call(routePath('stats'), queueStatsSchema, { signal });
  }

  cancel(job: string, { reason, signal }: CancelOptions = {}): Promise<JobView> {
    const body = reason === undefined ? {} : { reason };
    return this.#connection.call(routePath('cancel', { job }), jobViewSchema, { method: 'POST', body, signal });
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

type CancelOptions = CallOptions & { readonly reason?: string | undefined };
type AttemptOptions = CallOptions & { readonly attempt?: number | undefined };

const candidateSchema = z.object({ hash: z.string() });

const manySchema = z.object({ jobs: z.array(publishedSchema) });

const named = (job: PublishJob): PublishJob => ({ ...job, job_id: job.job_id ?? randomId() });

// `crypto.randomUUID` exists in secure contexts only; random bytes are everywhere.
const randomId = (): string => crypto.getRandomValues(new Uint8Array(16)).toHex();
