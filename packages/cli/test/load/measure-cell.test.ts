import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeRequests } from '../../src/load/measure-cell.ts';

const jobs = [
  { job_id: 'kept', lost_leases: 0 },
  { job_id: 'moved', lost_leases: 2 },
];

test('a request that is repeated is sent again when its job has lost a lease, and done twice otherwise', () => {
  const judged = (repeated: Readonly<Record<string, number>>): unknown =>
    judgeRequests(jobs, new Map(Object.entries(repeated)));
  assert.deepEqual(judged({}), { resent: 0, duplicated: 0 });
  assert.deepEqual(judged({ moved: 2 }), { resent: 2, duplicated: 0 });
  assert.deepEqual(judged({ moved: 3 }), { resent: 2, duplicated: 1 });
  assert.deepEqual(judged({ kept: 1, moved: 1 }), { resent: 1, duplicated: 1 });
  assert.deepEqual(judged({ unknown: 1 }), { resent: 0, duplicated: 1 });
});
