/**
 * Random histories against the state machine on a real database, with restarts, checked by what must hold in every one:
 * no acknowledged job is lost, epochs only grow, one outcome is accepted for each epoch, what is over stays as it is, and
 * journals are whole.
 */
import { chainStart, defaultBackoff, isFinal, readBatches, type JobState } from '@mvm-ci/protocol';
import fc from 'fast-check';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import type { Command, PublishCommand } from '../../src/machine/command.ts';
import type { JobRow } from '../../src/machine/job-row.ts';
import { contentHash } from '../../src/queue/content-hash.ts';
import { outcomeHash } from '../../src/queue/outcome-hash.ts';
import { openDatabase, openForReading } from '../../src/store/database.ts';
import { examine } from '../../src/store/examination.ts';
import { GroupCommit, type CommandOutcome } from '../../src/store/group-commit.ts';
import { Reader } from '../../src/store/reader.ts';
import { TemporaryFolder } from '../fixtures/temporary-folder.ts';
import { append, claimRuns, deployCrawler, finish, oneEntryBatch, publishRuns } from './commands.ts';

const ids = ['a', 'b', 'c'];
/** Jobs without a workflow, for those who report without an epoch. */
const payloads = ['p', 'q'];
const workers = ['w1', 'w2'];

const job = fc.constantFrom(...ids);
const worker = fc.constantFrom(...workers);
/** How far from the current value an epoch or entry number is: mostly right, sometimes stale or of the future. */
const offset = fc.constantFrom(0, 0, 0, 0, -1, 1);

const actionArbitrary = fc.oneof(
  fc.record({ type: fc.constant('publish' as const), job: fc.constantFrom(...ids, ...payloads) }),
  fc.record({ type: fc.constant('claim-bare' as const), worker }),
  fc.record({
    type: fc.constant('report' as const),
    job: fc.constantFrom(...payloads),
    worker: fc.option(worker),
    status: fc.constantFrom('claimed' as const, 'in_progress' as const, 'completed' as const, 'failed' as const),
  }),
  fc.record({ type: fc.constant('claim' as const), worker, capacity: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ type: fc.constant('append' as const), job, worker, epoch: offset, seq: offset }),
  fc.record({
    type: fc.constant('finish' as const),
    job,
    worker,
    epoch: offset,
    outcome: fc.constantFrom('completed' as const, 'failed' as const, 'released' as const, 'cancelled' as const),
    retryable: fc.boolean(),
    result: fc.constantFrom('1', '2'),
  }),
  fc.record({ type: fc.constant('expire' as const), job: fc.constantFrom(...ids, ...payloads), epoch: offset }),
  fc.record({ type: fc.constant('leave' as const), worker }),
  fc.record({ type: fc.constant('cancel' as const), job: fc.constantFrom(...ids, ...payloads) }),
  fc.record({ type: fc.constant('compact' as const), jobsMax: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ type: fc.constant('restart' as const) }),
  fc.record({ type: fc.constant('tick' as const), ms: fc.constantFrom(1, 1_000, 40_000) }),
);
type Action = typeof actionArbitrary extends fc.Arbitrary<infer T> ? T : never;

class History implements Disposable {
  readonly #folder = new TemporaryFolder();
  readonly #path = join(this.#folder.path, 'control.db');
  readonly #acknowledged = new Set<string>();
  readonly #epochs = new Map<string, number>();
  readonly #ends = new Map<string, JobState>();
  /** The outcome that was accepted for each job and epoch. */
  readonly #outcomes = new Map<string, string>();
  #db: DatabaseSync = openDatabase(this.#path);
  #group = new GroupCommit(this.#db);
  #readerDb: DatabaseSync = openForReading(this.#path);
  #reader = new Reader(this.#readerDb);
  #at = 1_000;

  constructor() {
    this.#run(deployCrawler(this.#at));
  }

