/** A worker of handlers: trusted code of this process, without WebAssembly (`docs/guides/handlers.md`). */
import { decodeTicket, systemClock } from '@mvm-ci/net';
import { idSchema, limits, mvmError, type Logger, type Tracer } from '@mvm-ci/protocol';
import { openThreadPeer } from '../connection/thread-peer.ts';
import type { ConnectionStart } from '../connection/thread-message.ts';
import { workerLimits } from '../limits.ts';
import { startWorker, type Worker } from '../worker.ts';
import { systemRandom } from '../system-random.ts';
import { HandlerHost } from './handler-host.ts';
import type { Handler } from './handler.ts';

/** Which control plane, and what to do for it. */
export interface HandlerWorkerOptions {
  /** What is done for each name: `publish({ handler: name, input })` gives it a job. */
  readonly handlers: Readonly<Record<string, Handler>>;
  /** A ticket of the control plane, to reach it from anywhere; or `url`. */
  readonly ticket?: string | undefined;
  /** The control plane's own URL, such as `http://localhost:3020`; or `ticket`. */
  readonly url?: string | undefined;
  /** The operator's token, for a `url` that demands one. */
  readonly token?: string | undefined;
  /** Handlers that run at the same time. @default workerLimits.handlersDefault */
  readonly concurrency?: number | undefined;
  /** For people; with `url` also the name under which jobs are held: unique. @default a random one */
  readonly name?: string | undefined;
  /** What it has, for jobs that need it. @default nothing */
  readonly tags?: readonly string[] | undefined;
  /** It takes jobs of these queues only. @default all */
  readonly queues?: readonly string[] | undefined;
  /** `none`, `default` or the URL of a relay, for a `ticket`. @default 'none' */
  readonly relay?: string | undefined;
  /** @default 'none' */
  readonly discovery?: 'none' | 'default' | undefined;
  /** @default silent */
  readonly logger?: Logger | undefined;
  /** Takes a span of each job that is traced. @default none are made */
  readonly tracer?: Tracer | undefined;
  /** Gives up joining; after that, use `drain` or `stop`. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Joins a control plane and runs its jobs by handlers, until `drain` or `stop`. Its connection and the heartbeats are in a thread
 * of their own: a handler that computes for long keeps its job.
 *
 * @throws INVALID_ARGUMENT for options that make no sense; TICKET_INVALID and its like; UNAUTHENTICATED
 * @example const mail = await worker({ url: 'http://localhost:3020', handlers: { mail: async (job, ctx) => send(job.input) } });
 */
export const worker = async (options: HandlerWorkerOptions): Promise<Worker> => {
  const { handlers, concurrency = workerLimits.handlersDefault } = options;
  demandHandlers(handlers);
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > workerLimits.slotsMax)
    throw mvmError(
      'INVALID_ARGUMENT',
      `"concurrency" is a whole number from 1 to ${workerLimits.slotsMax}, not ${concurrency}`,
    );
  const name = options.name ?? `handlers-${systemRandom.bytes(6).toHex()}`;
  const start = connectionStart(options, name);
  const ticket = start.type === 'ticket' ? decodeTicket(start.ticket, { clock: systemClock }) : undefined;
  const peer = await openThreadPeer(start);
  return startWorker({
    peer,
    openHost: () => new HandlerHost({ handlers, concurrency, clock: systemClock }),
    slots: concurrency,
    tags: options.tags,
    queues: options.queues,
    token: ticket?.token,
    cluster: ticket?.cluster,
    name,
    clock: systemClock,
    random: systemRandom,
    logger: options.logger ?? silent,
    tracer: options.tracer,
    signal: options.signal,
  });
};

const demandHandlers = (handlers: Readonly<Record<string, Handler>>): void => {
  const names = Object.keys(handlers);
  if (names.length === 0 || names.length > limits.claimHandlersMax)
    throw mvmError(
      'INVALID_ARGUMENT',
      `"handlers" has from 1 to ${limits.claimHandlersMax} handlers, not ${names.length}`,
    );
  const wrong = names.find((one) => !idSchema.safeParse(one).success || typeof handlers[one] !== 'function');
  if (wrong !== undefined)
    throw mvmError(
      'INVALID_ARGUMENT',
      `a handler is a function under a name of letters, digits and . _ : -, starting with a letter or digit; "${wrong}" is not`,
    );
};

const connectionStart = (options: HandlerWorkerOptions, name: string): ConnectionStart => {
  const { ticket, url, token = null, relay = 'none', discovery = 'none' } = options;
  if ((ticket === undefined) === (url === undefined))
    throw mvmError('INVALID_ARGUMENT', 'a worker needs either "url" or "ticket"');
  if (url === undefined) return { type: 'ticket', ticket: ticket ?? '', relay, discovery };
  if (!URL.canParse(url) || !/^https?:/.test(url))
    throw mvmError('INVALID_ARGUMENT', `"url" begins with http:// or https://, not "${url}"`);
  return { type: 'url', url, token, name };
};

const silent: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
