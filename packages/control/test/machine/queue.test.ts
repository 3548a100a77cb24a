/**
 * Random histories of the queue's features against a database, with restarts: what is counted in memory is what the tables
 * say, limits are never exceeded, tags are always had, and the same commands give the same database, with or without a
 * restart in the middle (I1).
 */
import { optionsOf, optionsText, type JobOptions, type QueueChange } from '@mvm-ci/protocol';
import fc from 'fast-check';
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import type { Command } from '../../src/machine/command.ts';
import { controlLimits } from '../../src/limits.ts';
import { contentHash } from '../../src/queue/content-hash.ts';
import { outcomeHash } from '../../src/queue/outcome-hash.ts';
import { GroupCommit, type CommandOutcome } from '../../src/store/group-commit.ts';
import { migrate } from '../../src/store/migration.ts';
import { deployCrawler } from './commands.ts';

const queues = ['default', 'mail'] as const;
const keys = ['k1', 'k2', 'k3'] as const;
const tags = ['gpu', 'eu'] as const;
const maybe = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> =>
  fc.option(arbitrary, { nil: undefined, freq: 2 });

const optionsArbitrary: fc.Arbitrary<JobOptions> = fc.record({
  queue: maybe(fc.constantFrom(...queues)),
  priority: maybe(fc.integer({ min: -2, max: 2 })),
  key: maybe(fc.constantFrom(...keys)),
  requires: maybe(fc.subarray([...tags])),
  delay_ms: maybe(fc.constantFrom(0, 5, 500)),
  start_timeout_ms: maybe(fc.constantFrom(50, 5_000)),
  attempt_timeout_ms: maybe(fc.constantFrom(50, 5_000)),
  timeout_ms: maybe(fc.constantFrom(100, 10_000)),
  unique: maybe(
    fc.record({
      key: fc.constantFrom('u1', 'u2'),
      window_ms: fc.constantFrom(10, 1_000),
      policy: fc.constantFrom('ignore' as const, 'reject' as const, 'replace' as const, 'debounce' as const),
    }),
  ),
});

const limit = maybe(fc.integer({ min: 1, max: 3 }));
const rate = maybe(fc.record({ count: fc.integer({ min: 1, max: 3 }), per_ms: fc.constantFrom(100, 1_000) }));
const changeArbitrary: fc.Arbitrary<QueueChange> = fc.record({
  mode: fc.constantFrom('open' as const, 'open' as const, 'paused' as const, 'draining' as const),
  concurrency: fc.option(fc.integer({ min: 1, max: 3 })),
  rate: fc.option(fc.record({ count: fc.integer({ min: 1, max: 3 }), per_ms: fc.constantFrom(100, 1_000) })),
  each_key: fc.option(fc.record({ concurrency: limit, rate })),
});

const actionArbitrary = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('publish' as const),
      options: optionsArbitrary,
      count: fc.integer({ min: 1, max: 3 }),
      after: fc.nat(3),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('claim' as const),
      tags: fc.subarray([...tags]),
      queues: maybe(fc.subarray([...queues], { minLength: 1 })),
      capacity: fc.integer({ min: 1, max: 4 }),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: fc.constant('finish' as const),
      place: fc.nat(20),
      outcome: fc.constantFrom('completed' as const, 'failed' as const, 'released' as const, 'suspended' as const),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('expire' as const), place: fc.nat(20) }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('cancel' as const),
      place: fc.nat(20),
      graceMs: fc.constantFrom(null, 0, 50),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('retry' as const), place: fc.nat(20) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('prune' as const), place: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('deadlines' as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('set-queue' as const),
      queue: fc.constantFrom(...queues),
      change: changeArbitrary,
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constant('tick' as const), ms: fc.constantFrom(1, 30, 300, 5_000) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant('restart' as const) }) },
);
type Action = typeof actionArbitrary extends fc.Arbitrary<infer T> ? T : never;

interface Claimed {
  readonly job: string;
  readonly epoch: number;
  readonly attempt: number;
}

