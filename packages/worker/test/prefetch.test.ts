import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { Prefetch } from '../src/handlers/prefetch.ts';

/** A clock that goes on when it is told. */
class Hand {
  ms = 0;
  wallMs(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
  after(): { cancel(): void } {
    return { cancel: () => undefined };
  }
}

/** Runs `count` jobs one after another, each for so long. */
const work = (
  prefetch: Prefetch,
  clock: Hand,
  { count, ms }: { readonly count: number; readonly ms: number },
): void => {
  for (let done = 0; done < count; done += 1) {
    prefetch.begin();
    clock.ms += ms;
    prefetch.end();
  }
};

suite('jobs that are held ahead', () => {
  test('are none before anything was measured, and none of long jobs', () => {
    const clock = new Hand();
    const prefetch = new Prefetch(clock, 4);
    assert.equal(prefetch.jobs, 0);
    work(prefetch, clock, { count: 20, ms: 100 });
    assert.equal(prefetch.jobs, 0);
  });

  test('become as many short ones as are done in 50 ms', () => {
    const clock = new Hand();
    const prefetch = new Prefetch(clock, 4);
    work(prefetch, clock, { count: 400, ms: 0.1 });
    assert.ok(Math.abs(prefetch.jobs - 500) <= 1, String(prefetch.jobs));
  });

  test('are given up when jobs become long', () => {
    const clock = new Hand();
    const prefetch = new Prefetch(clock, 4);
    work(prefetch, clock, { count: 400, ms: 0.1 });
    work(prefetch, clock, { count: 2, ms: 60 });
    assert.equal(prefetch.jobs, 0);
  });

  test('are measured by the time in which jobs ran, not by the time between them', () => {
    const clock = new Hand();
    const prefetch = new Prefetch(clock, 1);
    for (let index = 0; index < 50; index += 1) {
      work(prefetch, clock, { count: 1, ms: 1 });
      clock.ms += 1_000;
    }
    assert.equal(prefetch.jobs, 50);
  });
});
