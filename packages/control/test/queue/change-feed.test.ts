import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { controlLimits } from '../../src/limits.ts';
import { ChangeFeed } from '../../src/queue/change-feed.ts';
import { StillClock } from '../fixtures/still-clock.ts';

suite('waiting for the end of a job', () => {
  test('is refused before there is a promise that could reject unseen', async () => {
    const clock = new StillClock();
    const feed = new ChangeFeed(clock, 0);
    const { signal } = new AbortController();
    const wait = (): Promise<void> => feed.final('a', { waitMs: 1_000, signal });
    const waiting = Array.from({ length: controlLimits.statusWaitsMax }, wait);
    assert.throws(() => void wait(), { code: 'UNAVAILABLE' });
    clock.advance(1_000);
    await Promise.all(waiting);
    const again = wait();
    clock.advance(1_000);
    await again;
  });
});