/** A database with its state machine, and what was claimed and published. */
class History implements Disposable {
  readonly #db: DatabaseSync = new DatabaseSync(':memory:');
  readonly #ids: string[] = [];
  /** When claims were, and of which queue and key. */
  readonly starts: { readonly at: number; readonly queue: string; readonly key: string | null }[] = [];
  /** Jobs that stood behind those that were claimed. */
  ordered = 0;
  readonly #claimed: Claimed[] = [];
  readonly #restarts: boolean;
  #group: GroupCommit;
  #at = 1_000_000;

  constructor(restarts: boolean) {
    this.#restarts = restarts;
    migrate(this.#db);
    this.#group = new GroupCommit(this.#db);
    this.#apply(deployCrawler(this.#at));
  }

  do(action: Action): void {
    if (action.type === 'tick') this.#at += action.ms;
    else if (action.type === 'restart') this.#restart();
    else this.#command(action);
  }

  /** All that is stored. */
  dump(): unknown {
    const tables = this.#db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").all();
    return tables.map(({ name }) => [name, this.#db.prepare(`SELECT * FROM ${String(name)}`).all()]);
  }

  /** What is counted in memory shows in what is claimed: a fresh machine on the same tables must choose the same. */
  check(): void {
    const wrong = this.#db.prepare(wrongReadySql).all(this.#at, this.#at);
    assert.deepEqual(wrong, [], 'a job is marked ready, or not, against its state');
    const { pending } = this.#count("state = 'pending'");
    assert.equal(this.#db.prepare("SELECT value FROM counters WHERE name = 'pending'").get()?.['value'], pending);
    const held = this.#db
      .prepare(
        "SELECT count(*) AS held FROM jobs WHERE deadline_at IS NOT NULL AND state IN ('completed', 'failed', 'cancelled')",
      )
      .get();
    assert.equal(held?.['held'], 0, 'a job that is over has a deadline');
  }

  /** Jobs that are held, by queue and by key. */
  held(): readonly { readonly queue: string; readonly key: string; readonly jobs: number }[] {
    return this.#db
      .prepare(heldSql)
      .all()
      .map((row) => ({ queue: String(row['queue']), key: String(row['key']), jobs: Number(row['jobs']) }));
  }

  get at(): number {
    return this.#at;
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #count(where: string): { readonly pending: number } {
    return { pending: Number(this.#db.prepare(`SELECT count(*) AS jobs FROM jobs WHERE ${where}`).get()?.['jobs']) };
  }

  #restart(): void {
    if (this.#restarts) this.#group = new GroupCommit(this.#db);
  }

  #apply(command: Command): CommandOutcome | undefined {
    return this.#group.run([command])[0];
  }

  #command(action: Exclude<Action, { type: 'tick' | 'restart' }>): void {
    const at = this.#at;
    switch (action.type) {
      case 'publish':
        return this.#publish(action);
      case 'claim':
        return this.#claim(action);
      case 'finish':
        return this.#finish(action);
      case 'expire': {
        const claimed = this.#claimed[action.place];
        if (claimed) this.#apply({ type: 'expire', at, leases: [claimed] });
        return;
      }
      case 'cancel':
        return void this.#apply({
          type: 'cancel',
          at,
          job: this.#id(action.place),
          reason: 'test',
          graceMs: action.graceMs,
        });
      case 'retry':
        return void this.#apply({ type: 'retry', at, jobs: [this.#id(action.place)] });
      case 'prune':
        return void this.#apply({ type: 'prune', at, jobs: [this.#id(action.place)] });
      case 'deadlines':
        return void this.#apply({ type: 'expire-deadlines', at, jitter: 0.5 });
      case 'set-queue':
        return void this.#apply({ type: 'set-queue', at, queue: action.queue, change: action.change });
    }
  }

  #id(place: number): string {
    return this.#ids[place % Math.max(1, this.#ids.length)] ?? 'nobody';
  }

  #publish({ options, count, after }: Extract<Action, { type: 'publish' }>): void {
    const awaited = after === 0 || this.#ids.length === 0 ? {} : { after: [this.#id(after * 7)] };
    const jobs = Array.from({ length: count }, () => {
      const id = `job-${this.#ids.length}`;
      this.#ids.push(id);
      const backoff = { initial_ms: 10, factor: 1, max_ms: 10 };
      const content = {
        reference: 'crawler',
        input: 'null',
        attemptsMax: 2,
        backoff,
        options: optionsText({ ...options, ...awaited }),
      };
      return { id, ...content, hash: contentHash(content) };
    });
    this.#apply({ type: 'publish', at: this.#at, jobs, pendingJobsMax: 1_000 });
  }

