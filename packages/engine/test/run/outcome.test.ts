import { limits } from '@mvm-ci/protocol';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { failedOutcome } from '../../src/run/outcome.ts';

const thrown = (message: string): ReturnType<typeof failedOutcome> =>
  failedOutcome({ code: 'WORKFLOW_FAILED', message });

suite('the outcome of a failure', () => {
  test('lets what the author threw be tried again, unless its name says that it is hopeless', () => {
    assert.equal(thrown('Error: no such page').retryable, true);
    assert.equal(thrown('NonRetryableError: no such page (a.ts:1:2)').retryable, false);
    assert.equal(thrown('NonRetryableErrors: another name').retryable, true);
    assert.equal(failedOutcome({ code: 'GUEST_TRAPPED', message: 'unreachable' }).retryable, false);
  });

  test('says how long the next attempt waits when its name does', () => {
    const outcome = thrown('RetryAfterError(5000): too many requests');
    assert.deepEqual([outcome.retryable, outcome.retryAfterMs], [true, 5_000]);
    for (const far of ['1234567890123', '1e+21', 'Infinity'])
      assert.equal(thrown(`RetryAfterError(${far}): never`).retryAfterMs, limits.durationMsMax);
    assert.equal(thrown('RetryAfterError(12.5): soon').retryAfterMs, 13);
    assert.equal(thrown('RetryAfterError: without a time').retryAfterMs, undefined);
    assert.equal('retryAfterMs' in thrown('Error: RetryAfterError(5000)'), false);
  });
});
