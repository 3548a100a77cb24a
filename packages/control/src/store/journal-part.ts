/** Reads the batches of an attempt, or a part of them, from the table `journal`. */
import { chainStart, type JournalBatch } from '@mvm-ci/protocol';
import type { StatementSync } from 'node:sqlite';
import { bytes, number } from '../machine/column.ts';
import { unpackBlock } from '../machine/journal-block.ts';
import { journalRow } from '../machine/journal-table.ts';
import type { JournalPart } from './query.ts';

/** Which attempt: the job's number and id, and the attempt's number. */
export interface AttemptPlace {
  readonly id: string;
  readonly job: number;
  readonly attempt: number;
}

/** A part of a journal. */
export interface ReadPart {
  readonly batches: readonly JournalBatch[];
  /** The hash of the batch before them; null: there is none. */
  readonly previous: Uint8Array | null;
}

/** Where the row begins that holds entry number `?3`, and where rows end that begin before it. */
const firstSql = 'SELECT max(first_seq) AS seq FROM journal WHERE job = ?1 AND attempt = ?2 AND first_seq <= ?3';
const rowsSql = 'SELECT * FROM journal WHERE job = ? AND attempt = ? AND first_seq >= ? ORDER BY first_seq';
const previousSql =
  'SELECT hash FROM journal WHERE job = ? AND attempt = ? AND first_seq < ? ORDER BY first_seq DESC LIMIT 1';

/** The whole batches that hold what `part` names. @default part all of the journal */
export const readPart = (
  prepared: (sql: string) => StatementSync,
  { id, job, attempt }: AttemptPlace,
  part: JournalPart = { from: 0 },
): ReadPart => {
  const seq = prepared(firstSql).get(job, attempt, part.from)?.['seq'];
  const first = typeof seq === 'number' ? seq : 0;
  const before = first === 0 ? undefined : prepared(previousSql).get(job, attempt, first);
  const previous = before === undefined ? null : bytes(before, 'hash');
  const rows = prepared(rowsSql).iterate(job, attempt, first);
  return { batches: taken(rows, part, previous ?? chainStart(id, attempt)), previous };
};

const taken = (
  rows: ReturnType<StatementSync['iterate']>,
  { from, entriesMax = Infinity, bytesMax = Infinity }: JournalPart,
  previous: Uint8Array,
): readonly JournalBatch[] => {
  const batches: JournalBatch[] = [];
  let size = 0;
  for (const found of rows) {
    const isFull = size >= bytesMax || number(found, 'first_seq') >= from + entriesMax;
    if (batches.length > 0 && isFull) break;
    const row = journalRow(found);
    const held = row.isBlock ? unpackBlock(row, batches.at(-1)?.hash ?? previous) : [row];
    for (const batch of held) {
      batches.push(batch);
      size += batch.bytes.length;
    }
  }
  return batches;
};
