/**
 * Replays stored journals in this process: checks them, and runs the module in guest threads of its own, without any effect. It
 * knows nothing of where journals and modules come from.
 */
import type { Engine, ModuleSource, Replayer, ReplayReport } from '@mvm-ci/engine';
import { chainStart, readBatches, type JournalBatch } from '@mvm-ci/protocol';
import { systemRandom } from '../system-random.ts';

/** An attempt with its journal, as it is stored. */
export interface StoredAttempt {
  readonly job: string;
  readonly attempt: number;
  /** Entry point in the module. */
  readonly workflow: string;
  /** Hash of the module that it runs with; null: the one that its first entry names. */
  readonly module: string | null;
  readonly batches: readonly JournalBatch[];
}

/** What came of a replay, and how long it took. */
export interface TimedReport extends ReplayReport {
  /** Hash of the module that it was replayed with. */
  readonly module: string;
  /** Wall time of the replay, the module's loading included. */
  readonly ms: number;
}

/** See the head of this file. */
export class LocalReplayer implements AsyncDisposable {
  readonly #engine: Engine & Replayer;
  readonly #monotonicMs: () => number;

  private constructor(engine: Engine & Replayer, monotonicMs: () => number) {
    this.#engine = engine;
    this.#monotonicMs = monotonicMs;
  }

  /** Opens one that gets its modules from `modules`. */
  static async open(modules: ModuleSource): Promise<LocalReplayer> {
    const { openEngine, systemClock } = await import('@mvm-ci/engine');
    const engine = await openEngine({ modules, clock: systemClock, random: systemRandom });
    return new LocalReplayer(engine, () => systemClock.monotonicMs());
  }

  /**
   * Replays an attempt.
   *
   * @param patch hash of another module to replay it with @default the attempt's own
   * @throws {MvmError} `JOURNAL_CORRUPT` when the journal is damaged, and what the engine's replay throws
   */
  async replay(stored: StoredAttempt, patch?: string): Promise<TimedReport> {
    const { job, attempt } = stored;
    const journal = readBatches(chainStart(job, attempt), stored.batches);
    const first = journal[0];
    const own = first?.kind === 'started' ? first : undefined;
    const module = patch ?? stored.module ?? own?.module ?? '';
    const workflow = own?.workflow ?? stored.workflow;
    const startedMs = this.#monotonicMs();
    const report = await this.#engine.replay({ job, attempt, module, workflow, journal });
    return { ...report, module, ms: this.#monotonicMs() - startedMs };
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#engine.stop();
  }
}
