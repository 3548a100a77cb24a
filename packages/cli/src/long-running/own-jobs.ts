/**
 * The jobs of an engine server that is used alone: a queue with journals in a folder of this process, and a worker that runs
 * its jobs in the engine of this process. Owns both; the engine belongs to whoever gave it.
 */
import { openStandalone, type Standalone } from '@mvm-ci/control';
import { admitModule, engineLimits } from '@mvm-ci/engine';
import {
  FlawlessDesk,
  type FlawlessDeskParts,
  type FlawlessService,
  type JournalCounts,
  type OwnJobs,
  type WorkCounts,
} from '@mvm-ci/flawless';
import { systemClock } from '@mvm-ci/net';
import {
  asMvmError,
  mvmError,
  MvmError,
  type BlobPort,
  type Logger,
  type ModuleFile,
  type QueueStats,
  type Tracer,
} from '@mvm-ci/protocol';
import { embeddedHost, startWorker, workerLimits, type Worker } from '@mvm-ci/worker';
import type { Config } from '../config/setting.ts';
import { systemRandom } from '../system-random.ts';
import { CountedCalls } from './counted-calls.ts';
import type { EngineService } from './engine-service.ts';

/** How jobs run. */
interface Running {
  readonly service: EngineService;
  readonly config: Pick<Config, 'maxRuns'>;
}

/** See the head of this file. */
export class OwnJobStore implements OwnJobs, AsyncDisposable {
  readonly flawless: FlawlessService;
  readonly #alone: Standalone;
  readonly #logger: Logger;
  readonly #tracer: Tracer | undefined;
  /** Fires when no more workflows are taken. */
  readonly #closing = new AbortController();
  /** Fires when none runs any more. */
  readonly #ending = new AbortController();
  readonly #calls: CountedCalls;
  #worker: Worker | undefined;

  private constructor(alone: Standalone, logger: Logger, tracer: Tracer | undefined) {
    this.#alone = alone;
    this.#logger = logger;
    this.#tracer = tracer;
    this.#calls = new CountedCalls(alone, systemClock);
    const { queue, modules } = alone.core;
    const signals = { closing: this.#closing.signal, ending: this.#ending.signal };
    this.flawless = new FlawlessDesk({ queue, modules, identify, newId, ...signals });
  }

  /** Opens the queue in a folder; nothing runs yet. @throws CONFIG_INVALID when another process uses it */
  static async open(folder: string, logger: Logger, tracer?: Tracer): Promise<OwnJobStore> {
    const admit = (file: ModuleFile): ReturnType<typeof admitModule> => admitModule(file);
    const alone = await openStandalone({ data: folder, admit, ...ports, logger, tracer });
    return new OwnJobStore(alone, logger, tracer);
  }

  /** Begins with the jobs that are due. */
  async run({ service, config }: Running): Promise<void> {
    this.#worker = await startWorker({
      peer: this.#calls,
      openHost: () => embeddedHost(borrowed(service)),
      slots: Math.min(config.maxRuns ?? engineLimits.servedRunsDefault, workerLimits.slotsMax),
      token: this.#alone.token,
      name: 'engine',
      ...ports,
      logger: this.#logger,
      tracer: this.#tracer,
    });
  }

  /** Where its jobs keep their blobs. */
  get blobs(): BlobPort {
    return this.#alone.blobs;
  }

  fetch(request: Request): Promise<Response> {
    return this.#alone.fetch(request);
  }

  get journalCounts(): JournalCounts {
    return this.#calls.counts;
  }

  get workCounts(): WorkCounts {
    const { held = 0, claimed = 0, resumed = 0 } = this.#worker?.state ?? {};
    return { running: held, claimed, resumed };
  }

  stats(): Promise<QueueStats> {
    const { queue, nodes } = this.#alone.core;
    return queue.stats(nodes.countAlive());
  }

  /** The file of a module that was deployed here. */
  async module(hash: string): Promise<Uint8Array | undefined> {
    try {
      return await this.#alone.core.modules.file(hash);
    } catch (error) {
      if (error instanceof MvmError && error.code === 'MODULE_NOT_FOUND') return undefined;
      throw error;
    }
  }

  async drain({ graceMs }: { readonly graceMs: number }): Promise<void> {
    this.#closing.abort();
    await this.#worker?.drain({ graceMs });
    this.#ending.abort();
    this.#alone.core.endWaits();
  }

  /** Drops what still runs; it goes on at the next start. */
  async drop(): Promise<void> {
    this.#closing.abort();
    this.#ending.abort();
    await this.#worker?.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drop();
    await this.#alone.stop();
  }
}

const ports = { clock: systemClock, random: systemRandom };

/** The engine as the worker's: it ends after the worker, with all that run in it. */
const borrowed = ({ engine }: EngineService): Parameters<typeof embeddedHost>[0] => ({
  run: (request, to) => engine.run(request, to),
  stop: () => Promise.resolve(),
  [Symbol.asyncDispose]: () => Promise.resolve(),
});

const identify: FlawlessDeskParts['identify'] = async (wasm, workflows) => {
  const { moduleOfWasm } = await import('@mvm-ci/build');
  try {
    return moduleOfWasm(wasm, workflows);
  } catch (error) {
    throw mvmError('MODULE_INVALID', asMvmError(error).message, undefined, { cause: error });
  }
};

const idChars = 20;
const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

const newId = (): string => [...systemRandom.bytes(idChars)].map((byte) => alphabet[byte % alphabet.length]).join('');
