/**
 * Tells others of changes by requests. Owns a loop for each webhook.
 *
 *   1. A webhook is told of changes in their order, one request at a time, of each job its latest state: what happened in
 *      between may be left out, as in the event stream.
 *   2. At least once: how far it has got is stored after a request was taken. A crash in between sends that request again,
 *      with the same number.
 *   3. A request that is not taken is sent again, with growing waits, up to `webhookTriesMax` times; then it is given up, and
 *      counted.
 */
import {
  finalStates,
  mvmError,
  parseAs,
  pause,
  webhookSpecSchema,
  limits,
  type Clock,
  type JobState,
  type JobView,
  type WebhookSpec,
  type WebhookView,
} from '@mvm-ci/protocol';
import { createHmac } from 'node:crypto';
import { controlLimits } from '../limits.ts';
import type { WebhookRecord } from '../machine/webhook-table.ts';
import type { Store } from '../store/store.ts';
import type { ChangeFeed } from './change-feed.ts';
import { jobView } from './job-view.ts';

/** Sends a request, and gives the status of its answer. @throws when there is none */
export type Post = (request: {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly signal: AbortSignal;
}) => Promise<number>;

/** What it works with. */
export interface WebhooksParts {
  readonly store: Store;
  readonly feed: ChangeFeed;
  readonly clock: Clock;
  readonly post: Post;
}

interface Known {
  record: WebhookRecord;
  readonly spec: WebhookSpec;
  readonly ending: AbortController;
  loop: Promise<void>;
}

/** See the head of this file. */
export class Webhooks {
  readonly #parts: WebhooksParts;
  readonly #known: Map<string, Known> = new Map();
  #lastChange: Promise<unknown> = Promise.resolve();
  #stopped = false;

  constructor(parts: WebhooksParts) {
    this.#parts = parts;
  }

  /** Goes on with those that are stored. */
  async start(): Promise<void> {
    const { webhooks } = await this.#parts.store.read<'webhooks'>({ type: 'webhooks' });
    for (const record of webhooks) this.#begin(record);
  }

  /** Ends after the request under way, which is given up. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all([...this.#known.keys()].map((name) => this.#end(name)));
  }

  /** By name. */
  list(): readonly WebhookView[] {
    return [...this.#known.values()].map(view).sort((a, b) => (a.webhook < b.webhook ? -1 : 1));
  }

  /** Sets a webhook, or replaces one. @throws QUEUE_FULL */
  set(name: string, spec: WebhookSpec): Promise<WebhookView> {
    const { store, clock } = this.#parts;
    const { webhooksMax } = limits;
    const command = { type: 'set-webhook', at: clock.wallMs(), name, spec: JSON.stringify(spec), webhooksMax } as const;
    return this.#inTurn(async () => {
      const { webhook } = await store.apply<'set-webhook'>(command);
      await this.#end(name);
      return view(this.#begin(webhook));
    });
  }