  #claim(action: Extract<Action, { type: 'claim' }>): void {
    const command = { ...action, at: this.#at, worker: 'w', incarnation: 'i', queues: action.queues ?? null };
    const outcome = this.#apply(command);
    assert.ok(outcome?.ok === true && outcome.reply.type === 'claim');
    for (const { job, epoch, attempt, content } of outcome.reply.jobs) {
      this.#claimed.push({ job, epoch, attempt });
      const { requires = [], queue = 'default' } = optionsOf(content.options);
      assert.ok(
        requires.every((tag) => action.tags.some((had) => had === tag)),
        'a worker got a job that it has no tag for',
      );
      assert.ok(
        action.queues === undefined || action.queues.some((wanted) => wanted === queue),
        'a job of another queue',
      );
      this.starts.push({ at: this.#at, queue, key: optionsOf(content.options).key ?? null });
    }
    this.#demandOrder(outcome.reply.jobs.filter(({ epoch }) => epoch === 1).map(({ job }) => job));
  }

  /** @throws when one of the jobs, which were claimed for the first time, was not the first of its lane */
  #demandOrder(jobs: readonly string[]): void {
    for (const job of jobs) {
      const before = this.#db.prepare(passedOverSql).all(job, controlLimits.priorityStepMs);
      assert.deepEqual(before, [], `these come before ${job}, and were left`);
      this.ordered += Number(this.#db.prepare(leftSql).get(job)?.['jobs']);
    }
  }

  /** Ends everything that can be ended, whatever its limits were, and takes nothing new. @returns jobs that are not over */
  drain(): readonly unknown[] {
    const change = { rate: null, concurrency: null, each_key: null, keys: null, mode: 'draining' } as const;
    for (const queue of queues) this.#apply({ type: 'set-queue', at: this.#at, queue, change });
    const live = this.#db.prepare("SELECT id, state FROM jobs WHERE state NOT IN ('completed', 'failed', 'cancelled')");
    for (let rounds = 0; rounds < drainRounds && live.all().length > 0; rounds += 1) {
      this.#at += 10_000;
      this.#apply({ type: 'expire', at: this.#at, leases: this.#claimed });
      this.#apply({ type: 'expire-deadlines', at: this.#at, jitter: 0.5 });
      this.#claimed.length = 0;
      this.#claim({ type: 'claim', tags: [...tags], queues: undefined, capacity: 10 });
      for (const place of this.#claimed.keys()) this.#finish({ type: 'finish', place, outcome: 'completed' });
    }
    return live.all();
  }

  #finish({ place, outcome }: Extract<Action, { type: 'finish' }>): void {
    const claimed = this.#claimed[place % Math.max(1, this.#claimed.length)];
    if (claimed === undefined) return;
    const outcomes = {
      completed: { type: 'completed', result: '1' },
      failed: { type: 'failed', error: { code: 'WORKFLOW_FAILED', message: 'x' }, retryable: true },
      released: { type: 'released' },
      suspended: { type: 'suspended', wakeAt: this.#at + 100, seen: 0 },
    } as const;
    const end = outcomes[outcome];
    const finishes = [{ ...claimed, outcome: end, outcomeHash: outcomeHash(end) }];
    this.#apply({ type: 'finish', at: this.#at, worker: 'w', finishes, jitter: 0.5 });
  }
}

// Ready is what is pending or waiting, is no suspect, and whose time had come when it was last saved or looked for.
const wrongReadySql = `
  SELECT id, state, run_at, ready FROM jobs
  WHERE (ready = 1 AND NOT (state IN ('pending', 'waiting') AND strikes < 2 AND run_at <= ?))
    OR (ready = 0 AND state IN ('pending', 'waiting') AND strikes < 2 AND run_at <= updated_at AND run_at <= ?)`;

const heldSql = `
  SELECT queue, key, count(*) AS jobs FROM jobs JOIN lanes ON lanes.id = lane JOIN flows ON flows.id = flow
  WHERE state IN ('claimed', 'in_progress') GROUP BY queue, key`;

// Among jobs that nobody held yet: a step of priority is worth so many milliseconds of waiting.
const passedOverSql = `
  SELECT other.id FROM jobs AS job JOIN jobs AS other USING (lane)
  WHERE job.id = ?1 AND other.ready = 1 AND other.epoch = 0
    AND (other.run_at - other.priority * ?2, other.number) < (job.run_at - job.priority * ?2, job.number)`;

const leftSql = `
  SELECT count(*) AS jobs FROM jobs AS job JOIN jobs AS other USING (lane)
  WHERE job.id = ? AND other.ready = 1 AND other.epoch = 0`;

const drainRounds = 200;

interface Limits {
  readonly concurrency: number;
  readonly rate: { readonly count: number; readonly per_ms: number };
  readonly each_key: {
    readonly concurrency: number;
    readonly rate: { readonly count: number; readonly per_ms: number };
  };
}

/** @throws when more runs, or was claimed lately, than the limits of the queue `default` allow */
const demandLimits = (history: History, limits: Limits): void => {
  const held = history.held().filter(({ queue }) => queue === 'default');
  assert.ok(held.reduce((sum, { jobs }) => sum + jobs, 0) <= limits.concurrency, 'too many jobs of the queue run');
  for (const { key, jobs } of held)
    assert.ok(key === '' || jobs <= limits.each_key.concurrency, `too many jobs of ${key} run`);
  const lately = (perMs: number): History['starts'] =>
    history.starts.filter(({ at, queue }) => queue === 'default' && at > history.at - perMs);
  assert.ok(lately(limits.rate.per_ms).length <= limits.rate.count, 'too many claims of the queue');
  for (const key of keys) {
    const ofKey = lately(limits.each_key.rate.per_ms).filter((start) => start.key === key);
    assert.ok(ofKey.length <= limits.each_key.rate.count, `too many claims of ${key}`);
  }
};

const small = fc.integer({ min: 1, max: 3 });
const someRate = fc.record({ count: small, per_ms: fc.constantFrom(20, 100, 1_000) });
const limitsArbitrary: fc.Arbitrary<Limits> = fc.record({
  concurrency: small,
  rate: someRate,
  each_key: fc.record({ concurrency: small, rate: someRate }),
});

suite('the queue', () => {
  test('never exceeds the limits of a queue or of its keys', () => {
    let claims = 0;
    fc.assert(
      fc.property(limitsArbitrary, fc.array(actionArbitrary, { minLength: 20, maxLength: 100 }), (limits, actions) => {
        using history = new History(true);
        history.do({
          type: 'set-queue',
          queue: 'default',
          change: { ...limits, mode: 'open', pending_max: null, keys: null },
        });
        for (const action of actions) {
          if (action.type !== 'set-queue') history.do(action);
          demandLimits(history, limits);
        }
        claims += history.starts.length;
      }),
      { numRuns: 400 },
    );
    assert.ok(claims > 300, `only ${claims} claims: too little happened`);
  });

  test('gives the jobs of a lane by their priority and their age, and drains when it is to', () => {
    let [ordered, claims] = [0, 0];
    fc.assert(
      fc.property(fc.array(actionArbitrary, { minLength: 20, maxLength: 100 }), (actions) => {
        using history = new History(true);
        for (const action of actions) if (!('change' in action) || action.change.mode === 'open') history.do(action);
        assert.deepEqual(history.drain(), []);
        ordered += history.ordered;
        claims += history.starts.length;
      }),
      { numRuns: 400 },
    );
    assert.ok(ordered > 40 && claims > 400, `${ordered} jobs behind others, ${claims} claims: too little happened`);
  });

  test('gives the same database for the same commands, also with restarts in the middle, and keeps its books', () => {
    fc.assert(
      fc.property(fc.array(actionArbitrary, { minLength: 5, maxLength: 80 }), (actions) => {
        using steady = new History(false);
        using restarted = new History(true);
        for (const action of actions) {
          steady.do(action);
          restarted.do(action);
          steady.check();
        }
        assert.deepEqual(restarted.dump(), steady.dump());
      }),
      { numRuns: 150 },
    );
  });
});
