/**
 * One engine server over HTTP: option 4, and a member of option 3. One request (`POST /engine/link`) stays open and carries
 * all runs; it is made again when it breaks.
 */
import type { Replayer } from '@mvm-ci/engine';
import {
  openFrameChannel,
  openHttpDuplex,
  requestHttp,
  type Clock,
  type HttpAgents,
  type HttpAnswer,
} from '@mvm-ci/net';
import {
  engineRoutes,
  engineStatusSchema,
  mvmError,
  type BlobPort,
  type ClaimedJob,
  type EngineStatus,
  type MvmError,
} from '@mvm-ci/protocol';
import type { EngineMember, HostPorts, HostRun, MemberHealth } from '../engine-host.ts';
import type { Logger } from '../logger.ts';
import type { ModuleSource } from '../module-source.ts';
import type { Random } from '../random.ts';
import { LinkDialer, type LinkConnection } from './link-dialer.ts';
import { LinkHost } from './link.ts';

export interface RemoteMemberOptions {
  /** Base URL, such as `http://engine:27288`. */
  readonly url: string;
  /** Where to connect, as an IP address. @default what the URL's name resolves to */
  readonly address?: string | undefined;
  /** Bearer token. @default none is sent */
  readonly token?: string | undefined;
  /** Connections to take one from. @default one of its own for each request */
  readonly agents?: HttpAgents | undefined;
  readonly modules: ModuleSource;
  /** Where the blobs of jobs are, for an engine server that has none of them. @default requests that need blobs are refused there */
  readonly blobs?: BlobPort | undefined;
  /** See `LinkDialerOptions`: a member of a pool, which says what becomes of its members. @default false */
  readonly isQuiet?: boolean | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** An {@link EngineMember} over HTTP. Begins to connect at once. */
export class RemoteMember implements EngineMember {
  readonly url: string;
  readonly #options: RemoteMemberOptions;
  readonly #host: LinkHost;

  constructor(options: RemoteMemberOptions) {
    const { url, modules, blobs, isQuiet, clock, random, logger } = options;
    this.url = url;
    this.#options = options;
    const connect = (signal: AbortSignal): Promise<LinkConnection> => this.#connect(signal);
    const dialer = new LinkDialer({ connect, engine: url, isQuiet, clock, random, logger });
    this.#host = new LinkHost({ dialer, journal: 'carried', modules, blobs, clock });
  }

  get obstacle(): MvmError | undefined {
    return this.#host.obstacle;
  }

  get replayer(): Replayer | undefined {
    return this.#host.replayer;
  }

  run(job: ClaimedJob, ports: HostPorts): HostRun {
    return this.#host.run(job, ports);
  }

  /** @throws CONNECTION_LOST, DEADLINE_EXCEEDED, UNAVAILABLE, UNAUTHENTICATED, CONFIG_INVALID */
  async probe(signal: AbortSignal): Promise<MemberHealth> {
    const { url, address, token, agents, clock } = this.#options;
    const headers = { accept: 'application/json' };
    const answer = await requestHttp({ url, path: engineRoutes.ready, headers, address, token, agents, clock, signal });
    const { ready, reasons, runs, runsMax, version } = readStatus(url, answer);
    if (ready) return { runs, runsMax, version };
    throw mvmError('UNAVAILABLE', `${url} is not ready: ${reasons.join('; ')}`, { url, draining: true });
  }

  stop(): Promise<void> {
    return this.#host.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #connect(signal: AbortSignal): Promise<LinkConnection> {
    const { url, address, token, agents, clock } = this.#options;
    const duplex = await openHttpDuplex({ url, address, token, agents, clock, signal });
    const channel = openFrameChannel({ duplex, side: 'client', clock });
    const { open, closed } = channel;
    return { open, closed, close: (error) => channel.close(error), features: duplex.features };
  }
}

const readStatus = (url: string, { status, body }: HttpAnswer): EngineStatus => {
  if (status === 401) throw mvmError('UNAUTHENTICATED', `${url} demands another token (status 401)`, { url });
  const read = engineStatusSchema.safeParse(jsonIn(body));
  if (read.success) return read.data;
  if (status === 502 || status === 503 || status === 504)
    throw mvmError('UNAVAILABLE', `a gateway in front of ${url} answers with status ${status}`, { url });
  throw mvmError('CONFIG_INVALID', `${url} is no engine server: GET ${engineRoutes.ready} has status ${status}`, {
    url,
  });
};

const jsonIn = (body: Uint8Array): unknown => {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
};