  step(action: Action): void {
    switch (action.type) {
      case 'restart':
        return this.#restart();
      case 'tick':
        this.#at += action.ms;
        return;
      case 'publish':
        if (this.#run(publishOne(this.#at, action.job)).ok) this.#acknowledged.add(action.job);
        return;
      case 'claim-bare':
        return this.#claimBare(action);
      case 'report':
        return this.#report(action);
      case 'claim':
        return this.#claim(action);
      case 'append':
        return this.#append(action);
      case 'finish':
        return this.#finish(action);
      case 'expire':
        this.#run({ type: 'expire', at: this.#at, leases: [{ job: action.job, epoch: this.#epochOf(action) }] });
        return;
      case 'leave':
        this.#run({ type: 'leave', at: this.#at, worker: action.worker, incarnation: 'i1' });
        return;
      case 'compact':
        this.#run({ type: 'compact', at: this.#at, before: this.#at, jobsMax: action.jobsMax });
        return;
      case 'cancel':
        this.#run({ type: 'cancel', at: this.#at, job: action.job, reason: 'model' });
    }
  }

  check(): void {
    for (const id of this.#acknowledged) {
      const row = this.#row(id);
      assert.ok(row, `job ${id} was acknowledged and is gone`);
      this.#checkJob(row);
    }
    this.#checkCounters();
  }

  /** Demands that everything in the database agrees. @returns how many jobs are over, and how many claims there were */
  end(): { readonly ended: number; readonly epochs: number } {
    assert.deepEqual(examine(this.#readerDb).findings, []);
    return { ended: this.#ends.size, epochs: [...this.#epochs.values()].reduce((sum, epoch) => sum + epoch, 0) };
  }

  [Symbol.dispose](): void {
    this.#readerDb.close();
    this.#db.close();
    this.#folder[Symbol.dispose]();
  }

  #checkJob(row: JobRow): void {
    assert.ok(row.epoch >= (this.#epochs.get(row.id) ?? 0), `the epoch of ${row.id} went down`);
    this.#epochs.set(row.id, row.epoch);
    const end = this.#ends.get(row.id);
    if (end !== undefined) assert.equal(row.state, end, `${row.id} was over`);
    if (isFinal(row.state)) this.#ends.set(row.id, row.state);
    const answer = this.#reader.answer({ type: 'journal', id: row.id, attempt: null });
    assert.ok(answer.type === 'journal' && answer.journal !== null);
    const entries = readBatches(chainStart(row.id, row.attempt), answer.journal.batches);
    assert.equal(entries.length, row.journalEntries);
  }

  #checkCounters(): void {
    const answer = this.#reader.answer({ type: 'counters' });
    assert.ok(answer.type === 'counters');
    for (const state of ['pending', 'claimed', 'in_progress', 'completed', 'failed', 'cancelled'] as const) {
      const rows = [...this.#acknowledged].filter((id) => this.#row(id)?.state === state);
      assert.equal(answer.counters[state], rows.length, `jobs that are ${state}`);
    }
  }

  #claim(action: Extract<Action, { type: 'claim' }>): void {
    const outcome = this.#run(claimRuns(this.#at, action.worker, action.capacity));
    assert.ok(outcome.ok && outcome.reply.type === 'claim');
    for (const claimed of outcome.reply.jobs) {
      assert.ok(claimed.epoch > (this.#epochs.get(claimed.job) ?? 0), 'a claim raises the epoch');
    }
  }

  #claimBare(action: Extract<Action, { type: 'claim-bare' }>): void {
    const outcome = this.#run({ ...action, at: this.#at });
    assert.ok(outcome.ok && outcome.reply.type === 'claim-bare');
    const { row } = outcome.reply;
    if (row === null) return;
    assert.ok(row.epoch > (this.#epochs.get(row.id) ?? 0), 'a bare claim raises the epoch');
    assert.ok(payloads.includes(row.id), 'a bare claim takes payload jobs only');
  }

  #report({ job: id, worker: name, status }: Extract<Action, { type: 'report' }>): void {
    const before = this.#row(id);
    const outcome = this.#run({
      type: 'report',
      at: this.#at,
      job: id,
      worker: name,
      status,
      result: '1',
      error: null,
      outcomeHash: outcomeHash({ type: 'completed', result: '1' }),
      jitter: 0.5,
    });
    // The same end again is no news.
    if (!outcome.ok || (before !== null && isFinal(before.state) && before.state === status)) return;
    this.#demandHolder(before, name ?? before?.worker ?? '', before?.epoch ?? 0);
  }

  #append(action: Extract<Action, { type: 'append' }>): void {
    const row = this.#row(action.job);
    const attempt = row?.attempt ?? 1;
    const firstSeq = Math.max((row?.journalEntries ?? 0) + action.seq, 0);
    const place = { job: action.job, attempt, firstSeq, previous: row?.journalHash ?? undefined };
    const epoch = this.#epochOf(action);
    const item = { job: action.job, epoch, attempt, ...oneEntryBatch(place, `${firstSeq}`) };
    const outcome = this.#run(append(this.#at, action.worker, [item]));
    if (isAccepted(outcome)) this.#demandHolder(row, action.worker, epoch);
  }

  #finish(action: Extract<Action, { type: 'finish' }>): void {
    const row = this.#row(action.job);
    const epoch = this.#epochOf(action);
    const outcome = outcomeOf(action);
    const item = { job: action.job, epoch, attempt: row?.attempt ?? 1, outcome };
    if (!isAccepted(this.#run(finish(this.#at, action.worker, [item])))) return;
    const key = `${action.job}/${epoch}`;
    const text = JSON.stringify(outcome);
    assert.equal(this.#outcomes.get(key) ?? text, text, `two outcomes were accepted for ${key}`);
    if (!this.#outcomes.has(key)) this.#demandHolder(row, action.worker, epoch);
    this.#outcomes.set(key, text);
  }

  #demandHolder(row: JobRow | null, name: string, epoch: number): void {
    assert.ok(row?.state === 'claimed' || row?.state === 'in_progress', 'only a held job is written to');
    assert.deepEqual([row.worker, row.epoch], [name, epoch], 'only the holder writes');
  }

  #epochOf(action: { readonly job: string; readonly epoch: number }): number {
    return Math.max((this.#row(action.job)?.epoch ?? 0) + action.epoch, 1);
  }

  #row(id: string): JobRow | null {
    const answer = this.#reader.answer({ type: 'job', id });
    assert.ok(answer.type === 'job');
    return answer.row;
  }

  #run(command: Command): CommandOutcome {
    const [outcome] = this.#group.run([command]);
    assert.ok(outcome);
    if (!outcome.ok) assert.ok(!['INTERNAL', 'UNAVAILABLE'].includes(outcome.error.code), outcome.error.message);
    return outcome;
  }

  #restart(): void {
    this.#readerDb.close();
    this.#db.close();
    this.#db = openDatabase(this.#path);
    this.#group = new GroupCommit(this.#db);
    this.#readerDb = openForReading(this.#path);
    this.#reader = new Reader(this.#readerDb);
  }
}

const publishOne = (at: number, id: string): PublishCommand => {
  if (!payloads.includes(id)) return publishRuns(at, [id], 3);
  const content = { reference: null, input: '1', attemptsMax: 3, backoff: defaultBackoff };
  return { type: 'publish', at, jobs: [{ id, ...content, hash: contentHash(content) }], pendingJobsMax: 1_000 };
};

const outcomeOf = (action: Extract<Action, { type: 'finish' }>): Parameters<typeof finish>[2][number]['outcome'] => {
  if (action.outcome === 'completed') return { type: 'completed', result: action.result };
  if (action.outcome !== 'failed') return { type: action.outcome };
  const error = { code: 'WORKFLOW_FAILED', message: 'thrown' } as const;
  return { type: 'failed', error, retryable: action.retryable };
};

const isAccepted = (outcome: CommandOutcome): boolean =>
  outcome.ok &&
  (outcome.reply.type === 'append' || outcome.reply.type === 'finish') &&
  outcome.reply.results[0]?.ok === true;

suite('the state machine under random histories', () => {
  test('loses no acknowledged job, never lowers an epoch, and accepts one outcome for each epoch', () => {
    const first = [...ids, ...payloads].map((id) => ({ type: 'publish', job: id }) as const);
    const happened = { ended: 0, epochs: 0 };
    fc.assert(
      fc.property(fc.array(actionArbitrary, { minLength: 5, maxLength: 60, size: 'max' }), (actions) => {
        using history = new History();
        for (const action of [...first, ...actions]) {
          history.step(action);
          history.check();
        }
        const { ended, epochs } = history.end();
        happened.ended += ended;
        happened.epochs += epochs;
      }),
      { numRuns: 150 },
    );
    assert.ok(happened.ended > 100 && happened.epochs > 300, `${JSON.stringify(happened)}: too little happened`);
  });
});
