/**
 * A whole control plane: data folder, core, API, and its two listeners. Owns all of them, and the order of their ends.
 */
import { isLoopback, listenHttp, openHttpAgents, operatorGate, type HttpAgents, type HttpListener } from '@mvm-ci/net';
import { mvmError } from '@mvm-ci/protocol';
import { archiveFolder } from './adapters/archive-folder.ts';
import { blobFolder } from './adapters/blob-folder.ts';
import { dashboardPages } from './adapters/dashboard-pages.ts';
import { DataFolder } from './adapters/data-folder.ts';
import { webhookPost } from './adapters/webhook-post.ts';
import { listenPeers, type PeerListener, type PeerListenerOptions } from './adapters/peer-listener.ts';
import { localBlobs } from './blobs/local-blobs.ts';
import { createApi, type Api } from './api/api.ts';
import { shortQueueOperations } from './api/queue-operations.ts';
import { answerType, errorResponse } from './api/response.ts';
import { shortRoutes } from './api/short-routes.ts';
import { openCore, type Core } from './core.ts';
import type { BlobPort, Clock, LendEngine, TicketView, Tracer } from '@mvm-ci/protocol';
import { controlLimits, type LeasePeriods } from './limits.ts';
import { silentLogger, type Logger } from './logger.ts';
import type { Admit } from './modules/module-registry.ts';
import type { Retention } from './queue/pruner.ts';
import type { Random } from './random.ts';
import { openThreadStore } from './store/thread-store.ts';
import { systemClock } from './system-clock.ts';
import { systemRandom } from './system-random.ts';

