import assert from 'node:assert/strict';
import { setImmediate as turn } from 'node:timers/promises';
import { suite, test } from 'node:test';
import { ClaimQueue, type ClaimWish } from '../../src/lease/claim-queue.ts';
import { noEffects, type Effects } from '../../src/machine/effects.ts';
import type { ClaimedRow } from '../../src/machine/reply.ts';
import { StillClock } from '../fixtures/still-clock.ts';

const content = {
  reference: null,
  attemptsMax: 1,
  backoffInitialMs: 0,
  backoffFactor: 1,
  backoffMaxMs: 0,
  options: null,
  trace: null,
  hash: new Uint8Array(),
};
const row = (job: string): ClaimedRow => ({
  job,
  epoch: 1,
  attempt: 1,
  module: '',
  workflow: '',
  input: '',
  journalEntries: 0,
  content,
});
const plain = { kind: 'workflow', queue: 'default', requires: [] };
const available = (count: number, runAt: number | null = null): Effects => ({
  ...noEffects(1),
  available: new Map(count === 0 ? [] : [['', { ...plain, count, left: null, module: null }]]),
  runAt,
});

/** A queue over a store that holds `jobs`, and whose claims are answered when the test says so. */
class Bench {
  readonly clock = new StillClock();
  readonly jobs: string[] = [];
  readonly given: string[] = [];
  readonly returned: string[] = [];
  tries = 0;
  failing = false;
  #gate: Promise<void> = Promise.resolve();
  readonly queue = new ClaimQueue({
    clock: this.clock,
    claim: async (wish) => {
      this.tries += 1;
      const jobs = this.jobs.splice(0, wish.capacity);
      // The commit says what it left.
      const left = this.jobs.length;
      await this.#gate;
      this.queue.follow({ ...available(0), available: new Map([['', { ...plain, count: 0, left, module: null }]]) });
      if (this.failing) throw new Error('the disk is full');
      return jobs.map(row);
    },
    giveBack: (_, jobs) => Promise.resolve(this.returned.push(...jobs.map(({ job }) => job))),
  });

