import { describeJournal } from '@mvm-ci/testkit';
import { MemoryJournal } from '../../src/journals/memory.ts';

describeJournal('a journal in memory', () => {
  const journals = new Map<string, MemoryJournal>();
  const journalOf = (job: string, attempt: number): MemoryJournal => {
    const key = `${job}:${attempt}`;
    const journal = journals.get(key) ?? new MemoryJournal();
    journals.set(key, journal);
    return journal;
  };
  return {
    hold: (job, attempt) => {
      const journal = journalOf(job, attempt);
      return Promise.resolve({ entries: [...journal.entries], sink: journal.hold() });
    },
    outcome: (job, attempt) => Promise.resolve(journalOf(job, attempt).outcome),
    stop: () => Promise.resolve(),
  };
});
