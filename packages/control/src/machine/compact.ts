/**
 * `compact`: packs the journals of jobs that are over. It goes through the jobs by their change number, from where it was last: a job that
 * is not over yet will have a higher one when it is. Nothing that anybody can see changes.
 */
import { isFinal, type JournalBatch } from '@mvm-ci/protocol';
import { controlLimits } from '../limits.ts';
import type { Application } from './application.ts';
import type { CompactCommand } from './command.ts';
import { packBlock } from './journal-block.ts';
import type { JournalRow } from './journal-table.ts';
import type { ReplyTo } from './reply.ts';

/** Packs up to `jobsMax` jobs that have not changed since `before`. */
export const compact = (app: Application, { before, jobsMax }: CompactCommand): ReplyTo<'compact'> => {
  const { jobs, counters } = app.tables;
  const changed = jobs.changedAfter(counters.get('compacted'), jobsMax);
  const isDue = (index: number): boolean => (changed[index]?.updatedAt ?? Infinity) <= before;
  const total = { rows: 0, bytesBefore: 0, bytesAfter: 0 };
  let seen = 0;
  for (; isDue(seen); seen += 1) {
    const job = changed[seen];
    if (!job) break;
    counters.set('compacted', job.change);
    if (isFinal(job.state)) packJob(app, job.number, total);
  }
  return { type: 'compact', seen, ...total };
};

interface Total {
  rows: number;
  bytesBefore: number;
  bytesAfter: number;
}

const packJob = (app: Application, job: number, total: Total): void => {
  for (const rows of blocksOf(app.tables.journal.unpacked(job))) {
    const first = rows[0];
    const last = rows.at(-1);
    if (!first || !last) continue;
    const sizeBefore = rows.reduce((sum, { bytes }) => sum + bytes.length + controlLimits.journalRowBytes, 0);
    const bytes = packBlock(rows);
    const sizeAfter = bytes.length + controlLimits.journalRowBytes;
    if (sizeAfter >= sizeBefore) continue;
    const count = last.firstSeq + last.count - first.firstSeq;
    const { attempt, firstSeq } = first;
    app.tables.journal.replace({ job, attempt, firstSeq }, last.firstSeq, { ...last, firstSeq, count, bytes });
    total.rows += rows.length;
    total.bytesBefore += sizeBefore;
    total.bytesAfter += sizeAfter;
  }
};

/** Neighbouring batches of one attempt, up to a block's size each; one that is larger is a block of its own. */
const blocksOf = (rows: readonly JournalRow[]): readonly (readonly JournalRow[])[] => {
  const blocks: JournalRow[][] = [];
  let size = 0;
  for (const row of rows) {
    const block = blocks.at(-1);
    const previous = block?.at(-1);
    const fits =
      previous !== undefined && follows(previous, row) && size + row.bytes.length <= controlLimits.blockBytes;
    size = fits ? size + row.bytes.length : row.bytes.length;
    if (fits) block?.push(row);
    else blocks.push([row]);
  }
  return blocks;
};

const follows = (previous: JournalRow & JournalBatch, row: JournalRow): boolean =>
  previous.attempt === row.attempt && previous.firstSeq + previous.count === row.firstSeq;