  /** Holds the answers of claims back until the result is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    return resolve;
  }

  async claim(worker: string, options: Partial<ClaimWish> = {}): Promise<void> {
    const wish = {
      worker,
      incarnation: 'i1',
      kinds: ['workflow'],
      tags: [],
      queues: null,
      modules: [],
      capacity: 1,
      waitMs: 10_000,
      signal: new AbortController().signal,
      ...options,
    };
    const jobs = await this.queue.claim(wish);
    this.given.push(`${worker}:${jobs.map(({ job }) => job).join('+')}`);
  }

  async publish(...jobs: readonly string[]): Promise<void> {
    this.jobs.push(...jobs);
    this.queue.follow(available(jobs.length));
    await turn();
  }
}

suite('the claim queue', () => {
  test('gives at once what is there', async () => {
    const bench = new Bench();
    await bench.publish('a', 'b');
    await bench.claim('w1', { capacity: 2 });
    assert.deepEqual(bench.given, ['w1:a+b']);
  });

  test('wakes those who wait in the order in which they came, and no more than there are jobs', async () => {
    const bench = new Bench();
    const all = ['w1', 'w2', 'w3'].map((worker) => bench.claim(worker));
    await turn();
    const tries = bench.tries;
    await bench.publish('a', 'b');
    assert.deepEqual(bench.given, ['w1:a', 'w2:b']);
    assert.ok(bench.tries - tries <= 3);
    await bench.publish('c');
    await Promise.all(all);
    assert.deepEqual(bench.given, ['w1:a', 'w2:b', 'w3:c']);
  });

  test('does not miss a job that comes between an empty answer and its arrival', async () => {
    const bench = new Bench();
    const release = bench.hold();
    const claim = bench.claim('w1');
    await bench.publish('a');
    release();
    await claim;
    assert.deepEqual(bench.given, ['w1:a']);
  });

  test('goes on to the next one while answers are full, though the commit was one', async () => {
    const bench = new Bench();
    const all = ['w1', 'w2', 'w3'].map((worker) => bench.claim(worker));
    await turn();
    bench.jobs.push('a', 'b', 'c');
    bench.queue.follow(available(1));
    await Promise.all(all);
    assert.deepEqual(bench.given, ['w1:a', 'w2:b', 'w3:c']);
  });

  test('claims what a command will make available right behind it, and lets nobody else look at its commit', async () => {
    const bench = new Bench();
    const [first, second] = ['w1', 'w2'].map((worker) => bench.claim(worker));
    await turn();
    const tries = bench.tries;
    bench.jobs.push('a');
    const end = bench.queue.expect(available(1).available);
    assert.equal(bench.tries, tries + 1);
    bench.queue.follow(available(1));
    end(true);
    await first;
    await turn();
    assert.deepEqual(bench.given, ['w1:a']);
    // A claim that got all that it asked for has another one look, as ever.
    assert.ok(bench.tries <= tries + 2);
    await bench.publish('b');
    await second;
    assert.deepEqual(bench.given, ['w1:a', 'w2:b']);
  });

  test('misses no job after a command was refused from which one was expected', async () => {
    const bench = new Bench();
    const claim = bench.claim('w1');
    await turn();
    const end = bench.queue.expect(available(1).available);
    await turn();
    end(false);
    assert.deepEqual(bench.given, []);
    await bench.publish('a');
    await claim;
    assert.deepEqual(bench.given, ['w1:a']);
  });

  test('misses no job that came in the same commit in which an expected one did not', async () => {
    const bench = new Bench();
    const claim = bench.claim('w1');
    await turn();
    const end = bench.queue.expect(available(1).available);
    bench.jobs.push('a');
    // Another command's: the claim that was sent for the expected job came before it.
    bench.queue.follow(available(1));
    end(false);
    await claim;
    assert.deepEqual(bench.given, ['w1:a']);
  });

  test('tries a worker again that is called while its claim is under way', async () => {
    const bench = new Bench();
    const release = bench.hold();
    const claim = bench.claim('w1');
    // It came too early for the job that is kept for it.
    bench.queue.follow({ ...available(0), called: ['w1'] });
    bench.jobs.push('kept');
    release();
    await claim;
    assert.deepEqual([bench.given, bench.tries], [['w1:kept'], 2]);
  });

  test('nudges whoever has waited longest for jobs of a kind, of those who take errands', async () => {
    const bench = new Bench();
    const other = bench.claim('w1', { kinds: ['handler:mail'] });
    const without = bench.claim('w0', { errands: false });
    const claims = ['w2', 'w3'].map((worker) => bench.claim(worker));
    await turn();
    bench.queue.nudge('workflow');
    await turn();
    assert.deepEqual(bench.given, ['w2:']);
    bench.queue.stop();
    await Promise.all([other, without, ...claims]);
  });

  test('does not miss an expected job when an earlier claim comes back with nothing', async () => {
    const bench = new Bench();
    const release = bench.hold();
    const claim = bench.claim('w1');
    bench.jobs.push('a');
    const end = bench.queue.expect(available(1).available);
    release();
    await turn();
    bench.queue.follow(available(1));
    end(true);
    await claim;
    assert.deepEqual(bench.given, ['w1:a']);
  });

  test('tries again at the time when the next job may run', async () => {
    const bench = new Bench();
    const claim = bench.claim('w1');
    await turn();
    bench.queue.follow(available(0, bench.clock.wallMs() + 500));
    bench.jobs.push('a');
    bench.clock.advance(499);
    await turn();
    assert.deepEqual(bench.given, []);
    bench.clock.advance(1);
    await claim;
    assert.deepEqual(bench.given, ['w1:a']);
  });

  test('lets the next one look when a time came and the first was given all that it asked for', async () => {
    const bench = new Bench();
    const all = [bench.claim('w1'), bench.claim('w2')];
    await turn();
    bench.queue.follow(available(0, bench.clock.wallMs() + 500));
    bench.jobs.push('a');
    const before = bench.tries;
    bench.clock.advance(500);
    await turn();
    assert.deepEqual([bench.given, bench.tries - before], [['w1:a'], 2]);
    bench.queue.stop();
    await Promise.all(all);
  });

  test('lets one of each kind of worker look when a time came, as it may be for any of them', async () => {
    const bench = new Bench();
    const all = [
      bench.claim('w1', { capacity: 2, queues: ['other'] }),
      bench.claim('w2', { capacity: 2 }),
      bench.claim('w3', { capacity: 2 }),
    ];
    await turn();
    const before = bench.tries;
    bench.queue.follow(available(0, bench.clock.wallMs() + 500));
    bench.clock.advance(500);
    await turn();
    assert.equal(bench.tries - before, 2);
    bench.queue.stop();
    await Promise.all(all);
  });

  test('answers with nothing when the time is over, and without waiting when none was asked for', async () => {
    const bench = new Bench();
    await bench.claim('w1', { waitMs: 0 });
    const claim = bench.claim('w2', { waitMs: 100 });
    await turn();
    bench.clock.advance(100);
    await claim;
    assert.deepEqual(bench.given, ['w1:', 'w2:']);
    assert.equal(bench.queue.length, 0);
  });

  test('claims no job for a request that was given up', async () => {
    const bench = new Bench();
    const gone = new AbortController();
    const claim = bench.claim('w1', { signal: gone.signal });
    await turn();
    gone.abort();
    await claim;
    assert.equal(bench.queue.length, 0);
    await bench.publish('a');
    assert.deepEqual(bench.jobs, ['a']);
  });

  test('gives back what was claimed in the moment in which the request was given up', async () => {
    const bench = new Bench();
    const gone = new AbortController();
    const claim = bench.claim('w1', { signal: gone.signal });
    await turn();
    const release = bench.hold();
    await bench.publish('a');
    gone.abort();
    release();
    await claim;
    await turn();
    assert.deepEqual([bench.given, bench.returned], [['w1:'], ['a']]);
  });

  test('hands a refusal of the store to its request, and tries the others later', async () => {
    const bench = new Bench();
    const first = bench.claim('w1');
    await turn();
    bench.failing = true;
    const release = bench.hold();
    bench.queue.follow(available(1));
    const second = bench.claim('w2');
    release();
    await assert.rejects(first, /disk is full/);
    await assert.rejects(second, /disk is full/);
    bench.failing = false;
    await bench.publish('a');
    await bench.claim('w3');
    assert.deepEqual(bench.given, ['w3:a']);
  });

  test('asks another worker at the next wake when the first one found nothing that it may have', async () => {
    const bench = new Bench();
    const all = [bench.claim('holds a suspect'), bench.claim('may have it')];
    await turn();
    for (const attempt of [1, 2]) {
      if (attempt === 2) bench.jobs.push('suspect');
      bench.queue.follow(available(0, bench.clock.wallMs() + 1_000));
      bench.clock.advance(1_000);
      await turn();
    }
    assert.deepEqual(bench.given, ['may have it:suspect']);
    bench.queue.stop();
    await Promise.all(all);
  });

  test('answers all requests with nothing that are dismissed at once, and no other', async () => {
    const bench = new Bench();
    for (const worker of ['w1', 'w2', 'w3', 'w4']) void bench.claim(worker, { capacity: 2 });
    await turn();
    bench.queue.dismiss(({ worker }) => worker !== 'w3');
    await turn();
    assert.deepEqual(bench.given, ['w1:', 'w2:', 'w4:']);
    assert.deepEqual([...bench.queue.waitingWorkers()], ['w3']);
  });

  test('answers a request with nothing that is dismissed while its claim is under way', async () => {
    const bench = new Bench();
    const release = bench.hold();
    const claim = bench.claim('w1');
    await turn();
    bench.queue.dismiss(({ worker }) => worker === 'w1');
    release();
    await claim;
    assert.deepEqual(bench.given, ['w1:']);
  });

  test('gives nothing to a worker that fell silent: its place goes to the next', async () => {
    const bench = new Bench();
    const all = [bench.claim('silent'), bench.claim('alive')];
    await turn();
    bench.queue.dismiss(({ worker }) => worker === 'silent');
    await bench.publish('a');
    await Promise.all(all);
    assert.deepEqual(bench.given, ['silent:', 'alive:a']);
  });

  test('answers everybody with nothing when it stops, and leaves no timer', async () => {
    const bench = new Bench();
    const all = ['w1', 'w2'].map((worker) => bench.claim(worker));
    await turn();
    bench.queue.follow(available(0, bench.clock.wallMs() + 500));
    bench.queue.stop();
    await Promise.all(all);
    await bench.claim('w3');
    assert.deepEqual(bench.given, ['w1:', 'w2:', 'w3:']);
    assert.equal(bench.clock.pending, 0);
  });
});
