import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, it } from 'node:test';
import type { JournalEntry } from '@mvm-ci/protocol';
import { describeJournal } from '@mvm-ci/testkit';
import { SqliteJournals } from '../../src/journals/sqlite.ts';

const folder = (): Promise<string> => mkdtemp(join(tmpdir(), 'mvm-ci-journals-'));

describeJournal('a journal in SQLite', async () => {
  const home = await folder();
  const journals = new SqliteJournals(join(home, 'journals.db'));
  return {
    hold: (job, attempt) => journals.hold(job, attempt),
    stop: async () => {
      await journals.close();
      await rm(home, { recursive: true });
    },
  };
});

const largeResult = JSON.stringify('x'.repeat(600_000));

describe('a journal file', () => {
  const completed: JournalEntry = { kind: 'completed', at: 1, result: '1' };

  it('keeps what was appended over its closing and opening', async () => {
    const home = await folder();
    const path = join(home, 'journals.db');
    {
      await using journals = new SqliteJournals(path);
      const { sink } = await journals.hold('j1', 1);
      await sink.append([completed]);
    }
    await using journals = new SqliteJournals(path);
    assert.deepEqual((await journals.hold('j1', 1)).entries, [completed]);
    await rm(home, { recursive: true });
  });

  it('refuses to go on with a journal of which a byte was changed', async () => {
    const home = await folder();
    const path = join(home, 'journals.db');
    {
      await using journals = new SqliteJournals(path);
      const { sink } = await journals.hold('j1', 1);
      await sink.append([completed]);
    }
    const database = new DatabaseSync(path);
    database.prepare('UPDATE batch SET bytes = ?').run(new Uint8Array([0x93, 3, 2, 0xa1, 0x32]));
    database.close();
    await using journals = new SqliteJournals(path);
    await assert.rejects(journals.hold('j1', 1), { code: 'JOURNAL_CORRUPT' });
    await rm(home, { recursive: true });
  });

  it('reads a journal of several pieces whole, and goes on behind it', async () => {
    const home = await folder();
    await using journals = new SqliteJournals(join(home, 'journals.db'));
    const { sink } = await journals.hold('j1', 1);
    const entries = Array.from({ length: 40 }, (_, at): JournalEntry => ({ ...completed, at, result: largeResult }));
    await Promise.all(entries.map((entry) => sink.append([entry])));
    const next = await journals.hold('j1', 1);
    assert.deepEqual(next.entries, entries);
    await next.sink.append([completed]);
    assert.equal((await journals.hold('j1', 1)).entries.length, entries.length + 1);
    await rm(home, { recursive: true });
  });

  it('names the first batch that does not follow, in whatever piece it is', async () => {
    const home = await folder();
    const path = join(home, 'journals.db');
    {
      await using journals = new SqliteJournals(path);
      const { sink } = await journals.hold('j1', 1);
      for (let at = 0; at < 4; at += 1) await sink.append([{ ...completed, at, result: largeResult }]);
    }
    const database = new DatabaseSync(path);
    database.prepare('DELETE FROM batch WHERE first_seq = 2').run();
    database.close();
    await using journals = new SqliteJournals(path);
    await assert.rejects(journals.hold('j1', 1), { code: 'JOURNAL_CORRUPT', details: { firstSeq: 3 } });
    await rm(home, { recursive: true });
  });

  it('fences the holder of before also when the file was closed between', async () => {
    const home = await folder();
    const path = join(home, 'journals.db');
    const epochs = async (): Promise<unknown> => {
      const database = new DatabaseSync(path);
      const row = database.prepare('SELECT epoch FROM attempt').get();
      database.close();
      return row?.['epoch'];
    };
    for (const holder of [1, 2, 3]) {
      const journals = new SqliteJournals(path);
      await journals.hold('j1', 1);
      await journals.close();
      assert.equal(await epochs(), holder);
    }
    await rm(home, { recursive: true });
  });

  it('is one process’s at a time: the next one’s calls are rejected', async () => {
    const home = await folder();
    const path = join(home, 'journals.db');
    await using first = new SqliteJournals(path);
    const { sink } = await first.hold('j1', 1);
    const second = new SqliteJournals(path);
    await assert.rejects(second.hold('j1', 1), { code: 'INTERNAL', message: /locked/ });
    await second.close();
    await sink.append([completed]);
    await rm(home, { recursive: true });
  });

  it('is not opened when its tables are of another version', async () => {
    const home = await folder();
    const path = join(home, 'journals.db');
    const database = new DatabaseSync(path);
    database.exec('CREATE TABLE attempt (job TEXT)');
    database.close();
    const journals = new SqliteJournals(path);
    await assert.rejects(journals.hold('j1', 1), { code: 'INTERNAL', message: /version 2 was expected, not 0/ });
    await rm(home, { recursive: true });
  });

  it('rejects every call after it was closed', async () => {
    const home = await folder();
    const journals = new SqliteJournals(join(home, 'journals.db'));
    const { sink } = await journals.hold('j1', 1);
    await journals.close();
    await journals.close();
    await assert.rejects(sink.append([completed]), { code: 'INTERNAL' });
    await assert.rejects(journals.hold('j1', 1), { code: 'INTERNAL' });
    await rm(home, { recursive: true });
  });
});
