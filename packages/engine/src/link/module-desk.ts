/**
 * Where an engine that serves links gets its modules: from the holders of the runs that need them.
 *
 *   1. A module is asked for once at a time, of one of the runs that wait for it. When that one is gone, or gives another
 *      file, the next one is asked.
 *   2. What comes is checked against its hash: a holder can't give another holder's run a module of its own.
 */
import { mvmError, moduleHash, RetryLaterError, TerminalError } from '@mvm-ci/protocol';
import type { ModuleSource } from '../module/module-cache.ts';

/** Asks a run's holder for the module. @throws CONNECTION_LOST when the holder is gone; MODULE_NOT_FOUND */
export type AskHolder = () => Promise<Uint8Array>;

export class ModuleDesk {
  readonly #holders = new Map<string, Set<AskHolder>>();

  /** A run needs the module with this hash, and `ask` may be called for it. @returns takes that back; idempotent */
  offer(hash: string, ask: AskHolder): () => void {
    const asks = this.#holders.get(hash) ?? new Set();
    this.#holders.set(hash, asks);
    asks.add(ask);
    return () => {
      asks.delete(ask);
      if (asks.size === 0 && this.#holders.get(hash) === asks) this.#holders.delete(hash);
    };
  }

  /** The engine's source. @throws MODULE_NOT_FOUND, MODULE_INVALID; UNAVAILABLE when no holder is left */
  readonly source: ModuleSource = async (hash, { signal }) => {
    const asked = new Set<AskHolder>();
    let reason: unknown = mvmError('UNAVAILABLE', `nobody is left who has module ${hash}`);
    for (let ask = this.#next(hash, asked); ask && !signal.aborted; ask = this.#next(hash, asked)) {
      asked.add(ask);
      try {
        return checked(hash, await ask());
      } catch (error) {
        if (!(error instanceof RetryLaterError || error instanceof TerminalError)) throw error;
        reason = error;
      }
    }
    throw reason;
  };

  #next(hash: string, asked: ReadonlySet<AskHolder>): AskHolder | undefined {
    return [...(this.#holders.get(hash) ?? [])].find((ask) => !asked.has(ask));
  }
}

const checked = (hash: string, file: Uint8Array): Uint8Array => {
  const received = moduleHash(file);
  if (received === hash) return file;
  throw mvmError('MODULE_INVALID', `module ${hash} was asked for, and a file with the hash ${received} came`, {
    asked: hash,
    received,
  });
};
