import type { JobOptions } from '@mvm-ci/protocol';
import type { DatabaseSync, StatementSync } from 'node:sqlite';

/** By what jobs are found. */
export type LabelKind = 'key' | 'queue' | 'tag';

/** The table `labels`: the tags of jobs, their keys, and their queues but for the default one. */
export class LabelTable {
  readonly #insert: StatementSync;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare('INSERT OR IGNORE INTO labels VALUES (?, ?, ?)');
  }

  insert(job: number, { key, queue, tags = [] }: JobOptions): void {
    if (key !== undefined) this.#put('key', key, job);
    if (queue !== undefined) this.#put('queue', queue, job);
    for (const tag of tags) this.#put('tag', tag, job);
  }

  #put(kind: LabelKind, label: string, job: number): void {
    this.#insert.run(kind, label, job);
  }
}
