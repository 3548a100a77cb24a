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
