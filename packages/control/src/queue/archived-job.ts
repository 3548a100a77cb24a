import { asMvmError, mvmError, type ErrorRecord, type JobView } from '@mvm-ci/protocol';
import type { Store } from '../store/store.ts';
import { jobView } from './job-view.ts';

/** A job as the archive keeps it: what the API shows, and its journals as they are stored. */
export interface ArchivedJob {
  readonly job: JobView;
  readonly journals: readonly ArchivedJournal[];
}

/** The journal of one attempt; a batch's bytes in base64, its hash in hex. */
interface ArchivedJournal {
  readonly attempt: number;
  readonly batches: readonly {
    readonly first_seq: number;
    readonly count: number;
    readonly bytes: string;
    readonly hash: string;
  }[];
  /** Why there are no batches: it can't be read. @default it can */
  readonly error?: ErrorRecord;
}

/** Reads a job with all its journals. @throws JOB_NOT_FOUND */
export const archivedJob = async (store: Store, id: string): Promise<ArchivedJob> => {
  const { row } = await store.read<'job'>({ type: 'job', id });
  if (row === null) throw mvmError('JOB_NOT_FOUND', `no job has the id "${id}"`, { job_id: id });
  const journals: ArchivedJournal[] = [];
  for (let attempt = 1; attempt <= row.attempt; attempt += 1) {
    const journal = await archivedJournal(store, id, attempt);
    if (journal.error !== undefined || journal.batches.length > 0) journals.push(journal);
  }
  return { job: jobView(row), journals };
};

const archivedJournal = async (store: Store, id: string, attempt: number): Promise<ArchivedJournal> => {
  try {
    const { journal } = await store.read<'journal'>({ type: 'journal', id, attempt });
    const batches = (journal?.batches ?? []).map(({ firstSeq, count, bytes, hash }) => ({
      first_seq: firstSeq,
      count,
      bytes: new Uint8Array(bytes).toBase64(),
      hash: new Uint8Array(hash).toHex(),
    }));
    return { attempt, batches };
  } catch (thrown) {
    const error = asMvmError(thrown);
    if (error.code !== 'JOURNAL_CORRUPT') throw error;
    return { attempt, batches: [], error: error.toRecord() };
  }
};