  /** @throws WEBHOOK_NOT_FOUND */
  delete(name: string): Promise<void> {
    const { store, clock } = this.#parts;
    return this.#inTurn(async () => {
      await store.apply<'delete-webhook'>({ type: 'delete-webhook', at: clock.wallMs(), name });
      await this.#end(name);
    });
  }

  /** One change after the other, so that each webhook has one loop. */
  #inTurn<T>(change: () => Promise<T>): Promise<T> {
    const changed = this.#lastChange.then(change);
    this.#lastChange = changed.catch(() => undefined);
    return changed;
  }

  #begin(record: WebhookRecord): Known {
    const spec = parseAs(webhookSpecSchema, JSON.parse(record.spec), `the stored webhook ${record.name}`);
    const known: Known = { record, spec, ending: new AbortController(), loop: Promise.resolve() };
    this.#known.set(record.name, known);
    if (!this.#stopped) known.loop = this.#tell(known);
    return known;
  }

  async #end(name: string): Promise<void> {
    const known = this.#known.get(name);
    known?.ending.abort();
    await known?.loop;
    if (this.#known.get(name) === known && !this.#stopped) this.#known.delete(name);
  }

  async #tell(known: Known): Promise<void> {
    const { feed } = this.#parts;
    const { signal } = known.ending;
    while (!signal.aborted && !feed.isStopped) {
      try {
        await feed.changed(known.record.change, { waitMs: controlLimits.webhookLookMs, signal });
        if (feed.latest > known.record.change) await this.#tellPage(known);
      } catch {
        // The store could not be read or written: after a while it can, or the control plane ends.
        await pause(this.#parts.clock, controlLimits.expiryRetryMs, signal);
      }
    }
  }

  async #tellPage(known: Known): Promise<void> {
    const { store, feed } = this.#parts;
    const { latest } = feed;
    const limit = controlLimits.eventRowsMax;
    const { rows } = await store.read<'changes'>({ type: 'changes', after: known.record.change, limit });
    for (const job of rows.map(jobView)) {
      if (known.ending.signal.aborted) return;
      if (isWanted(known.spec, job)) await this.#tellOne(known, job);
      // What it does not want to hear of is passed over without a write of its own.
      else known.record = { ...known.record, change: job.change };
    }
    // The job of the latest change may be forgotten already: then nobody waits for it.
    if (rows.length === 0) known.record = { ...known.record, change: latest };
    else await this.#advance(known, { change: known.record.change, dropped: 0, error: known.record.error });
  }

  async #tellOne(known: Known, job: JobView): Promise<void> {
    const { signal } = known.ending;
    for (let tries = 1; !signal.aborted; tries += 1) {
      const error = await this.#send(known, job);
      if (signal.aborted) return;
      if (error === null) return this.#advance(known, { change: job.change, dropped: 0, error });
      if (tries >= controlLimits.webhookTriesMax)
        return this.#advance(known, { change: job.change, dropped: 1, error });
      await this.#advance(known, { change: known.record.change, dropped: 0, error });
      const retryMs = Math.min(controlLimits.webhookRetryMs * 2 ** (tries - 1), controlLimits.webhookRetryMsMax);
      await pause(this.#parts.clock, retryMs, signal);
    }
  }

  /** @returns what went wrong; null: it was taken */
  async #send({ record, spec, ending }: Known, job: JobView): Promise<string | null> {
    const body = JSON.stringify({ type: 'job', change: job.change, job });
    const headers = {
      'content-type': 'application/json',
      'x-mvm-ci-delivery': `${record.name}:${job.change}`,
      ...(spec.secret !== undefined && { 'x-mvm-ci-signature': signature(spec.secret, body) }),
    };
    try {
      const status = await this.#parts.post({ url: spec.url, headers, body, signal: ending.signal });
      return status >= 200 && status < 300 ? null : `it answered with status ${status}`;
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
  }

  async #advance(
    known: Known,
    told: { readonly change: number; readonly dropped: number; readonly error: string | null },
  ): Promise<void> {
    const { store, clock } = this.#parts;
    const command = { type: 'advance-webhook', at: clock.wallMs(), name: known.record.name, ...told } as const;
    known.record = (await store.apply<'advance-webhook'>(command)).webhook;
  }
}

const wantedStates = ({ states = finalStates }: WebhookSpec): readonly JobState[] => states;

const isWanted = (spec: WebhookSpec, job: JobView): boolean =>
  wantedStates(spec).includes(job.status) && (spec.queue === undefined || spec.queue === job.queue);

/** HMAC (RFC 2104) with SHA-256 over the body, as GitHub's webhooks have it. */
const signature = (secret: string, body: string): string =>
  `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;

/** Who lists webhooks needs no password. */
const shownUrl = (url: string): string => {
  const parsed = new URL(url);
  if (parsed.password === '') return url;
  parsed.password = '***';
  return parsed.href;
};

const view = ({ record, spec }: Known): WebhookView => ({
  webhook: record.name,
  url: shownUrl(spec.url),
  states: wantedStates(spec),
  queue: spec.queue ?? null,
  signed: spec.secret !== undefined,
  change: record.change,
  dropped: record.dropped,
  error: record.error,
});

/** For a server that sends none. @throws INVALID_ARGUMENT */
export const noPost: Post = () =>
  Promise.reject(mvmError('INVALID_ARGUMENT', 'this server sends no requests: it has no webhooks'));
