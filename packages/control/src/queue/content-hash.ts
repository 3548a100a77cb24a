import { blake3, bytesEqual, pack } from '@mvm-ci/protocol';
import type { PublishItem } from '../machine/command.ts';
import type { JobContent, JobRow } from '../machine/job-row.ts';
import type { ClaimedRow } from '../machine/reply.ts';

/**
 * BLAKE3 over all that a publisher says about a job, its id apart: by it a repeated publish is known, and by it a reader
 * sees that the stored input is the one that was published.
 */
export const contentHash = (content: Omit<PublishItem, 'id' | 'hash' | 'trace'>): Uint8Array => {
  const { initial_ms, factor, max_ms } = content.backoff;
  const parts = [content.reference, content.input, content.attemptsMax, initial_ms, factor, max_ms];
  return blake3(pack(typeof content.options === 'string' ? [...parts, content.options] : parts));
};

/** Whether a stored job's input is as it was published; true when the input was left out of a listing. */
const isContentIntact = (
  content: Omit<JobContent, 'createdAt' | 'workflow' | 'module' | 'entry' | 'response' | 'trace'>,
): boolean => {
  if (content.input === null) return true;
  const backoff = {
    initial_ms: content.backoffInitialMs,
    factor: content.backoffFactor,
    max_ms: content.backoffMaxMs,
  };
  const { reference, input, attemptsMax, options } = content;
  return bytesEqual(contentHash({ reference, input, attemptsMax, backoff, options }), content.hash);
};

/** Whether a claimed job's input is as it was published. */
export const isClaimIntact = (row: ClaimedRow): boolean => isContentIntact({ ...row.content, input: row.input });

/** Whether a stored job's input is as it was published. */
export const isRowIntact = (row: JobRow): boolean => isContentIntact(row.content);
