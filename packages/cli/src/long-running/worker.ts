import { CountedEffects } from '@mvm-ci/flawless';
import type { EffectPerformer } from '@mvm-ci/engine';
import {
  decodeTicket,
  listenHttp,
  openEndpoint,
  operatorGate,
  systemClock,
  type HttpListener,
  type PeerEndpoint,
  type Ticket,
} from '@mvm-ci/net';
import { mvmError, type Logger, type Tracer } from '@mvm-ci/protocol';
import {
  startWorker,
  workerApi,
  workerMetrics,
  type Worker,
  type WorkerEnd,
  type WorkerMetricsParts,
} from '@mvm-ci/worker';
import { pathFrom, type CommandContext } from '../command-context.ts';
import type { Host } from '../host.ts';
import { answerInterrupts } from '../interrupt.ts';
import { openLogger } from '../logging.ts';
import { workerKey } from '../node-key.ts';
import { peerOptions, reconnectingPeer } from '../peer-plane.ts';
import { exitCodes } from '../output/failure.ts';
import { socketAddress } from '../socket-address.ts';
import { systemRandom } from '../system-random.ts';
import { ticketText } from '../ticket-text.ts';
import { openEngineHost } from './engine-host.ts';
import { LateBlobs } from './late-blobs.ts';
import { performerOf } from './kept-secrets.ts';
import { openTracing } from '../tracing/open-tracing.ts';

/** Works until it is told to stop. @returns the exit code */
export const runWorker = async (context: CommandContext): Promise<number> => {
  const { host, config } = context;
  const ticket = readTicket(host, config.ticket);
  const stop = new AbortController();
  let worker: Worker | undefined;
  const end = answerInterrupts(host, {
    drain: () => {
      if (worker) void worker.drain({ graceMs: config.grace * 1_000 });
      else stop.abort();
    },
    stop: () => void worker?.stop(),
  });
  const logger = openLogger(context);
  const folder = config.workerData === undefined ? undefined : pathFrom(host, config.workerData);
  using key = workerKey(folder, (text) => logger.warn(text));
  const blobs = new LateBlobs();
  const effects = new CountedEffects(performerOf(context, blobs), systemClock);
  const endpoint = await openEndpoint({ secretKey: key.bytes, ...peerOptions(config) });
  logger.setBindings({ node: endpoint.id });
  const undo = new AsyncDisposableStack();
  undo.defer(end);
  const tracing = await openTracing(config, 'worker', logger);
  undo.defer(() => tracing.stop());
  undo.defer(() => endpoint.close());
  try {
    const status = await tellStatus(config, { state: () => worker?.state, effects: () => effects.counts });
    undo.defer(() => status?.stop(0));
    worker = await join(context, {
      ticket,
      endpoint,
      performer: effects,
      blobs,
      logger,
      tracer: tracing.tracer,
      signal: stop.signal,
    });
    showReady(context, worker, status?.url);
    return exitCodeOf(await worker.closed);
  } catch (error) {
    if (stop.signal.aborted) return exitCodes.ok;
    throw error;
  } finally {
    await undo.disposeAsync();
  }
};

/** Answers about the worker over HTTP, where that is wanted. @throws CONFIG_INVALID */
const tellStatus = (
  { workerHttp }: CommandContext['config'],
  parts: WorkerMetricsParts,
): Promise<HttpListener> | undefined => {
  if (workerHttp === undefined) return undefined;
  const http = socketAddress(workerHttp);
  const gate = operatorGate({ host: http.host, token: null });
  return listenHttp({ ...http, fetch: workerApi({ ...parts, metrics: workerMetrics(parts), gate }) });
};

const readTicket = (host: Host, text: string | undefined): Ticket => {
  if (text !== undefined) return decodeTicket(ticketText(host, text), { clock: systemClock });
  throw mvmError('TICKET_INVALID', 'a worker needs a ticket: give it with --ticket or CONTROL_PLANE_TICKET');
};

interface Joining {
  readonly ticket: Ticket;
  readonly endpoint: PeerEndpoint;
  readonly performer: EffectPerformer;
  /** The performer's. */
  readonly blobs: LateBlobs;
  readonly logger: Logger;
  readonly tracer: Tracer | undefined;
  readonly signal: AbortSignal;
}

const join = (
  { config }: CommandContext,
  { ticket, endpoint, performer, blobs, logger, tracer, signal }: Joining,
): Promise<Worker> => {
  if (ticket.address.relayUrl !== undefined && config.relay === 'none')
    logger.info(
      {},
      `the ticket names the relay ${ticket.address.relayUrl}: with --relay it would be used where no direct way is`,
    );
  const peer = reconnectingPeer(endpoint, ticket, (state) =>
    logger.debug({ peer: state.state }, 'connection to the control plane'),
  );
  return startWorker({
    peer,
    openHost: (modules, ownBlobs) => {
      blobs.bind(ownBlobs);
      return openEngineHost({ config, peer, modules, blobs: ownBlobs, performer, logger, tracer });
    },
    slots: config.slots,
    tags: config.tags,
    queues: config.queues,
    token: ticket.token,
    cluster: ticket.cluster,
    joinMs: config.joinTimeout === undefined ? undefined : config.joinTimeout * 1_000,
    name: config.name,
    drainGraceMs: config.grace * 1_000,
    clock: systemClock,
    random: systemRandom,
    logger,
    tracer,
    signal,
  });
};

const showReady = ({ config, terminal, host }: CommandContext, worker: Worker, http: string | undefined): void => {
  const { node, cluster } = worker;
  const ready = { ready: 'worker', node, cluster, name: config.name ?? node.slice(0, 10), slots: config.slots, http };
  terminal.result(
    { ...ready, pid: host.pid },
    () => `worker ${ready.name} has joined, with ${config.slots} slots (pid ${host.pid})`,
  );
};

/** @throws what the control plane refused the worker with */
const exitCodeOf = (ended: WorkerEnd): number => {
  switch (ended.type) {
    case 'drained':
      return exitCodes.ok;
    case 'stopped':
      return exitCodes.failed;
    case 'refused':
      throw ended.error;
  }
};
