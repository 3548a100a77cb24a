import { defaultBackoff } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { JobUpdates } from '../../src/machine/job-updates.ts';
import { openTables } from '../../src/machine/tables.ts';
import { migrate } from '../../src/store/migration.ts';

const content = {
  reference: 'handler:h',
  workflow: null,
  module: '',
  entry: 'h',
  input: 'null',
  attemptsMax: 1,
  backoffInitialMs: defaultBackoff.initial_ms,
  backoffFactor: defaultBackoff.factor,
  backoffMaxMs: defaultBackoff.max_ms,
  createdAt: 1,
  hash: new Uint8Array(32),
  response: null,
  options: null,
  trace: null,
};

const sixJobs = () => {
  const db = new DatabaseSync(':memory:');
  migrate(db);
  const { jobs } = openTables(db);
  const names = ['a', 'b', 'c', 'd', 'e', 'f'];
  for (const id of names)
    jobs.insert({
      id,
      at: 1,
      content,
      runAt: 1,
      lane: 1,
      priority: 0,
      isTimed: false,
      deadlineAt: null,
      dependenciesLeft: 0,
    });
  const updates = new JobUpdates(db);
  const write = (id: string, worker: string, change: number): void => {
    const before = jobs.get(id);
    updates.write(before, { ...before, worker, change });
  };
  const rows = (): readonly string[] =>
    db
      .prepare('SELECT id, worker, change FROM jobs ORDER BY number')
      .all()
      .map(({ id, worker, change }) => `${String(id)} ${String(worker)} ${String(change)}`);
  return { jobs, updates, write, rows };
};

test('writes the same together as one by one, also where neighbours differ or are left out', () => {
  const { updates, write, rows } = sixJobs();
  const result = updates.together(() => {
    write('a', 'w1', 11);
    write('b', 'w1', 12);
    write('c', 'w2', 13);
    write('e', 'w2', 14);
    write('f', 'w2', 16);
    return 'done';
  });
  assert.equal(result, 'done');
  assert.deepEqual(rows(), ['a w1 11', 'b w1 12', 'c w2 13', 'd null 4', 'e w2 14', 'f w2 16']);
});

test('writes nothing of what was gathered when it throws, and what comes later', () => {
  const { updates, write, rows } = sixJobs();
  const fails = (): void => {
    write('a', 'w1', 11);
    throw new Error('refused');
  };
  assert.throws(() => updates.together(fails), /refused/);
  write('b', 'w1', 12);
  assert.deepEqual(rows().slice(0, 3), ['a null 1', 'b w1 12', 'c null 3']);
});

test('writes each column that can change', () => {
  const { updates, jobs } = sixJobs();
  const before = jobs.get('c');
  const next = {
    ...before,
    state: 'in_progress',
    attempt: 31,
    epoch: 32,
    lostLeases: 33,
    strikes: 34,
    claimedAt: 35,
    claimedEntries: 36,
    resumes: 37,
    runAt: 38,
    worker: 'w',
    incarnation: 'i',
    bare: true,
    cancelReason: 'reason',
    journalEntries: 39,
    journalBytes: 40,
    journalHash: new Uint8Array([41]),
    progressPercent: 42,
    progressText: 'progress',
    result: 'result',
    errorCode: 'code',
    errorMessage: 'message',
    completedBy: 'by',
    finishedEpoch: 43,
    finishedBy: 'finisher',
    outcomeHash: new Uint8Array([44]),
    updatedAt: 45,
    change: 46,
    hasChildren: true,
    inboxLast: 47,
    inboxItems: 48,
    lane: 49,
    rank: 50,
    isReady: false,
    deadlineAt: 51,
    attemptAt: 52,
    cancelAt: 53,
    attemptsForgiven: 54,
    retriedAt: 57,
    dependenciesLeft: 55,
  } as const;
  updates.write(before, next);
  assert.deepEqual(jobs.get('c'), next);
});