/** How a control plane is started. */
export interface ControlPlaneOptions {
  /** Folder for everything it keeps; made when it isn't there. One process uses it at a time. */
  readonly data: string;
  /** Decides which modules may be deployed. */
  readonly admit: Admit;
  /** Lends an engine to its workers (option 2). @default none */
  readonly lend?: LendEngine | undefined;
  /** @default "127.0.0.1" port 3020; port 0 takes a free one */
  readonly http?: { readonly host?: string | undefined; readonly port?: number | undefined } | undefined;
  /** The operator's bearer token. @default none on loopback, else one that is kept in `<data>/operator.token` */
  readonly token?: string | undefined;
  /** Folder of the dashboard's built files, which are served under `/dashboard/`. @default none is served */
  readonly dashboard?: string | undefined;
  /** The peer plane. @default all interfaces, no relay, no discovery */
  readonly peer?: Pick<PeerListenerOptions, 'bind' | 'relay' | 'discovery' | 'advertise'> | undefined;
  /** @default defaultPeriods */
  readonly periods?: Partial<LeasePeriods> | undefined;
  /** How long a job must have been over before its journal is packed; infinity: never. @default controlLimits.compactAfterMs */
  readonly compactAfterMs?: number | undefined;
  /** Which jobs are kept after their end. @default all */
  readonly retention?: Retention | undefined;
  /** Folder to which the others are written before they are forgotten. @default none */
  readonly archive?: string | undefined;
  /** @default controlLimits.pendingJobsMax */
  readonly pendingJobsMax?: number | undefined;
  /** @default none */
  readonly logger?: Logger | undefined;
  /** Takes spans of what is done here. @default none are made */
  readonly tracer?: Tracer | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

/** A running control plane. */
export interface ControlPlane extends AsyncDisposable {
  /** Base URL of the API, such as `http://127.0.0.1:3020`. */
  readonly httpUrl: string;
  /** What a worker needs to join; also in the file `ticketPath`. */
  readonly ticket: string;
  readonly ticketPath: string;
  /** Its node id, 64 hex digits. */
  readonly node: string;
  readonly cluster: string;
  /** The token that the HTTP API demands, when it demands one. */
  readonly operatorToken: string | undefined;
  /** For an engine in the same process. */
  readonly blobs: BlobPort;
  /** Stops listening, ends long polls and streams, stores what is left. Idempotent. */
  stop(): Promise<void>;
}

const defaultHost = '127.0.0.1';
const defaultPort = 3020;

/**
 * Starts a control plane.
 *
 * @throws CONFIG_INVALID when the folder is in use or of a newer release, or an address can't be bound
 * @example await using plane = await startControlPlane({ data: './data', admit });
 */
export const startControlPlane = async (options: ControlPlaneOptions): Promise<ControlPlane> => {
  const undo = new AsyncDisposableStack();
  try {
    const plane = await start(options, undo);
    undo.move();
    return plane;
  } catch (error) {
    await undo.disposeAsync();
    throw error;
  }
};

const start = async (options: ControlPlaneOptions, undo: AsyncDisposableStack): Promise<ControlPlane> => {
  const { clock = systemClock, random = systemRandom, logger = silentLogger } = options;
  const folder = undo.use(DataFolder.open(options.data, (text) => logger.warn({}, text)));
  const agents = openHttpAgents();
  undo.defer(() => agents.close());
  const core = await openCore({
    ...options,
    archive: options.archive === undefined ? undefined : archiveFolder(options.archive, clock),
    post: webhookPost(agents),
    blobs: blobFolder(folder.blobsPath),
    clock,
    random,
    openStore: (onEffects, onGroup) => openThreadStore({ path: folder.databasePath, onEffects, onGroup }),
  });
  undo.defer(() => core.stop());
  const api = createApi({ core, logger });
  const peers = await openPeerPlane(options, { folder, core, api, random, logger });
  undo.defer(() => peers.listener.stop(0));
  const token = tokenOf(options, folder, random);
  const http = await openHttp(options, { api, core, logger }, token);
  logger.info({ http: http.url, node: peers.listener.node, cluster: core.cluster }, 'the control plane is up');
  return new RunningControlPlane({ folder, core, http, peers, agents, token, logger });
};

interface PeerPlane {
  readonly listener: PeerListener;
  readonly ticket: string;
}

interface PeerPlaneParts {
  readonly folder: DataFolder;
  readonly core: Core;
  readonly api: Api;
  readonly random: Random;
  readonly logger: Logger;
}

const openPeerPlane = async (options: ControlPlaneOptions, parts: PeerPlaneParts): Promise<PeerPlane> => {
  const { folder, core, api, random, logger } = parts;
  const joinToken = folder.joinToken(random);
  warnOfRevoked(await core.tickets.keepOwn(joinToken), logger);
  const listener = await listenPeers({
    ...options.peer,
    secretKey: folder.nodeKey(random),
    lastPorts: folder.peerPorts,
    logger,
    fetch: (request, node) => api.fetch(request, { kind: 'peer', node }),
    onConnection: (connection) => core.peers.add(connection),
  });
  folder.savePeerPorts(listener.ports);
  core.tickets.serveAt((token, expiresAtMs) => listener.ticket({ token, cluster: core.cluster, expiresAtMs }));
  const ticket = listener.ticket({ token: joinToken, cluster: core.cluster });
  folder.writeTicket(ticket);
  return { listener, ticket };
};

const warnOfRevoked = ({ id, state }: TicketView, logger: Logger): void => {
  if (state !== 'revoked') return;
  const advice = 'to make a new one, stop, remove join.token from the data folder, and start again';
  logger.warn({ ticket: id }, `the ticket in endpoint.ticket is revoked, so it lets no new node in: ${advice}`);
};

const tokenOf = (options: ControlPlaneOptions, folder: DataFolder, random: Random): string | null => {
  if (options.token === '') throw mvmError('CONFIG_INVALID', 'the operator’s token is empty');
  if (options.token !== undefined) return options.token;
  return isLoopback(options.http?.host ?? defaultHost) ? null : folder.operatorToken(random);
};

const openHttp = (
  options: ControlPlaneOptions,
  { api, core, logger }: { readonly api: Api; readonly core: Core; readonly logger: Logger },
  token: string | null,
): Promise<HttpListener> => {
  const { host = defaultHost, port = defaultPort } = options.http ?? {};
  const gate = operatorGate({ host, token });
  const pages = dashboardPages(options.dashboard);
  const fetch = async (request: Request): Promise<Response> => {
    try {
      const page = await pages(request);
      if (page) return page;
      gate(request);
    } catch (error) {
      return errorResponse(error, answerType(request));
    }
    return api.fetch(request, { kind: 'operator' });
  };
  return listenHttp({ host, port, fetch, short: shortRoutes({ core, logger, gate }, shortQueueOperations) });
};

interface RunningParts {
  readonly folder: DataFolder;
  readonly core: Core;
  readonly http: HttpListener;
  readonly peers: PeerPlane;
  /** Connections to the receivers of webhooks. */
  readonly agents: HttpAgents;
  readonly token: string | null;
  readonly logger: Logger;
}

class RunningControlPlane implements ControlPlane {
  readonly #parts: RunningParts;
  #stopping: Promise<void> | undefined;

  constructor(parts: RunningParts) {
    this.#parts = parts;
  }

  get httpUrl(): string {
    return this.#parts.http.url;
  }

  get ticket(): string {
    return this.#parts.peers.ticket;
  }

  get ticketPath(): string {
    return this.#parts.folder.ticketPath;
  }

  get node(): string {
    return this.#parts.peers.listener.node;
  }

  get cluster(): string {
    return this.#parts.core.cluster;
  }

  get operatorToken(): string | undefined {
    return this.#parts.token ?? undefined;
  }

  get blobs(): BlobPort {
    return localBlobs(this.#parts.core.blobs);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(): Promise<void> {
    const { folder, core, http, peers, agents, logger } = this.#parts;
    core.endWaits();
    await Promise.all([http.stop(controlLimits.drainMs), peers.listener.stop(controlLimits.drainMs)]);
    await core.stop();
    agents.close();
    folder[Symbol.dispose]();
    logger.info({}, 'the control plane has stopped');
  }
}
