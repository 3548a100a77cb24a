/**
 * A control plane for the process that it is in: data folder, core and API without a listener and without peers, for one
 * worker in the same process. Owns all of them, and the order of their ends.
 *
 * 1. The folder's lock says that nobody else holds a lease of it: what was held when the last process ended is given out
 *    again at once.
 * 2. A process that was killed is no job's fault, unless it happens again and again, soon after each start.
 */
import { mvmError, type BlobPort, type CallRequest, type Clock, type Timer, type Tracer } from '@mvm-ci/protocol';
import { blobFolder } from './adapters/blob-folder.ts';
import { DataFolder } from './adapters/data-folder.ts';
import { localBlobs } from './blobs/local-blobs.ts';
import { callOperations, createApi } from './api/api.ts';
import type { Operation } from './api/operation.ts';
import { callTable } from './api/served-call.ts';
import { openCore, type Core } from './core.ts';
import { controlLimits, standalonePeriods } from './limits.ts';
import { silentLogger, type Logger } from './logger.ts';
import type { Admit } from './modules/module-registry.ts';
import type { Random } from './random.ts';
import { openThreadStore } from './store/thread-store.ts';
import { systemClock } from './system-clock.ts';
import { systemRandom } from './system-random.ts';
import { admit } from './trust/access.ts';

/** How it is opened. */
export interface StandaloneOptions {
  /** Folder for everything it keeps; made when it isn't there. One process uses it at a time. */
  readonly data: string;
  /** Decides which modules may be deployed. */
  readonly admit: Admit;
  /** @default none */
  readonly logger?: Logger | undefined;
  /** Takes spans of what is done here. @default none are made */
  readonly tracer?: Tracer | undefined;
  readonly clock?: Clock | undefined;
  readonly random?: Random | undefined;
}

/** See the head of this file. */
export interface Standalone extends AsyncDisposable {
  readonly core: Core;
  /** The join token of its worker. */
  readonly token: string;
  /** For the engine of its worker. */
  readonly blobs: BlobPort;
  /** Answers an operator's request for jobs and modules. Never rejects. */
  fetch(request: Request): Promise<Response>;
  /** Serves a call of the one worker. @throws the refusal */
  call(request: CallRequest, options: { readonly signal: AbortSignal }): Promise<unknown>;
  /** Ends what waits, stores what is left, lets go of the folder. Idempotent. */
  stop(): Promise<void>;
}

/** The name of the one worker, where a cluster has node ids. */
const workerNode = 'engine';

/**
 * Opens it.
 *
 * @throws CONFIG_INVALID when the folder is in use or of a newer release
 * @example await using alone = await openStandalone({ data: './data', admit });
 */
export const openStandalone = async (options: StandaloneOptions): Promise<Standalone> => {
  const { clock = systemClock, random = systemRandom, logger = silentLogger } = options;
  const folder = DataFolder.open(options.data, (text) => logger.warn({}, text));
  try {
    const { shortLives } = folder;
    folder.saveShortLives(shortLives + 1);
    const core = await openCore({
      givesBack: shortLives < controlLimits.shortLivesMax,
      admit: options.admit,
      clock,
      random,
      logger,
      tracer: options.tracer,
      blobs: blobFolder(folder.blobsPath),
      periods: standalonePeriods,
      openStore: (onEffects, onGroup) => openThreadStore({ path: folder.databasePath, onEffects, onGroup }),
    });
    const token = folder.joinToken(random);
    await core.tickets.keepOwn(token);
    const grownUp = clock.after(controlLimits.suspectRunMs, () => folder.saveShortLives(0));
    return new RunningStandalone({ folder, core, token, logger, grownUp });
  } catch (error) {
    folder[Symbol.dispose]();
    throw error;
  }
};

interface Parts {
  readonly folder: DataFolder;
  readonly core: Core;
  readonly token: string;
  readonly logger: Logger;
  /** Fires when this process has lived for long enough. */
  readonly grownUp: Timer;
}

class RunningStandalone implements Standalone {
  readonly #parts: Parts;
  readonly #table = callTable(callOperations);
  readonly #api: ReturnType<typeof createApi>;
  #stopping: Promise<void> | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.#api = createApi({ ...parts, scope: 'jobs' });
  }

  get core(): Core {
    return this.#parts.core;
  }

  get token(): string {
    return this.#parts.token;
  }

  get blobs(): BlobPort {
    return localBlobs(this.#parts.core.blobs);
  }

  fetch(request: Request): Promise<Response> {
    return this.#api.fetch(request, { kind: 'operator' });
  }

  async call(request: CallRequest, { signal }: { readonly signal: AbortSignal }): Promise<unknown> {
    const one = this.#operation(request);
    const { core, logger } = this.#parts;
    const { parameter = '', search = {}, body } = request;
    const caller = admit(core.nodes, one, { kind: 'peer', node: workerNode });
    const outcome = await one.invoke({ core, caller, logger, signal, header: () => null, body, search, parameter });
    switch (outcome.type) {
      case 'value':
        return outcome.value;
      case 'bytes':
        return outcome.bytes;
      case 'nothing':
        return undefined;
      case 'text':
      case 'events':
      case 'stream':
      case 'frames':
        throw mvmError(
          'INTERNAL',
          `${request.route} answers with a stream, which a worker in this process never asks for`,
        );
    }
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #operation({ method, route }: CallRequest): Operation {
    const one = this.#table.get(`${method} ${route}`);
    if (one) return one;
    throw mvmError('ROUTE_NOT_FOUND', `there is no call "${method} ${route}"`);
  }

  async #stop(): Promise<void> {
    const { core, folder, grownUp } = this.#parts;
    grownUp.cancel();
    await core.stop();
    folder.saveShortLives(0);
    folder[Symbol.dispose]();
  }
}
