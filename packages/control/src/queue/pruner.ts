/**
 * Forgets jobs that have been over for long enough, or of which there are too many. With an archive, what is forgotten is
 * written there first.
 *
 *   1. A job is forgotten only after its line in the archive is on the disk: a crash between the two writes it twice.
 *   2. One page at a time, with pauses: whoever works is not held up.
 *   3. What fails is tried again at the next turn.
 *   4. A journal that is damaged keeps no job, and none behind it: the archive says so in its place, and so does the log.
 *   5. Jobs are read one after another while they are written: a page of them may be larger than the memory.
 */
import { finalStates, type Clock, type Timer } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { Logger } from '../logger.ts';
import type { KeepRule } from '../store/prunable.ts';
import type { Store } from '../store/store.ts';
import { archivedJob, type ArchivedJob } from './archived-job.ts';

/** What is kept of the jobs that are over in one state. */
export interface Keep {
  /** For how long after their end; null: for ever. */
  readonly ms: number | null;
  /** How many, the latest; null: all. */
  readonly count: number | null;
}

/** What is kept. @default everything */
export type Retention = { readonly [S in KeepRule['state']]?: Keep | undefined };

/** Where jobs are written before they are forgotten. */
export interface Archive {
  /** Resolves when they are on the disk. */
  write(jobs: AsyncIterable<ArchivedJob>): Promise<void>;
}

/** What the pruner works with. */
export interface PrunerParts {
  readonly store: Store;
  readonly clock: Clock;
  readonly retention: Retention;
  /** @default none */
  readonly archive?: Archive | undefined;
  readonly logger: Logger;
}

/** See the head of this file. */
export class Pruner {
  readonly #parts: PrunerParts;
  #timer: Timer | undefined;
  #turn: Promise<void> | undefined;
  #stopped = false;

  constructor(parts: PrunerParts) {
    this.#parts = parts;
    if (rulesAt(parts.retention, 0).length > 0) this.#wait(controlLimits.prunePauseMs);
  }

  /** Waits for the turn that is under way. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#timer?.cancel();
    await this.#turn;
  }

  #wait(ms: number): void {
    if (this.#stopped) return;
    this.#timer = this.#parts.clock.after(ms, () => {
      this.#turn = this.#prune();
    });
  }

  async #prune(): Promise<void> {
    try {
      const found = await this.#page();
      this.#wait(found === controlLimits.pruneJobs ? controlLimits.prunePauseMs : controlLimits.pruneIdleMs);
    } catch (error) {
      this.#parts.logger.warn({ err: error }, 'old jobs could not be removed: trying again');
      this.#wait(controlLimits.pruneIdleMs);
    }
  }

  /** @returns how many jobs it found */
  async #page(): Promise<number> {
    const { store, clock, retention, archive } = this.#parts;
    const at = clock.wallMs();
    const rules = rulesAt(retention, at);
    const { ids } = await store.read<'prunable'>({ type: 'prunable', rules, limit: controlLimits.pruneJobs });
    if (ids.length === 0) return 0;
    if (archive !== undefined) await archive.write(this.#archived(ids));
    await store.apply<'prune'>({ type: 'prune', at, jobs: ids });
    return ids.length;
  }

  async *#archived(ids: readonly string[]): AsyncGenerator<ArchivedJob> {
    const { store, logger } = this.#parts;
    for (const id of ids) {
      const archived = await archivedJob(store, id);
      for (const { attempt, error } of archived.journals)
        if (error) logger.warn({ job: id, attempt, reason: error.message }, 'a job is archived without its journal');
      yield archived;
    }
  }
}

const rulesAt = (retention: Retention, at: number): readonly KeepRule[] =>
  finalStates.flatMap((state) => {
    const { ms = null, count = null } = retention[state] ?? {};
    return ms === null && count === null ? [] : [{ state, before: ms === null ? null : at - ms, count }];
  });
