/** A stored journal as people read it. */
import {
  batchEntries,
  chainStart,
  checkBatches,
  mvmError,
  readBatches,
  type Answer,
  type Intent,
  type JournalEntry,
  type LogIntent,
  type LogLevel,
} from '@mvm-ci/protocol';
import type { StoredJournal } from '../store/query.ts';

/** One entry: its number, its kind and its kind's fields; bytes as `{ utf8 }` or `{ base64 }`. */
export interface JournalEntryView {
  readonly seq: number;
  readonly kind: JournalEntry['kind'];
  readonly [field: string]: unknown;
}

/** A line of a job's log. `at` is the workflow's own time, Unix ms. */
export interface LogLineView {
  readonly seq: number;
  readonly at: number;
  readonly level: LogLevel;
  readonly text: string;
}

/**
 * The entries of a journal, after checking its chain.
 *
 * @throws JOURNAL_CORRUPT when it is not what was appended
 */
export const journalEntries = (job: string, journal: StoredJournal): readonly JournalEntry[] => {
  const entries = readBatches(chainStart(job, journal.attempt), journal.batches);
  if (journal.entries === null || journal.entries === entries.length) return entries;
  throw mvmError(
    'JOURNAL_CORRUPT',
    `the journal of job "${job}" has ${entries.length} entries, and should have ${journal.entries}`,
  );
};

/**
 * The entries that the batches of a part hold, from number `from` on, after checking that they follow from the batch before.
 *
 * @throws JOURNAL_CORRUPT when they don't
 */
export const partEntries = (
  job: string,
  { attempt, previous, batches }: StoredJournal,
  { from, entriesMax }: { readonly from: number; readonly entriesMax: number },
): readonly JournalEntry[] => {
  const first = batches[0]?.firstSeq ?? 0;
  checkBatches(previous ?? chainStart(job, attempt), batches, first);
  const skipped = Math.max(0, from - first);
  return batchEntries(batches).slice(skipped, skipped + entriesMax);
};

/** An entry to show. */
export const journalEntryView = (entry: JournalEntry, seq: number): JournalEntryView => {
  switch (entry.kind) {
    case 'started':
      return { seq, ...entry, seed: entry.seed.toHex() };
    case 'intents':
      return { seq, kind: 'intents', intents: entry.intents.map(intentView) };
    case 'answered':
      return { seq, ...entry, answer: answerView(entry.answer) };
    case 'completed':
    case 'failed':
    case 'ran':
      return { seq, ...entry };
  }
};

/** What a journal logged, each line with the time of the activation that wrote it. */
export const logLines = (entries: readonly JournalEntry[]): readonly LogLineView[] => {
  const lines: LogLineView[] = [];
  let at = 0;
  for (const [seq, entry] of entries.entries()) {
    if (entry.kind !== 'intents') at = Math.max(at, entry.at);
    else lines.push(...entry.intents.filter(isLog).map(({ level, text }) => ({ seq, at, level, text })));
  }
  return lines;
};

const isLog = (intent: Intent): intent is LogIntent => intent.type === 'log';

const intentView = (intent: Intent): unknown =>
  intent.type === 'fetch' ? { ...intent, body: intent.body === null ? null : bytesView(intent.body) } : intent;

const answerView = (answer: Answer): unknown =>
  answer.type === 'fetched'
    ? { ...answer, response: { ...answer.response, body: bytesView(answer.response.body) } }
    : answer;

const bytesView = (bytes: Uint8Array): { utf8: string } | { base64: string } => {
  try {
    return { utf8: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { base64: new Uint8Array(bytes).toBase64() };
  }
};
