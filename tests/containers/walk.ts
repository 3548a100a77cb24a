import assert from 'node:assert/strict';
import type { JobView } from '@mvm-ci/protocol';

/** Asserts that each job completed in its first attempt, with the result that is its own. */
export const assertWalked = (jobs: readonly JobView[], steps: number): void => {
  for (const { job_id: job, status, attempt, result, error } of jobs)
    assert.deepEqual(
      { job, status, attempt, result, error },
      { job, status: 'completed', attempt: 1, result: { job, steps }, error: null },
    );
};
