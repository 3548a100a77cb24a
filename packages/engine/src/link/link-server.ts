/**
 * Serves an engine over conversations: admission, and the end of all runs.
 *
 *   1. At most `runsMax` runs have a place; further ones are told so before anything is started for them.
 *   2. After `drain` or `stop` no run is admitted.
 */
import { mvmError, type AcceptConversation, type Clock, type MvmError } from '@mvm-ci/protocol';
import type { Engine } from '../engine.ts';
import type { JournalKeeper } from './journal-keeper.ts';
import type { ModuleDesk } from './module-desk.ts';
import { ServedRun } from './served-run.ts';

export interface LinkServerOptions {
  /** Whoever made it stops it, after the server. */
  readonly engine: Pick<Engine, 'run'>;
  /** Runs at the same time. */
  readonly runsMax: number;
  /** Where the engine gets its modules from; its `source` is the engine's. @default the engine has a source of its own */
  readonly modules?: ModuleDesk | undefined;
  readonly clock: Pick<Clock, 'monotonicMs' | 'after'>;
}

/** Runs attempts for holders elsewhere. */
export class LinkServer {
  readonly runsMax: number;
  readonly #options: LinkServerOptions;
  readonly #runs = new Set<ServedRun>();
  #closing: MvmError | undefined;
  #emptied = Promise.withResolvers<void>();

  constructor(options: LinkServerOptions) {
    this.runsMax = options.runsMax;
    this.#options = options;
  }

  /** Runs that have a place. */
  get runs(): number {
    return this.#runs.size;
  }

  /** Takes the conversations of one holder; with a keeper, its journals don't come over the link. */
  accept(keeper?: JournalKeeper): AcceptConversation {
    const { engine, clock, modules } = this.#options;
    return (conversation) =>
      new ServedRun(conversation, {
        engine,
        clock,
        modules,
        keeper,
        onAdmit: (run) => this.#admit(run),
        onFreed: (run) => this.#free(run),
      });
  }

  /** Admits nothing more, lets the runs end for `graceMs`, gives the rest back, and resolves when none is left. */
  async drain({ graceMs }: { readonly graceMs: number }): Promise<void> {
    this.#closing ??= mvmError('UNAVAILABLE', 'this engine is going away: it takes no more runs', {
      draining: true,
    });
    const timer = this.#options.clock.after(graceMs, () => {
      for (const run of this.#runs) run.release();
    });
    await this.#untilEmpty();
    timer.cancel();
  }

  /** Drops all runs; their holders go on elsewhere. Idempotent. */
  async stop(): Promise<void> {
    this.#closing ??= mvmError('UNAVAILABLE', 'this engine has stopped');
    for (const run of this.#runs) run.close(mvmError('CONNECTION_LOST', 'the engine has stopped'));
    await this.#untilEmpty();
  }

  #admit(run: ServedRun): MvmError | undefined {
    if (this.#closing) return this.#closing;
    if (this.#runs.size >= this.runsMax)
      return mvmError(
        'ENGINE_BUSY',
        `this engine runs ${this.runsMax} jobs at the same time, and all places are taken`,
        {
          runsMax: this.runsMax,
        },
      );
    this.#runs.add(run);
    return undefined;
  }

  #free(run: ServedRun): void {
    this.#runs.delete(run);
    if (this.#runs.size > 0) return;
    this.#emptied.resolve();
    this.#emptied = Promise.withResolvers();
  }

  async #untilEmpty(): Promise<void> {
    while (this.#runs.size > 0) await this.#emptied.promise;
  }
}
