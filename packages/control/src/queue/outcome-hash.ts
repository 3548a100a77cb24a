import { blake3, bytesEqual, pack, type FinishOutcome } from '@mvm-ci/protocol';
import type { JobRow } from '../machine/job-row.ts';

/** BLAKE3 over an outcome: by it a repeated finish is known, and a stored result is checked. */
export const outcomeHash = (outcome: FinishOutcome): Uint8Array => {
  switch (outcome.type) {
    case 'completed':
      return blake3(pack(['completed', outcome.result]));
    case 'failed': {
      const parts = ['failed', outcome.error.code, outcome.error.message, outcome.retryable];
      return blake3(pack(outcome.retryAfterMs === undefined ? parts : [...parts, outcome.retryAfterMs]));
    }
    case 'cancelled':
    case 'released':
      return blake3(pack([outcome.type]));
    case 'suspended':
      return blake3(pack([outcome.type, outcome.wakeAt, outcome.seen]));
  }
};

/** Whether a completed job's result is the one that was reported; true when there is none, or it was left out. */
export const isResultIntact = (row: JobRow): boolean => {
  if (row.state !== 'completed' || row.result === null || row.outcomeHash === null) return true;
  return bytesEqual(outcomeHash({ type: 'completed', result: row.result }), row.outcomeHash);
};
