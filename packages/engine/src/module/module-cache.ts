/**
 * The modules of an engine, by hash. It owns the loads in progress: several runs that need the same module share one, and
 * it is given up when the last of them is gone.
 */
import { decodeModule, moduleHash, mvmError } from '@mvm-ci/protocol';
import { engineLimits } from '../limits.ts';
import { loadModule, type LoadedModule, type LoadOptions } from './loaded-module.ts';

/** Gets a module file by its hash. */
export type ModuleSource = (hash: string, options: { readonly signal: AbortSignal }) => Promise<Uint8Array>;

export interface ModuleCacheOptions extends LoadOptions {
  readonly source: ModuleSource;
  /** A module left the cache. */
  readonly onEvicted: (module: LoadedModule) => void;
  /** @default engineLimits.moduleCacheBytesMax */
  readonly bytesMax?: number | undefined;
}

interface Load {
  readonly module: Promise<LoadedModule>;
  readonly abort: AbortController;
  waiters: number;
}

export class ModuleCache {
  readonly #options: ModuleCacheOptions;
  /** The one that was used last comes last. */
  readonly #modules = new Map<string, LoadedModule>();
  readonly #loads = new Map<string, Load>();
  #bytes = 0;

  constructor(options: ModuleCacheOptions) {
    this.#options = options;
  }

  /**
   * The module with this hash.
   *
   * @throws {MvmError} what the source throws; `MODULE_INVALID` when what came has another hash or can't run here;
   *   `CANCELLED` when `signal` fires first
   */
  async get(hash: string, signal: AbortSignal): Promise<LoadedModule> {
    const cached = this.#modules.get(hash);
    if (!cached) return this.#join(hash, signal);
    this.#modules.delete(hash);
    this.#modules.set(hash, cached);
    return cached;
  }

  async #join(hash: string, signal: AbortSignal): Promise<LoadedModule> {
    const load = this.#loads.get(hash) ?? this.#startLoad(hash);
    load.waiters += 1;
    const { promise, reject } = Promise.withResolvers<never>();
    const leave = (): void => reject(mvmError('CANCELLED', `module ${hash} is no longer needed`));
    signal.addEventListener('abort', leave, { once: true });
    if (signal.aborted) leave();
    try {
      return await Promise.race([load.module, promise]);
    } finally {
      signal.removeEventListener('abort', leave);
      load.waiters -= 1;
      if (load.waiters === 0) load.abort.abort();
    }
  }

  #startLoad(hash: string): Load {
    const abort = new AbortController();
    const module = this.#load(hash, abort.signal).finally(() => this.#loads.delete(hash));
    // Every waiter may have left before it fails.
    module.catch(() => undefined);
    const load = { module, abort, waiters: 0 };
    this.#loads.set(hash, load);
    return load;
  }

  async #load(hash: string, signal: AbortSignal): Promise<LoadedModule> {
    const bytes = await this.#options.source(hash, { signal });
    const received = moduleHash(bytes);
    if (received !== hash)
      throw mvmError('MODULE_INVALID', `module ${hash} was asked for, and a file with the hash ${received} came`, {
        asked: hash,
        received,
      });
    const module = await loadModule(decodeModule(bytes), this.#options);
    this.#keep(hash, module);
    return module;
  }

  #keep(hash: string, module: LoadedModule): void {
    this.#modules.set(hash, module);
    this.#bytes += module.size;
    for (const [oldHash, old] of this.#modules) {
      if (this.#bytes <= (this.#options.bytesMax ?? engineLimits.moduleCacheBytesMax) || old === module) return;
      this.#modules.delete(oldHash);
      this.#bytes -= old.size;
      this.#options.onEvicted(old);
    }
  }
}
