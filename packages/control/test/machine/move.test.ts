/** Jobs that are kept for a worker: the rules that hold for all others hold for them. */
import { defaultBackoff, optionsText, type FinishOutcome, type QueueChange } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { suite, test } from 'node:test';
import type { Command } from '../../src/machine/command.ts';
import { contentHash } from '../../src/queue/content-hash.ts';
import { outcomeHash } from '../../src/queue/outcome-hash.ts';
import { GroupCommit, type CommandOutcome } from '../../src/store/group-commit.ts';
import { migrate } from '../../src/store/migration.ts';
import { claimRuns, deployCrawler } from './commands.ts';

type Applied = Extract<CommandOutcome, { readonly ok: true }>;

/** A state machine with jobs, in a queue of its own, that a worker `w1` holds first. */
class Machine implements Disposable {
  at: number = 1_000;
  readonly #db = new DatabaseSync(':memory:');
  readonly #group: GroupCommit;

  constructor(...jobs: readonly string[]) {
    migrate(this.#db);
    this.#group = new GroupCommit(this.#db);
    this.#run(deployCrawler(1));
    const options = optionsText({ queue: 'own' });
    const content = { reference: 'crawler', input: '1', attemptsMax: 3, backoff: defaultBackoff, options };
    const items = jobs.map((id) => ({ id, ...content, hash: contentHash(content) }));
    this.#run({ type: 'publish', at: 2, jobs: items, pendingJobsMax: 100 });
  }

  setQueue(change: QueueChange): void {
    this.#run({ type: 'set-queue', at: this.at, queue: 'own', change });
  }

  claim(worker: string, capacity = 10): readonly string[] {
    const { reply } = this.#run(claimRuns(this.at, worker, capacity));
    assert.equal(reply.type, 'claim');
    return reply.jobs.map(({ job }) => job);
  }

  move(job: string, worker: string): void {
    this.#run({ type: 'move', at: this.at, job, worker });
  }

  finish(job: string, outcome: FinishOutcome, epoch = 1): void {
    const finish = { job, epoch, attempt: 1, outcome, outcomeHash: outcomeHash(outcome) };
    const { reply } = this.#run({ type: 'finish', at: this.at, worker: 'w1', jitter: 0, finishes: [finish] });
    assert.deepEqual(reply, { type: 'finish', results: [{ ok: true }] });
  }

  lose(jobs: readonly string[], epoch: number): void {
    this.#run({ type: 'expire', at: this.at, leases: jobs.map((job) => ({ job, epoch })) });
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }

  #run(command: Command): Applied {
    const [outcome] = this.#group.run([command]);
    assert.ok(outcome?.ok === true, JSON.stringify(outcome));
    return outcome;
  }
}

const released = { type: 'released' } as const;

suite('jobs that are kept for a worker', () => {
  test('are given to it one by one when the concurrency of their queue has room for one', () => {
    using machine = new Machine('a', 'b');
    machine.setQueue({ concurrency: 1 });
    for (const job of ['a', 'b']) {
      assert.deepEqual(machine.claim('w1'), [job]);
      machine.move(job, 'w2');
      machine.finish(job, released);
    }
    assert.deepEqual(machine.claim('w2'), ['a']);
  });

  test('count for the rate of their queue', () => {
    using machine = new Machine('a', 'b');
    assert.deepEqual(machine.claim('w1', 1), ['a']);
    machine.setQueue({ rate: { count: 1, per_ms: 1_000 } });
    machine.move('a', 'w2');
    machine.finish('a', released);
    assert.deepEqual(machine.claim('w2'), ['a']);
    machine.at += 500;
    assert.deepEqual(machine.claim('w2'), []);
    // A claim counts until its slot of the period is over.
    machine.at += 700;
    assert.deepEqual(machine.claim('w2'), ['b']);
  });

  test('are not the next attempts of those that failed before they were given back: these wait as long as all others', () => {
    using machine = new Machine('a');
    assert.deepEqual(machine.claim('w1'), ['a']);
    machine.move('a', 'w2');
    machine.finish('a', { type: 'failed', error: { code: 'INTERNAL', message: 'no luck' }, retryable: true });
    assert.deepEqual(machine.claim('w2'), []);
    machine.at += defaultBackoff.initial_ms;
    assert.deepEqual(machine.claim('w2'), ['a']);
  });

  test('are not those whose holder fell silent, so that a worker gets one suspect at a time', () => {
    using machine = new Machine('a', 'b');
    assert.equal(machine.claim('w1').length, 2);
    machine.lose(['a', 'b'], 1);
    assert.equal(machine.claim('w1').length, 2);
    for (const job of ['a', 'b']) machine.move(job, 'w2');
    machine.lose(['a', 'b'], 2);
    assert.deepEqual(machine.claim('w2'), []);
    machine.at += 1_000;
    assert.equal(machine.claim('w2').length, 1);
  });
});
