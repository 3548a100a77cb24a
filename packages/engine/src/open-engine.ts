/** Puts an engine together: threads, modules, and the runs in progress. */
import type { Clock, Tracer } from '@mvm-ci/protocol';
import type { EffectPerformer } from './effects/performer.ts';
import { systemFetch } from './effects/system-fetch.ts';
import type { EngineStats, Measured } from './engine-stats.ts';
import type { Engine, EngineRun, RunPorts, RunRequest } from './engine.ts';
import { GuestThreads } from './guest/guest-threads.ts';
import { defaultGuestLimits, type GuestLimits } from './limits.ts';
import { silentLogger, type Logger } from './logger.ts';
import { ModuleCache, type ModuleSource } from './module/module-cache.ts';
import type { Random } from './random.ts';
import { query, type QueryRequest } from './run/query.ts';
import { replay, type Replayer, type ReplayReport, type ReplayRequest } from './run/replay.ts';
import { RunShell, type RunParts } from './run/run-shell.ts';
import { defaultThreads } from './system-cores.ts';
import { compileQuickjs, guestRuntimes } from './system-quickjs.ts';

export interface EngineOptions {
  /** Gets a module file by its hash; the engine checks that what came has it. */
  readonly modules: ModuleSource;
  readonly clock: Clock;
  readonly random: Random;
  /** Guest threads. @default one less than the machine's cores, at least one */
  readonly threads?: number | undefined;
  /** Performs the external effects. @default {@link systemFetch} */
  readonly performer?: EffectPerformer | undefined;
  /** @default {@link defaultGuestLimits} */
  readonly limits?: Partial<GuestLimits> | undefined;
  /**
   * A run that has rested for so long, with nothing open but sleeps, receives and joins, and no sleep that ends within that
   * time, is given back as `suspended`; one that only sleeps, and for longer, at once. @default never: whoever calls a run
   * must know what to do with one that is suspended
   */
  readonly suspendAfterMs?: number | undefined;
  /** @default a logger that keeps nothing */
  readonly logger?: Logger | undefined;
  /** Takes spans of the effects of runs that are traced. @default none are made */
  readonly tracer?: Tracer | undefined;
}

/**
 * Opens an embedded engine. Its threads start with the first steps.
 *
 * @example
 * await using engine = await openEngine({ modules, clock: systemClock, random: systemRandom });
 * const { ended } = engine.run(request, { sink: new MemoryJournal().hold(), mayStartEffect: () => true });
 */
export const openEngine = async (options: EngineOptions): Promise<Engine & Replayer & Measured> => {
  const limits = { ...defaultGuestLimits, ...options.limits };
  const { clock, random, performer = systemFetch, logger = silentLogger, tracer } = options;
  const suspendAfterMs = options.suspendAfterMs ?? Number.POSITIVE_INFINITY;
  const threads = options.threads ?? defaultThreads();
  const guests = new GuestThreads({ threads, quickjs: await compileQuickjs(), limits, clock });
  const modules = new ModuleCache({
    source: options.modules,
    guestRuntimes,
    compileRuntime: compileQuickjs,
    memoryBytesMax: limits.memoryBytesMax,
    onEvicted: ({ id }) => guests.unload(id),
  });
  const counts = { replays: 0, replayedEntries: 0, replaySeconds: 0 };
  return new EmbeddedEngine({ guests, modules, performer, clock, random, logger, tracer, suspendAfterMs, counts });
};

class EmbeddedEngine implements Engine, Replayer, Measured {
  readonly #parts: RunParts & { readonly guests: GuestThreads };
  readonly #runs = new Set<EngineRun>();
  readonly #stopped = new AbortController();

  constructor(parts: RunParts & { readonly guests: GuestThreads }) {
    this.#parts = parts;
  }

  get stats(): EngineStats {
    return { runs: this.#runs.size, ...this.#parts.guests.stats, ...this.#parts.counts };
  }

  run(request: RunRequest, ports: RunPorts): EngineRun {
    const run = new RunShell(request, ports, this.#parts);
    this.#runs.add(run);
    const forget = (): boolean => this.#runs.delete(run);
    run.ended.then(forget, forget);
    return run;
  }

  replay(
    request: ReplayRequest,
    { signal }: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<ReplayReport> {
    const ended = signal ? AbortSignal.any([signal, this.#stopped.signal]) : this.#stopped.signal;
    return replay(request, this.#parts, ended);
  }

  query(request: QueryRequest, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<string> {
    const ended = signal ? AbortSignal.any([signal, this.#stopped.signal]) : this.#stopped.signal;
    return query(request, this.#parts, ended);
  }

  async stop(): Promise<void> {
    this.#stopped.abort();
    for (const run of this.#runs) run.drop();
    await this.#parts.guests.stop();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
