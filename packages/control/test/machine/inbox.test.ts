/**
 * Random histories of messages, children and waiting jobs, checked after each command by what must hold in every one: a message
 * that was acknowledged is in its inbox until one entry consumes it, no wake-up is lost, children end with their parents and parents hear of
 * their children, and the same commands give the same database (I1).
 */
import { isFinal, type FinishOutcome, type InboxItem, type InternalEffect } from '@mvm-ci/protocol';
import fc from 'fast-check';
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import type { Command } from '../../src/machine/command.ts';
import { inboxItem, inboxSql } from '../../src/machine/inbox-table.ts';
import type { JobRecord } from '../../src/machine/job-row.ts';
import { openTables } from '../../src/machine/tables.ts';
import { neverMs } from '../../src/machine/transition.ts';
import { GroupCommit, type CommandOutcome } from '../../src/store/group-commit.ts';
import { migrate } from '../../src/store/migration.ts';
import { append, claimRuns, deployCrawler, finish, oneEntryBatch, publishRuns } from './commands.ts';

const roots = ['a', 'b'];
const everybody = [...roots, 'a:1:1', 'a:1:2', 'b:1:1', 'b:1:2'];
const worker = 'w1';

const job = fc.constantFrom(...everybody);
const actionArbitrary = fc.oneof(
  fc.record({ type: fc.constant('send' as const), job, id: fc.option(fc.constantFrom('m1', 'm2')) }),
  fc.record({ type: fc.constant('claim' as const), capacity: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ type: fc.constant('consume' as const), job, first: fc.boolean(), again: fc.boolean() }),
  fc.record({ type: fc.constant('tell' as const), job, to: job, again: fc.boolean() }),
  fc.record({
    type: fc.constant('start' as const),
    job: fc.constantFrom(...roots),
    call: fc.constantFrom(1, 2),
    detached: fc.boolean(),
  }),
  fc.record({
    type: fc.constant('suspend' as const),
    job,
    hasSeen: fc.boolean(),
    wakeMs: fc.option(fc.constant(5_000)),
  }),
  fc.record({ type: fc.constant('end' as const), job, how: fc.constantFrom('completed' as const, 'failed' as const) }),
  fc.record({ type: fc.constant('expire' as const), job }),
  fc.record({ type: fc.constant('cancel' as const), job }),
  fc.record({ type: fc.constant('tick' as const), ms: fc.constantFrom(1, 4_000) }),
);
type Action = typeof actionArbitrary extends fc.Arbitrary<infer T> ? T : never;

const freshDatabase = (): DatabaseSync => {
  const db = new DatabaseSync(':memory:');
  migrate(db);
  return db;
};

class History {
  readonly #db = freshDatabase();
  readonly #group = new GroupCommit(this.#db);
  /** To look at. */
  readonly #tables = openTables(this.#db);
  readonly #commands: Command[] = [];
  /** What each job was sent and has not consumed, by inbox number. */
  readonly #unread = new Map<string, Set<number>>();
  #at = 1_000;

  constructor() {
    this.#run(deployCrawler(this.#at));
    this.#run(publishRuns(this.#at, roots, 2));
  }

  step(action: Action): void {
    switch (action.type) {
      case 'tick':
        this.#at += action.ms;
        return;
      case 'claim':
        this.#run(claimRuns(this.#at, worker, action.capacity));
        return;
      case 'send':
        return this.#send(action);
      case 'consume':
        return this.#consume(action);
      case 'tell':
        return this.#tell(action);
      case 'start':
        return this.#start(action);
      case 'suspend':
        return this.#suspend(action);
      case 'end':
        return this.#end(action);
      case 'expire': {
        const epoch = this.#job(action.job)?.epoch ?? 1;
        this.#run({ type: 'expire', at: this.#at, leases: [{ job: action.job, epoch: Math.max(epoch, 1) }] });
        return;
      }
      case 'cancel':
        this.#run({ type: 'cancel', at: this.#at, job: action.job, reason: 'model' });
    }
  }

  check(): void {
    for (const id of everybody) {
      const row = this.#job(id);
      if (row) this.#checkJob(row);
    }
  }

