/** Jobs whose time comes while workers wait: each gets its job, whatever the others are given in the same moment. */
import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { suite, test } from 'node:test';
import { claimAnswerSchema } from '@mvm-ci/protocol';
import { TestPlane } from '../api/test-plane.ts';

/** Claims that wait, by worker, and what they were given. */
class Waiting {
  readonly given: string[] = [];
  readonly #plane: TestPlane;
  readonly #all: Promise<void>[] = [];

  constructor(plane: TestPlane) {
    this.#plane = plane;
  }

  claim(worker: string, options: object = {}): void {
    this.#all.push(this.#claim(worker, options));
  }

  /** Moves the clock, and lets everything that this sets off happen. */
  async advance(ms: number): Promise<void> {
    for (let step = 0; step < ms; step += 100) {
      this.#plane.clock.advance(100);
      for (let turns = 0; turns < 20; turns += 1) await turn();
    }
  }

  async over(): Promise<void> {
    this.#plane.core.endWaits();
    await Promise.all(this.#all);
  }

  async #claim(worker: string, options: object): Promise<void> {
    const body = { worker, incarnation: worker, capacity: 1, waitMs: 30_000, ...options };
    const answer = await this.#plane.call('POST', '/peer/claim', { body });
    for (const { job } of claimAnswerSchema.parse(answer.body).jobs) this.given.push(`${worker}:${job}`);
  }
}

const publish = async (plane: TestPlane, id: string, options: object = {}): Promise<void> => {
  const body = { job_id: id, workflow: 'crawler', ...options };
  assert.equal((await plane.call('POST', '/queue/publish', { body })).status, 200);
};

const jobsOf = ({ given }: Waiting): readonly string[] => given.map((pair) => pair.replace(/^.*:/, ''));

suite('workers that wait for a claim', () => {
  test('get the jobs whose times come one after another, though each claim is full', async () => {
    await using plane = await TestPlane.open({ periods: { leaseMs: 60_000 } });
    await plane.deploy();
    const waiting = new Waiting(plane);
    for (const worker of ['w1', 'w2', 'w3']) waiting.claim(worker);
    await waiting.advance(100);
    await publish(plane, 'first', { delay_ms: 1_000 });
    await publish(plane, 'second', { delay_ms: 2_000 });
    await publish(plane, 'third', { delay_ms: 3_000 });
    await waiting.advance(3_500);
    assert.deepEqual(jobsOf(waiting), ['first', 'second', 'third']);
    await waiting.over();
  });

  test('get a job that a rate holds back, though a job of another queue comes due before, for other workers', async () => {
    await using plane = await TestPlane.open({ periods: { leaseMs: 60_000 } });
    await plane.deploy();
    const rate = { count: 1, per_ms: 2_000 };
    assert.equal((await plane.call('POST', '/queue/queues/slow', { body: { rate } })).status, 200);
    const waiting = new Waiting(plane);
    waiting.claim('other', { queues: ['default'] });
    waiting.claim('w1', { queues: ['slow'] });
    waiting.claim('w2', { queues: ['slow'] });
    await waiting.advance(100);
    await publish(plane, 'due', { delay_ms: 1_000 });
    await publish(plane, 'now', { queue: 'slow' });
    await publish(plane, 'later', { queue: 'slow' });
    await waiting.advance(4_000);
    assert.deepEqual(waiting.given, ['w1:now', 'other:due', 'w2:later']);
    await waiting.over();
  });
});
