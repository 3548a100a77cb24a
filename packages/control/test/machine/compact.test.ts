import { bytesEqual, chainHash, chainStart, encodeEntry, readBatches, type JournalBatch } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import { journalEntries, partEntries } from '../../src/queue/journal-view.ts';
import { outcomeHash } from '../../src/queue/outcome-hash.ts';
import type { JournalPart, StoredJournal } from '../../src/store/query.ts';
import type { Store } from '../../src/store/store.ts';
import { openDirectStore } from '../fixtures/direct-store.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';
import { claimRuns, deployCrawler, publishRuns } from './commands.ts';

const batchesMax = 60;

/** A log line a batch, each like the one before. */
const batches = (job: string): readonly JournalBatch[] => {
  let previous = chainStart(job, 1);
  return Array.from({ length: batchesMax }, (_, firstSeq) => {
    const text = `line ${firstSeq} of a job that says much the same again and again`;
    const bytes = encodeEntry({ kind: 'intents', intents: [{ type: 'log', level: 'info', text }] });
    previous = chainHash(previous, { firstSeq, count: 1, bytes });
    return { firstSeq, count: 1, bytes, hash: previous };
  });
};

/** A store with one job that is over, and its file. */
class Bench implements AsyncDisposable {
  readonly #folder = new TemporaryFolder();
  readonly path = join(this.#folder.path, 'control.db');
  store: Store = openDirectStore(this.path, () => undefined);

  async run(): Promise<void> {
    await this.store.apply<'deploy'>(deployCrawler(1));
    await this.store.apply<'publish'>(publishRuns(1, ['a']));
    await this.store.apply<'claim'>(claimRuns(1, 'w1', 1));
    const appends = batches('a').map((batch) => ({ job: 'a', epoch: 1, attempt: 1, ...batch }));
    await this.store.apply<'append'>({ type: 'append', at: 1, worker: 'w1', appends });
    const outcome = { type: 'completed', result: '1' } as const;
    const finishes = [{ job: 'a', epoch: 1, attempt: 1, outcome, outcomeHash: outcomeHash(outcome) }];
    await this.store.apply<'finish'>({ type: 'finish', at: 1, worker: 'w1', finishes, jitter: 0 });
  }

  async journal(part?: JournalPart): Promise<StoredJournal> {
    const { journal } = await this.store.read<'journal'>({ type: 'journal', id: 'a', attempt: null, part });
    return journal ?? assert.fail('no journal');
  }

  /** Changes the file while nobody has it open. */
  async edit(change: (db: DatabaseSync) => void): Promise<void> {
    await this.store.close();
    const db = new DatabaseSync(this.path);
    change(db);
    db.close();
    this.store = openDirectStore(this.path, () => undefined);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.store.close();
    this.#folder[Symbol.dispose]();
  }
}

const pack = { type: 'compact', at: 2, before: 2, jobsMax: 10 } as const;

suite('a packed journal', () => {
  test('takes a fraction of the bytes, and has the batches, the entries and the hashes that it had', async () => {
    await using bench = new Bench();
    await bench.run();
    const before = await bench.journal();
    const { rows, bytesBefore, bytesAfter } = await bench.store.apply<'compact'>(pack);
    assert.equal(rows, batchesMax);
    assert.ok(bytesAfter * 10 < bytesBefore, `${bytesBefore} became ${bytesAfter}`);
    const after = await bench.journal();
    assert.deepEqual(
      after.batches.map(({ firstSeq, count, hash }) => [firstSeq, count, hash.toHex()]),
      before.batches.map(({ firstSeq, count, hash }) => [firstSeq, count, hash.toHex()]),
    );
    assert.ok(
      after.batches.every(({ bytes }, index) => bytesEqual(bytes, before.batches[index]?.bytes ?? bytes.subarray(1))),
    );
    assert.equal(readBatches(chainStart('a', 1), after.batches).length, batchesMax);
  });

  test('is read in parts like any other', async () => {
    await using bench = new Bench();
    await bench.run();
    const read = async (from: number): Promise<unknown> =>
      partEntries('a', await bench.journal({ from, entriesMax: 7 }), { from, entriesMax: 7 });
    const before = await Promise.all([1, 30, 55, 59, 60].map(read));
    await bench.store.apply<'compact'>(pack);
    assert.deepEqual(await Promise.all([1, 30, 55, 59, 60].map(read)), before);
  });

  test('is found damaged when a byte of it was changed, or its end exchanged', async () => {
    for (const column of ['bytes', 'hash'] as const) {
      await using bench = new Bench();
      await bench.run();
      await bench.store.apply<'compact'>(pack);
      await bench.edit((db) => {
        const value = db.prepare(`SELECT ${column} AS value FROM journal`).get()?.['value'];
        assert.ok(value instanceof Uint8Array);
        value[value.length - 6] = (value.at(-6) ?? 0) ^ 1;
        db.prepare(`UPDATE journal SET ${column} = ?`).run(value);
      });
      await assert.rejects(async () => journalEntries('a', await bench.journal()), { code: 'JOURNAL_CORRUPT' }, column);
    }
  });

  test('is left alone the next time, also by the next process', async () => {
    await using bench = new Bench();
    await bench.run();
    await bench.store.apply<'compact'>(pack);
    await bench.edit(() => undefined);
    assert.deepEqual(await bench.store.apply<'compact'>(pack), {
      type: 'compact',
      seen: 0,
      rows: 0,
      bytesBefore: 0,
      bytesAfter: 0,
    });
  });
});