  /** Applies all commands to another database: the same content must come out. */
  checkReplay(): void {
    const db = freshDatabase();
    const group = new GroupCommit(db);
    for (const command of this.#commands) group.run([command]);
    for (const table of ['jobs', 'content', 'journal', 'inbox', 'messages', 'counters']) {
      const rows = (of: DatabaseSync): unknown => of.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`).all();
      assert.deepEqual(rows(db), rows(this.#db), table);
    }
  }

  #checkJob(row: JobRecord): void {
    const items = this.#items(row);
    assert.equal(row.inboxItems, items.length, `${row.id} counts its items`);
    const messages = items.filter(({ body }) => body.type === 'message').map(({ number }) => number);
    const unread = isFinal(row.state) ? [] : [...(this.#unread.get(row.id) ?? [])].toSorted((a, b) => a - b);
    assert.deepEqual(messages, unread, `messages of ${row.id}`);
    const parent = row.parent === null ? undefined : this.#job(row.parent);
    if (!parent) return;
    const isOrphan = isFinal(parent.state) || parent.attempt !== row.parentAttempt;
    if (isOrphan && !row.isDetached)
      assert.ok(isFinal(row.state) || row.cancelReason !== null, `${row.id} is left over`);
  }

  #send({ job: id, id: message }: Extract<Action, { type: 'send' }>): void {
    const before = this.#job(id);
    const outcome = this.#run({
      type: 'send-message',
      at: this.#at,
      job: id,
      id: message,
      messageType: 't',
      data: '1',
    });
    if (!outcome.ok) return assert.ok(!before || isFinal(before.state), outcome.error.message);
    assert.ok(outcome.reply.type === 'send-message');
    if (!outcome.reply.created) return;
    this.#arrived(id, outcome.reply.number);
    assert.notEqual(this.#job(id)?.state, 'waiting', 'a message leaves nobody waiting');
  }

  #consume({ job: id, first, again }: Extract<Action, { type: 'consume' }>): void {
    const row = this.#job(id);
    const item = row && (first ? this.#items(row)[0] : this.#items(row).at(-1));
    if (!item) return;
    const accepted = this.#append(id, [{ type: 'consume', items: [item.number] }], again);
    if (accepted) this.#unread.get(id)?.delete(item.number);
  }

  #tell({ job: id, to, again }: Extract<Action, { type: 'tell' }>): void {
    const before = this.#job(to);
    const number = (before?.inboxLast ?? 0) + 1;
    const accepted = this.#append(id, [{ type: 'send', call: 7, job: to, messageType: 't', data: '1' }], again);
    if (accepted && before && !isFinal(before.state)) this.#arrived(to, number);
  }

  #start({ job: id, call, detached }: Extract<Action, { type: 'start' }>): void {
    const child = `${id}:1:${call}`;
    const base = { workflow: 'crawler', input: 'null', attemptsMax: 1, detached } as const;
    this.#append(id, [{ type: 'start', call, job: child, ...base }], false);
  }

  #suspend({ job: id, hasSeen, wakeMs }: Extract<Action, { type: 'suspend' }>): void {
    const row = this.#job(id);
    const seen = row && hasSeen ? row.inboxLast : 0;
    const wakeAt = wakeMs === null ? null : this.#at + wakeMs;
    if (!row || !this.#finish(row, { type: 'suspended', wakeAt, seen })) return;
    const after = this.#job(id);
    const isNews = row.inboxItems > 0 && row.inboxLast > seen;
    const expected = row.cancelReason !== null ? 'cancelled' : isNews ? 'pending' : 'waiting';
    assert.equal(after?.state, expected, 'no wake-up is lost');
    if (expected === 'waiting') assert.equal(after.runAt, wakeAt ?? neverMs);
  }

  #end({ job: id, how }: Extract<Action, { type: 'end' }>): void {
    const row = this.#job(id);
    const error = { code: 'WORKFLOW_FAILED', message: 'thrown' } as const;
    const outcome: FinishOutcome =
      how === 'completed' ? { type: how, result: '1' } : { type: how, error, retryable: true };
    if (!row || !this.#finish(row, outcome)) return;
    const parent = row.parent === null ? undefined : this.#job(row.parent);
    if (!parent || isFinal(parent.state) || parent.attempt !== row.parentAttempt) return;
    const told = this.#items(parent).filter(({ body }) => body.type === 'child' && body.job === id);
    assert.equal(told.length, 1, `${parent.id} hears once of ${id}`);
    assert.notEqual(parent.state, 'waiting');
  }

  #append(id: string, internal: readonly InternalEffect[], again: boolean): boolean {
    const row = this.#job(id);
    if (!row || row.epoch === 0) return false;
    const { attempt, epoch, journalEntries: firstSeq, journalHash } = row;
    const batch = oneEntryBatch({ job: id, attempt, firstSeq, previous: journalHash ?? undefined }, 'x');
    const command = append(this.#at, worker, [{ job: id, epoch, attempt, ...batch, internal }]);
    const accepted = isAccepted(this.#run(command));
    if (accepted && again) assert.ok(isAccepted(this.#run(command)), 'the same append again is answered as before');
    return accepted;
  }

  #finish({ id, epoch, attempt }: JobRecord, outcome: FinishOutcome): boolean {
    if (epoch === 0 || this.#job(id)?.finishedEpoch === epoch) return false;
    return isAccepted(this.#run(finish(this.#at, worker, [{ job: id, epoch, attempt, outcome }])));
  }

  #arrived(id: string, number: number): void {
    const unread = this.#unread.get(id) ?? new Set();
    this.#unread.set(id, unread.add(number));
  }

  #job(id: string): JobRecord | undefined {
    return this.#tables.jobs.find(id);
  }

  #items(row: JobRecord): readonly InboxItem[] {
    return this.#db.prepare(inboxSql).all(row.number, 0, 1_000).map(inboxItem);
  }

  #run(command: Command): CommandOutcome {
    this.#commands.push(command);
    const [outcome] = this.#group.run([command]);
    assert.ok(outcome);
    if (!outcome.ok) assert.ok(!['INTERNAL', 'UNAVAILABLE'].includes(outcome.error.code), outcome.error.message);
    return outcome;
  }
}

const isAccepted = (outcome: CommandOutcome): boolean =>
  outcome.ok &&
  (outcome.reply.type === 'append' || outcome.reply.type === 'finish') &&
  outcome.reply.results[0]?.ok === true;

suite('inboxes under random histories', () => {
  test('lose and double no message, lose no wake-up, and leave no child behind', () => {
    fc.assert(
      fc.property(fc.array(actionArbitrary, { minLength: 10, maxLength: 80 }), (actions) => {
        const history = new History();
        for (const action of [{ type: 'claim', capacity: 2 } as const, ...actions]) {
          history.step(action);
          history.check();
        }
        history.checkReplay();
      }),
      { numRuns: 150 },
    );
  });
});
